"""E-mail through Brevo (https://developers.brevo.com/reference/sendtransacemail).

The key goes as `headers.idempotencyKey`, a UUID (https://developers.brevo.com/docs/heterogenous-versions-batch-emails;
the changelog says 15 minutes, the guide 30: we count on 15, and on the spelling of both examples, see
facts/messaging.md 2.2). Events hand back `X-Mailin-custom`. Images shown by `cid:` cannot be sent inline: Brevo knows
attachments only. The Message-ID is Brevo's own.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from connector.contracts import Message, Outcome, Rejected
from connector.outside.posting import Answer
from flows.channels.api_email import ApiEmail, Call, id_of
from flows.channels.email_parts import read_parts, recipient_of

_SPACE = uuid.UUID("6f2f5d5e-0b8a-5b1e-9d43-4f8f2f1c7a10")
"""Any fixed one: our keys become the same UUIDs for ever."""
_NO_CREDIT = frozenset({"not_enough_credits", "account_under_validation", "permission_denied", "unauthorized"})


class Brevo(ApiEmail):
    harmless: ClassVar[str] = "/v3/account"
    name: ClassVar[str] = "brevo"
    address: ClassVar[str] = "https://api.brevo.com"
    idempotent_for: ClassVar[float] = 900.0

    def credentials(self, api_key: str) -> Mapping[str, str]:
        return {"api-key": api_key, "Accept": "application/json"}

    def call_for(self, message: Message) -> Call:
        parts = read_parts(message.content)
        known = {"idempotencyKey": str(uuid.uuid5(_SPACE, message.key)), "X-Mailin-custom": message.key}
        body: dict[str, Any] = {
            "sender": parts.sender.pair,
            "to": [recipient_of(message, parts).pair],
            "subject": parts.subject,
            "textContent": parts.text,
            "headers": {**parts.headers, **known},
            "tags": [message.purpose.value],
        }
        if parts.html:
            body["htmlContent"] = parts.html
        if parts.reply_to:
            body["replyTo"] = parts.reply_to.pair
        if parts.attachments:
            body["attachment"] = [{"name": each.name, "content": each.base64} for each in parts.attachments]
        return Call("/v3/smtp/email", {"json": body})

    def accepted_id(self, answer: Answer) -> str:
        return id_of(answer, "messageId")

    def refusal(self, message: Message, answer: Answer, body: Mapping[str, Any]) -> Outcome | None:
        """By `code` of the error model."""
        code = str(body.get("code", ""))
        words = str(body.get("message", "")).lower()
        if code in _NO_CREDIT:
            return self.account_refused(message, f"brevo: {code}")
        if "idempot" in words or "duplicate" in code:
            text = "brevo took a message under this key before"
            return Rejected(key=message.key, code=f"{answer.status} {code}", text=text)
        if answer.status == 400 and "sender" in words:
            return self.sender_refused(message, f"400 {code}")
        if answer.status == 400 and "email" in words and (" to" in words or "recipient" in words):
            return self.bad_recipient(message, f"400 {code}")
        return None

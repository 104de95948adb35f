"""E-mail through SendGrid (https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send).

It knows no keys and cannot be asked by ours: an unknown outcome stays unknown until its events tell. 202 means queued.
Click, open and subscription tracking are switched off for each message: the last would replace our List-Unsubscribe.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from connector.contracts import Message, Outcome
from connector.errors import ConfigError
from connector.outside.posting import Answer
from flows.channels.api_email import TAG, ApiEmail, Call, region_address
from flows.channels.email_parts import read_parts, recipient_of

_REGIONS = {"global": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}
_OFF = {"enable": False}


class SendGrid(ApiEmail):
    """`region` is `global` or `eu` (regional subusers); `sandbox = true` has every message checked and none sent."""

    harmless: ClassVar[str] = "/v3/scopes"
    name: ClassVar[str] = "sendgrid"
    own_keys: ClassVar[frozenset[str]] = frozenset({"region", "sandbox"})

    @classmethod
    def default_address(cls, settings: Mapping[str, object]) -> str:
        return region_address(settings, _REGIONS, "global")

    def configure(self, settings: Mapping[str, object]) -> None:
        self._sandbox = settings.get("sandbox", False)
        if not isinstance(self._sandbox, bool):
            raise ConfigError("must be true or false", where="sandbox")

    def credentials(self, api_key: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {api_key}"}

    def call_for(self, message: Message) -> Call:
        parts = read_parts(message.content)
        content = [("text/plain", parts.text), ("text/html", parts.html)]
        headers = {**parts.headers, **({"Message-ID": parts.message_id} if parts.message_id else {})}
        body: dict[str, Any] = {
            "personalizations": [{"to": [recipient_of(message, parts).pair], "custom_args": {TAG: message.key}}],
            "from": parts.sender.pair,
            "subject": parts.subject,
            "content": [{"type": kind, "value": value} for kind, value in content if value],
            "headers": headers,
            "categories": [message.purpose.value],
            "tracking_settings": {"click_tracking": _OFF, "open_tracking": _OFF, "subscription_tracking": _OFF},
        }
        if parts.reply_to:
            body["reply_to"] = parts.reply_to.pair
        if self._sandbox:
            body["mail_settings"] = {"sandbox_mode": {"enable": True}}
        if parts.attachments:
            body["attachments"] = [
                {"content": each.base64, "filename": each.name, "type": each.type.partition(";")[0]}
                | (
                    {"disposition": "inline", "content_id": each.content_id}
                    if each.content_id
                    else {"disposition": "attachment"}
                )
                for each in parts.attachments
            ]
        return Call("/v3/mail/send", {"json": body})

    def accepted_id(self, answer: Answer) -> str:
        return answer.headers.get("X-Message-Id", "")

    def refusal(self, message: Message, answer: Answer, body: Mapping[str, Any]) -> Outcome | None:
        """By `field` and words of the first error; SendGrid has no codes of its own."""
        errors = body.get("errors")
        first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
        place, words = str(first.get("field") or ""), str(first.get("message") or "").lower()
        if answer.status == 403 and (place == "from" or "sender identity" in words):
            return self.sender_refused(message, "403")
        if answer.status == 400 and place.startswith("personalizations") and ".to" in place:
            return self.bad_recipient(message, "400 to")
        if answer.status == 400 and place.startswith("from"):
            return self.sender_refused(message, "400")
        return None

"""E-mail through Resend (https://resend.com/docs/api-reference/emails/send-email).

A repetition under the same Idempotency-Key within 24 hours is the same message; with another body it is refused (409).
Batches are not used: there one key covers the whole batch, and a repetition would have to be of the very same messages.
The Message-ID is Resend's own; every other header of ours goes along.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from connector.contracts import Message, Outcome, Rate, Rejected, Retry, Scope, Unknown
from connector.outside.posting import Answer
from flows.channels.api_email import TAG, ApiEmail, Call, id_of, json_of
from flows.channels.email_parts import read_parts, recipient_of

_DOMAIN_FAULTS = ("domain is not verified", "verify a domain", "invalid `from`", "not verified")
_QUOTAS = frozenset({"daily_quota_exceeded", "monthly_quota_exceeded"})
_QUOTA_WAIT = 900.0


class Resend(ApiEmail):
    """Two requests a second for a whole team is what Resend grants at first; set `rate` when it grants more."""

    harmless: ClassVar[str] = "/domains"
    name: ClassVar[str] = "resend"
    address: ClassVar[str] = "https://api.resend.com"
    idempotent_for: ClassVar[float] = 24 * 3600.0
    rate: ClassVar[Rate | None] = Rate(2, 1, 1)

    def credentials(self, api_key: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {api_key}"}

    def call_for(self, message: Message) -> Call:
        parts = read_parts(message.content)
        body: dict[str, Any] = {
            "from": parts.sender.shown,
            "to": [recipient_of(message, parts).shown],
            "subject": parts.subject,
            "text": parts.text,
            "headers": dict(parts.headers),
            "tags": [{"name": TAG, "value": message.key}, {"name": "purpose", "value": message.purpose.value}],
        }
        if parts.html:
            body["html"] = parts.html
        if parts.reply_to:
            body["reply_to"] = parts.reply_to.shown
        if parts.attachments:
            body["attachments"] = [
                {"filename": each.name, "content": each.base64, "content_type": each.type}
                | ({"content_id": each.content_id} if each.content_id else {})
                for each in parts.attachments
            ]
        return Call("/emails", {"json": body, "headers": {"Idempotency-Key": message.key}})

    def accepted_id(self, answer: Answer) -> str:
        return id_of(answer, "id")

    def refusal(self, message: Message, answer: Answer, body: Mapping[str, Any]) -> Outcome | None:
        """By `name` of the error (https://resend.com/docs/api-reference/errors)."""
        name = str(body.get("name", ""))
        words = str(body.get("message", "")).lower()
        if answer.status == 409:
            return self._known_key(message, name)
        if name in _QUOTAS:
            text = f"resend: {name}; raise the plan, or wait"
            after = max(answer.retry_after or 0.0, _QUOTA_WAIT)
            return Retry(key=message.key, text=text, after=after, scope=Scope.ACCOUNT)
        if name == "invalid_from_address" or any(fault in words for fault in _DOMAIN_FAULTS):
            return self.sender_refused(message, name or str(answer.status))
        if name in ("validation_error", "invalid_parameter") and "`to`" in words:
            return self.bad_recipient(message, f"{answer.status} {name}")
        return None

    def _known_key(self, message: Message, name: str) -> Outcome:
        if name == "invalid_idempotent_request":
            text = "resend took another message under this key before"
            return Rejected(key=message.key, code=f"409 {name}", text=text)
        return Unknown(key=message.key, text=f"resend is still at an earlier attempt ({name or 409})")

    def opens(self, answer: Answer) -> bool:
        """A key that may only send is told so when it asks for domains: it is a good key."""
        return super().opens(answer) or json_of(answer).get("name") == "restricted_api_key"

"""E-mail through Postmark (https://postmarkapp.com/developer/api/email-api).

No key is known there, but a message carries our key as metadata, and can be looked for by it for 45 days. Order mail
and advertising go through streams of their own. A Message-ID of ours stays with `X-PM-KeepID`. On a broadcast stream
Postmark adds its own unsubscribe link unless its support switched that off for the stream.

Its batches are not used: one that gets no answer leaves all its messages in doubt, not one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from connector.contracts import (
    Accepted,
    LooksUp,
    Message,
    Outcome,
    Rejected,
    Retry,
    Scope,
)
from connector.outside.posting import Answer
from flows.channels.api_email import TAG, WAIT_FOR_OPERATOR, ApiEmail, Call, id_of, json_of, text
from flows.channels.email_parts import read_parts, recipient_of
from flows.channels.looking import found_or_none, refused_to_tell

_BAD_TOKEN, _MAINTENANCE, _INVALID, _INACTIVE = 10, 100, 300, 406
_SENDER = frozenset({400, 401})
_ACCOUNT = frozenset({405, 412, 413})
_STREAMS = frozenset({1221, 1235})


class Postmark(ApiEmail, LooksUp):
    """`api_key` is the server's token; `stream` and `broadcast_stream` are the ids of its message streams."""

    harmless: ClassVar[str] = "/server"
    name: ClassVar[str] = "postmark"
    address: ClassVar[str] = "https://api.postmarkapp.com"
    own_keys: ClassVar[frozenset[str]] = frozenset({"stream", "broadcast_stream"})

    def configure(self, settings: Mapping[str, object]) -> None:
        self._stream = text(settings, "stream", "outbound")
        self._broadcast = text(settings, "broadcast_stream", "broadcast")

    def credentials(self, api_key: str) -> Mapping[str, str]:
        return {"X-Postmark-Server-Token": api_key, "Accept": "application/json"}

    def call_for(self, message: Message) -> Call:
        parts = read_parts(message.content)
        headers = {**parts.headers}
        if parts.message_id:
            headers |= {"Message-ID": parts.message_id, "X-PM-KeepID": "true"}
        body: dict[str, Any] = {
            "From": parts.sender.shown,
            "To": recipient_of(message, parts).shown,
            "Subject": parts.subject,
            "TextBody": parts.text,
            "Headers": [{"Name": name, "Value": value} for name, value in headers.items()],
            "Tag": message.purpose.value,
            "Metadata": {TAG: message.key},
            "MessageStream": self._stream_of(message),
            "TrackOpens": False,
            "TrackLinks": "None",
        }
        if parts.html:
            body["HtmlBody"] = parts.html
        if parts.reply_to:
            body["ReplyTo"] = parts.reply_to.shown
        if parts.attachments:
            body["Attachments"] = [
                {"Name": each.name, "Content": each.base64, "ContentType": each.type}
                | ({"ContentID": f"cid:{each.content_id}"} if each.content_id else {})
                for each in parts.attachments
            ]
        return Call("/email", {"json": body})

    def _stream_of(self, message: Message) -> str:
        return self._broadcast if message.purpose.needs_consent else self._stream

    def outcome_of(self, message: Message, answer: Answer) -> Outcome:
        """An answer of 200 may hold a refusal; the item says (https://postmarkapp.com/developer/api/overview)."""
        body = json_of(answer)
        if answer.status == 200 and body.get("ErrorCode"):
            return self.refusal(message, answer, body) or Rejected(
                key=message.key, code=f"postmark {body['ErrorCode']}", text="postmark refused the message"
            )
        return super().outcome_of(message, answer)

    def accepted_id(self, answer: Answer) -> str:
        return id_of(answer, "MessageID")

    def refusal(self, message: Message, answer: Answer, body: Mapping[str, Any]) -> Outcome | None:
        code = body.get("ErrorCode")
        if not isinstance(code, int):
            return None
        said = f"postmark error {code}"
        if code == _MAINTENANCE or code == 429:
            return Retry(key=message.key, text=said, after=answer.retry_after, scope=Scope.ACCOUNT)
        if code == _BAD_TOKEN or code in _ACCOUNT:
            return self.account_refused(message, said)
        if code in _SENDER:
            return self.sender_refused(message, said)
        if code in _STREAMS:
            text = f"{said}: no message stream '{self._stream_of(message)}'; create it, or set stream in app.toml"
            return Retry(key=message.key, text=text, after=WAIT_FOR_OPERATOR, scope=Scope.SHOP)
        if code == _INVALID and "'to'" in str(body.get("Message", "")).lower():
            return self.bad_recipient(message, f"{answer.status} {code}")
        if code == _INACTIVE:
            text = "postmark holds the address inactive (it bounced or complained before); reactivate it there"
            return Rejected(key=message.key, code=f"{answer.status} {code}", text=text)
        return None

    def look_up(self, message: Message, since: datetime) -> Accepted | None:
        """By metadata, in the stream it went through; new messages are found within seconds, we give it a minute."""
        query = {"count": 1, "offset": 0, f"metadata_{TAG}": message.key, "messagestream": self._stream_of(message)}
        answer = self._api.call("GET", "/messages/outbound", params=query)
        if answer.status != 200:
            raise refused_to_tell(self.name, answer)
        listed = json_of(answer).get("Messages") or []
        ids = [str(one.get("MessageID", "")) for one in listed if (one.get("Metadata") or {}).get(TAG) == message.key]
        return found_or_none(message, ids, since, self._clock.now())

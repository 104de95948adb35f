"""E-mail through Mailgun (https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages).

It takes the MIME message whole, so every header of ours arrives, the Message-ID included, and it can be asked for that
Message-ID afterwards (events are kept for three days at least). It knows no keys: an Idempotency-Key stands in its
SDK's README alone (facts/messaging.md 2.2).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from connector.contracts import Accepted, LooksUp, Message, Outcome
from connector.errors import ConfigError, Refused
from connector.outside.posting import Answer
from flows.channels.api_email import TAG, ApiEmail, Call, id_of, json_of, region_address, text
from flows.channels.email_parts import read_parts
from flows.channels.looking import found_or_none, refused_to_tell
from flows.render.mime import ascii_address

_REGIONS = {"us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}
_DOMAIN = re.compile(r"[A-Za-z0-9.-]{1,253}")


class Mailgun(ApiEmail, LooksUp):
    """`domain` is the sending domain at Mailgun, `region` where it is: `us` or `eu`."""

    name: ClassVar[str] = "mailgun"
    harmless: ClassVar[str] = "/v4/domains/{domain}"
    own_keys: ClassVar[frozenset[str]] = frozenset({"domain", "region", "test"})

    @classmethod
    def default_address(cls, settings: Mapping[str, object]) -> str:
        return region_address(settings, _REGIONS, "us")

    def configure(self, settings: Mapping[str, object]) -> None:
        self._domain = text(settings, "domain")
        if not _DOMAIN.fullmatch(self._domain):
            raise ConfigError('the sending domain at Mailgun, as in domain = "mg.example.com"', where="domain")
        self._test = settings.get("test", False)
        if not isinstance(self._test, bool):
            raise ConfigError("must be true or false", where="test")

    def credentials(self, api_key: str) -> Mapping[str, str]:
        return {"Authorization": "Basic " + b64encode(f"api:{api_key}".encode()).decode("ascii")}

    def call_for(self, message: Message) -> Call:
        fields = [
            ("to", (None, ascii_address(message.recipient))),
            ("message", ("message.eml", message.content, "application/octet-stream")),
            (f"v:{TAG}", (None, message.key)),
            ("o:tag", (None, message.purpose.value)),
            ("o:tracking", (None, "no")),
        ]
        if self._test:
            fields.append(("o:testmode", (None, "yes")))
        return Call(f"/v3/{self._domain}/messages.mime", {"files": fields})

    def accepted_id(self, answer: Answer) -> str:
        """Without angle brackets, as its events have it."""
        return id_of(answer, "id").strip("<>")

    def refusal(self, message: Message, answer: Answer, body: Mapping[str, Any]) -> Outcome | None:
        words = str(body.get("message", "")).lower()
        if answer.status == 400 and "to parameter" in words:
            return self.bad_recipient(message, "400 to")
        if answer.status == 400 and ("from" in words and "not" in words and "address" in words):
            return self.sender_refused(message, "400")
        if answer.status == 404:
            return self.sender_refused(message, f"404, no domain {self._domain} in this region")
        return None

    def harmless_path(self) -> str:
        return self.harmless.format(domain=self._domain)

    def look_up(self, message: Message, since: datetime) -> Accepted | None:
        """By Message-ID among the accepted; nothing there after a minute means that nothing was accepted."""
        message_id = read_parts(message.content).message_id.strip("<>")
        if not message_id:
            raise Refused("the message has no Message-ID to look for", provider_code="no_message_id")
        query = {"message-id": message_id, "event": "accepted", "limit": 1}
        answer = self._api.call("GET", f"/v3/{self._domain}/events", params=query)
        if answer.status != 200:
            raise refused_to_tell(self.name, answer)
        ids = [message_id for item in json_of(answer).get("items") or [] if _id_of(item) == message_id]
        return found_or_none(message, ids, since, self._clock.now())


def _id_of(item: Mapping[str, Any]) -> str:
    return str(((item.get("message") or {}).get("headers") or {}).get("message-id", "")).strip("<>")

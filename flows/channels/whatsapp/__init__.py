"""WhatsApp through Meta's Cloud API: approved templates only, as every message a business begins must be one.

Request: data/providers whatsapp_messages.json. Error codes:
https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from connector import __version__
from connector.clock import Clock
from connector.contracts import Message, Outcome, Rate, Rejected, Retry
from connector.errors import ConfigError
from connector.outside.posting import Answer
from flows.channels.posted import Call, Posted, account_refused, known_keys, text_of

API = "https://graph.facebook.com"
VERSION = "v23.0"
BUSY = frozenset({"4", "80007", "130429", "131016", "131048", "131056", "133004"})
ACCOUNT = frozenset({"0", "3", "10", "190", "200", "368", "131005", "131031", "131042", "131045"})
"""The account's own trouble (a token that ended, a bill): a person must see to it."""
OBJECTED = "131050"
_BUSY_PAUSE = 60.0
_KEYS = ("phone_number_id", "access_token", "app_secret", "verify_token", "version", "api_url")


class WhatsApp(Posted):
    """One business number. A message's content is the `template` object as JSON (`flows.forms.whatsapp`).

    A number sends 80 messages a second until Meta grants it more
    (https://developers.facebook.com/docs/whatsapp/throughput).
    """

    name: ClassVar[str] = "whatsapp"
    medium: ClassVar[str] = "whatsapp"
    rate: ClassVar[Rate | None] = Rate(80, 1, 8)
    provider: ClassVar[str] = "WhatsApp"

    def __init__(self, clock: Clock, number_id: str, token: str, version: str, api_url: str) -> None:
        super().__init__(clock, private_addresses=bool(api_url))
        self._url = f"{(api_url or API).rstrip('/')}/{version}/{number_id}/messages"
        self._token = token

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> WhatsApp:
        """`phone_number_id`, `access_token`; `app_secret` and `verify_token` for its events. Raises `ConfigError`."""
        known_keys("whatsapp", settings, _KEYS)
        number = text_of(settings, "phone_number_id", needed="the number's id in WhatsApp Manager, digits only")
        if not number.isdecimal():
            raise ConfigError("should be the number's id, digits only, and not the number", where="phone_number_id")
        token = text_of(settings, "access_token", needed="a system user's token with whatsapp_business_messaging")
        version = text_of(settings, "version") or VERSION
        if not re.fullmatch(r"v\d{1,3}\.\d", version):
            raise ConfigError("should be a version of the Graph API such as v23.0", where="version")
        for key in ("app_secret", "verify_token"):
            text_of(settings, key)
        return cls(clock, number, token, version, text_of(settings, "api_url"))

    def request(self, message: Message) -> Call:
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": message.recipient.removeprefix("+"),
            "type": "template",
            "template": json.loads(message.content),
            "biz_opaque_callback_data": message.key,
        }
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self._token}",
            "User-Agent": f"Kiitos/{__version__}",
        }
        return Call(self._url, json.dumps(body, ensure_ascii=False).encode(), headers)

    def provider_id(self, told: Mapping[str, Any]) -> str:
        sent = told.get("messages")
        first = sent[0] if isinstance(sent, list) and sent else {}
        return str(first.get("id") or "") if isinstance(first, dict) else ""

    def harmless(self) -> tuple[str, Mapping[str, str]]:
        url = self._url.removesuffix("/messages") + "?fields=verified_name,quality_rating"
        return url, {"Authorization": f"Bearer {self._token}", "User-Agent": f"Kiitos/{__version__}"}

    def refused(self, message: Message, answer: Answer, told: Mapping[str, Any]) -> Outcome | None:
        error = told.get("error")
        code = str(error.get("code", "")) if isinstance(error, dict) else ""
        if not code:
            return None
        text = f"WhatsApp refused it ({code})"
        if code in BUSY:
            return Retry(key=message.key, text=text, after=answer.retry_after or _BUSY_PAUSE)
        if code in ACCOUNT or answer.status == 401:
            return account_refused(message.key, f"{text}: check the account and its token")
        return Rejected(key=message.key, code=code, text=text, objected=code == OBJECTED)

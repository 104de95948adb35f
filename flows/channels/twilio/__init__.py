"""SMS through Twilio's Messages resource (data/providers twilio_messages.json).

Twilio knows no idempotency key for messages (facts/messaging.md 2.2, 3): what nobody answered is looked for in the list
of messages by recipient, day and text. Error codes: https://www.twilio.com/docs/api/errors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from connector.clock import Clock
from connector.contracts import Accepted, Message, Outcome, Rate, Rejected
from connector.contracts.channel import LooksUp
from connector.errors import AuthExpired, ConfigError, Refused, Transient
from connector.http import Http
from connector.outside.posting import Answer
from flows.channels.posted import Call, Posted, basic, known_keys, read_object, text_of, with_key

API = "https://api.twilio.com"
BAD_NUMBERS = frozenset({"21211", "21217", "21265", "21614", "21635"})
"""Codes that blame the recipient's number: none, a short code, a landline."""
OPTED_OUT = "21610"
_KEYS = ("account_sid", "auth_token", "api_key", "api_secret", "from", "events_url", "api_url")
_ACCOUNT = re.compile(r"AC[0-9a-f]{32}")
_SERVICE = re.compile(r"MG[0-9a-f]{32}")
_TOLL_FREE = re.compile(r"\+1(800|833|844|855|866|877|888)\d{7}")
_SHORT = 8
"""Digits of a short number, at most."""
_SLACK = timedelta(minutes=2)
"""Their clock and ours."""
_SETTLED = timedelta(seconds=30)
"""How long after the attempt a list that lacks the message says something."""
_LIVE = frozenset({"accepted", "scheduled", "queued", "sending", "sent", "delivered", "read", "receiving", "received"})


class Twilio(Posted, LooksUp):
    """One Twilio account. `from` is a number in E.164, a name of up to 11 letters and digits, or a messaging service
    (`MG...`); a shop's own `sms_sender` goes before it."""

    name: ClassVar[str] = "twilio"
    medium: ClassVar[str] = "sms"
    told_where: ClassVar[bool] = True
    provider: ClassVar[str] = "Twilio"

    def __init__(
        self, clock: Clock, account: str, user: str, password: str, sender: str, events_url: str, api_url: str
    ) -> None:
        super().__init__(clock, private_addresses=bool(api_url))
        self._messages = f"{(api_url or API).rstrip('/')}/2010-04-01/Accounts/{account}/Messages.json"
        self._authorization = basic(user, password)
        self._sender = sender
        # Twilio refuses the whole message when it cannot reach the address of its events (21609).
        self._events_url = events_url if _is_public(events_url) or api_url else ""
        self._http = Http(clock, headers={"Authorization": self._authorization})

    @classmethod
    def usual_rate(cls, settings: Mapping[str, object]) -> Rate | None:
        """By what sends. Twilio takes more and queues it, and then order messages stand behind a campaign.

        Parts a second: 1 from a number of +1, 3 from a toll-free one, 10 from any other number or name, 30 from a short
        number (https://www.twilio.com/help/faq/twilio-basics/what-are-the-limits-on-outbound-calls-and-sms-messages-per-second,
        https://support.twilio.com/hc/en-us/articles/4411046744987). A messaging service has a pool that we do not know.
        """
        sender = str(settings.get("from", ""))
        if not sender or _SERVICE.fullmatch(sender):
            return None
        if _TOLL_FREE.fullmatch(sender):
            return Rate(3)
        if sender.startswith("+1"):
            return Rate(1)
        return Rate(30) if sender.isdigit() and len(sender) <= _SHORT else Rate(10)

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> Twilio:
        """`account_sid`, `auth_token` (it also signs the events), `from`; `api_key` and `api_secret` where requests go
        under a key of their own. Raises `ConfigError`."""
        known_keys("twilio", settings, _KEYS)
        account = text_of(settings, "account_sid", needed="the account's SID, AC and 32 hexadecimal digits")
        if not _ACCOUNT.fullmatch(account):
            raise ConfigError("should be AC and 32 hexadecimal digits", where="account_sid")
        token = text_of(settings, "auth_token", needed="the account's auth token")
        key = text_of(settings, "api_key")
        secret = text_of(settings, "api_secret", needed="the secret of api_key" if key else "")
        found = (text_of(settings, name) for name in ("from", "events_url", "api_url"))
        return cls(clock, account, key or account, secret or token, *found)

    def request(self, message: Message) -> Call:
        sender = message.sender or self._sender
        if not sender:
            raise Refused("no sender: set from in the channel or sms_sender in the shop", provider_code="no_sender")
        named = "MessagingServiceSid" if _SERVICE.fullmatch(sender) else "From"
        form = {"To": message.recipient, named: sender, "Body": message.content.decode()}
        if self._events_url:
            form["StatusCallback"] = with_key(self._events_url, message.key)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": self._authorization}
        return Call(self._messages, urlencode(form).encode(), headers)

    def provider_id(self, told: Mapping[str, Any]) -> str:
        return str(told.get("sid") or "")

    def harmless(self) -> tuple[str, Mapping[str, str]]:
        return self._messages.replace("/Messages.json", ".json"), {"Authorization": self._authorization}

    def refused(self, message: Message, answer: Answer, told: Mapping[str, Any]) -> Outcome | None:
        code = str(told.get("code") or "")
        if answer.status in (401, 403, 408, 429) or not code:
            return None
        text = f"Twilio refused it ({code}, https://www.twilio.com/docs/api/errors/{code})"
        if code == OPTED_OUT:
            text = "the person told the sender to stop"
        blames = code in BAD_NUMBERS
        return Rejected(key=message.key, code=code, text=text, bad_address=blames, objected=code == OPTED_OUT)

    def look_up(self, message: Message, since: datetime) -> Accepted | None:
        """Their list of messages to this number, newest first, searched for this very text. By its day it is not asked
        for: a message that still waits at Twilio has none."""
        try:
            answer = self._http.call("GET", self._messages, params={"To": message.recipient, "PageSize": "100"})
        except AuthExpired as error:
            raise Transient("Twilio refuses the credentials, so it cannot be asked") from error
        told, body, earliest = read_object(answer.content), message.content.decode(), since - _SLACK
        found = [each for each in told.get("messages") or () if isinstance(each, dict)]
        for each in found:
            same = each.get("body") == body and str(each.get("status")) in _LIVE
            if same and _made(each) >= earliest:
                return Accepted(key=message.key, provider_id=str(each.get("sid") or ""))
        if told.get("next_page_uri") and all(_made(each) >= earliest for each in found):
            raise Refused("Twilio has more messages to this number than one page shows", provider_code="too_many")
        if self._clock.now() - since < _SETTLED:
            raise Transient("too early to tell: Twilio may not list it yet", retry_after=_SETTLED.total_seconds())
        return None


def _made(each: Mapping[str, Any]) -> datetime:
    """When Twilio took it; long ago where that cannot be read."""
    try:
        return parsedate_to_datetime(str(each.get("date_created")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _is_public(url: str) -> bool:
    return urlsplit(url).scheme == "https" and (urlsplit(url).hostname or "") not in ("", "localhost", "127.0.0.1")

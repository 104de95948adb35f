"""SMS through 46elks: https://46elks.se/docs/send-sms, https://www.46elks.se/docs/sms-history (looked up 2026-11-22).

It publishes no contract file and knows no idempotency key; its refusals are plain text, of which no list is published,
so only one that speaks of `to` blames the number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from connector.clock import Clock
from connector.contracts import Accepted, Message, Outcome, Rejected
from connector.contracts.channel import LooksUp
from connector.errors import AuthExpired, ConfigError, Refused, Transient
from connector.http import Http
from connector.outside.posting import Answer
from flows.channels.posted import Call, Posted, account_refused, basic, known_keys, read_object, text_of, with_key

API = "https://api.46elks.com"
_KEYS = ("username", "password", "from", "events_url", "events_user", "events_password", "api_url")
_SLACK = timedelta(minutes=2)
_SETTLED = timedelta(seconds=30)
"""How long after the attempt a history that lacks the message says something."""
_BAD_NUMBER = re.compile(rb"(?i)\bto\b.{0,40}\b(invalid|not|number)|invalid.{0,40}\bto\b")


class Elks46(Posted, LooksUp):
    """One 46elks account. `from` is a number in E.164 or a name of up to 11 letters and digits; a shop's own
    `sms_sender` goes before it. With `events_user` and `events_password` delivery reports come with basic auth."""

    name: ClassVar[str] = "elks46"
    medium: ClassVar[str] = "sms"
    told_where: ClassVar[bool] = True
    provider: ClassVar[str] = "46elks"

    def __init__(self, clock: Clock, user: str, password: str, sender: str, events_url: str, api_url: str) -> None:
        super().__init__(clock, private_addresses=bool(api_url))
        self._sms = f"{(api_url or API).rstrip('/')}/a1/sms"
        self._authorization = basic(user, password)
        self._sender = sender
        self._events_url = events_url
        self._http = Http(clock, headers={"Authorization": self._authorization})

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> Elks46:
        """`username`, `password`, `from`. Raises `ConfigError`."""
        known_keys("elks46", settings, _KEYS)
        user = text_of(settings, "username", needed="the API user name of the account")
        password = text_of(settings, "password", needed="the API password of the account")
        events_user, events_password = text_of(settings, "events_user"), text_of(settings, "events_password")
        if bool(events_user) != bool(events_password):
            raise ConfigError("events_user and events_password go together", where="events_user")
        url = _with_user(text_of(settings, "events_url"), events_user, events_password)
        return cls(clock, user, password, text_of(settings, "from"), url, text_of(settings, "api_url"))

    def request(self, message: Message) -> Call:
        sender = message.sender or self._sender
        if not sender:
            raise Refused("no sender: set from in the channel or sms_sender in the shop", provider_code="no_sender")
        form = {"from": sender, "to": message.recipient, "message": message.content.decode()}
        if self._events_url:
            form["whendelivered"] = with_key(self._events_url, message.key)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": self._authorization}
        return Call(self._sms, urlencode(form).encode(), headers)

    def provider_id(self, told: Mapping[str, Any]) -> str:
        return str(told.get("id") or "")

    def harmless(self) -> tuple[str, Mapping[str, str]]:
        """https://46elks.se/docs/get-account"""
        return self._sms.replace("/sms", "/me"), {"Authorization": self._authorization}

    def refused(self, message: Message, answer: Answer, told: Mapping[str, Any]) -> Outcome | None:
        del told
        if answer.status == 403:
            text = "46elks answered 403: the account may not send, or has no credit left"
            return account_refused(message.key, text, answer.retry_after)
        if answer.status != 400:
            return None
        blames = _BAD_NUMBER.search(answer.body) is not None
        return Rejected(key=message.key, code="400", text="46elks refused the message", bad_address=blames)

    def look_up(self, message: Message, since: datetime) -> Accepted | None:
        """Their history of messages to this number since the first attempt, searched for this very text."""
        params = {"to": message.recipient, "end": f"{since - _SLACK:%Y-%m-%dT%H:%M:%S}", "limit": "100"}
        try:
            answer = self._http.call("GET", self._sms, params=params)
        except AuthExpired as error:
            raise Transient("46elks refuses the credentials, so it cannot be asked") from error
        told, body = read_object(answer.content), message.content.decode()
        for each in told.get("data") or ():
            same = isinstance(each, dict) and each.get("message") == body and each.get("to") == message.recipient
            if same and each.get("direction") != "incoming" and each.get("status") != "failed":
                return Accepted(key=message.key, provider_id=str(each.get("id") or ""))
        if told.get("next"):
            raise Refused("46elks has more messages to this number than one page shows", provider_code="too_many")
        if self._clock.now() - since < _SETTLED:
            raise Transient("too early to tell: 46elks may not list it yet", retry_after=_SETTLED.total_seconds())
        return None


def _with_user(url: str, user: str, password: str) -> str:
    """The address with a name and password in it: 46elks then sends them as basic auth."""
    if not url or not user:
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{host}"))

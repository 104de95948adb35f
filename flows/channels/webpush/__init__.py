"""Web push (RFC 8030) with VAPID (RFC 8292), the payload encrypted for one browser (RFC 8291).

A message is for a person: it goes to each of their browsers, whose notification of the same order replaces the last
one, so a repetition is seen once. The addresses come from visitors' browsers: only public https servers are reached.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

from connector.clock import Clock
from connector.contracts import Accepted, Channel, Message, Outcome, Rejected, Retry, Unknown
from connector.contracts.channel import OnWire, Scope
from connector.errors import ConfigError, Refused, Transient
from connector.outside.posting import post
from flows.channels.posted import known_keys, outcome_of_status, text_of
from flows.channels.webpush.vapid import Vapid

LONGEST = 3993
"""Bytes of a payload: 4096 that a push service must take, less what the encryption adds (RFC 8291 section 4)."""
SUBSCRIPTIONS = "subscriptions"
"""The header in which a message brings its browsers: a list of `{id, endpoint, p256dh, auth}` as JSON."""
_KEYS = ("private_key", "subject", "private_addresses")
_GONE = frozenset({404, 410})
_NONE_LEFT = "no browser of theirs takes notifications any more"
_ENDS = 12 * 3600
"""Seconds a token says it holds; push services refuse more than a day."""


class WebPush(Channel):
    """A message's content is JSON: `payload` (what the service worker shows), `ttl` in seconds, `topic`, `urgency`."""

    name: ClassVar[str] = "webpush"
    medium: ClassVar[str] = "push"
    marks_wire: ClassVar[bool] = True

    def __init__(self, clock: Clock, vapid: Vapid, subject: str, *, private_addresses: bool = False) -> None:
        self._clock = clock
        self._vapid = vapid
        self._subject = subject
        self._private = private_addresses
        self._tokens: dict[str, tuple[float, str]] = {}

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> WebPush:
        """`private_key` (`kiitos push keys` makes one) and `subject`, where the push services find somebody: mailto: or
        https:. Raises `ConfigError`."""
        known_keys("webpush", settings, _KEYS)
        key = text_of(settings, "private_key", needed="make one with: kiitos push keys")
        subject = text_of(settings, "subject", needed="an address for the push services, such as mailto:it@example.com")
        if not subject.startswith(("mailto:", "https://")):
            raise ConfigError("should begin with mailto: or https://", where="subject")
        return cls(clock, Vapid(key), subject, private_addresses=bool(settings.get("private_addresses")))

    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        """One outcome a message. Accepted when a push service took it for one browser at least; browsers that are gone
        are named in it."""
        for message in messages:
            try:
                if on_wire is not None:
                    on_wire(message.key)
                yield self._send(message)
            except OSError as error:
                yield Retry(key=message.key, text=f"not begun ({type(error).__name__})")

    def _send(self, message: Message) -> Outcome:
        browsers = json.loads(message.headers.get(SUBSCRIPTIONS, "[]"))
        if not browsers:
            return Rejected(
                key=message.key, code="no_browser", text="no browser of theirs takes notifications any more"
            )
        told = json.loads(message.content)
        outcomes = {each["id"]: self._deliver(message.key, each, told) for each in browsers}
        gone = tuple(name for name, outcome in outcomes.items() if _is_gone(outcome))
        found = list(outcomes.values())
        for kind in (Accepted, Unknown, Retry):
            taken = next((outcome for outcome in found if isinstance(outcome, kind)), None)
            if isinstance(taken, Accepted):
                return Accepted(key=message.key, provider_id=taken.provider_id, gone=gone)
            if taken is not None:
                return taken
        first = next((each for each in found if isinstance(each, Rejected) and not _is_gone(each)), None)
        if first is not None:
            return Rejected(key=message.key, code=first.code, text=first.text, gone=gone)
        return Rejected(key=message.key, code="410", text=_NONE_LEFT, gone=gone)

    def _deliver(self, key: str, browser: Mapping[str, str], told: Mapping[str, Any]) -> Outcome:
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(int(told["ttl"])),
            "Urgency": str(told["urgency"]),
            "Authorization": self._authorization(browser["endpoint"]),
        }
        if told.get("topic"):
            headers["Topic"] = str(told["topic"])
        try:
            body = _encrypt(browser, json.dumps(told["payload"], ensure_ascii=False).encode())
            answer = post(browser["endpoint"], body, headers, now=self._clock.now(), private_addresses=self._private)
        except Transient as error:
            if error.maybe_done:
                return Unknown(key=key, text=f"the push service: {error.message}")
            return Retry(key=key, text=f"the push service: {error.message}")
        except Refused as error:
            return Rejected(key=key, code=error.provider_code or error.code, text=error.message)
        if 200 <= answer.status < 300:
            return Accepted(key=key)
        outcome = outcome_of_status("the push service", key, answer.status, answer.retry_after)
        # The address is a visitor's own: what one server says of itself may hold back nobody else's messages.
        return replace(outcome, scope=Scope.MESSAGE) if isinstance(outcome, Retry) else outcome

    def _authorization(self, endpoint: str) -> str:
        """One token a push service, used until it has half of its time left."""
        parts = urlsplit(endpoint)
        origin = f"{parts.scheme}://{parts.netloc}"
        now = self._clock.now().timestamp()
        until, token = self._tokens.get(origin, (0.0, ""))
        if until - now < _ENDS / 2:
            until = now + _ENDS
            token = self._vapid.token({"aud": origin, "exp": int(until), "sub": self._subject})
            if len(self._tokens) > 100:  # endpoints come from outside
                self._tokens.clear()
            self._tokens[origin] = (until, token)
        return f"vapid t={token}, k={self._vapid.public_key}"


def _is_gone(outcome: Outcome) -> bool:
    return isinstance(outcome, Rejected) and outcome.code in {str(status) for status in _GONE}


def _encrypt(browser: Mapping[str, str], payload: bytes) -> bytes:
    # Here and not above: it brings an HTTP client and 20 MB of memory along.
    from pywebpush import WebPusher, WebPushException

    if len(payload) > LONGEST:
        raise Refused(f"the notification has {len(payload)} bytes; {LONGEST} fit", provider_code="too_long")
    keys = {"p256dh": browser["p256dh"], "auth": browser["auth"]}
    try:
        return bytes(WebPusher({"endpoint": browser["endpoint"], "keys": keys}).encode(payload)["body"])
    except (WebPushException, ValueError) as error:
        raise Refused("the browser's keys are none", provider_code="410") from error

"""Deciding about one delivery: the rules both roads into the receiver share.

Order: method, encoding and size (before the body is read) → endpoint → signature → shop → durable row → answer.

    404  unknown key, or a path that is no hook         401  not signed by the platform
    413  body above `max_body`                          415  Content-Encoding other than identity
    408  a body too slow                                431  a head too large
    503  cannot be stored now; Retry-After is set       200  stored (or stored before, or a handshake)

Events of a channel's provider come in by the same door (`webhooks.doors`) under the name `channel.NAME`; they belong to
the channel's account, which several shops may share. Only theirs may be asked with GET (Meta's handshake).

A delivery for an app-wide key from a shop we do not know is stored and answered 200, in quarantine under the app's
owner: the redaction request of a shop comes 48 h after its uninstallation, and a 401 would lose it for good.
A bad signature is 401, for WooCommerce too, although the shop switches a webhook off after seven failures
(facts/woocommerce.md §1.3): a signature that never holds means a wrong secret, and a disabled webhook is the one sign
of it that reconciliation sees and repairs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import TypeVar

from connector import tracing
from connector.clock import Clock
from connector.codec import encode_text
from connector.contracts import Handshake, Inbound, Verified
from connector.contracts.channel_events import HOOK_PREFIX
from connector.errors import ConfigError, Transient, WebhookRejected
from connector.log import get_log
from connector.metrics import Metrics
from connector.store.inbox import NewDelivery, kept_headers
from webhooks.directory import Directory, Entry
from webhooks.rejections import Rejections
from webhooks.settings import ReceiverSettings
from webhooks.writer import DeliveryWriter, Waiter

# Above this the store answers 503 anyway (busy_timeout is 5 s); a waiter must not outlive a dead writer thread.
STORE_TIMEOUT = 20.0
MAX_NAME = 300  # topics, ids and domains: what an adapter hands on must fit an index

Headers = Mapping[str, Sequence[str]]
T = TypeVar("T")
log = get_log("webhooks.accept")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform hears. Bodies are one word: nothing reads them but a person with curl."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


_RETRY = (("Retry-After", "5"),)
STORED = Answer(200, b"ok")
UNKNOWN = Answer(404, b"unknown")
NOT_POST = Answer(405, b"post only", (("Allow", "POST"),))
TIMED_OUT = Answer(408, b"body too slow", (("Connection", "close"),))
TOO_LARGE = Answer(413, b"too large")
HEAD_TOO_LARGE = Answer(431, b"head too large", (("Connection", "close"),))
ENCODED = Answer(415, b"content-encoding not supported")
UNSIGNED = Answer(401, b"not accepted")
UNAVAILABLE = Answer(503, b"try again", _RETRY)
NOT_YET = Answer(503, b"not ready to verify", _RETRY)


# A decision is a generator: it yields where it needs the directory read again, is sent whether that succeeded, and
# returns its result. So the rules are written once, and a thread and an event loop differ only in how they wait.
Decision = Generator[None, bool, T]


class Acceptor:
    """The rules, and the ways to wait for what they need: in a thread (`run`, `store`), on an event loop (`at_once`,
    `run_soon`, `submit`)."""

    def __init__(
        self, directory: Directory, writer: DeliveryWriter, clock: Clock, settings: ReceiverSettings, metrics: Metrics
    ) -> None:
        self._directory = directory
        self._writer = writer
        self._clock = clock
        self._metrics = metrics
        self._rejections = Rejections(clock)
        self.settings = settings

    # -- the rules --------------------------------------------------------------------------------------------------

    def admit(self, method: str, path: str, headers: Headers) -> Decision[Entry | Answer]:
        """What the head alone decides, before a byte of the body is read: the entry of `/hooks/<platform>/<key>`."""
        parts = path.split("/")
        if len(parts) != 4 or parts[1] != "hooks" or not parts[2] or not parts[3]:
            return UNKNOWN
        if method != "POST" and not (method == "GET" and parts[2].startswith(HOOK_PREFIX)):
            return NOT_POST
        if "content-encoding" in headers and not _plain(headers["content-encoding"]):
            return ENCODED
        for value in headers.get("content-length", ()):
            if value.isascii() and value.isdigit() and int(value[:20]) > self.settings.max_body:
                return TOO_LARGE
        entry = self._entry(parts[2], parts[3])
        if entry is None:
            if not (yield):
                return UNAVAILABLE
            entry = self._entry(parts[2], parts[3])
        return entry or UNKNOWN

    def judge(
        self, entry: Entry, headers: Headers, body: bytes, query: str = "", method: str = "POST"
    ) -> Decision[NewDelivery | Answer]:
        """What the whole request decides: the verified delivery to store, or the answer to one that is not stored."""
        if len(body) > self.settings.max_body:
            return TOO_LARGE
        inbound = Inbound(headers, body, query, method)
        found = self._verify(entry, inbound)
        # The secret may just have been rotated; a certificate is fetched where the directory is read.
        if found is NOT_YET or (found is UNSIGNED and self._directory.stale()):
            yield
            newer = self._entry(entry.endpoint.platform, entry.endpoint.key)
            if isinstance(newer, Entry):
                entry, found = newer, self._verify(newer, inbound)
        if isinstance(found, Answer):
            return found
        if method != "POST":
            return NOT_POST
        shop, quarantine = entry.endpoint.shop, found.quarantine
        if shop is None and not entry.account:
            domain = (found.shop_domain or "").lower()
            shop = self._directory.shop(entry.endpoint.platform, domain)
            if shop is None:
                yield  # a shop installed a moment ago by another process
                shop = self._directory.shop(entry.endpoint.platform, domain)
            if shop is None:
                quarantine = quarantine or f"unknown shop {domain[:MAX_NAME]}"
                log.warning("unknown_shop", platform=entry.endpoint.platform, owner_id=entry.owner_id)
        return NewDelivery(
            shop_id=entry.owner_id if shop is None else shop.id,
            platform=entry.endpoint.platform,
            topic=found.topic,
            dedup_key=found.dedup_key,
            # What verification found travels along, so that the worker need not know the secrets to read the body.
            # ours last: a header of this name, which nobody signed, must not replace what was verified
            headers={**kept_headers(headers), "verified": encode_text(found), **_trace(entry, found)},
            body=body,
            received_at=self._clock.now(),
            quarantine=quarantine,
        )

    def _entry(self, platform: str, key: str) -> Entry | Answer | None:
        try:
            return self._directory.entry(platform, key)
        except ConfigError:
            return UNAVAILABLE

    def _verify(self, entry: Entry, inbound: Inbound) -> Verified | Answer:
        platform = entry.endpoint.platform
        try:
            found = entry.adapter.verify(inbound, entry.endpoint)
        except WebhookRejected as rejected:
            self._rejections.note(platform, rejected.reason, entry.owner_id)
            return UNSIGNED
        except Transient:
            return NOT_YET
        except Exception as error:  # verify is total by contract: a broken plug-in costs a retry, no delivery
            log.exception("verify_raised", error, platform=platform)
            return UNAVAILABLE
        if isinstance(found, Handshake):
            return Answer(200, found.body)
        if len(found.topic) > MAX_NAME or len(found.dedup_key) > MAX_NAME:
            return UNSIGNED
        return found

    def count(self, entry: Entry | None, answer: Answer) -> Answer:
        """Note the answer in the metrics, under the platform's name when the key was known."""
        self._metrics.answered(entry.endpoint.platform if entry else "unknown", answer.status)
        return answer

    # -- waiting ----------------------------------------------------------------------------------------------------

    def run(self, decision: Decision[T]) -> T:
        """Take a decision in this thread, blocking where it must wait."""
        try:
            next(decision)
            while True:
                decision.send(_within_time(self._directory.fresh()))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def at_once(self, decision: Decision[T]) -> T | None:
        """Take a decision that needs no waiting; `None` when it does."""
        try:
            next(decision)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        decision.close()
        return None

    @property
    def shares_loop(self) -> bool:
        """Whether the writer calls its waiters in the event loop's thread."""
        return self._writer.shares_loop

    def submit(self, delivery: NewDelivery, waiter: Waiter) -> bool:
        """Have a delivery stored; `False`, and the waiter never called, when there is no room for it."""
        return self._writer.submit(delivery, waiter)

    async def run_soon(self, decision: Decision[T]) -> T:
        """Take a decision on the running event loop, without blocking it."""
        try:
            next(decision)
            while True:
                decision.send(await asyncio.wrap_future(self._directory.fresh()))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def store(self, delivery: NewDelivery) -> Answer:
        """The answer to a delivery when it is durable, or cannot be made so."""
        stored: Future[bool] = Future()
        kept = self._writer.submit(delivery, stored.set_result) and _within_time(stored)
        return STORED if kept else UNAVAILABLE

    # -- both together ----------------------------------------------------------------------------------------------

    def accept(self, platform: str, key: str, headers: Headers, body: bytes, query: str = "") -> Answer:
        """The answer to a POST whose body is at hand. Returns only when its row is durable."""
        entry = self.run(self.admit("POST", f"/hooks/{platform}/{key}", headers))
        if isinstance(entry, Answer):
            return self.count(None, entry)
        return self.settle(entry, headers, body, query)

    def settle(self, entry: Entry, headers: Headers, body: bytes, query: str = "", method: str = "POST") -> Answer:
        """The answer to an admitted request whose body is at hand."""
        found = self.run(self.judge(entry, headers, body, query, method))
        return self.count(entry, found if isinstance(found, Answer) else self.store(found))


def _trace(entry: Entry, found: Verified) -> dict[str, str]:
    """The trace a delivery begins, where there are any: the span `receive`, which ends when it is stored."""
    if not tracing.on():
        return {}
    context = tracing.begin("receive", "", platform=entry.endpoint.platform, topic=found.topic)
    return {tracing.HEADER: context} if context else {}


def _within_time(done: Future[bool]) -> bool:
    try:
        return done.result(STORE_TIMEOUT)
    except FutureTimeout:
        return False


def _plain(encodings: Sequence[str]) -> bool:
    return all(value.strip().lower() in ("", "identity") for value in encodings)

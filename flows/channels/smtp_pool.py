"""Kept SMTP connections, several at a time, and how a batch is shared among them.

To one recipient domain at most `per_domain` connections of a worker carry mail at the same time: large receivers put
off whoever comes with more. A message whose domain is full waits for its turn while others go first.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator

from connector.clock import Clock
from connector.contracts import Message, Outcome, Retry, Scope
from connector.contracts.channel import OnWire
from flows.channels.side_by_side import gathered
from flows.channels.smtp_session import ConnectionFailed, Envelope, Server, Session, envelope

# After a failed connection the rest of a batch is put off at once instead of waiting for one time-out each.
_PAUSE = 15.0
_IN_HAND = 2
"""A connection has one message under way and the next one announced."""


class SmtpPool:
    """Sends over kept connections to one server. `per_domain` 0 sets no limit."""

    def __init__(self, server: Server, clock: Clock, connections: int = 1, per_domain: int = 0) -> None:
        self.server = server
        self._clock = clock
        self._connections = connections
        self._per_domain = per_domain
        self._idle: list[Session] = []
        self._lock = threading.Lock()
        self._down: tuple[float, str] | None = None

    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        """One outcome a message, as soon as it is known. With one connection, in the order given."""
        if self._connections == 1:
            source = iter(messages)
            yield from self._work(lambda: next(source, None), on_wire)
            return
        yield from self._work_together(list(messages), on_wire)

    def close(self) -> None:
        with self._lock:
            sessions, self._idle = self._idle, []
        for session in sessions:
            session.quit()

    def reach(self) -> None:
        """Connect, say who we are, and hang up. Raises `ConnectionFailed` when that cannot be."""
        Session(self.server, self._clock).quit()

    def _work(self, take: Callable[[], Message | None], on_wire: OnWire | None) -> Iterator[Outcome]:
        """Send what `take` gives over one connection at a time."""
        refused: list[Outcome] = []

        def following() -> Envelope | None:
            while (message := take()) is not None:
                made = envelope(message)
                if isinstance(made, Envelope):
                    return made
                refused.append(made)
            return None

        current = following()
        while current is not None or refused:
            while refused:
                yield refused.pop()
            if current is None:
                return
            try:
                session = self._borrow()
            except ConnectionFailed as error:
                yield Retry(key=current.key, text=str(error), scope=Scope.ACCOUNT)
                current = following()
                continue
            try:
                for outcome in session.deliver(current, following, on_wire):
                    yield outcome
                    while refused:
                        yield refused.pop()
                current = session.leftover or following()
            finally:
                self._give_back(session)

    def _work_together(self, messages: list[Message], on_wire: OnWire | None) -> Iterator[Outcome]:
        deal = _Deal(messages, self._per_domain)

        def work(hand: int, stop: threading.Event) -> Iterator[Outcome]:
            try:
                yield from self._work(lambda: None if stop.is_set() else deal.take(hand), on_wire)
            finally:
                deal.leave(hand)

        yield from gathered(min(self._connections, len(messages)), work)

    def _borrow(self) -> Session:
        with self._lock:
            if self._down and self._clock.monotonic() < self._down[0]:
                raise ConnectionFailed(self._down[1])
            while self._idle:
                session = self._idle.pop()
                if not session.worn:
                    return session
                session.quit()
        try:
            session = Session(self.server, self._clock)
        except ConnectionFailed as error:
            self._down = (self._clock.monotonic() + _PAUSE, str(error))
            raise
        self._down = None
        return session

    def _give_back(self, session: Session) -> None:
        if session.worn or not session.idle:
            session.quit()
            return
        with self._lock:
            self._idle.append(session)


class _Deal:
    """A batch dealt out to connections (hands), of one domain to `limit` hands at a time."""

    def __init__(self, messages: Iterable[Message], limit: int) -> None:
        self._waiting = deque(messages)
        self._limit = limit
        self._hands: dict[int, deque[str]] = {}
        self._lock = threading.Lock()

    def take(self, hand: int) -> Message | None:
        """The next message the hand may carry; `None` when the others carry the rest."""
        with self._lock:
            held = self._hands.setdefault(hand, deque(maxlen=_IN_HAND))
            if len(held) == _IN_HAND:
                held.popleft()  # its outcome is known, or it would not ask for another
            busy = Counter(domain for other, theirs in self._hands.items() if other != hand for domain in set(theirs))
            for place, message in enumerate(self._waiting):
                domain = message.recipient.rpartition("@")[2].lower()
                if not self._limit or busy[domain] < self._limit:
                    del self._waiting[place]
                    held.append(domain)
                    return message
            return None

    def leave(self, hand: int) -> None:
        with self._lock:
            self._hands.pop(hand, None)

"""Messages sent one by one over several connections at a time, outcomes as they come."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from connector.contracts import Accepted, Message, Outcome, Retry, Scope, Unknown

Send = Callable[[Message], Outcome]


def side_by_side(messages: Iterable[Message], send: Send, connections: int) -> Iterator[Outcome]:
    """`send` each message, at most `connections` at a time. After an outcome that stops the batch (see `stops`) what
    was not begun is answered `Retry` with the same words, without being tried."""
    waiting = iter(messages)
    stopped: list[Retry | Unknown] = []

    def one(message: Message) -> Outcome:
        if stopped:
            return _put_off(message, stopped[0])
        outcome = send(message)
        if stops(outcome):
            assert isinstance(outcome, Retry | Unknown)
            stopped.append(outcome)
        return outcome

    first, second = next(waiting, None), None
    if connections > 1:
        second = next(waiting, None)
    if second is None:
        for message in chain([first] if first else [], waiting):
            yield one(message)
        return
    assert first is not None
    yield from _together(chain([first, second], waiting), one, connections)


def accepted(provider: str, key: str, status: int, provider_id: str) -> Outcome:
    """What an answer of 200 to 299 means. Without the id that the provider's API promises it is no acceptance: the page
    of some proxy says nothing about the message."""
    if provider_id:
        return Accepted(key=key, provider_id=provider_id[:200])
    text = f"{provider} answered {status} without the id it promises; is something else at its address?"
    return Unknown(key=key, text=text)


def stops(outcome: Outcome) -> bool:
    """Whether the next message would fare no better: nobody answers, or the account as a whole cannot send."""
    return isinstance(outcome, Unknown) or (isinstance(outcome, Retry) and outcome.scope is Scope.ACCOUNT)


def _put_off(message: Message, why: Retry | Unknown) -> Retry:
    after = why.after if isinstance(why, Retry) else None
    return Retry(key=message.key, text=why.text, after=after, scope=Scope.ACCOUNT)


def _together(source: Iterator[Message], one: Send, connections: int) -> Iterator[Outcome]:
    """A message is taken only when a thread is free for it: whoever hands them out stops when the time is over."""
    lock = threading.Lock()

    def work(_: int, stop: threading.Event) -> Iterator[Outcome]:
        while not stop.is_set():
            with lock:
                message = next(source, None)
            if message is None:
                return
            yield one(message)

    yield from gathered(connections, work)


def gathered(threads: int, work: Callable[[int, threading.Event], Iterator[Outcome]]) -> Iterator[Outcome]:
    """The outcomes of `work`, done by so many threads, each with its number, as they come. When nobody asks for more,
    the event is set: no thread should begin another message. Raises what a thread raised."""
    outcomes: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
    stop = threading.Event()

    def hand(number: int) -> None:
        try:
            for outcome in work(number, stop):
                outcomes.put(outcome)
        finally:
            outcomes.put(None)

    running = threads
    with ThreadPoolExecutor(max(1, threads), thread_name_prefix="send") as pool:
        futures = [pool.submit(hand, number) for number in range(threads)]
        try:
            while running:
                outcome = outcomes.get()
                if outcome is None:
                    running -= 1
                else:
                    yield outcome
        finally:
            stop.set()
    for future in futures:
        future.result()  # raises what a thread raised: a fault of ours must not look like silence

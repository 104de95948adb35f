"""A channel that keeps messages instead of sending them: tests, simulation, the demo's first look."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from connector.clock import Clock
from connector.contracts import Accepted, Channel, Message, Outcome
from connector.contracts.channel import OnWire
from connector.errors import ConfigError


class Memory(Channel):
    """Accepts everything into `messages`, unless `answers` holds something else for a key.

    A scripted answer is used once and then forgotten, so that a retry succeeds; `accepts_unknown` says whether a
    message answered with Unknown was taken all the same, as a server does whose answer got lost.
    """

    name: ClassVar[str] = "memory"
    medium: ClassVar[str] = "email"
    marks_wire: ClassVar[bool] = True

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.answers: dict[str, Outcome] = {}
        self.accepts_unknown = True

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> Memory:
        """No keys of its own; `kind`, `sender` and `reply_to` may stand in the same table. Raises `ConfigError`."""
        del clock
        unknown = sorted(set(settings) - {"kind", "sender", "reply_to"})
        if unknown:
            raise ConfigError("the memory channel has no such key", where=unknown[0])
        return cls()

    def script(self, answer: Outcome, key: str | None = None) -> None:
        """The next message with the answer's key (or `key`) gets this answer instead of being accepted."""
        chosen = key or answer.key
        self.answers[chosen] = replace(answer, key=chosen)

    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        """One outcome a message, in order."""
        for message in messages:
            if on_wire is not None:
                on_wire(message.key)
            answer = self.answers.pop(message.key, None)
            kept = answer is None or isinstance(answer, Accepted)
            if kept or (type(answer).__name__ == "Unknown" and self.accepts_unknown):
                self.messages.append(message)
            yield answer or Accepted(key=message.key, provider_id=f"memory-{len(self.messages)}")

"""The conformance kit of channels: what every one must prove before anybody's mail depends on it.

A channel is shown on a stage: a stand-in for its provider that counts what it took and misbehaves when told to.

    class TestAcme(ChannelConformance):
        channel_class = Acme

        def open_stage(self) -> ChannelStage:
            return AcmeStage()

`run_channel_conformance(TestAcme)` does the same without pytest; `kiitos channels kit acme` does it for a channel whose
package names its stage under the entry point group `kiitos.channel_stages`. tests/kit shows that channels broken on
purpose are caught.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from connector.clock import Clock, SystemClock
from connector.contracts import (
    Accepted,
    Channel,
    ChecksChannel,
    LooksUp,
    Message,
    Outcome,
    Rejected,
    Retry,
    Scope,
    Unknown,
)
from connector.contracts.connecting import Finding, Verdict
from connector.errors import ConfigError, KiitosError, Transient
from connector.model import Purpose

STAGES = "kiitos.channel_stages"
"""Entry points of stages, by the name of their channel."""
WAIT = 7.0
"""Seconds a busy provider of a stage asks for, where it can say so."""
_OUTCOMES = (Accepted, Rejected, Retry, Unknown)


class Trouble(StrEnum):
    """What goes wrong with the next message a stage gets, and with no other."""

    REFUSES = "refuses"  # no for good, naming the recipient in its words
    BUSY = "busy"  # not now, and not accepted; wait `WAIT` seconds where it can say so
    CUTS = "cuts"  # takes the message, and the connection ends before the answer


class ChannelStage(ABC):
    """A provider's stand-in. One a test: opened by `ChannelConformance.open_stage`, ended by `close`."""

    settings: Mapping[str, object]
    """A table that works there, without `kind`."""
    required: Sequence[str] = ()
    """Keys of it that a channel cannot do without."""
    secrets: Sequence[str] = ()
    """Values that must appear in no text."""
    says_when: ClassVar[bool] = True
    """Whether a busy provider can say for how long."""
    one_provider: ClassVar[bool] = True
    """Whether all messages go to one server: with many, one that is down must hold back nobody else's."""
    can: ClassVar[frozenset[Trouble]] = frozenset(Trouble)

    @abstractmethod
    def taken(self) -> Sequence[str]:
        """The key of each message it took, once for each time it took it."""

    @abstractmethod
    def trouble(self, what: Trouble) -> None:
        """What goes wrong with the next message."""

    @abstractmethod
    def leave(self) -> None:
        """From now on nobody answers at its address."""

    @abstractmethod
    def message(self, key: str, recipient: str) -> Message:
        """A message as the product makes them for this medium."""

    def recipient(self, name: str) -> str:
        """An address of the medium."""
        return f"{name}@example.com"

    def close(self) -> None:
        """End it; twice is harmless."""
        self.leave()


class ChannelConformance(ABC):
    """Inherit it, name the class, open a stage."""

    channel_class: type[Channel]

    @abstractmethod
    def open_stage(self) -> ChannelStage: ...

    def clock(self) -> Clock:
        return SystemClock()

    @contextmanager
    def on_stage(self) -> Iterator[tuple[Channel, ChannelStage]]:
        """A channel and its stage, ended afterwards."""
        stage = self.open_stage()
        channel = self.channel_class.from_settings(stage.settings, self.clock())
        try:
            yield channel, stage
        finally:
            channel.close()
            stage.close()

    def messages(self, stage: ChannelStage, *keys: str) -> list[Message]:
        return [stage.message(key, stage.recipient(f"aino.{key}")) for key in keys]

    def send(self, channel: Channel, messages: Sequence[Message]) -> dict[str, Outcome]:
        """One outcome a message, by key; anything else fails here."""
        found: dict[str, Outcome] = {}
        for outcome in channel.send_all(iter(messages)):
            assert isinstance(outcome, _OUTCOMES), f"{type(outcome).__name__} is no outcome"
            assert outcome.key in {message.key for message in messages}, "an outcome with a key nobody sent"
            assert outcome.key not in found, "two outcomes for one message"
            found[outcome.key] = outcome
        missing = [message.key for message in messages if message.key not in found]
        assert not missing, f"{len(missing)} of {len(messages)} messages without an outcome"
        return found

    # -- what is sent ----------------------------------------------------------------------------------------------

    def test_it_says_what_it_is(self) -> None:
        kind = self.channel_class
        assert kind.name, "a channel needs a name"
        assert kind.medium, "a channel needs a medium"
        assert kind.idempotent_for >= 0, "idempotent_for is a number of seconds"

    def test_each_message_arrives_once_with_its_key_and_outcome(self) -> None:
        with self.on_stage() as (channel, stage):
            keys = [f"key{number:02}" for number in range(10)]
            found = self.send(channel, self.messages(stage, *keys))
            wrong = [key for key in keys if not isinstance(found[key], Accepted)]
            assert not wrong, f"not accepted: {found[wrong[0]]}"
            assert sorted(stage.taken()) == keys, "the provider was not given each message's key exactly once"

    def test_nothing_to_send_is_no_fault(self) -> None:
        with self.on_stage() as (channel, stage):
            assert list(channel.send_all(iter([]))) == []
            assert list(stage.taken()) == []

    def test_batches_follow_one_another(self) -> None:
        with self.on_stage() as (channel, stage):
            for key in ("one", "two", "three"):
                assert isinstance(self.send(channel, self.messages(stage, key))[key], Accepted)
            assert list(stage.taken()) == ["one", "two", "three"]

    def test_purposes_make_no_difference_to_whether_it_arrives(self) -> None:
        with self.on_stage() as (channel, stage):
            for purpose in (Purpose.TRANSACTIONAL, Purpose.MARKETING):
                (message,) = self.messages(stage, purpose.value)
                changed = {name: getattr(message, name) for name in Message.__slots__} | {"purpose": purpose}
                assert isinstance(self.send(channel, [Message(**changed)])[purpose.value], Accepted)

    # -- what is told before ---------------------------------------------------------------------------------------

    def test_it_tells_before_a_message_can_have_been_accepted(self) -> None:
        if not self.channel_class.marks_wire:
            return
        with self.on_stage() as (channel, stage):
            told: list[str] = []
            early: list[str] = []

            def on_wire(key: str) -> None:
                told.append(key)
                if key in stage.taken():
                    early.append(key)

            messages = self.messages(stage, "one", "two", "three")
            outcomes = list(channel.send_all(iter(messages), on_wire))
            accepted = {outcome.key for outcome in outcomes if isinstance(outcome, Accepted)}
            assert accepted == {"one", "two", "three"}
            assert accepted <= set(told), "accepted without a word before"
            assert not early, "told only after the provider had it"

    def test_what_cannot_be_noted_is_not_sent(self) -> None:
        if not self.channel_class.marks_wire:
            return
        with self.on_stage() as (channel, stage):

            def full(key: str) -> None:
                raise OSError(f"no room for {key}")

            (outcome,) = list(channel.send_all(iter(self.messages(stage, "one")), full))
            assert isinstance(outcome, Retry), f"{type(outcome).__name__} for a message that was not begun"
            assert list(stage.taken()) == [], "it was sent although nobody could note it"

    # -- what goes wrong -------------------------------------------------------------------------------------------

    def test_a_refusal_belongs_to_its_message_alone(self) -> None:
        with self.on_stage() as (channel, stage):
            if Trouble.REFUSES not in stage.can:
                return
            stage.trouble(Trouble.REFUSES)
            found = self.send(channel, self.messages(stage, "one", "two", "three"))
            refused = [outcome for outcome in found.values() if isinstance(outcome, Rejected)]
            assert len(refused) == 1, f"one was refused for good, the outcomes are {_kinds(found)}"
            assert refused[0].code, "a refusal needs the provider's word for it"
            assert len(stage.taken()) == 2, "the others had to arrive"

    def test_busy_is_later_never_no_and_never_perhaps(self) -> None:
        with self.on_stage() as (channel, stage):
            if Trouble.BUSY not in stage.can:
                return
            stage.trouble(Trouble.BUSY)
            found = self.send(channel, self.messages(stage, "one"))["one"]
            assert isinstance(found, Retry), f"{type(found).__name__} for a provider that was busy"
            assert not stage.says_when or found.after == WAIT, f"it asked for {WAIT} seconds, not {found.after}"
            assert list(stage.taken()) == []
            assert isinstance(self.send(channel, self.messages(stage, "two"))["two"], Accepted), "it did not recover"

    def test_an_answer_that_never_came_is_unknown(self) -> None:
        with self.on_stage() as (channel, stage):
            if Trouble.CUTS not in stage.can:
                return
            stage.trouble(Trouble.CUTS)
            found = self.send(channel, self.messages(stage, "one", "two", "three"))
            unknown = [key for key, outcome in found.items() if isinstance(outcome, Unknown)]
            assert len(unknown) == 1, f"one answer was lost, the outcomes are {_kinds(found)}"
            taken = list(stage.taken())
            assert taken.count(unknown[0]) == 1, "the one in doubt was sent more than once, or not at all"
            for key, outcome in found.items():
                assert isinstance(outcome, Accepted | Unknown) == (key in taken), f"{key}: {type(outcome).__name__}"

    def test_nobody_there_is_later_for_all(self) -> None:
        with self.on_stage() as (channel, stage):
            stage.leave()
            found = self.send(channel, self.messages(stage, "one", "two", "three"))
            wrong = [outcome for outcome in found.values() if not isinstance(outcome, Retry)]
            assert not wrong, f"{type(wrong[0]).__name__} although nobody was there"
            away = [outcome for outcome in found.values() if isinstance(outcome, Retry)]
            scopes = {outcome.scope for outcome in away}
            if stage.one_provider:
                assert Scope.ACCOUNT in scopes, "others must wait too: scope is ACCOUNT"
            else:
                assert scopes == {Scope.MESSAGE}, "a stranger's server holds back everybody's messages"

    def test_a_repetition_within_its_time_is_the_same_message(self) -> None:
        if not self.channel_class.idempotent_for:
            return
        with self.on_stage() as (channel, stage):
            messages = self.messages(stage, "one")
            for _ in range(2):
                assert isinstance(self.send(channel, messages)["one"], Accepted)
            assert list(stage.taken()) == ["one"], "idempotent_for promises that a repetition is harmless"

    # -- what is shown ---------------------------------------------------------------------------------------------

    def test_texts_hold_no_secret_and_no_recipient(self) -> None:
        with self.on_stage() as (channel, stage):
            shown = [repr(channel), str(channel)]
            for trouble in sorted(stage.can):
                stage.trouble(trouble)
                shown += [repr(outcome) for outcome in self.send(channel, self.messages(stage, "one")).values()]
            stage.leave()
            shown += [repr(outcome) for outcome in self.send(channel, self.messages(stage, "two")).values()]
            shown += [repr(finding) for finding in self._findings(channel)]
            text = "\n".join(shown)
            assert not [each for each in stage.secrets if each in text], "a secret is shown"
            assert stage.recipient("aino.one") not in text, "a recipient is shown"
            assert stage.recipient("aino.two") not in text, "a recipient is shown"

    # -- settings --------------------------------------------------------------------------------------------------

    def test_a_key_nobody_knows_is_named(self) -> None:
        self._faulty("no_such_key", lambda settings: {**settings, "no_such_key": "sentinel-value"})

    def test_each_key_it_needs_is_named_when_it_is_missing(self) -> None:
        stage = self.open_stage()
        stage.close()
        for key in stage.required:
            self._faulty(key, lambda settings, gone=key: {k: v for k, v in settings.items() if k != gone})  # type: ignore[misc]

    def test_a_value_of_the_wrong_kind_is_named_and_not_quoted(self) -> None:
        stage = self.open_stage()
        stage.close()
        for key in stage.required:
            self._faulty(key, lambda settings, bad=key: {**settings, bad: ["sentinel-value"]})  # type: ignore[misc]

    def _faulty(self, where: str, change: Callable[[Mapping[str, object]], Mapping[str, object]]) -> None:
        stage = self.open_stage()
        stage.close()
        fault = self._fault_of(change(stage.settings))
        assert fault is not None, f"nothing was said about {where}"
        assert where in fault.where, f"the fault names '{fault.where}', not '{where}'"
        assert "sentinel-value" not in str(fault), "a fault quotes the value"
        assert not [each for each in stage.secrets if each in str(fault)], "a fault quotes a secret"

    def _fault_of(self, settings: Mapping[str, object]) -> ConfigError | None:
        try:
            self.channel_class.from_settings(settings, self.clock())
        except ConfigError as error:
            return error
        return None

    def test_closing_twice_is_harmless(self) -> None:
        with self.on_stage() as (channel, stage):
            self.send(channel, self.messages(stage, "one"))
            channel.close()
            channel.close()

    # -- what it may also do ---------------------------------------------------------------------------------------

    def test_asking_afterwards_tells_taken_from_not_taken(self) -> None:
        if not issubclass(self.channel_class, LooksUp):
            return
        with self.on_stage() as (channel, stage):
            assert isinstance(channel, LooksUp)
            now = self.clock().now()
            sent, never = self.messages(stage, "one", "never")
            self.send(channel, [sent])
            found: Accepted | KiitosError | None = channel.look_up(sent, now)
            assert isinstance(found, Accepted), "it has no trace of a message it took"
            assert found.key == "one", "another message's key"
            found = self._looked_up(channel, never, now - timedelta(hours=1))
            assert found is None or isinstance(found, Transient), "it found what was never sent"
            stage.leave()
            found = self._looked_up(channel, sent, now)
            assert isinstance(found, Transient), f"{type(found).__name__}: nobody there may change, and nobody knows"

    def _looked_up(self, channel: LooksUp, message: Message, since: datetime) -> Accepted | KiitosError | None:
        try:
            return channel.look_up(message, since)
        except KiitosError as error:
            return error

    def test_a_check_finds_and_never_raises(self) -> None:
        if not issubclass(self.channel_class, ChecksChannel):
            return
        with self.on_stage() as (channel, stage):
            well = self._findings(channel)
            assert well, "a check finds something, if only that all is well"
            assert not [each for each in well if each.verdict is Verdict.FAIL], "a good account fails its check"
            stage.leave()
            ill = self._findings(channel)
            assert [each for each in ill if each.verdict is Verdict.FAIL], "nobody is there, and the check is content"

    def _findings(self, channel: Channel) -> list[Finding]:
        return list(channel.check("orders@aurora.example")) if isinstance(channel, ChecksChannel) else []


def _kinds(found: Mapping[str, Outcome]) -> str:
    return ", ".join(sorted(type(outcome).__name__ for outcome in found.values()))


def run_channel_conformance(kit: type[ChannelConformance], only: Collection[str] = ()) -> list[str]:
    """Run the kit without pytest, or the checks named; one line a failure, empty when all holds."""
    suite = kit()
    failures: list[str] = []
    for name in checks_of(kit):
        if only and name not in only:
            continue
        test: Callable[[], None] = getattr(suite, name)
        try:
            test()
        except Exception as error:  # noqa: BLE001 - the report must name every failing check, whatever it raised
            failures.append(f"{name}: {type(error).__name__}: {error}")
    return failures


def checks_of(kit: type[ChannelConformance]) -> list[str]:
    """The names of its checks, in the order they are written."""
    return [name for base in reversed(kit.__mro__) for name in vars(base) if name.startswith("test_")]

"""The conformance kit of channels: what ships passes it, channels broken on purpose are caught by the check for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from importlib.metadata import entry_points
from typing import Any

import pytest

from connector.clock import Clock, SystemClock
from connector.contracts import Accepted, Channel, Message, Outcome, Rejected, Retry, Unknown
from connector.contracts.channel import OnWire
from connector.contracts.connecting import Finding, Verdict
from connector.outside.posting import Answer
from connector.registry import Registry
from connector.testing.channel_stages import PostmarkStage, ProviderStage, ResendStage
from connector.testing.channels import STAGES, ChannelConformance, ChannelStage, checks_of, run_channel_conformance
from flows.channels.api_email import ApiEmail, Call
from flows.channels.postmark import Postmark
from flows.channels.resend import Resend

POINTS = {point.name: point for point in entry_points(group=STAGES)}


def kit_of(channel: type[Channel], stage: type[ChannelStage]) -> type[ChannelConformance]:
    class Kit(ChannelConformance):
        channel_class = channel

        def open_stage(self) -> ChannelStage:
            return stage()

        def clock(self) -> Clock:
            return SystemClock()

    return Kit


@pytest.mark.parametrize("name", sorted(POINTS))
def test_what_ships_holds(name: str) -> None:
    kit = kit_of(Registry().channel(name), POINTS[name].load())
    assert run_channel_conformance(kit) == []


def test_every_provider_has_a_stage() -> None:
    assert {"smtp", "ses", "resend", "postmark", "sendgrid", "mailgun", "brevo"} <= set(POINTS)
    assert {"twilio", "elks46", "whatsapp", "webpush", "letters"} <= set(POINTS)


class Outer(Resend):
    """Bends what the real one answers."""

    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        for outcome in super().send_all(messages, on_wire):
            yield self.bent(outcome)

    def bent(self, outcome: Outcome) -> Outcome:
        return outcome


class LosesTheLast(Resend):
    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        yield from list(super().send_all(messages, on_wire))[:-1]


class SaysItTwice(Resend):
    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        for outcome in super().send_all(messages, on_wire):
            yield outcome
            yield outcome


class SendsItTwice(Resend):
    def call_for(self, message: Message) -> Call:
        call = super().call_for(message)
        self._api.call(call.method, call.path, json=call.options["json"])
        return call


class AnswersWithItsOwnKey(Outer):
    def bent(self, outcome: Outcome) -> Outcome:
        return replace(outcome, key="acme-1")


class GivesNoKeyAway(Resend):
    def call_for(self, message: Message) -> Call:
        return super().call_for(replace(message, key="same"))


class RaisesForARefusal(Outer):
    def bent(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Rejected):
            raise ValueError("refused")
        return outcome


class CallsALostAnswerARefusal(Outer):
    def bent(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Unknown):
            return Rejected(key=outcome.key, code="lost", text=outcome.text)
        return outcome


class RepeatsALostAnswer(Outer):
    def bent(self, outcome: Outcome) -> Outcome:
        return Retry(key=outcome.key, text=outcome.text) if isinstance(outcome, Unknown) else outcome


class BelievesALostAnswer(Outer):
    def bent(self, outcome: Outcome) -> Outcome:
        return Accepted(key=outcome.key) if isinstance(outcome, Unknown) else outcome


class GivesUpWhenBusy(Outer):
    def bent(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Retry) and "429" in outcome.text:
            return Rejected(key=outcome.key, code="429", text=outcome.text)
        return outcome


class ForgetsHowLong(Outer):
    def bent(self, outcome: Outcome) -> Outcome:
        return replace(outcome, after=None) if isinstance(outcome, Retry) else outcome


class DoubtsWhenNobodyIsThere(Outer):
    def bent(self, outcome: Outcome) -> Outcome:
        return Unknown(key=outcome.key, text="?") if isinstance(outcome, Retry) else outcome


class BlamesTheBatch(Resend):
    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        found = list(super().send_all(messages, on_wire))
        bad = next((each for each in found if isinstance(each, Rejected)), None)
        yield from (replace(bad, key=each.key) if bad else each for each in found)


class TellsAfterwards(Resend):
    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        for outcome in super().send_all(messages):
            if on_wire:
                on_wire(outcome.key)
            yield outcome


class NeverTells(Resend):
    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        yield from super().send_all(messages)


class SendsWhatCannotBeNoted(Resend):
    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        def quiet(key: str) -> None:
            try:
                if on_wire:
                    on_wire(key)
            except OSError:
                return

        yield from super().send_all(messages, quiet)


class ForgetsItsIdempotencyKey(Resend):
    def call_for(self, message: Message) -> Call:
        call = super().call_for(message)
        return Call(call.path, {"json": call.options["json"]})


class ShowsItsSecret(Resend):
    def __repr__(self) -> str:
        return f"<Resend {self._secret}>"


class QuotesTheProvider(Resend):
    def refusal(self, message: Message, answer: Answer, body: Mapping[str, Any]) -> Outcome | None:
        return Rejected(key=message.key, code=str(answer.status), text=str(body)) if answer.status == 422 else None


class TakesAnyKey(Resend):
    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> ApiEmail:
        return cls({key: value for key, value in settings.items() if key != "no_such_key"}, clock)


class QuotesItsSettings(Resend):
    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> ApiEmail:
        from connector.errors import ConfigError

        try:
            return super().from_settings(settings, clock)
        except ConfigError as error:
            raise ConfigError(f"{error.message} in {dict(settings)}", where=error.where) from error


class IsContentWithNobody(Resend):
    def check(self, sender: str) -> Iterator[Finding]:
        yield Finding(code="credentials", verdict=Verdict.OK)


class ChecksWithABang(Resend):
    def check(self, sender: str) -> Iterator[Finding]:
        self._api.call("GET", "/domains")
        yield Finding(code="credentials", verdict=Verdict.OK)


class FindsWhatWasNeverSent(Postmark):
    def look_up(self, message: Message, since: datetime) -> Accepted | None:
        super().look_up(message, since)
        return Accepted(key=message.key)


class FindsNothing(Postmark):
    def look_up(self, message: Message, since: datetime) -> Accepted | None:
        return None


MUTANTS: list[tuple[type[Channel], type[ProviderStage], str]] = [
    (LosesTheLast, ResendStage, "test_each_message_arrives_once_with_its_key_and_outcome"),
    (SaysItTwice, ResendStage, "test_each_message_arrives_once_with_its_key_and_outcome"),
    (SendsItTwice, ResendStage, "test_each_message_arrives_once_with_its_key_and_outcome"),
    (AnswersWithItsOwnKey, ResendStage, "test_each_message_arrives_once_with_its_key_and_outcome"),
    (GivesNoKeyAway, ResendStage, "test_each_message_arrives_once_with_its_key_and_outcome"),
    (RaisesForARefusal, ResendStage, "test_a_refusal_belongs_to_its_message_alone"),
    (BlamesTheBatch, ResendStage, "test_a_refusal_belongs_to_its_message_alone"),
    (CallsALostAnswerARefusal, ResendStage, "test_an_answer_that_never_came_is_unknown"),
    (RepeatsALostAnswer, ResendStage, "test_an_answer_that_never_came_is_unknown"),
    (BelievesALostAnswer, ResendStage, "test_an_answer_that_never_came_is_unknown"),
    (GivesUpWhenBusy, ResendStage, "test_busy_is_later_never_no_and_never_perhaps"),
    (ForgetsHowLong, ResendStage, "test_busy_is_later_never_no_and_never_perhaps"),
    (DoubtsWhenNobodyIsThere, ResendStage, "test_nobody_there_is_later_for_all"),
    (TellsAfterwards, ResendStage, "test_it_tells_before_a_message_can_have_been_accepted"),
    (NeverTells, ResendStage, "test_it_tells_before_a_message_can_have_been_accepted"),
    (SendsWhatCannotBeNoted, ResendStage, "test_what_cannot_be_noted_is_not_sent"),
    (ForgetsItsIdempotencyKey, ResendStage, "test_a_repetition_within_its_time_is_the_same_message"),
    (ShowsItsSecret, ResendStage, "test_texts_hold_no_secret_and_no_recipient"),
    (QuotesTheProvider, ResendStage, "test_texts_hold_no_secret_and_no_recipient"),
    (TakesAnyKey, ResendStage, "test_a_key_nobody_knows_is_named"),
    (QuotesItsSettings, ResendStage, "test_a_value_of_the_wrong_kind_is_named_and_not_quoted"),
    (IsContentWithNobody, ResendStage, "test_a_check_finds_and_never_raises"),
    (ChecksWithABang, ResendStage, "test_a_check_finds_and_never_raises"),
    (FindsWhatWasNeverSent, PostmarkStage, "test_asking_afterwards_tells_taken_from_not_taken"),
    (FindsNothing, PostmarkStage, "test_asking_afterwards_tells_taken_from_not_taken"),
]


@pytest.mark.parametrize(("mutant", "stage", "caught_by"), MUTANTS, ids=[each[0].__name__ for each in MUTANTS])
def test_a_broken_channel_is_caught_by_the_check_for_it(
    mutant: type[Channel], stage: type[ProviderStage], caught_by: str
) -> None:
    kit = kit_of(mutant, stage)
    assert caught_by in checks_of(kit)
    assert run_channel_conformance(kit, only=[caught_by])


def test_every_check_that_can_fail_is_shown_to() -> None:
    shown = {caught_by for _, _, caught_by in MUTANTS}
    others = set(checks_of(kit_of(Resend, ResendStage))) - shown
    assert others == {
        "test_it_says_what_it_is",
        "test_nothing_to_send_is_no_fault",
        "test_batches_follow_one_another",
        "test_purposes_make_no_difference_to_whether_it_arrives",
        "test_each_key_it_needs_is_named_when_it_is_missing",
        "test_closing_twice_is_harmless",
    }

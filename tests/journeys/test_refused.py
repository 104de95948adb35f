"""A mailbox that is full when the message is handed over counts like one that sends it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from connector.contracts import Message, Outcome, Rejected, Retry
from connector.contracts.channel import OnWire
from connector.contracts.channel_events import BounceKind, ChannelEventKind
from connector.explaining.explain import explain
from connector.model import EffectStatus
from connector.testing.world import WOO
from flows.channels.smtp_session import Reply
from flows.sending.became import Became
from tests.journeys.afterwards import ASK, CONFIRM, SOFT, PostWorld, post_world

Answer = Callable[[str], Outcome]


def full(key: str) -> Outcome:
    return Rejected(key=key, code="552 5.2.2", text="mailbox full", bounce=BounceKind.SOFT)


def full_for_now(key: str) -> Outcome:
    return Retry(key=key, text="452 4.2.2 mailbox full", bounce=BounceKind.SOFT)


def greylisted(key: str) -> Outcome:
    return Retry(key=key, text="451 4.7.1 come back later")


def blocked(key: str) -> Outcome:
    return Rejected(key=key, code="550 5.7.1", text="by policy", bounce=BounceKind.BLOCK)


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[PostWorld]:
    with post_world(tmp_path, ASK, soft_opt_in=["review"]) as made:
        yield made


def answers(world: PostWorld, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything is answered so from now on; the keys of what was tried."""
    tried: list[str] = []

    def send_all(messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        for message in messages:
            tried.append(message.key)
            if on_wire is not None:
                on_wire(message.key)
            yield answer(message.key)

    monkeypatch.setattr(world.post, "send_all", send_all)
    return tried


@pytest.mark.parametrize("answer", [full, full_for_now])
def test_three_of_them_hold_advertising_for_two_weeks(
    asking: PostWorld, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in "123":
        assert asking.blocked() == {}
        with monkeypatch.context() as refusing:
            tried = answers(asking, answer, refusing)
            asking.order(number)
            asking.until(days=3)  # what is put off is tried again and again, and becomes too late
        # The third time is the last: from then on the message itself is held back.
        assert len(set(tried)) == 1
        assert (len(tried) == 1) is (answer is full or number == "3")
    assert asking.blocked() == {"all": "soft_bounce"}, "each message once, however often it was tried"
    asking.order("4")
    assert asking.post.messages == []
    asking.until(days=15)
    asking.order("5")
    assert len(asking.post.messages) == 1


def test_one_that_comes_back_and_two_that_are_not_taken_make_three(
    asking: PostWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking.order("1")
    asking.tell("Bounce", **SOFT)
    asking.until(days=1)
    answers(asking, full, monkeypatch)
    asking.order("2")
    assert asking.blocked() == {}
    asking.until(days=1)
    asking.order("3")
    assert asking.blocked() == {"all": "soft_bounce"}


@pytest.mark.parametrize("answer", [greylisted, blocked])
def test_what_is_not_the_mailbox_s_state_counts_for_nothing(
    asking: PostWorld, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(asking, answer, monkeypatch)
    for number in "1234":
        asking.order(number)
        asking.until(days=2)
    assert asking.blocked() == {}
    assert asking.heard() == []


def test_explain_says_what_was_answered_and_a_later_acceptance_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with post_world(tmp_path, CONFIRM) as world:
        with monkeypatch.context() as refusing:
            answers(world, full_for_now, refusing)
            world.order("7")
        world.until(hours=2)
        effect = world.effect()
        assert effect.status is EffectStatus.SENT
        assert world.became(effect) is Became.ACCEPTED, "what was refused first says nothing of what went out"
        (heard,) = world.heard(effect)
        assert (heard.kind, heard.bounce, heard.code) == (ChannelEventKind.REFUSED, BounceKind.SOFT, "452 4.2.2")
        story = explain(world.store, WOO, "7")
        assert story is not None
        assert "order_confirmation: refused (452 4.2.2), says mail" in [line.text for line in story.lines]


@pytest.mark.parametrize(
    ("code", "text", "bounce", "bad"),
    [
        (452, "4.2.2 over quota", BounceKind.SOFT, False),
        (451, "4.7.1 greylisted", None, False),
        (552, "5.2.2 mailbox full", BounceKind.SOFT, False),
        (550, "5.1.1 no such user", BounceKind.HARD, True),
        (554, "5.7.1 refused by policy", BounceKind.BLOCK, False),
    ],
)
def test_what_a_server_s_words_say_of_the_mailbox(code: int, text: str, bounce: BounceKind | None, bad: bool) -> None:
    told = Reply(code, text).outcome("k", at_recipient=True)
    assert isinstance(told, Rejected | Retry)
    assert told.bounce is bounce
    assert (isinstance(told, Rejected) and told.bad_address) is bad
    at_sender = Reply(452, "4.2.2 over quota").outcome("k", at_sender=True)
    assert isinstance(at_sender, Retry)
    assert at_sender.bounce is None

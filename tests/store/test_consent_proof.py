"""The query that proves the invariant: what it must find, and what it must leave alone, on both databases."""

from __future__ import annotations

from datetime import datetime

import pytest

from connector.model import Channel, Consent, ConsentState, Effect, EffectStatus, Purpose
from connector.store import Store, consents, effects, runs, suppressions
from connector.store.db import Tx
from tests.store.examples import NOW, SHOP, at, effect, run

WHO = "aino@example.test"


def sent(tx: Tx, **changes: object) -> Effect:
    """A message that left at NOW + 2 h."""
    values: dict[str, object] = {
        "status": EffectStatus.SENT,
        "first_try_at": at(2),
        "done_at": at(2),
        "recipient": WHO,
        "channel": "email",
        "attempts": 1,
    }
    made = effect(**(values | changes))
    effects.put(tx, made)
    return made


def say(tx: Tx, state: ConsentState, hours: float, purpose: Purpose = Purpose.MARKETING, **who: str) -> None:
    consent = Consent(
        channel=Channel.EMAIL,
        purpose=purpose,
        state=state,
        raw_state="test",
        at=at(hours),
        source="test",
        **{"address": WHO, **who},
    )
    consents.record(tx, SHOP, consent, at(hours))


def told(tx: Tx, moment: datetime = NOW) -> None:
    runs.journal(tx, SHOP, "r1", moment, "ask", "allowed", {"consent": "unknown", "soft_opt_in": "true"})


def why(store: Store) -> list[str]:
    with store.work.read() as tx:
        return [row.why for row in consents.unfounded(tx)]


def test_a_planted_message_is_found(store: Store) -> None:
    with store.work.transaction() as tx:
        runs.start(tx, run(customer_id="c1"))
        sent(tx)
    assert why(store) == ["nothing was recorded, and no soft opt-in"]


@pytest.mark.parametrize("status", [EffectStatus.SENDING, EffectStatus.UNCERTAIN])
def test_what_may_have_arrived_counts(store: Store, status: EffectStatus) -> None:
    with store.work.transaction() as tx:
        sent(tx, status=status)
    assert len(why(store)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": Purpose.TRANSACTIONAL},
        {"status": EffectStatus.SKIPPED},
        {"status": EffectStatus.FAILED},
        {"kind": "platform"},
    ],
    ids=str,
)
def test_what_needs_no_ground_or_never_left(store: Store, changes: dict[str, object]) -> None:
    with store.work.transaction() as tx:
        sent(tx, **changes)
    assert why(store) == []


def test_the_newest_word_that_was_known_decides(store: Store) -> None:
    with store.work.transaction() as tx:
        say(tx, ConsentState.GRANTED, 0)
        sent(tx)
        say(tx, ConsentState.WITHDRAWN, 3)
        sent(tx, effect_id="later", first_try_at=at(4))
        say(tx, ConsentState.GRANTED, 5)
        sent(tx, effect_id="again", first_try_at=at(6))
    assert why(store) == ["what was recorded was 'withdrawn'"]


@pytest.mark.parametrize("state", [ConsentState.PENDING, ConsentState.OTHER, ConsentState.WITHDRAWN])
def test_what_is_not_a_yes_is_no_ground_even_for_a_buyer_who_was_told(store: Store, state: ConsentState) -> None:
    with store.work.transaction() as tx:
        runs.start(tx, run())
        told(tx)
        say(tx, state, 1)
        sent(tx)
    assert why(store) == [f"what was recorded was '{state}'"]


def test_a_buyer_who_was_told_at_checkout(store: Store) -> None:
    with store.work.transaction() as tx:
        runs.start(tx, run())
        told(tx)
        sent(tx)
    assert why(store) == []


def test_a_word_about_the_purpose_weighs_more_than_one_about_marketing(store: Store) -> None:
    with store.work.transaction() as tx:
        say(tx, ConsentState.GRANTED, 0, Purpose.REVIEW)
        say(tx, ConsentState.WITHDRAWN, 1)
        sent(tx)
        sent(tx, effect_id="offer", purpose=Purpose.MARKETING)
    assert why(store) == ["what was recorded was 'withdrawn'"]


def test_a_yes_to_reviews_is_none_to_offers(store: Store) -> None:
    with store.work.transaction() as tx:
        say(tx, ConsentState.GRANTED, 0, Purpose.REVIEW)
        sent(tx, purpose=Purpose.MARKETING)
    assert why(store) == ["nothing was recorded, and no soft opt-in"]


def test_an_entry_of_the_suppression_list(store: Store) -> None:
    with store.work.transaction() as tx:
        say(tx, ConsentState.GRANTED, 0)
        suppressions.add(tx, SHOP, WHO, Channel.EMAIL, "review", "unsubscribe", at(1))
        suppressions.add(tx, SHOP, WHO, Channel.EMAIL, "all", "hard_bounce", at(3))
        sent(tx)
        sent(tx, effect_id="loyalty", purpose=Purpose.LOYALTY)
    assert why(store) == ["the address was on the suppression list"]


def test_a_no_of_the_same_customer_for_another_address(store: Store) -> None:
    with store.work.transaction() as tx:
        runs.start(tx, run(customer_id="c1"))
        say(tx, ConsentState.GRANTED, 0)
        say(tx, ConsentState.WITHDRAWN, 1, address="work@example.test", customer_id="c1")
        sent(tx)
    assert why(store) == ["the customer had said no for another address"]
    with store.work.transaction() as tx:
        say(tx, ConsentState.GRANTED, 1.5)
    assert why(store) == [], "who says yes again for this address means it"


def test_a_yes_that_came_before_its_customers_address(store: Store) -> None:
    with store.work.transaction() as tx:
        runs.start(tx, run(customer_id="c1"))
        consent = Consent(
            channel=Channel.EMAIL,
            purpose=Purpose.MARKETING,
            state=ConsentState.GRANTED,
            raw_state="test",
            at=at(0),
            source="test",
            customer_id="c1",
        )
        consents.record(tx, SHOP, consent, at(0))
        sent(tx)
    assert why(store) == []


def test_of_one_shop(store: Store) -> None:
    with store.work.transaction() as tx:
        sent(tx)
        sent(tx, shop_id="other")
    with store.work.read() as tx:
        assert [row.shop_id for row in consents.unfounded(tx, "other")] == ["other"]
        assert (consents.sent(tx, SHOP), consents.sent(tx)) == (1, 2)

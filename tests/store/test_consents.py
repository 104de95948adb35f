from __future__ import annotations

from datetime import datetime

import pytest

from connector.model import Channel, Consent, ConsentState, Customer, EventKind, Purpose, Ref
from connector.store import Store, consents, entities, suppressions
from tests.store.examples import NOW, SHOP, at, event

AINO = "aino@example.test"


def entry(
    state: ConsentState,
    when: datetime,
    *,
    purpose: Purpose = Purpose.MARKETING,
    channel: Channel = Channel.EMAIL,
    address: str | None = " Aino@Example.test",
    customer_id: str | None = None,
) -> Consent:
    return Consent(
        channel=channel,
        purpose=purpose,
        state=state,
        raw_state=state.value.upper(),
        at=when,
        source="checkout",
        address=address,
        customer_id=customer_id,
    )


def record(store: Store, *entries: Consent) -> None:
    with store.work.transaction() as tx:
        for each in entries:
            consents.record(tx, SHOP, each, NOW)


def state(store: Store, purpose: Purpose = Purpose.MARKETING, **more: str) -> ConsentState:
    with store.work.read() as tx:
        return consents.state(tx, SHOP, AINO, Channel.EMAIL, purpose, **more)[0]


def test_nobody_consents_by_silence(store: Store) -> None:
    with store.work.read() as tx:
        assert consents.state(tx, SHOP, AINO, Channel.EMAIL, Purpose.MARKETING) == (ConsentState.UNKNOWN, None)


def test_the_newest_decision_counts_whenever_it_arrives(store: Store) -> None:
    record(store, entry(ConsentState.WITHDRAWN, at(2)), entry(ConsentState.GRANTED, at(1)))
    assert state(store) is ConsentState.WITHDRAWN
    record(store, entry(ConsentState.GRANTED, at(3)))
    assert state(store) is ConsentState.GRANTED
    with store.work.read() as tx:
        assert [row.state for row in consents.history(tx, SHOP, AINO)] == ["granted", "withdrawn", "granted"]
        _, proof = consents.state(tx, SHOP, AINO, Channel.EMAIL, Purpose.MARKETING)
    assert proof is not None
    assert (proof.at, proof.source, proof.raw_state) == (at(3), "checkout", "GRANTED")


def test_of_equal_times_the_later_entry_counts_and_a_repeat_is_no_entry(store: Store) -> None:
    record(
        store, entry(ConsentState.GRANTED, NOW), entry(ConsentState.WITHDRAWN, NOW), entry(ConsentState.GRANTED, NOW)
    )
    assert state(store) is ConsentState.WITHDRAWN


@pytest.mark.parametrize("purpose", [Purpose.REVIEW, Purpose.REFERRAL, Purpose.LOYALTY])
def test_marketing_covers_the_others_unless_they_have_their_own(store: Store, purpose: Purpose) -> None:
    record(store, entry(ConsentState.GRANTED, at(1)))
    assert state(store, purpose) is ConsentState.GRANTED
    record(store, entry(ConsentState.WITHDRAWN, NOW, purpose=purpose))
    assert state(store, purpose) is ConsentState.WITHDRAWN
    assert state(store, Purpose.MARKETING) is ConsentState.GRANTED


def test_a_review_consent_is_no_marketing_consent(store: Store) -> None:
    record(store, entry(ConsentState.GRANTED, NOW, purpose=Purpose.REVIEW))
    assert state(store, Purpose.MARKETING) is ConsentState.UNKNOWN
    assert state(store, Purpose.REFERRAL) is ConsentState.UNKNOWN
    assert state(store, Purpose.TRANSACTIONAL) is ConsentState.UNKNOWN


def test_shops_and_channels_are_apart(store: Store) -> None:
    record(store, entry(ConsentState.GRANTED, NOW, channel=Channel.SMS, address="+358 40 1234567"))
    assert state(store) is ConsentState.UNKNOWN
    with store.work.read() as tx:
        sms = (Channel.SMS, Purpose.MARKETING)
        assert consents.state(tx, SHOP, "+358401234567", *sms)[0] is ConsentState.GRANTED
        assert consents.state(tx, "shop-other", "+358401234567", *sms)[0] is ConsentState.UNKNOWN


def known_customer(store: Store, email: str = "Aino@example.test") -> None:
    person = Customer(id="71", email=email, phone="+358401234567", updated_at=NOW)
    with store.work.transaction() as tx:
        entities.apply(tx, SHOP, event(EventKind.CUSTOMER_CREATED, Ref("customer", "71"), customer=person), NOW)


def test_an_entry_that_names_only_a_customer_gets_the_address(store: Store) -> None:
    known_customer(store)
    record(store, entry(ConsentState.GRANTED, NOW, address=None, customer_id="71"))
    record(store, entry(ConsentState.GRANTED, NOW, address=None, customer_id="71", channel=Channel.SMS))
    assert state(store) is ConsentState.GRANTED
    with store.work.read() as tx:
        assert consents.state(tx, SHOP, "+358401234567", Channel.SMS, Purpose.REVIEW)[0] is ConsentState.GRANTED


def test_an_entry_for_an_unknown_customer_is_resolved_when_read(store: Store) -> None:
    record(store, entry(ConsentState.GRANTED, NOW, address=None, customer_id="71"))
    assert state(store) is ConsentState.UNKNOWN
    assert state(store, customer_id="72") is ConsentState.UNKNOWN
    assert state(store, customer_id="71") is ConsentState.GRANTED
    known_customer(store)
    assert state(store) is ConsentState.GRANTED
    with store.work.read() as tx:
        assert len(consents.history(tx, SHOP, AINO)) == 1


def test_consent_stays_with_the_address_it_was_given_for(store: Store) -> None:
    record(store, entry(ConsentState.GRANTED, NOW, address="old@example.test", customer_id="71"))
    assert state(store, customer_id="71") is ConsentState.UNKNOWN


def test_suppressions(store: Store) -> None:
    with store.work.transaction() as tx:
        suppressions.add(tx, SHOP, AINO, Channel.EMAIL, "marketing", "one-click", NOW)
        suppressions.add(tx, SHOP, AINO, Channel.EMAIL, Purpose.REVIEW, "page", NOW)
        suppressions.add(tx, SHOP, AINO, Channel.EMAIL, "marketing", "complaint", at(1))
        found = suppressions.find(tx, SHOP, AINO, Channel.EMAIL)
        assert [(row.scope, row.reason, row.at) for row in found] == [
            ("marketing", "complaint", at(1)),
            ("review", "page", NOW),
        ]
        assert suppressions.find(tx, SHOP, AINO, Channel.SMS) == []
        assert suppressions.remove(tx, SHOP, AINO, Channel.EMAIL, "review")
        assert not suppressions.remove(tx, SHOP, AINO, Channel.EMAIL, "review")
        assert [row.scope for row in suppressions.find(tx, SHOP, AINO, Channel.EMAIL)] == ["marketing"]

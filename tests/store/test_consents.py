from __future__ import annotations

from datetime import datetime

import pytest

from connector.model import Channel, Consent, ConsentState, Customer, EventKind, Purpose, Ref, email_key
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


OLD = "old@example.test"


def test_a_no_of_a_customer_counts_for_all_their_addresses(store: Store) -> None:
    record(store, entry(ConsentState.WITHDRAWN, NOW, address=OLD, customer_id="71"))
    assert state(store, customer_id="71") is ConsentState.WITHDRAWN
    assert state(store, Purpose.REVIEW, customer_id="71") is ConsentState.WITHDRAWN
    assert state(store, customer_id="72") is ConsentState.UNKNOWN
    assert state(store, customer_id="") is ConsentState.UNKNOWN
    assert state(store) is ConsentState.UNKNOWN


@pytest.mark.parametrize("said", [ConsentState.UNKNOWN, ConsentState.PENDING, ConsentState.OTHER])
def test_only_a_yes_lifts_a_no_said_with_another_address(store: Store, said: ConsentState) -> None:
    record(store, entry(ConsentState.WITHDRAWN, NOW, address=OLD, customer_id="71"), entry(said, at(1)))
    assert state(store, customer_id="71") is ConsentState.WITHDRAWN
    record(store, entry(ConsentState.GRANTED, at(2), customer_id="71"))
    assert state(store, customer_id="71") is ConsentState.GRANTED
    record(store, entry(ConsentState.WITHDRAWN, at(3), address=OLD, customer_id="71"))
    assert state(store, customer_id="71") is ConsentState.WITHDRAWN


def test_a_no_taken_back_where_it_was_said_is_a_no_no_longer(store: Store) -> None:
    record(store, entry(ConsentState.WITHDRAWN, NOW, address=OLD, customer_id="71"))
    record(store, entry(ConsentState.GRANTED, at(1), address=OLD, customer_id="71"))
    assert state(store, customer_id="71") is ConsentState.UNKNOWN


def test_a_yes_to_the_very_purpose_stands_beside_a_no_to_marketing_elsewhere(store: Store) -> None:
    record(store, entry(ConsentState.GRANTED, NOW, purpose=Purpose.REVIEW))
    record(store, entry(ConsentState.WITHDRAWN, at(1), address=OLD, customer_id="71"))
    assert state(store, Purpose.REVIEW, customer_id="71") is ConsentState.GRANTED
    assert state(store, Purpose.REFERRAL, customer_id="71") is ConsentState.WITHDRAWN


def test_an_accent_typed_on_its_own_is_the_same_person(store: Store) -> None:
    record(store, entry(ConsentState.WITHDRAWN, NOW, address="Jose\u0301@example.test"))
    with store.work.read() as tx:
        key = email_key("jos\u00e9@example.test") or ""
        assert consents.state(tx, SHOP, key, Channel.EMAIL, Purpose.MARKETING)[0] is ConsentState.WITHDRAWN
        assert consents.state(tx, SHOP, "jose@example.test", Channel.EMAIL, Purpose.MARKETING)[1] is None


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

from __future__ import annotations

from datetime import datetime

from connector.model import Effect, EffectStatus, Purpose
from connector.store import Store, effects, pace, runs
from connector.store.db import Tx
from tests.store.examples import NOW, SHOP, at, effect, run

BODY = b"Subject: Hei\r\n\r\n" + b"x" * 3000


def put(store: Store, *new: Effect) -> list[bool]:
    with store.work.transaction() as tx:
        return [effects.put(tx, each) for each in new]


def get(store: Store, effect_id: str = "r1:ask") -> Effect:
    with store.work.read() as tx:
        found = effects.get(tx, SHOP, effect_id)
    assert found is not None
    return found


def begin(store: Store, hours: float = 0, content: bytes | None = BODY, effect_id: str = "r1:ask") -> bool:
    with store.work.transaction() as tx:
        return effects.begin(
            tx, SHOP, effect_id, at(hours), at(hours + 1), "Aino@example.test", "shop@example.test", "Hei", content
        )


def test_an_effect_comes_back_as_it_was(store: Store) -> None:
    full = effect(result={"id": "9"}, content=BODY, recipient="a@example.test", lease_until=at(1), tainted=True)
    assert put(store, full) == [True]
    assert get(store) == full
    with store.work.read() as tx:
        assert effects.of_run(tx, SHOP, "r1") == [full]
        assert effects.of_order(tx, SHOP, "501") == [full]
        assert effects.get(tx, "shop-other", "r1:ask") is None


def test_once_per_id(store: Store) -> None:
    assert put(store, effect(), effect(kind="other"), effect(shop_id="shop-other")) == [True, False, True]
    assert get(store).kind == "message"


def test_transactional_effects_go_first_and_only_what_is_due(store: Store) -> None:
    put(
        store,
        effect("old-review", due_at=at(-5)),
        effect("receipt", purpose=Purpose.TRANSACTIONAL, due_at=at(-1)),
        effect("review", due_at=at(-3)),
        effect("future-receipt", purpose=Purpose.TRANSACTIONAL, due_at=at(2)),
        effect("future", due_at=at(3)),
        effect("done", status=EffectStatus.SENT),
    )
    with store.work.read() as tx:
        assert len(effects.due(tx, NOW, 10)) == 3, "looking takes no locks"
        assert effects.expired(tx, NOW, 10) == []
    with store.work.transaction() as tx:
        assert [each.id for each in effects.due(tx, NOW, 10)] == ["receipt", "old-review", "review"]
        assert [each.id for each in effects.due(tx, NOW, 2)] == ["receipt", "old-review"]
        assert [each.id for each in effects.due(tx, NOW, 1)] == ["receipt"]
        assert effects.next_due(tx) == at(-5)
        assert effects.counts(tx) == {EffectStatus.PENDING: 5, EffectStatus.SENT: 1}


def test_sending_is_committed_before_the_call(store: Store) -> None:
    put(store, effect())
    assert begin(store)
    begun = get(store)
    assert (begun.status, begun.attempts, begun.first_try_at, begun.lease_until) == (
        EffectStatus.SENDING,
        1,
        NOW,
        at(1),
    )
    assert (begun.recipient, begun.sender, begun.subject) == ("Aino@example.test", "shop@example.test", "Hei")
    assert begun.content == BODY
    assert not begin(store), "it is being sent already"
    assert get(store).attempts == 1
    with store.work.transaction() as tx:
        assert effects.due(tx, at(9), 10) == []
        assert effects.expired(tx, at(0.99), 10) == []
        # At its very end: what waits for that moment must find the outcome settled, or the cap would not count it.
        (lost,) = effects.expired(tx, at(1), 10)
        assert effects.next_due(tx) == at(1)
    assert (lost.id, lost.content) == ("r1:ask", BODY)


def test_the_newest_rendering_is_kept_and_the_first_try_remembered(store: Store) -> None:
    put(store, effect())
    begin(store)
    with store.work.transaction() as tx:
        effects.retry(tx, SHOP, "r1:ask", NOW, at(2), "421 try later")
        (again,) = effects.due(tx, at(2), 5)
    assert (again.status, again.content, again.reason, again.lease_until) == ("pending", BODY, "421 try later", None)
    assert begin(store, 2, b"another rendering")
    assert get(store).content == b"another rendering"
    assert (get(store).attempts, get(store).first_try_at) == (2, NOW)


def test_a_taint_is_never_cleared(store: Store) -> None:
    put(store, effect())
    begin(store)
    with store.work.transaction() as tx:
        effects.retry(tx, SHOP, "r1:ask", NOW, at(1), "no answer", tainted=True)
    assert get(store).tainted
    for tainted in (False, None):
        begin(store, 1)
        with store.work.transaction() as tx:
            effects.retry(tx, SHOP, "r1:ask", NOW, at(1), "refused politely", tainted=tainted)
        assert get(store).tainted
    begin(store, 2)
    with store.work.transaction() as tx:
        effects.settle(tx, SHOP, "r1:ask", at(2), EffectStatus.SENT, "m1")
    assert get(store).tainted


def test_an_uncertain_outcome_taints(store: Store) -> None:
    put(store, effect())
    begin(store)
    with store.work.transaction() as tx:
        effects.settle(tx, SHOP, "r1:ask", at(1), EffectStatus.UNCERTAIN, reason="no answer")
    found = get(store)
    assert (found.status, found.tainted, found.done_at) == (EffectStatus.UNCERTAIN, True, at(1))


def test_what_was_sent_stays_sent(store: Store) -> None:
    put(store, effect())
    begin(store)
    with store.work.transaction() as tx:
        effects.settle(tx, SHOP, "r1:ask", at(1), EffectStatus.SENT, "m1", result={"code": "250"})
        effects.settle(tx, SHOP, "r1:ask", at(2), EffectStatus.UNCERTAIN, reason="late sweeper")
        effects.retry(tx, SHOP, "r1:ask", at(2), at(2), "late sweeper", tainted=True)
        effects.defer(tx, SHOP, "r1:ask", at(2), "late")
    found = get(store)
    assert (found.status, found.provider_id, found.tainted, found.done_at) == (EffectStatus.SENT, "m1", False, at(1))
    assert found.result == {"code": "250"}


def test_many_at_once(store: Store) -> None:
    put(store, *(effect(str(n)) for n in range(3)))
    with store.work.transaction() as tx:
        begun = effects.begin_many(tx, [(SHOP, str(n), NOW, at(1), "a@example.test", "", "", BODY) for n in range(4)])
        effects.settle_many(tx, [(SHOP, "0", NOW, "sent", "m0"), (SHOP, "1", NOW, EffectStatus.FAILED, "", "550")])
        effects.settle_many(tx, [])
    assert begun == 3
    assert [get(store, str(n)).status for n in range(3)] == ["sent", "failed", "sending"]
    assert get(store, "1").reason == "550"


def test_putting_off_counts_no_attempt(store: Store) -> None:
    put(store, effect())
    with store.work.transaction() as tx:
        effects.defer(tx, SHOP, "r1:ask", at(8), "quiet hours")
        assert effects.due(tx, at(7), 5) == []
    found = get(store)
    assert (found.status, found.due_at, found.reason, found.attempts) == (EffectStatus.PENDING, at(8), "quiet hours", 0)


def test_what_another_worker_has_begun_is_not_put_off(store: Store) -> None:
    """Put back to pending, untainted, it would be sent a second time (found by tests/swarm)."""
    put(store, effect())
    begin(store)
    with store.work.transaction() as tx:
        effects.defer(tx, SHOP, "r1:ask", at(8), "platform_unreachable")
    assert get(store).status is EffectStatus.SENDING


def test_what_a_server_wished_for_later_is_not_brought_forward(store: Store) -> None:
    """By another worker that could not ask the shop meanwhile (found by tests/swarm)."""
    put(store, effect())
    begin(store)
    with store.work.transaction() as tx:
        effects.retry(tx, SHOP, "r1:ask", at(0), at(3), "450 later")
        effects.defer(tx, SHOP, "r1:ask", at(1), "platform_unreachable")
    assert (get(store).due_at, get(store).reason) == (at(3), "450 later")


def test_what_a_person_got(store: Store) -> None:
    put(store, *(effect(str(n)) for n in range(3)))
    for n in range(3):
        begin(store, n, effect_id=str(n))
    with store.work.transaction() as tx:
        effects.settle(tx, SHOP, "0", at(0), EffectStatus.SENT)
        effects.settle(tx, SHOP, "1", at(1), EffectStatus.SENT)
        effects.settle(tx, SHOP, "2", at(2), EffectStatus.FAILED)
        assert [each.id for each in effects.sent_to(tx, SHOP, "aino@example.test", at(0))] == ["0", "1"]
        assert [each.id for each in effects.sent_to(tx, SHOP, "aino@example.test", at(0.5))] == ["1"]
        assert effects.sent_to(tx, SHOP, "mikko@example.test", at(0)) == []


def test_news_that_may_have_been_told_counts_as_told(store: Store) -> None:
    """An attempt to deliver whose mail may have arrived and waits to be repeated: the failure an hour later says the
    same, and came beside it (found by tests/swarm, seed 2539 of 22 November 2026)."""
    parcel = {"subject_kind": "shipment", "subject_id": "p1"}
    one, two = run(id="r1", entry_key="a", **parcel), run(id="r2", entry_key="b", **parcel)
    with store.work.transaction() as tx:
        assert runs.start(tx, one)
        assert runs.start(tx, two)
        effects.put(tx, effect())
    with store.work.transaction() as tx:
        assert effects.told_of_subject(tx, two) == []
        effects.retry(tx, SHOP, "r1:ask", NOW, at(1), "450 later")
        assert effects.told_of_subject(tx, two) == [], "certainly not told"
        effects.retry(tx, SHOP, "r1:ask", NOW, at(1), "the answer was lost", tainted=True)
        assert [request for _, request in effects.told_of_subject(tx, two)] == [effect().request]
        assert effects.told_of_subject(tx, one) == [], "another run's"


def test_next_due_of_an_empty_outbox(store: Store) -> None:
    with store.work.read() as tx:
        assert effects.next_due(tx) is None
        assert effects.counts(tx) == {}


def test_when_marketing_mail_last_reached_somebody_over_the_shops_of_a_client(store: Store) -> None:
    def sent(effect_id: str, hours: float, status: EffectStatus = EffectStatus.SENT, **more: object) -> Effect:
        given = {
            "channel": "email",
            "purpose": Purpose.MARKETING,
            "recipient": "Aino@Example.test",
            "done_at": at(hours),
            "status": status,
        }
        return effect(effect_id, **{**given, **more})

    def last(tx: Tx, shops: list[str]) -> datetime:
        return pace.reached(tx, shops, "aino@example.test", "email", "")[0].at

    with store.work.transaction() as tx:
        for one in (
            sent("a", 1),
            sent("b", 2, shop_id="shop-other"),
            sent("c", 3, shop_id="shop-of-another-client"),
            sent("d", 4, purpose=Purpose.TRANSACTIONAL),
            sent("e", 5, kind="platform"),
            sent("f", 6, EffectStatus.SKIPPED),
            sent("g", 7, recipient="somebody@example.test"),
            sent("h", 8, request={"template": "review_thanks", "after_review": True}),
        ):
            effects.put(tx, one)
        assert last(tx, [SHOP]) == at(1)
        assert last(tx, [SHOP, "shop-other"]) == at(2)
        assert pace.reached(tx, [SHOP], "nobody@example.test", "email", "") == []
        effects.put(tx, sent("h2", 8, channel="sms"))
        assert last(tx, [SHOP]) == at(1)
        sending = {"done_at": None, "first_try_at": at(-30), "lease_until": at(9)}
        effects.put(tx, sent("i", 0, EffectStatus.SENDING, **sending))
        assert last(tx, [SHOP]) == at(9), "a message tried for days counts from now on"
        assert pace.reached(tx, [SHOP], "aino@example.test", "email", but="i")[0].at == at(1)
        effects.put(tx, sent("j", 10, EffectStatus.UNCERTAIN))
        assert last(tx, [SHOP]) == at(10)

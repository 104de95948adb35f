"""What was given in the platform: entered once, matched with its use, voided when it is reversed; and perks that go to
one person each, however many ask at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import cast

import pytest

from connector.contracts import Access, PlatformAdapter, VoidRequest, VoidsCodes
from connector.errors import Refused
from connector.model import AppliedDiscount, EffectStatus, EventKind
from connector.store import Store, effects, perks, referrals, vouchers
from connector.store.referrals import ReferralRow
from flows.facts import Facts
from flows.sending.records import record
from flows.steps.hand_out import HandOut
from flows.value import vouchers as giving
from tests.store.examples import effect, run
from tests.store.loyal import AINO, Loyal, cancelled, faults, line, purchase, refund, told
from tests.store.trade import SHOP

CODE = "THANKS-AB12"
SPEND = {"rules": {"spend": {"kind": "spend", "points": 1, "per": "1 EUR"}}}


@pytest.fixture
def life(store: Store, tmp_path: Path) -> Loyal:
    return Loyal(store, tmp_path, SPEND)


def give(life: Loyal, code: str = CODE, **referral: str) -> None:
    """What a flow's `create_discount` leaves when the shop has made the code."""
    made = replace(
        effect(), shop_id=SHOP, request={"do": "create_discount", "discount": {"code": code, "customer_email": AINO}}
    )
    its = replace(run(), shop_id=SHOP, event=referral, order_id="501")
    with life.store.work.transaction() as tx:
        giving.issued(tx, its, made, {"code": code.lower(), "value": "10 %"}, life.clock.now())
        giving.issued(tx, its, made, {"code": code.lower(), "value": "10 %"}, life.clock.now())


def state(life: Loyal, code: str = CODE) -> str:
    with life.store.work.read() as tx:
        found = vouchers.get(tx, SHOP, code)
    assert found is not None
    return found.state


def buys_with(life: Loyal, order_id: str, code: str = CODE, email: str = AINO) -> None:
    made = purchase(line("a", "20"), order_id=order_id, email=email, at=life.clock.now())
    life.take_in(told(replace(made, discounts=(AppliedDiscount(code=code.lower()),)), EventKind.ORDER_PAID))


def void(life: Loyal, code: str = CODE) -> bool:
    with life.store.work.transaction() as tx:
        found = vouchers.get(tx, SHOP, code)
        assert found is not None
        return giving.void(tx, SHOP, found, "referral.reversed", life.clock.now())


class Platform(VoidsCodes):
    """As much of an adapter as taking back needs."""

    name = "fake"

    def __init__(self, answer: bool) -> None:
        self.answer, self.asked = answer, list[VoidRequest]()

    def void_code(self, access: Access, request: VoidRequest) -> bool:
        del access
        self.asked.append(request)
        return self.answer


def carried_out(life: Loyal, platform: Platform) -> None:
    """What the worker does with the effect, without a shop."""
    access = Access(shop=life.kiitos.catalog.settings(SHOP).shop, secrets={}, clock=life.clock)
    with life.store.work.transaction() as tx:
        (waiting,) = [each for each in effects.due(tx, life.clock.now(), 10) if each.kind == giving.VOID]
        values = giving.write_void(cast(PlatformAdapter, platform), access, waiting)
        life.kiitos.runner.performed(tx, None, waiting, values, life.clock.now())
        effects.settle(tx, SHOP, waiting.id, life.clock.now(), EffectStatus.SENT)


def test_a_code_is_entered_once_and_used_by_the_first_order_it_came_with(life: Loyal) -> None:
    give(life)
    assert life.position(unit="reward").available == 1
    buys_with(life, "1")
    buys_with(life, "2")
    assert state(life) == "used"
    position = life.position(unit="reward")
    assert (position.available, position.lots[f"voucher/{CODE}"].spent) == (0, 1)
    with life.store.work.read() as tx:
        assert [each.key for each in vouchers.used_in(tx, SHOP, "1")] == [CODE]
        assert vouchers.used_in(tx, SHOP, "2") == []
    assert faults(life) == []


def test_a_code_of_nobodys_is_not_entered(life: Loyal) -> None:
    made = replace(effect(), shop_id=SHOP, request={"do": "create_discount", "discount": {"code": CODE}})
    with life.store.work.transaction() as tx:
        giving.issued(tx, replace(run(), shop_id=SHOP), made, {"code": CODE}, life.clock.now())
        assert vouchers.get(tx, SHOP, CODE) is None


def test_what_is_reversed_is_voided_in_the_shop_once(life: Loyal) -> None:
    give(life)
    assert void(life)
    assert not void(life)
    platform = Platform(True)
    carried_out(life, platform)
    assert [asked.code for asked in platform.asked] == [CODE]
    assert state(life) == "voided"
    assert life.position(unit="reward").available == 0
    assert faults(life) == []


def test_what_was_used_is_kept_and_shown_as_owed(life: Loyal) -> None:
    give(life)
    buys_with(life, "1")
    assert not void(life)
    assert state(life) == "kept"
    assert life.position(unit="reward").available == -1
    assert faults(life) == []


def test_a_use_that_comes_in_while_it_is_voided_wins(life: Loyal) -> None:
    give(life)
    void(life)
    buys_with(life, "1")
    carried_out(life, Platform(False))
    assert state(life) == "used"
    assert life.position(unit="reward").available == 0


def test_a_shop_that_says_it_was_used_keeps_it(life: Loyal) -> None:
    give(life)
    void(life)
    carried_out(life, Platform(False))
    assert state(life) == "kept"
    assert life.position(unit="reward").available == 1


def test_all_that_was_given_for_a_referral_is_taken_back(life: Loyal) -> None:
    give(life, referral_id="order-9")
    give(life, code="OTHER-1")
    with life.store.work.transaction() as tx:
        assert giving.void_all(tx, SHOP, "referral/order-9", "refund.created", life.clock.now()) == 1
    assert (state(life), state(life, "OTHER-1")) == ("voiding", "issued")


def test_a_reward_is_taken_back_when_nothing_of_the_friends_purchase_is_left(life: Loyal) -> None:
    friend = purchase(line("a", "50", 2), order_id="9", email="friend@example.test", at=life.clock.now())
    life.take_in(told(friend, EventKind.ORDER_PAID))
    with life.store.work.transaction() as tx:
        now = life.clock.now()
        row = ReferralRow("order-9", "AINO", AINO, "friend@example.test", "9", "rewarded", "", now, now)
        referrals.open_one(tx, SHOP, row, now)
    give(life, referral_id="order-9")
    life.take_in(refund(friend, "r1", life.clock.now(), a=1))
    assert state(life) == "issued", "a part of it went back: the reward stays"
    life.take_in(cancelled(friend, life.clock.now()))
    assert state(life) == "voiding"
    with life.store.work.read() as tx:
        found = referrals.by_order(tx, SHOP, "9")
    assert found is not None
    assert found.state == "reversed"


# -- perks -------------------------------------------------------------------------------------------------------------


def claimed(store: Store, take: Callable[..., str | None], people: int, at_once: int) -> list[str | None]:
    now = datetime.fromisoformat("2026-03-02T09:00:00+00:00")
    gate = threading.Barrier(at_once)

    def claim(number: int) -> str | None:
        if number < at_once:
            gate.wait(60)
        for _ in range(50):
            try:
                with store.work.transaction() as tx:
                    return take(tx, SHOP, "spa", f"a{number % people}", now)
            except Exception as error:
                if "locked" not in str(error) and "lock" not in str(error) and "deadlock" not in str(error):
                    raise
        raise AssertionError("the database was never free")

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(claim, range(50)))


def test_50_claims_at_once_give_each_coupon_to_one_person(store: Store) -> None:
    with store.work.transaction() as tx:
        assert perks.add(tx, SHOP, "spa", [f"SPA-{n}" for n in range(20)]) == 20
        assert perks.add(tx, SHOP, "spa", ["SPA-1", "SPA-20"]) == 1
    got = claimed(store, perks.take, 50, 10)
    given = [code for code in got if code is not None]
    assert len(given) == 21
    assert set(Counter(given).values()) == {1}
    with store.work.read() as tx:
        assert [(each.coupons, each.free) for each in perks.counts(tx, SHOP)] == [(21, 0)]


def test_one_person_who_asks_50_times_gets_one(store: Store) -> None:
    with store.work.transaction() as tx:
        perks.add(tx, SHOP, "spa", [f"SPA-{n}" for n in range(20)])
    got = claimed(store, perks.take, 1, 10)
    assert len(set(got)) == 1
    assert None not in got
    with store.work.read() as tx:
        assert perks.counts(tx, SHOP)[0].free == 19


def test_a_flow_hands_out_one_a_person_and_says_when_none_is_left(life: Loyal) -> None:
    its, now = replace(run(), shop_id=SHOP), life.clock.now()
    asked = replace(effect(), shop_id=SHOP, kind="record", request={"do": "hand_out", "perk": "spa"})
    facts = Facts(now=now, shop=life.kiitos.catalog.settings(SHOP).shop)
    with life.store.work.transaction() as tx:
        perks.add(tx, SHOP, "spa", ["SPA-1"])
        assert record(tx, asked, its, facts, now).values == {"code": "SPA-1"}
        assert record(tx, replace(asked, id="again"), its, facts, now).values == {"code": "SPA-1"}
        with pytest.raises(Refused, match="none is left"):
            record(tx, replace(asked, id="other"), replace(its, email_key="b@example.test"), facts, now)
    assert HandOut(perk="spa").gives() == ("code",)
    with pytest.raises(ValueError, match="small letters"):
        HandOut(perk="Spa Day")


def test_a_claim_that_looks_first_and_takes_later_is_found(tmp_path: Path) -> None:
    """Planted: two look at the same coupon before either takes it, and nobody compares."""
    store = Store.open(f"sqlite:///{tmp_path}/work.db")
    try:
        with store.work.transaction() as tx:
            perks.add(tx, SHOP, "spa", ["SPA-1", "SPA-2"])
        met = threading.Barrier(2)

        def careless(person: str) -> str:
            with store.work.read() as tx:
                code = str((tx.one("perk_free", shop_id=SHOP, perk="spa") or {})["code"])
            met.wait(60)
            with store.work.transaction() as tx:
                tx.script("UPDATE perk_coupons SET taken_by = ? WHERE code = ?", (person, code))
            return code

        with ThreadPoolExecutor(2) as pool:
            got = list(pool.map(careless, ["a", "b"]))
        assert max(Counter(got).values()) == 2
    finally:
        store.close()

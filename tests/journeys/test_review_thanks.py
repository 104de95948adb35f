"""The code that thanks for a review goes with it: switched off when it is withdrawn or hidden, unless used."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests

from connector import privacy
from connector.contracts import Access, DiscountRef, DiscountRequest
from connector.explaining.explain import explain
from connector.loyalty import faults
from connector.store import privacy as asked_for
from connector.store import vouchers
from connector.store.vouchers import Voucher
from connector.testing.demo.mailbox import read_mail
from connector.testing.demo.scenario import JAM, LIISA, MONDAY, MUG, SOCKS
from connector.testing.fakes.people import AINO, Buyer
from connector.testing.fakes.web import Trouble
from connector.testing.world import SHOPIFY, WOO, World
from flows.value import thanks
from platforms.shopify.discounts import Discounts
from tests.journeys.conftest import Worlds
from tests.journeys.reviewing import decide, desk, form_of, of_product, products_in, write
from tests.journeys.test_review_request import codes, delivered_order

BUYERS = {SHOPIFY: AINO, WOO: LIISA}


def asked(world: World, shop_id: str) -> str:
    """They bought two things and were asked about them; the address of the form."""
    buyer = BUYERS[shop_id]
    if shop_id == SHOPIFY:
        delivered_order(world, buyer)
    else:
        order = world.woo.place_order([(JAM, 2), (SOCKS, 1)], buyer)
        world.woo.add_tracking(order, "JJFI65300000000000001")
        world.woo.set_status(order, "completed")
    world.until(MONDAY + timedelta(days=17))
    return form_of(world, buyer)


def reviews_all(world: World, form: str, text: str = "Hyvä.") -> list[str]:
    """All that was bought, at once; the products."""
    products = products_in(form)
    stars = {f"rating-{product}": str(5 - at) for at, product in enumerate(products)}
    assert write(world, form, stars | {f"text-{product}": f"{text} {product}" for product in products}) == 200
    return products


def withdraw(world: World, shop_id: str, form: str, product: str) -> None:
    (row,) = of_product(world, shop_id, product)
    assert requests.post(form, data={"do": "withdraw", "review": row.id}, timeout=30).status_code == 200


def hide(world: World, shop_id: str, product: str, what: str = "hide") -> None:
    (row,) = of_product(world, shop_id, product)
    assert decide(world, desk(world, shop_id), what, row.id, "names a neighbour").status_code == 200


def given(world: World, shop_id: str) -> list[Voucher]:
    """What was given for reviews, as the books have it."""
    with world.kiitos.store.work.read() as tx:
        tx.script("SELECT voucher_key FROM vouchers WHERE cause LIKE 'review/%' ORDER BY voucher_key")
        found = [vouchers.get(tx, shop_id, str(row[0])) for row in tx._cursor.fetchall()]
    return [voucher for voucher in found if voucher is not None]


def good(world: World) -> list[str]:
    """The thank-you codes that the shops take."""
    now = world.clock.now()
    off = {row.code.lower() for row in world.shopify.discounts.values() if row.ends_at and row.ends_at <= now}
    off |= {
        str(row["code"]).lower()
        for row in world.woo.coupons.values()
        if row.get("date_expires_gmt") and str(row["date_expires_gmt"]) <= now.isoformat()
    }
    return [code for code in codes(world) if code.lower() not in off]


def story(world: World, shop_id: str) -> list[str]:
    told = explain(world.kiitos.store, shop_id, str(BUYERS[shop_id].email))
    assert told is not None
    return [line.text for line in told.lines if line.what == "taken_back"]


def thanked(world: World, buyer: Buyer) -> int:
    return sum("KIITOS-" in read_mail(0, kept).text for kept in world.sink.to(str(buyer.email)))


@pytest.mark.parametrize("shop_id", [SHOPIFY, WOO])
@pytest.mark.parametrize("how", [withdraw, hide], ids=["withdrawn", "hidden"])
def test_the_code_is_switched_off_when_nothing_of_the_review_is_left(
    worlds: Worlds, shop_id: str, how: Callable[..., None]
) -> None:
    world = worlds()
    form = asked(world, shop_id)
    products = reviews_all(world, form)
    world.wait(hours=1)
    assert [voucher.cause.partition("/")[0] for voucher in given(world, shop_id)] == ["review"]
    assert (len(good(world)), story(world, shop_id)) == (1, [])
    last = products.pop()
    for product in products:
        how(world, shop_id, *([form] if how is withdraw else []), product)
    world.wait(hours=1)
    assert len(good(world)) == 1, "as long as one that was written at the same time stands"
    how(world, shop_id, *([form] if how is withdraw else []), last)
    world.wait(hours=1)
    assert good(world) == []
    (voucher,) = given(world, shop_id)
    why = "the review it was given for was withdrawn" if how is withdraw else "a person hid the review it was given for"
    assert story(world, shop_id) == [f"discount {voucher.key}: taken back, unused ({why})"]
    if how is hide:
        calls = len(world.shopify.calls) + len(world.woo.calls)
        hide(world, shop_id, last, "show")
        hide(world, shop_id, last)
        world.wait(hours=1)
        switched = [one for one in world.shopify.calls[calls:] if "iscountDeactivate" in one.operation]
        assert (switched, good(world)) == ([], []), "once, and it does not come back"
    assert faults(world.kiitos, shop_id)[1] == []


@pytest.mark.parametrize("shop_id", [SHOPIFY, WOO])
def test_a_code_that_was_used_is_kept(worlds: Worlds, shop_id: str) -> None:
    world = worlds()
    form = asked(world, shop_id)
    products = reviews_all(world, form)
    world.wait(hours=1)
    (voucher,) = given(world, shop_id)
    if shop_id == SHOPIFY:
        world.shopify.place_order([(MUG, 1)], AINO, discount_code=voucher.key)
    else:
        world.woo.place_order([(SOCKS, 1)], LIISA, coupon=voucher.key.lower())
    world.deliver()
    for product in products:
        withdraw(world, shop_id, form, product)
    world.wait(hours=1)
    (voucher,) = given(world, shop_id)
    assert voucher.state == "kept"
    assert len(good(world)) == 1
    (line,) = story(world, shop_id)
    assert "could not be taken back: it was used in order" in line
    assert faults(world.kiitos, shop_id)[1] == []


def test_a_review_that_is_held_is_thanked_for_and_loses_it_when_it_is_hidden(worlds: Worlds) -> None:
    world = worlds()
    (mug,) = reviews_all(world, asked(world, SHOPIFY), "Katso www.example.com!")
    world.wait(hours=1)
    assert of_product(world, SHOPIFY, mug)[0].state == "held"
    assert (len(good(world)), thanked(world, AINO)) == (1, 1)
    hide(world, SHOPIFY, mug)
    world.wait(hours=1)
    assert good(world) == []


# -- taken back while it is under way ----------------------------------------------------------------------------------


def test_nothing_is_made_for_a_review_that_went_before(worlds: Worlds) -> None:
    """The shop is silent when the code is due; meanwhile the review is withdrawn."""
    world = worlds()
    form = asked(world, SHOPIFY)
    world.shopify.trouble(*[Trouble(status=503)] * 200)
    (mug,) = reviews_all(world, form)
    withdraw(world, SHOPIFY, form, mug)
    world.shopify.troubles.clear()
    world.wait(days=20)
    assert (codes(world), given(world, SHOPIFY), thanked(world, AINO)) == ([], [], 0)


def while_making(world: World, monkeypatch: pytest.MonkeyPatch, deed: Callable[[], None]) -> None:
    """Have something happen while the shop makes the code: it is made, and nobody here has heard of it yet."""
    real, left = Discounts.create_discount, [deed]

    def create(self: Discounts, access: Access, request: DiscountRequest) -> DiscountRef:
        made = real(self, access, request)
        while left:
            left.pop()()
        return made

    monkeypatch.setattr(Discounts, "create_discount", create)
    world.wait(hours=1)
    assert left == []


@pytest.mark.parametrize("lost", [False, True])
def test_a_code_that_comes_late_is_switched_off_and_nobody_is_thanked_with_it(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    """The review is withdrawn while its code is being made; and the answer may be lost, so that it is asked again."""
    world = worlds()
    form = asked(world, SHOPIFY)
    products = products_in(form)

    def go() -> None:
        withdraw(world, SHOPIFY, form, products[0])
        if lost:
            world.shopify.troubles.clear()
            raise ConnectionError

    requests.post(form, data={f"rating-{products[0]}": "4", f"text-{products[0]}": "Hyvä."}, timeout=30)
    while_making(world, monkeypatch, go)
    world.wait(days=2)
    assert (len(codes(world)), good(world), thanked(world, AINO)) == (1, [], 0)
    (voucher,) = given(world, SHOPIFY)
    assert (voucher.state, voucher.reason) == ("voided", "review.withdrawn")
    assert faults(world.kiitos, SHOPIFY)[1] == []


def test_without_looking_it_would_stay_good(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative controls: nobody hears of reviews that go, nobody looks at what comes late."""
    monkeypatch.setattr(thanks, "take_back", lambda *_: None)
    world = worlds()
    form = asked(world, SHOPIFY)
    (mug,) = reviews_all(world, form)
    world.wait(hours=1)
    withdraw(world, SHOPIFY, form, mug)
    world.wait(hours=1)
    assert len(good(world)) == 1


def test_a_late_code_that_nobody_looks_at_would_stay_good(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thanks, "take_back_late", lambda *_: None)
    world = worlds()
    form = asked(world, SHOPIFY)
    (mug,) = products_in(form)
    requests.post(form, data={f"rating-{mug}": "4", f"text-{mug}": "Hyvä."}, timeout=30)
    while_making(world, monkeypatch, lambda: withdraw(world, SHOPIFY, form, mug))
    world.wait(days=2)
    assert len(good(world)) == 1


# -- whose it is -------------------------------------------------------------------------------------------------------


def test_who_is_forgotten_is_no_longer_in_the_books(worlds: Worlds) -> None:
    """Their review goes with them; there is nothing left that would say whose the code was."""
    world = worlds()
    (mug,) = reviews_all(world, asked(world, SHOPIFY))
    world.wait(hours=1)
    who: dict[str, Any] = {"email": str(AINO.email)}
    privacy.Privacy(world.kiitos).ask(SHOPIFY, asked_for.ERASE_CUSTOMER, privacy.COMMAND, who)
    world.wait(hours=1)
    assert (of_product(world, SHOPIFY, mug), given(world, SHOPIFY), len(good(world))) == ([], [], 1)

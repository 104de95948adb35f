"""All goods went back though their postage was kept: by pieces where they are named, else by what is left to pay."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connector.model import Money, Refund, ShippedLine
from flows.value.earning import goods_gone
from tests.store.loyal import line, purchase
from tests.store.trade import START


def euros(text: str) -> Money:
    return Money(Decimal(text), "EUR")


def bought(*, back: str = "0", postage: str = "4.90", tax: str = "0", **more: Any) -> Any:
    """Two pieces for 40 EUR and one for 12 EUR, with so much of the money given back. `tax` is beside the prices."""
    order = purchase(
        line("a", "40", 2, product_id="p1"), line("b", "12", 1, product_id="p2"),
        order_id="1", email="aino@example.test", at=START,
    )  # fmt: skip
    total = Money(order.total.amount + Decimal(postage) + Decimal(tax), "EUR")
    taxed = {"taxes_included": tax == "0", "tax": euros(tax)}
    return replace(order, total=total, shipping=euros(postage), refunded=euros(back), **taxed, **more)


def refund(*pieces: tuple[str, int]) -> Refund:
    lines = tuple(ShippedLine(line_id=name, quantity=count) for name, count in pieces)
    return Refund(id="r1", order_id="1", at=START, amount=euros("1"), lines=lines)


@pytest.mark.parametrize(
    ("back", "gone"),
    [("0", False), ("26", False), ("51.99", False), ("52", True), ("56.90", True), ("4.90", False)],
)
def test_by_the_money_where_no_pieces_are_named(back: str, gone: bool) -> None:
    assert goods_gone(bought(back=back), []) is gone


def test_postage_that_was_dearer_than_the_goods_and_came_back_is_no_return() -> None:
    assert goods_gone(bought(back="60", postage="60"), []) is False
    assert goods_gone(bought(back="52", postage="60"), []) is True


@pytest.mark.parametrize(("back", "gone"), [("52", False), ("64.40", False), ("64.48", True), ("70.56", True)])
def test_beside_prices_without_tax_the_postage_bears_its_part(back: str, gone: bool) -> None:
    """24 % of 56.90 EUR: with it the goods come to 64.48 EUR and the postage to 6.076 EUR, a cent for the rounding."""
    assert goods_gone(bought(back=back, tax="13.66"), []) is gone


def test_by_the_pieces_where_they_are_named() -> None:
    assert goods_gone(bought(), [refund(("a", 1))]) is False
    assert goods_gone(bought(), [refund(("a", 2)), refund(("b", 1))]) is True
    assert goods_gone(bought(), [refund(("a", 1)), refund(("a", 1), ("b", 1))]) is True


def test_gift_cards_are_no_goods() -> None:
    order = bought(back="56.90")
    cards = tuple(replace(each, is_gift_card=True) for each in order.lines)
    assert goods_gone(replace(order, lines=cards), []) is False

"""Sums, costs, differences and the picture: what is told of a look back."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from connector.config import schema
from connector.simulate.costs import Costs, bill, costs_of, worth
from connector.simulate.difference import Difference
from connector.simulate.outcome import Deed, Lived
from connector.simulate.parts import TextParts
from connector.simulate.picture import draw
from connector.simulate.report import backtest_document, by_period, difference_document
from connector.simulate.tally import Tally
from tests.simulate.product import playbook, window

HELSINKI = ZoneInfo("Europe/Helsinki")
DEED = Deed(
    at=datetime(2026, 3, 2, 22, 30, tzinfo=UTC),
    flow="review-request",
    version="abc",
    step="ask",
    what="review_request",
    kind="message",
    channel="email",
    purpose="review",
    to="customer",
    order_id="o1",
    who="aino",
    state="sent",
)
CODE = replace(DEED, step="reward", what="create_discount", kind="platform", channel="", worth="10 %")
DROPPED = replace(DEED, step="remind", what="review_reminder", state="dropped", why="no_consent")


def life(*deeds: Deed) -> Lived:
    return Lived(deeds=list(deeds), started=Counter({"review-request": 1}), refused=Counter({("welcome", "once"): 1}))


def tally(*lives: Lived) -> Tally:
    found = Tally(orders=4, total=Decimal(200))
    for each in lives:
        found.count(each, HELSINKI)
    return found


def test_a_tally_counts_by_flow_and_by_day_of_the_shop() -> None:
    found = tally(life(DEED, CODE, DROPPED), life(replace(DEED, who="eero", order_id="o2")))
    assert (found.messages("review-request"), found.acts("review-request"), found.held_back("review-request")) == (
        2,
        1,
        1,
    )
    assert {day for day, _ in found.days} == {date(2026, 3, 3)}  # half past midnight in Helsinki
    assert found.people["review-request"] == 2
    assert found.per_person == {1: 2}
    assert found.started["review-request"] == 2
    assert found.flows == ["review-request", "welcome"]
    assert found.average == Decimal("50.00")


def test_what_a_day_brings_beyond_the_budget_is_counted() -> None:
    found = tally(*(life(replace(DEED, at=DEED.at + timedelta(days=day))) for day in (0, 0, 0, 1)))
    assert found.over_budget("review-request", 2) == 1
    assert found.over_budget("review-request", 3) == 0


def test_what_is_held_was_not_sent() -> None:
    found = tally(life(replace(DEED, state="held", why="canary")))
    assert (found.messages("review-request"), found.held_back("review-request")) == (0, 1)


def test_two_tallies_are_one() -> None:
    first, second = life(DEED, CODE), life(replace(DEED, who="eero", order_id="o2"), DROPPED)
    together, apart = tally(first, second), tally(first)
    apart.add(Tally())
    other = tally(second)
    other.orders = 0
    other.total = Decimal(0)
    apart.add(other)
    assert apart == together


def test_the_first_messages_are_the_examples_whatever_the_order_they_came_in() -> None:
    deeds = [replace(DEED, at=DEED.at + timedelta(hours=n), who=f"p{n}") for n in range(12)]
    forth, back = tally(*map(life, deeds)), tally(*map(life, reversed(deeds)))
    assert forth.examples == back.examples
    assert [deed.who for deed in forth.examples["review-request"]] == ["p0", "p1", "p2", "p3", "p4"]


def test_messages_and_rewards_have_their_price() -> None:
    costs = Costs(currency="EUR", messages={"email": Decimal("0.01")}, reward_use=Decimal("0.5"))
    found = bill(tally(life(DEED, CODE), life(DEED)), costs, "review-request")
    assert found.messages == Decimal("0.02")
    assert found.rewards == Decimal("2.50")  # a tenth of the average order of 50, half of them used
    assert found.total == Decimal("2.52")
    assert worth("5 EUR", Decimal(50)) == 5


def test_prices_come_from_the_layers_of_the_file() -> None:
    book = playbook(costs={"email": "0.001 EUR", "sms": "0.07 EUR", "reward_use": 0.2})
    costs = costs_of(book.settings)
    assert costs.messages == {"email": Decimal("0.001"), "sms": Decimal("0.07")}
    assert costs.reward_use == Decimal("0.2")
    assert not costs_of(playbook().settings)


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"email": 0.01}, "should be an amount"),
        ({"emial": "0.01 EUR"}, "did you mean 'email'"),
        ({"reward_use": 20}, "share between 0 and 1"),
        ({"reward_use": True}, "share between 0 and 1"),
        ("free", "should be a table"),
    ],
)
def test_a_price_that_is_none_is_named(table: object, fault: str) -> None:
    assert fault in schema.costs(table)


def test_a_difference_names_what_is_added_gone_and_shifted() -> None:
    later = replace(DEED, at=DEED.at + timedelta(days=2))
    gone, new = replace(DEED, order_id="o2", who="eero"), replace(DEED, order_id="o3", who="saara")
    found = Difference()
    found.compare(life(DEED, CODE), life(later, CODE))
    found.compare(life(gone), life())
    found.compare(life(), life(new))
    found.compare(life(DROPPED), life())
    key = ("review-request", "review_request")
    assert (found.added[key], found.removed[key], found.shifted[key]) == (1, 1, 1)
    assert found.spans == {(*key, 2): 1}
    assert (found.same, found.people) == (1, 3)
    assert found


def test_the_same_within_a_minute_is_no_difference() -> None:
    found = Difference()
    found.compare(life(DEED), life(replace(DEED, at=DEED.at + timedelta(seconds=59), version="def")))
    assert not found
    assert found.same == 1


def test_two_differences_are_one() -> None:
    lives = [(life(), life(replace(DEED, who=f"p{n}"))) for n in range(3)]
    together, apart, other = Difference(), Difference(), Difference()
    for old, new in lives:
        together.compare(old, new)
    apart.compare(*lives[0])
    for old, new in lives[1:]:
        other.compare(old, new)
    apart.add(other)
    assert apart == together


def test_the_documents_say_it_all() -> None:
    costs = Costs(currency="EUR", messages={"email": Decimal("0.01")}, reward_use=Decimal(1))
    document = backtest_document(tally(life(DEED, CODE, DROPPED)), costs, window(), "demo-aurora", "app.toml")
    flow = document["flows"][0]
    assert flow["cost"] == {"messages": "0.01", "rewards": "5.00", "total": "5.01"}
    assert {step["step"]: step["why"] for step in flow["steps"]}["remind"] == {"no_consent": 1}
    assert document["flows"][1]["not_started"] == {"once": 1}
    assert document["days"][0]["day"] == "2026-03-03"
    found = Difference()
    found.compare(life(), life(DEED))
    change = difference_document(found, ("a", "b"), window(), "demo-aurora")["changes"][0]
    assert change["added"] == 1
    assert change["examples"]["added"][0]["order"] == "o1"


def deeds_over(days: int, flows: int) -> Tally:
    return tally(
        *(
            life(replace(DEED, flow=f"flow <{number}>", at=DEED.at + timedelta(days=day)))
            for day in range(days)
            for number in range(flows)
        )
    )


@pytest.mark.parametrize(("days", "flows"), [(0, 0), (1, 1), (20, 3), (365, 2), (120, 12)])
def test_the_picture_holds_every_message(days: int, flows: int) -> None:
    found = deeds_over(days, flows)
    root = ET.fromstring(draw(found, "Aurora & <co>"))
    space = "{http://www.w3.org/2000/svg}"
    titles = [title.text or "" for title in root.iter(f"{space}title")]
    assert sum(int(text.rpartition(" ")[2].replace(",", "")) for text in titles) == days * flows
    bars = [rect for rect in root.iter(f"{space}rect") if len(rect)]
    assert all(float(rect.get("height", "-1")) > 0 and float(rect.get("y", "-1")) >= 70 for rect in bars)
    assert len([rect for rect in root.iter(f"{space}rect") if rect.get("rx") == "2"]) == min(flows, 8)
    style = root.find(f"{space}style")
    assert style is not None
    assert "prefers-color-scheme: dark" in (style.text or "")


def test_periods_leave_no_day_out() -> None:
    starts, flows = by_period(deeds_over(30, 2), 7)
    assert len(starts) == 5
    assert [sum(values) for values in flows.values()] == [30, 30]


def test_a_text_costs_its_parts() -> None:
    text = replace(DEED, channel="sms", what="order_confirmation")
    costs = Costs(currency="EUR", messages={"sms": Decimal("0.07"), "email": Decimal("0.01")}, parts=lambda _: 3)
    assert bill(tally(life(text), life(text)), costs, text.flow).messages == Decimal("0.42")
    assert bill(tally(life(DEED)), costs, DEED.flow).messages == Decimal("0.01"), "a mail has no parts"


def test_the_parts_are_those_of_the_shops_own_words(tmp_path: Path) -> None:
    """Japanese takes 70 characters a part and Finnish 160; a template of the merchant's counts, and the way out too."""
    settings = playbook().settings
    finnish = TextParts(replace(settings, shop=replace(settings.shop, locale="fi")))
    japanese = TextParts(replace(settings, shop=replace(settings.shop, locale="ja")))
    assert finnish.of("order_confirmation") < japanese.of("order_confirmation")
    assert finnish.of("no_such_template") == 1
    folder = tmp_path / "own"
    (folder / "fi").mkdir(parents=True)
    for name in ("order_confirmation", "review_request"):
        (folder / "fi" / f"{name}.sms.liquid").write_text("x" * 150, "utf-8")
    own = TextParts(replace(settings, shop=replace(settings.shop, locale="fi"), templates=(folder,)))
    assert own.of("order_confirmation") == 1
    assert own.of("review_request") == 2, "150 letters and how to end them"

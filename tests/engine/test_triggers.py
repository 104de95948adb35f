"""Every form of trigger, re-entry and subject, in flow files with their own tests: through the whole product."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from connector.rehearsal import Outcome, Stage, read_tests

HEAD = """
id = "mine"
purpose = "transactional"
{head}
[[steps]]
id = "do"
do = "{do}"
{step}
[[tests]]
name = "x"
"""


def play(folder: Path, head: str, test: str, *, do: str = "tag_customer", step: str = 'tag = "told"') -> Outcome:
    """One flow with one step and one test; the day each deed was done is compared by the test itself."""
    text = HEAD.format(head=head, do=do, step=step) + test
    (folder / "mine.toml").write_text(text, "utf-8")
    stage = Stage("./mine.toml", "mine", folder)
    try:
        return stage.run(read_tests(tomllib.loads(text), "mine.toml")[0])
    finally:
        stage.close()


BIRTHDAY = 'trigger = { date = "customer.birthday", offset = "-7d", at = "10:00", yearly = true }'
APRIL = 'customer = { birthday = "1990-04-05" }'
ANNIVERSARY = 'trigger = { date = "order.placed_at", offset = "365d", at = "10:00" }'
SILENCE = 'trigger = { silence = "60d", after = "order.created" }'
AUTUMN = 'trigger = { calendar = "11-20", at = "10:00" }'
ABANDONED = 'trigger = "checkout.abandoned"\nwhen = ["checkout.recovered == false"]'
# The rehearsal begins on 2 March 2026 at 09:00 UTC, which is 11:00 in the shop.


@pytest.mark.parametrize(
    ("head", "given", "expected"),
    [
        # a week before the fifth of April, at ten in the morning there: 25 days and 22 hours on (the clocks go forward
        # on the 29th, so ten o'clock comes an hour earlier)
        (BIRTHDAY, 'given = ["0d customer"]\ncustomer = { birthday = "1990-04-05" }\nuntil = "60d"', ["26d 22h"]),
        (BIRTHDAY, 'given = ["0d customer"]\ncustomer = { birthday = "--04-05" }\nuntil = "800d"',
         ["26d 22h", "391d 22h", "757d 22h"]),
        (BIRTHDAY, 'given = ["0d customer", "5d birthday 1990-04-10"]\nuntil = "60d"\n' + APRIL, ["31d 22h"]),
        (BIRTHDAY, 'given = ["0d customer", "5d customer deleted"]\ncustomer = { birthday = "1990-04-05" }', []),
        (BIRTHDAY, 'given = ["0d customer", "5d erased"]\ncustomer = { birthday = "1990-04-05" }', []),
        (BIRTHDAY, 'given = ["0d customer"]', []),
        # told again after the greeting, with another day: no second greeting within half a year
        (BIRTHDAY, 'given = ["0d customer", "40d birthday 1990-05-10"]\nuntil = "200d"\n' + APRIL, ["26d 22h"]),
        (ANNIVERSARY, 'given = ["0d order", "10d order"]', ["364d 23h", "374d 23h"]),
        (ANNIVERSARY, 'given = ["0d order", "10d cancelled"]', []),
        (SILENCE, 'given = ["0d order"]', ["60d"]),
        (SILENCE, 'given = ["0d order", "20d order", "70d order"]', ["130d"]),
        (SILENCE, 'given = ["0d order", "100d order"]', ["60d", "160d"]),
        (SILENCE, 'given = ["0d order", "30d erased"]', []),
        (AUTUMN, 'given = ["0d order", "1d order"]\nuntil = "700d"', ["262d 23h", "627d 23h"]),
        ('trigger = { calendar = "mon", at = "10:00" }', 'given = ["0d order"]\nuntil = "15d"', ["6d 23h", "13d 23h"]),
        ('trigger = { segment = "vip", change = "entered" }', 'given = ["0d entered vip", "1d entered gold"]', ["0d"]),
        ('trigger = "segment.left"', 'given = ["0d left vip", "1d entered gold"]', ["0d"]),
        ('trigger = "tier.changed"\nwhen = ["event.tier == \'gold\'"]\nreentry = "always"',
         'given = ["0d tier silver", "1d tier gold"]', ["1d"]),
        ('trigger = "custom.fitting"\nsubject = "customer"\nwhen = ["event.size >= 40"]',
         'given = ["0d event custom.fitting size=39", "1d event custom.fitting size=42"]', ["1d"]),
        (ABANDONED, 'given = ["0d checkout"]', ["1h"]),
        (ABANDONED, 'given = ["0d checkout", "30m checkout updated"]', ["1h 30m"]),
        (ABANDONED, 'given = ["0d checkout", "30m order"]', []),
        (ABANDONED, 'given = ["0d checkout", "30m checkout deleted"]', []),
    ],
)  # fmt: skip
def test_a_trigger_comes_when_it_should(tmp_path: Path, head: str, given: str, expected: list[str]) -> None:
    wanted = ", ".join(f'"{at} tag_customer"' for at in expected)
    outcome = play(tmp_path, head, f"{given}\nexpect = [{wanted}]")
    assert outcome.faults == (), (outcome.deeds, outcome.silences)


@pytest.mark.parametrize(
    ("zone", "country", "at"),
    [
        ("shop", "JP", "364d 23h"),  # 08:00 UTC, where the test begins at 09:00
        ("recipient", "FI", "364d 23h"),
        ("recipient", "JP", "364d 16h"),
        ("America/New_York", "FI", "365d 6h"),
    ],
)
def test_whose_ten_o_clock(tmp_path: Path, zone: str, country: str, at: str) -> None:
    head = ANNIVERSARY.replace(" }", f', zone = "{zone}" }}')
    test = f'given = ["0d order"]\norder = {{ country = "{country}" }}\nexpect = ["{at} tag_customer"]'
    outcome = play(tmp_path, head, test)
    assert outcome.faults == (), (outcome.deeds, outcome.silences)


@pytest.mark.parametrize(
    ("reentry", "days"),
    [
        ('"once"', [0]),
        ('"per_event"', [0]),
        ('"always"', [0, 1, 40, 41]),
        ('"ignore"', [0, 40]),
        ('{ every = "30d" }', [0, 40]),
        ('{ every = "60d" }', [0]),
    ],
)
def test_re_entry(tmp_path: Path, reentry: str, days: list[int]) -> None:
    """Each run takes two days: on the second day after the first the next is still in its way."""
    head = f'trigger = "order.created"\nsubject = "customer"\nreentry = {reentry}'
    step = 'tag = "told"\n[[steps]]\nid = "pause"\ndo = "wait"\nspan = "2d"'
    wanted = ", ".join(f'"{day}d tag_customer"' for day in days)
    given = 'given = ["0d order", "1d order", "40d order", "41d order"]'
    outcome = play(tmp_path, head, f"{given}\nexpect = [{wanted}]", step=step)
    assert outcome.faults == (), (outcome.deeds, outcome.silences)


def test_who_is_kept_out_is_told_why(tmp_path: Path) -> None:
    head = 'trigger = "order.created"\nsubject = "customer"\nreentry = { every = "30d" }'
    test = 'given = ["0d order", "5d order"]\nexpect = ["0d tag_customer"]\nwhy = "once per 30 d"'
    assert play(tmp_path, head, test).faults == ()


LINES = (
    'order = { lines = [{ product = "p-1", tags = ["coffee"], quantity = 2, price = "9 EUR" }, { product = "p-2" }] }'
)


@pytest.mark.parametrize(
    ("guard", "count"),
    [
        ("line.tags contains 'coffee'", 1),
        ("line.product_id == 'p-2'", 1),
        ("line.quantity >= 2", 1),
        ("line.price > 8 EUR", 2),
        ("line.price > 10 EUR", 1),
        ("line.sku != ''", 0),
    ],
)
def test_one_run_per_line_item(tmp_path: Path, guard: str, count: int) -> None:
    head = f'trigger = "order.paid"\nsubject = "line_item"\nwhen = ["{guard}"]'
    wanted = ", ".join(['"0d tag_order"'] * count)
    outcome = play(tmp_path, head, f'given = ["0d order"]\n{LINES}\nexpect = [{wanted}]', do="tag_order")
    assert outcome.faults == (), (outcome.deeds, outcome.silences)


def test_a_line_item_has_its_own_date(tmp_path: Path) -> None:
    head = (
        'trigger = { date = "progress.delivered_at", offset = "$service", at = "09:00" }\nsubject = "line_item"\n'
        'when = ["line.tags contains \'coffee\'"]\n[params]\nservice = "180d"'
    )
    test = f'given = ["0d order", "1d shipped", "3d delivered"]\n{LINES}\nexpect = ["182d 21h tag_order"]'
    outcome = play(tmp_path, head, test, do="tag_order")
    assert outcome.faults == (), (outcome.deeds, outcome.silences)


@pytest.mark.parametrize(
    ("offset", "days"),
    [
        ('"line.quantity"', [2, 1]),
        ('"customer.orders_count", otherwise = "5d"', [5, 5]),
        ('"customer.orders_count"', []),
    ],
)
def test_a_span_may_be_a_figure(tmp_path: Path, offset: str, days: list[int]) -> None:
    head = f'trigger = {{ date = "order.placed_at", offset = {offset} }}\nsubject = "line_item"'
    wanted = ", ".join(f'"{day}d tag_order"' for day in days)
    outcome = play(tmp_path, head, f'given = ["0d order"]\n{LINES}\nexpect = [{wanted}]', do="tag_order")
    assert outcome.faults == (), (outcome.deeds, outcome.silences)


def test_any_order_of_the_person_ends_what_is_about_the_person(tmp_path: Path) -> None:
    head = SILENCE + '\ncancel_on = ["order.created"]'
    step = 'tag = "told"\n[[steps]]\nid = "pause"\ndo = "wait"\nspan = "30d"\n[[steps]]\nid = "again"\n'
    step += 'do = "tag_customer"\ntag = "again"'
    silent = 'given = ["0d order"]\nexpect = ["60d tag_customer", "90d tag_customer"]'
    back = 'given = ["0d order", "70d order"]\nuntil = "120d"\nexpect = ["60d tag_customer"]\nwhy = "order.created"'
    for test in (silent, back):
        outcome = play(tmp_path, head, test, step=step)
        assert outcome.faults == (), (outcome.deeds, outcome.silences)


def test_a_guest_is_a_person_too(tmp_path: Path) -> None:
    """Whoever has no account is known by the address of their orders, and written to there."""
    test = 'given = ["0d order", "20d order"]\ncustomer = { guest = true }\nexpect = ["80d winback to customer"]'
    outcome = play(tmp_path, SILENCE, test.replace("winback", "referral_invite"), do="send",
                   step='template = "referral_invite"')  # fmt: skip
    assert outcome.faults == (), (outcome.deeds, outcome.silences)


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        ('trigger = { dat = "customer.birthday" }', "did you mean 'date'"),
        ('trigger = { date = "customer.birthdy" }', "did you mean 'birthday'"),
        ('trigger = { date = "order.number" }', "order.number is text, not a time"),
        ('trigger = { date = "shop.opened" }', "count from a time of order"),
        ('trigger = { date = "order.placed_at", offset = "1 year" }', "is not a span"),
        ('trigger = { date = "order.placed_at", offset = "$warranty" }', "no parameter 'warranty'"),
        ('trigger = { date = "order.placed_at", ofset = "1d" }', "did you mean 'offset'"),
        ('trigger = { date = "order.placed_at", at = "25:00" }', "expected a time of day"),
        ('trigger = { date = "order.placed_at", zone = "Europe/Helsink" }', "did you mean 'Europe/Helsinki'"),
        ('trigger = { date = "customer.birthday" }\nsubject = "order"', "is about customer, not about a order"),
        ('trigger = { date = "order.placed_at", offset = "3d", otherwise = "1d" }', "and 'offset' is none"),
        (
            'trigger = { date = "order.placed_at", offset = "line.quantty", otherwise = "1d" }',
            "did you mean 'quantity'",
        ),
        ('trigger = { silence = "customer.orders_count", otherwise = "1", after = "order.created" }', "is not a span"),
        ('trigger = { calendar = "13-01" }', "write a day of the year such as 11-20"),
        ('trigger = { calendar = "mond" }', "did you mean 'mon'"),
        ('trigger = { silence = "60d" }', "say after which events"),
        ('trigger = { silence = "60d", after = "order.create" }', "did you mean 'order.created'"),
        ('trigger = { segment = "vip", change = "enters" }', "did you mean 'entered'"),
        ('trigger = "customer.silent"', "is told by a wake-up"),
        ('trigger = "tier.change"', "did you mean 'tier.changed'"),
        ('trigger = "order.paid"\nreentry = { evry = "3d" }', "write { every = '30d' }"),
        ('trigger = "order.paid"\nreentry = "onec"', "did you mean 'once'"),
        ('trigger = "customer.updated"\nsubject = "line_item"', "names no line_item"),
        ("", "name at least one kind of event"),
    ],
)
def test_a_fault_says_where_and_what(tmp_path: Path, head: str, fault: str) -> None:
    with pytest.raises(Exception, match=fault):
        play(tmp_path, head, 'given = ["0d order"]')


def test_the_tests_can_fail(tmp_path: Path) -> None:
    assert play(tmp_path, SILENCE, 'given = ["0d order"]\nexpect = ["59d tag_customer"]').faults

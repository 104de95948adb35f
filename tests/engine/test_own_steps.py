"""Steps for people and systems in a flow's own tests: what the words mean, and that a wrong expectation is told."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from connector.errors import ConfigError
from connector.rehearsal import Outcome, Stage, read_tests
from tests.journeys.office import FLOW


def rehearsed(folder: Path, test: str, flow: str = FLOW) -> Outcome:
    text = f'{flow}\n[[tests]]\nname = "it"\n{test}\n'
    (folder / "office.toml").write_text(text, "utf-8")
    stage = Stage("./office.toml", "office", folder)
    try:
        (outcome,) = [stage.run(each) for each in read_tests(tomllib.loads(text), "office.toml")]
    finally:
        stage.close()
    return outcome


HEARD = '"0d call to crm", "0d notify to chat", "0d task to anna"'


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        ('"1d task approved"', f'{HEARD}, "1d set", "1d grant"'),
        ('"1d task refused ask"', f'{HEARD}, "1d set"'),
        ("", f'{HEARD}, "2d set"'),
        ('"1d cancelled"', HEARD),
    ],
)
def test_a_person_decides(tmp_path: Path, given: str, expect: str) -> None:
    happened = ", ".join(filter(None, ('"0d order"', given)))
    assert rehearsed(tmp_path, f"given = [{happened}]\nexpect = [{expect}]").faults == ()


def test_an_answer_is_read(tmp_path: Path) -> None:
    flow = FLOW.replace('do = "notify"', 'do = "notify"\nwhen = ["steps.score.score >= 50"]')
    words = 'given = ["0d order"]\nuntil = "1d"\n'
    low = 'expect = ["0d call", "0d task"]'
    assert rehearsed(tmp_path, f"{words}answers = {{ score = {{ score = 12 }} }}\n{low}", flow).faults == ()
    high = 'expect = ["0d call", "0d notify", "0d task"]'
    assert rehearsed(tmp_path, f"{words}answers = {{ score = {{ score = 80 }} }}\n{high}", flow).faults == ()
    assert rehearsed(tmp_path, f"{words}answers = {{ score = {{ score = 80 }} }}\n{low}", flow).faults != ()


def test_a_decision_nobody_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nobody was asked to decide yet"):
        rehearsed(tmp_path, 'given = ["0d order", "3d task approved"]\nexpect = []')


def test_answers_are_tables(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"answers\.score: should be a table"):
        rehearsed(tmp_path, 'given = ["0d order"]\nanswers = { score = 7 }')


PICKY = """
id = "office"
trigger = "order.paid"
purpose = "transactional"

[[steps]]
id = "answer"
do = "wait_for"
event = "review.submitted"
timeout = "10d"
where = ["event.rating <= 2"]

[[steps]]
id = "bad"
do = "notify"
to = "anna"
text = "{steps.answer.rating} stars"
when = ["steps.answer.outcome == 'event'"]

[[steps]]
id = "quiet"
do = "notify"
to = "bert"
text = "nothing bad"
when = ["steps.answer.outcome == 'timeout'"]
"""


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        ('"3d review 2"', "3d notify to anna"),
        ('"3d review 5"', "10d notify to bert"),
        ('"9d review 3"', "10d notify to bert"),
    ],
)
def test_an_event_that_is_not_waited_for_changes_nothing(tmp_path: Path, given: str, expect: str) -> None:
    test = f'given = ["0d order", {given}]\nexpect = ["{expect}"]\nuntil = "30d"'
    assert rehearsed(tmp_path, test, PICKY).faults == ()


def test_the_right_one_is_still_heard_after_a_wrong_one(tmp_path: Path) -> None:
    flow = PICKY.replace('"review.submitted"', '["review.submitted", "shipment.delivered"]')
    flow = flow.replace("event.rating <= 2", "event.kind == 'shipment.delivered'")
    given = '"0d order", "1d shipped", "3d review 5", "4d delivered"'
    test = f'given = [{given}]\nexpect = ["4d notify to anna"]\nuntil = "30d"'
    assert rehearsed(tmp_path, test, flow).faults == ()


def test_without_its_guard_it_would_be_waited_for(tmp_path: Path) -> None:
    """The negative control."""
    test = 'given = ["0d order", "3d review 5"]\nexpect = ["10d notify to bert"]\nuntil = "30d"'
    assert rehearsed(tmp_path, test, PICKY.replace('where = ["event.rating <= 2"]\n', "")).faults != ()


TEXTS = """
id = "office"
trigger = "order.paid"
purpose = "transactional"

[[steps]]
id = "text"
do = "send"
template = "order_confirmation"
channel = "sms"
"""


@pytest.mark.parametrize(
    ("phone", "expect", "why"),
    [('order = { phone = "040 123 4567" }', '"0d order_confirmation"', ""), ("", "", "no_address")],
)
def test_a_shop_of_a_rehearsal_has_every_channel(tmp_path: Path, phone: str, expect: str, why: str) -> None:
    test = f'given = ["0d order"]\nexpect = [{expect}]\nwhy = "{why}"\nuntil = "1d"\n{phone}'
    assert rehearsed(tmp_path, test, TEXTS).faults == ()

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

"""Every shipped flow passes the tests in its own file; and those tests can fail."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.errors import ConfigError
from connector.rehearsal import VOCABULARY, Outcome, Stage, read_tests
from connector.rehearsal.stage import shown
from flows.catalog import LIBRARY, library_names

FLOWS: dict[str, dict[str, Any]] = {
    name: tomllib.loads(LIBRARY.joinpath(f"{name}.toml").read_text("utf-8")) for name in library_names()
}
SHIPPED = [(name, number) for name, document in FLOWS.items() for number in range(len(document.get("tests", [])))]


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Stage]]:
    """One stage a flow: templates are compiled once."""
    made: dict[str, Stage] = {}

    def of(name: str) -> Stage:
        if name not in made:
            made[name] = Stage(name, FLOWS[name]["id"], tmp_path_factory.getbasetemp())
        return made[name]

    yield of
    for stage in made.values():
        stage.close()


@pytest.mark.parametrize("name", FLOWS)
def test_every_shipped_flow_has_at_least_five(name: str) -> None:
    tests = read_tests(FLOWS[name], name)
    assert len(tests) >= 5
    assert any(not test.expect for test in tests) or any(test.why for test in tests), "the sad paths too"


@pytest.mark.parametrize(("name", "number"), SHIPPED, ids=[f"{name}-{number}" for name, number in SHIPPED])
def test_shipped(stages: Callable[[str], Stage], name: str, number: int) -> None:
    outcome = stages(name).run(read_tests(FLOWS[name], name)[number])
    assert outcome.faults == (), (outcome.deeds, outcome.silences)


# -- that they can fail ------------------------------------------------------------------------------------------------


def rehearse(folder: Path, text: str, number: int = 0) -> Outcome:
    (folder / "mine.toml").write_text(text, "utf-8")
    document = tomllib.loads(text)
    stage = Stage("./mine.toml", document["id"], folder)
    try:
        return stage.run(read_tests(document, "mine.toml")[number])
    finally:
        stage.close()


REVIEW = LIBRARY.joinpath("review_request.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "number", "fault"),
    [
        ('wait = "10d"', 'wait = "9d"', 0, "expected '13d review_request', which did not come"),
        ('remind = "7d"', 'remind = "0s"', 0, "which did not come"),
        ('  "refund.created",\n', "", 2, "refund.created"),
        ('patience_abroad = "21d"', 'patience_abroad = "14d"', 4, "nobody expected '15d review_request'"),
        ('purpose = "review"', 'purpose = "transactional"', 6, "nobody expected"),
        ('do = "create_discount"', 'do = "exit"', 1, None),
    ],
)
def test_a_changed_flow_fails_its_tests(tmp_path: Path, old: str, new: str, number: int, fault: str | None) -> None:
    assert old in REVIEW
    assert rehearse(tmp_path, REVIEW, number).holds
    changed = REVIEW.replace(old, new, 1)
    if fault is None:
        with pytest.raises(ConfigError):
            rehearse(tmp_path, changed, number)
        return
    outcome = rehearse(tmp_path, changed, number)
    assert not outcome.holds
    assert any(fault in line for line in outcome.faults), outcome.faults


@pytest.mark.parametrize(
    ("expect", "why", "fault"),
    [
        ('["13d review_request"]', "", "nobody expected '20d review_reminder'"),
        ('["12d review_request", "20d review_reminder"]', "", "expected '12d review_request'"),
        ('["13d review_request", "20d review_thanks"]', "", "expected '20d review_thanks'"),
        ('["13d 1h review_request", "20d review_reminder"]', "", "expected '13d 1h review_request'"),
        ('["13d review_request to friend", "20d review_reminder"]', "", "to friend"),
        ('["13d review_request", "20d review_reminder"]', "the moon", "expected the reason 'the moon'"),
    ],
)
def test_a_wrong_expectation_is_told(tmp_path: Path, expect: str, why: str, fault: str) -> None:
    own = REVIEW.partition("\n[[tests]]")[0]
    given = 'given = ["0d order", "1d shipped", "3d delivered"]'
    outcome = rehearse(tmp_path, f'{own}\n[[tests]]\nname = "x"\n{given}\nexpect = {expect}\nwhy = "{why}"\n')
    assert any(fault in line for line in outcome.faults), outcome.faults


def test_tests_make_no_other_version(tmp_path: Path) -> None:
    from flows.definition import load_flow
    from tests.engine.world import step_types

    own = REVIEW.partition("\n[[tests]]")[0]
    first = load_flow(REVIEW, where="a", registry_steps=step_types())
    assert first.version == load_flow(own, where="b", registry_steps=step_types()).version


# -- reading -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"name": "x", "given": []}, "something has to happen"),
        ({"given": ["0d order"]}, "say in a sentence"),
        ({"name": "x", "given": ["0d ordre"]}, "did you mean 'order'"),
        ({"name": "x", "given": ["order"]}, "write when and what"),
        ({"name": "x", "given": ["0d order"], "expect": ["soon"]}, "write when and what"),
        ({"name": "x", "given": ["0d order"], "expects": []}, "did you mean 'expect'"),
        ({"name": "x", "given": ["0d order"], "order": {"totl": "5 EUR"}}, "did you mean 'total'"),
        ({"name": "x", "given": ["0d order"], "until": "soon"}, "not a span"),
        ({"name": "x", "given": "0d order"}, "a list of texts"),
    ],
)
def test_faults_are_named_with_their_place(table: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault) as raised:
        read_tests({"tests": [table]}, "f.toml")
    assert "f.toml: tests[0]." in str(raised.value)


def test_happening_before_there_is_an_order(tmp_path: Path) -> None:
    own = REVIEW.partition("\n[[tests]]")[0]
    with pytest.raises(ConfigError, match="no order yet"):
        rehearse(tmp_path, f'{own}\n[[tests]]\nname = "x"\ngiven = ["1d shipped"]\n')


@pytest.mark.parametrize("word", [word for word in VOCABULARY if not word.startswith("task ")])  # test_own_steps
def test_every_word_of_the_vocabulary_can_happen(stages: Callable[[str], Stage], word: str) -> None:
    rest = {"event": " custom.anything", "codes": " evening 40"}.get(word, "")
    (test,) = read_tests({"tests": [{"name": "x", "given": ["0d order", f"1d {word}{rest}"]}]}, "f.toml")
    outcome = stages("order_confirmation").run(test)
    assert "order_confirmation" in [deed.what for deed in outcome.deeds]


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(days=13, hours=2, minutes=5, seconds=9), "13d 2h 5m"),
        (timedelta(), "0d"),
        (timedelta(seconds=9), "0d"),
    ],
)
def test_spans_are_shown_as_they_are_written(span: timedelta, text: str) -> None:
    assert shown(span) == text

"""The survey: one answer, once, for the run that asked; looking changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.pages.survey import MAX_COMMENT
from connector.store import runs
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import SHOPIFY, World
from tests.pages.life import NORA, START, client, link, order_arrives, snapshot, subjects

FLOW = """
id = "survey"
title = "Ask"
trigger = "order.delivered"
purpose = "loyalty"
subject = "order"
reentry = "once"

[[steps]]
id = "ask"
do = "send"
template = "loyalty_survey"

[[steps]]
id = "answer"
do = "wait_for"
event = "survey.answered"
timeout = "30d"

[[steps]]
id = "sorry"
do = "send"
template = "survey_sorry"
purpose = "transactional"
when = ["steps.answer.score <= 2"]
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "survey.toml").write_text(FLOW, "utf-8")
    settings = {"flows": {"survey": {"file": str(tmp_path / "survey.toml")}}, "soft_opt_in": ["loyalty"]}
    try:
        with World(tmp_path, START, settings=settings, unchecked=True) as made:
            yield made
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


def asked(world: World) -> str:
    order_arrives(world)
    return link(world, NORA, "survey")


def answer(world: World) -> dict[str, str]:
    with world.kiitos.store.work.read() as tx:
        (run,) = runs.all_of_shop(tx, SHOPIFY)
    return dict(run.outcomes.get("answer", {}))


def test_an_unhappy_answer_reaches_the_run_and_is_answered(world: World) -> None:
    path, visitor = asked(world), client(world)
    form = visitor.get(f"{path}?score=2").text
    assert 'value="2" checked' in form
    before = snapshot(world)
    visitor.get(f"{path}?score=1")
    assert snapshot(world) == before, "looking is not answering"
    sent = visitor.post(path, data={"score": "2", "comment": "Too\u202e late.\x00"})
    assert (sent.status_code, sent.location) == (303, f"{path}?done=1")
    assert "Your answer has reached us" in visitor.get(sent.location).text
    world.deliver()
    assert {key: answer(world)[key] for key in ("score", "comment")} == {"score": "2", "comment": "Too late."}
    assert any("Thank you for telling us" in subject for subject in subjects(world, NORA))


def test_a_happy_answer_is_only_kept(world: World) -> None:
    path, visitor = asked(world), client(world)
    before = len(subjects(world, NORA))
    assert visitor.post(path, data={"score": "5"}).status_code == 303
    world.deliver()
    assert answer(world)["score"] == "5"
    assert len(subjects(world, NORA)) == before


def test_answered_once(world: World) -> None:
    path, visitor = asked(world), client(world)
    visitor.post(path, data={"score": "4"})
    after = snapshot(world)
    again = visitor.post(path, data={"score": "1", "comment": "changed my mind"})
    assert "You have answered already" in again.text
    assert "You have answered already" in visitor.get(path).text
    assert snapshot(world) == after


@pytest.mark.parametrize("score", ["", "0", "6", "five", "5 "])
def test_a_score_is_one_to_five(world: World, score: str) -> None:
    path, visitor = asked(world), client(world)
    before = snapshot(world)
    refused = visitor.post(path, data={"score": score, "comment": "<b>kept</b>" + "x" * MAX_COMMENT})
    assert refused.status_code == 422
    assert "choose a number from 1 to 5" in refused.text
    assert "&lt;b&gt;kept" in refused.text
    assert snapshot(world) == before


def test_a_link_of_another_kind_is_none(world: World) -> None:
    path, visitor = asked(world), client(world)
    token = path.rpartition("/")[2]
    other = link(world, NORA, "unsubscribe").rpartition("/")[2]
    assert visitor.get(f"/p/survey/{other}").status_code == 404
    assert visitor.get(f"/p/review/{token}").status_code == 404
    assert visitor.post(f"/p/survey/{'a' * 26}", data={"score": "1"}).status_code == 404

"""The survey: an answer for the run that asked, changed for a while; looking changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connector.pages.survey import MAX_COMMENT
from connector.store import care, runs, surveys
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import SHOPIFY, World
from tests.pages.life import NORA, START, client, link, mails, order_arrives, rows, snapshot, subjects

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
survey = "delivery"

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


SURVEYS = {
    "stages": {
        "delivery": {
            "question": {"en": "How was <{shop}>?"},
            "follow_up": {"low": {"en": "What did {shop} spoil?"}, "high": {"en": "What was best?"}},
        }
    }
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "survey.toml").write_text(FLOW, "utf-8")
    settings = {
        "flows": {"survey": {"file": str(tmp_path / "survey.toml")}},
        "soft_opt_in": ["loyalty"],
        "surveys": SURVEYS,
    }
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


def kept(world: World) -> surveys.AskRow:
    with world.kiitos.store.work.read() as tx:
        (found,) = surveys.between(tx, SHOPIFY, START, world.clock.now() + timedelta(days=1))
        whole = surveys.get(tx, SHOPIFY, found.ask_id)
    assert whole is not None
    return whole


def test_the_mail_asks_in_the_merchants_words_with_an_address_for_each_score(world: World) -> None:
    path = asked(world)
    (message,) = [each for each in mails(world, NORA) if "One short question" in str(each["Subject"])]
    part = message.get_body(("plain",))
    assert part is not None
    text = part.get_content()
    assert "How was <Aurora Outdoor>?" in text
    assert [f"{path}?score={n}" in text for n in range(7)] == [False, True, True, True, True, True, False]


def test_an_unhappy_answer_reaches_the_run_and_is_answered(world: World) -> None:
    path, visitor = asked(world), client(world)
    form = visitor.get(f"{path}?score=2").text
    assert 'value="2" checked' in form
    assert "How was &lt;Aurora Outdoor&gt;?" in form
    assert "What did Aurora Outdoor spoil?" in form, "the question after the score goes by the score"
    assert "What was best?" in visitor.get(f"{path}?score=5").text
    assert "is not anonymous" in form
    before = snapshot(world)
    visitor.get(f"{path}?score=1")
    assert snapshot(world) == before, "looking is not answering"
    sent = visitor.post(path, data={"score": "2", "comment": "Too\u202e late.\x00"})
    assert (sent.status_code, sent.location) == (303, f"{path}?done=1")
    said = visitor.get(sent.location).text
    assert "Your answer, 2 of 5, has reached us" in said
    assert "What did" not in said, "words are there already"
    world.deliver()
    wanted = {"score": "2", "comment": "Too late.", "band": "low", "scale": "csat", "survey": "delivery"}
    assert {key: answer(world)[key] for key in wanted} == wanted
    assert any("Thank you for telling us" in subject for subject in subjects(world, NORA))


def test_a_happy_answer_is_only_kept(world: World) -> None:
    path, visitor = asked(world), client(world)
    before = len(subjects(world, NORA))
    sent = visitor.post(path, data={"score": "5"})
    assert "What was best?" in visitor.get(str(sent.location)).text
    world.deliver()
    assert answer(world)["band"] == "high"
    assert len(subjects(world, NORA)) == before
    assert rows(world, "SELECT COUNT(*) FROM care_holds") == [(0,)]


def test_the_answer_may_be_changed_for_a_while_and_each_change_is_an_event(world: World) -> None:
    path, visitor = asked(world), client(world)
    visitor.post(path, data={"score": "4"})
    first = snapshot(world)
    assert visitor.post(path, data={"score": "4", "comment": ""}).status_code == 303
    assert snapshot(world) == first, "the same answer again changes nothing"
    world.wait(days=3)
    assert 'value="4" checked' in visitor.get(path).text
    visitor.post(path, data={"score": "1", "comment": "it broke"})
    found = kept(world)
    assert (found.score, found.band, found.comment, found.revisions) == (1, "low", "it broke", 2)
    assert found.revised_at is not None
    told = rows(world, "SELECT data FROM events WHERE kind = 'survey.answered' ORDER BY at")
    assert ['"calls":"true"' in data for (data,) in told] == [False, True]
    visitor.post(path, data={"score": "1", "comment": "it broke, twice"})
    told = rows(world, "SELECT data FROM events WHERE kind = 'survey.answered' ORDER BY at, recorded_at")
    assert ['"calls":"true"' in data for (data,) in told].count(True) == 1, "a person is called once"
    world.wait(days=12)
    over = snapshot(world)
    closed = visitor.post(path, data={"score": "5", "comment": "all is well"})
    assert "can no longer be changed" in closed.text
    assert "You answered 1 of 5" in visitor.get(path).text
    assert snapshot(world) == over


def test_a_low_score_holds_advertising_and_a_better_one_lets_it_go(world: World) -> None:
    path, visitor = asked(world), client(world)
    visitor.post(path, data={"score": "2"})
    hold = f"survey/{kept(world).ask_id}"
    with world.kiitos.store.work.read() as tx:
        held = care.of(tx, SHOPIFY, hold)
    assert {each.address_key for each in held} >= {"nora.lind@example.test"}
    assert (held[0].until - held[0].since).days == 30
    visitor.post(path, data={"score": "4"})
    with world.kiitos.store.work.read() as tx:
        assert {each.ended_by for each in care.of(tx, SHOPIFY, hold)} == {"a better answer"}


@pytest.mark.parametrize("score", ["", "0", "6", "five", "5 ", "٣"])
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

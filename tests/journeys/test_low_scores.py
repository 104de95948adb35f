"""A low score is somebody's task in every shop, whatever flows it has: listed, mailed once, told of by the doctor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner, Result

from connector.cli.context import App
from connector.cli.tasks import tasks as command
from connector.explaining.explain import explain
from connector.store import care
from connector.testing.fakes.people import Buyer
from connector.testing.world import SHOPIFY, World
from connector.watching.doctor import examine_running
from flows.care import low_scores
from tests.journeys.test_survey import KAISA, answered, living
from tests.pages.life import NORA, client, links_of, mails, order_arrives, rows, subjects

SHOP = Buyer(first_name="Aurora", last_name="Outdoor", email="help@aurora.example")
UNHAPPY = "an unhappy customer"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A shop that asks, and has neither the flow for low scores nor a person for them."""
    with living(tmp_path, "feedback_survey", people={}) as made:
        order_arrives(made)
        made.wait(days=5)
        yield made


def kiitos(world: World, *words: str) -> Result:
    app = App(str(world.folder / "app.toml"))
    app.__dict__.update(kiitos=world.kiitos, config=world.kiitos.config)
    return CliRunner().invoke(command, list(words), obj=app)


def listed(world: World, *shop: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(kiitos(world, "list", *shop, "--json").output)
    return found


def told(world: World, whom: Buyer) -> list[str]:
    """The texts of mails about unhappy customers."""
    found = [mail.get_body(("plain",)) for mail in mails(world, whom) if UNHAPPY in str(mail["Subject"])]
    return [body.get_content() for body in found if body is not None]


def warned(world: World) -> list[str]:
    return [one.what for one in examine_running(world.kiitos, slow=False) if one.check == "low_scores"]


def held(world: World) -> list[tuple[str | None, str]]:
    return [*{(at, by) for at, by in rows(world, "SELECT ended_at, ended_by FROM care_holds")}]


def page_of(world: World, whom: Buyer) -> str:
    (mail,) = [mail for mail in mails(world, whom) if UNHAPPY in str(mail["Subject"])]
    return next(urlsplit(url).path for url in links_of(mail) if "/p/results/" in url)


def test_without_any_flow_for_it_the_shop_hears_and_closes_it_on_its_page(world: World) -> None:
    answered(world, NORA, 1, "came <b>broken</b>")
    world.wait(minutes=1)
    (text,) = told(world, SHOP)
    assert "1 (CSAT)\ncame <b>broken</b>" in text
    (task,) = listed(world, SHOPIFY)
    assert "came <b>broken</b>" in task["question"]
    world.wait(hours=30)
    offers = len(subjects(world, NORA))
    shop = client(world)
    shown = shop.get(page_of(world, SHOP))
    assert (shown.status_code, shown.text.count("came &lt;b&gt;broken&lt;/b&gt;")) == (200, 2), (
        "waiting, and under the words"
    )
    assert held(world) == [(None, "")], "looking changes nothing"
    done = shop.post(page_of(world, SHOP), data={"task": task["id"]})
    assert (done.status_code, "advertising may go on" in done.text) == (200, True)
    assert [by for _, by in held(world)] == ["support, approved"]
    assert shop.post(page_of(world, SHOP), data={"task": task["id"]}).status_code == 409
    world.wait(hours=2)
    assert len(subjects(world, NORA)) == offers + 1, "what waited for it goes out"
    assert (listed(world), len(told(world, SHOP))) == ([], 1)


def test_the_page_closes_nothing_but_low_scores_of_its_shop(world: World) -> None:
    answered(world, NORA, 1, "broken")
    world.wait(minutes=1)
    with world.kiitos.store.work.transaction() as tx:
        now = world.clock.now()
        until = now + timedelta(days=9)
        care.begin(tx, SHOPIFY, "case/1", ["a@example.test"], reason=care.OPEN_CASE, order_id="", until=until, now=now)
    for wrong in ("case/1", "survey/none", ""):
        assert client(world).post(page_of(world, SHOP), data={"task": wrong}).status_code == 409
    assert held(world) == [(None, "")]
    world.wait(days=31)
    assert client(world).post(page_of(world, SHOP), data={"task": "survey/none"}).status_code == 404


def test_words_that_come_a_little_later_are_in_the_one_mail(world: World) -> None:
    answered(world, NORA, 1)
    world.wait(minutes=5)
    answered(world, NORA, 1, "no lid")
    world.wait(minutes=5)
    assert told(world, SHOP) == []
    world.wait(minutes=15)
    (text,) = told(world, SHOP)
    assert "no lid" in text
    answered(world, NORA, 2, "no lid at all")
    world.wait(days=1)
    assert len(told(world, SHOP)) == 1


def test_a_slip_of_the_finger_is_nobodys_task(world: World) -> None:
    answered(world, NORA, 1)
    assert len(listed(world)) == 1
    world.wait(minutes=5)
    answered(world, NORA, 5)
    world.wait(days=1)
    assert (told(world, SHOP), listed(world), warned(world)) == ([], [], [])


def test_the_doctor_warns_while_nobody_has_looked(world: World) -> None:
    answered(world, NORA, 1, "broken")
    world.wait(days=1)
    assert warned(world) == []
    world.wait(days=2)
    assert warned(world) == ["a customer who gave a low score waits for a person, the longest for 3 days"]
    (task,) = listed(world)
    assert kiitos(world, "approve", SHOPIFY, task["id"], "--by", "Kaisa", "--note", "called her").exit_code == 0
    assert warned(world) == []
    assert kiitos(world, "approve", SHOPIFY, task["id"], "--by", "Kaisa").exit_code == 1, "it was closed"


def test_explain_says_why_and_what_ends_it(world: World) -> None:
    answered(world, NORA, 1, "broken")
    (task,) = listed(world)
    story = explain(world.kiitos.store, SHOPIFY, str(NORA.email))
    assert story is not None
    (line,) = [line for line in story.lines if line.what == "care.began"]
    assert f"`kiitos tasks approve {SHOPIFY} {task['id']}` ends it" in line.text
    kiitos(world, "refuse", SHOPIFY, task["id"], "--by", "Kaisa", "--note", "abusive")
    story = explain(world.kiitos.store, SHOPIFY, story.orders[0].number)
    assert story is not None
    texts = {line.what: line.text for line in story.lines if line.what.startswith("care.")}
    assert texts["care.ended"] == "a low score waits no longer (Kaisa, refused: abusive): advertising may go on"
    assert "kiitos tasks" not in texts["care.began"]


def test_where_a_flow_makes_a_task_of_it_nobody_hears_twice(tmp_path: Path) -> None:
    with living(tmp_path, "feedback_survey", "unhappy_answer") as world:
        order_arrives(world)
        world.wait(days=5)
        answered(world, NORA, 1)
        assert listed(world) == [], "the flow waits for words"
        world.wait(hours=1)
        (task,) = listed(world)
        assert (task["flow"], task["to"]) == ("unhappy-answer", "support")
        assert (told(world, SHOP), told(world, KAISA), len(mails(world, KAISA))) == ([], [], 1)
        world.wait(days=3)
        assert len(warned(world)) == 1, "the flow's task has not been seen either"
        assert kiitos(world, "approve", SHOPIFY, task["id"], "--by", "Kaisa").exit_code == 0
        assert (listed(world), warned(world)) == ([], [])


def test_a_person_for_support_hears_before_the_shops_address(tmp_path: Path) -> None:
    with living(tmp_path, "feedback_survey") as world:
        order_arrives(world)
        world.wait(days=5)
        answered(world, NORA, 1, "broken")
        world.wait(minutes=1)
        assert (len(told(world, KAISA)), told(world, SHOP)) == (1, [])


def test_without_the_task_itself_nobody_would_hear(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests see comes of `heard`: without it the person is kept from advertising and nobody is told."""
    monkeypatch.setattr(low_scores, "heard", lambda *_: None)
    answered(world, NORA, 1, "broken")
    world.wait(days=1)
    assert (told(world, SHOP), held(world)) == ([], [(None, "")])

"""From the arrival to the answer: a low score calls a person and keeps advertising away until they have looked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector import app as application
from connector.cli import cli
from connector.explaining.explain import explain
from connector.testing.fakes.people import BEANS, Buyer
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import SHOPIFY, WOO, World
from tests.pages.life import (
    AINO,
    NORA,
    START,
    client,
    link,
    links_of,
    mails,
    order_arrives,
    rows,
    subjects,
    woo_order_leaves,
)

OFFER = """
id = "offer"
title = "An offer"
trigger = "survey.answered"
purpose = "marketing"
subject = "order"
reentry = "always"

[[steps]]
id = "later"
do = "wait"
span = "20h"

[[steps]]
id = "send"
do = "send"
template = "marketing_goodbye"
"""
KAISA = Buyer(first_name="Kaisa", last_name="Aalto", email="kaisa@aurora.example")
FLOWS = ("feedback_survey", "survey_order", "survey_sixty_days", "unhappy_answer")


@contextmanager
def living(tmp_path: Path, *flows: str, **more: Any) -> Iterator[World]:
    (tmp_path / "offer.toml").write_text(OFFER, "utf-8")
    settings = {
        "flows": {
            **{name.replace("_", "-"): {"file": name} for name in flows},
            "offer": {"file": str(tmp_path / "offer.toml")},
        },
        "soft_opt_in": ["loyalty", "marketing"],
        "people": {"support": {"name": "Kaisa", "email": str(KAISA.email)}},
        **more,
    }
    try:
        with World(tmp_path, START, settings=settings, unchecked=True) as made:
            yield made
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with living(tmp_path, "feedback_survey", "unhappy_answer") as made:
        yield made


def answered(world: World, buyer: Buyer, score: int, comment: str = "") -> None:
    sent = client(world).post(link(world, buyer, "survey"), data={"score": str(score), "comment": comment})
    assert sent.status_code == 303
    world.deliver()


def unhappy(world: World) -> None:
    order_arrives(world)
    world.wait(days=5)
    answered(world, NORA, 1, "came broken")


def test_a_low_score_calls_a_person_and_holds_advertising_until_they_have_looked(world: World) -> None:
    unhappy(world)
    assert any("Thank you for telling us" in each for each in subjects(world, NORA)), "order mail goes on"
    (task,) = mails(world, KAISA)
    body = task.get_body(("plain",))
    assert body is not None
    assert "came broken" in body.get_content()
    assert "1 on the scale csat" in body.get_content()
    world.wait(hours=30)
    offers = len(subjects(world, NORA))
    told = explain(world.kiitos.store, SHOPIFY, str(NORA.email))
    assert told is not None
    (held,) = [line for line in told.lines if line.what == "deferred" and "in_care" in str(line.detail)]
    assert "low score" in held.text + str(held.detail)
    page = next(url for url in links_of(task) if "/p/task/" in url)
    path = page[page.index("/p/task/") :]
    assert client(world).post(path, data={"answer": "approved", "note": "sent a new one"}).status_code == 200
    world.wait(hours=2)
    assert len(subjects(world, NORA)) == offers + 1, "the offer goes out once the person has looked"
    assert rows(world, "SELECT DISTINCT ended_by FROM care_holds") == [("support, approved",)]


def test_whoever_is_never_answered_gets_no_offer_and_explain_says_why(world: World) -> None:
    unhappy(world)
    before = len(subjects(world, NORA))
    world.wait(days=4)
    assert len(subjects(world, NORA)) == before
    ((reason,),) = rows(world, "SELECT reason FROM effects WHERE flow_id = 'offer'")
    assert reason.startswith("in_care: the customer gave a low score")
    told = explain(world.kiitos.store, SHOPIFY, str(NORA.email))
    assert told is not None
    assert any("without low_score until" in line.flip for line in told.lines)


def test_a_happy_customer_gets_the_offer_and_nobody_is_called(world: World) -> None:
    order_arrives(world)
    world.wait(days=5)
    before = len(subjects(world, NORA))
    answered(world, NORA, 5)
    world.wait(hours=30)
    assert len(subjects(world, NORA)) == before + 1
    assert mails(world, KAISA) == []


def test_three_flows_of_two_shops_ask_a_person_once_a_quarter(tmp_path: Path) -> None:
    with living(tmp_path, *FLOWS) as world:
        order_arrives(world)
        woo_order_leaves(world, NORA, ((BEANS, 1),))
        world.wait(days=88)
        asked = [each for each in subjects(world, NORA) if "question" in each or "kysymys" in each]
        assert len(asked) == 1
        reasons = [reason for (reason,) in rows(world, "SELECT reason FROM effects WHERE reason LIKE 'survey%'")]
        assert len(reasons) >= 3
        assert all(reason.startswith("surveyed_lately: ") for reason in reasons)
        assert {shop for (shop,) in rows(world, "SELECT shop_id FROM effects WHERE reason LIKE 'survey%'")} >= {WOO}
        order_arrives(world)
        world.wait(days=8)
        asked = [each for each in subjects(world, NORA) if "question" in each or "kysymys" in each]
        assert len(asked) == 2, "the next quarter has its own question"


def test_half_are_asked_and_always_the_same(tmp_path: Path) -> None:
    with living(tmp_path, "survey_order", surveys={"share": "50%"}) as world:
        people = [Buyer(first_name="P", last_name=str(n), email=f"p{n}@example.test") for n in range(12)]
        for person in people:
            world.shopify.place_order(((BEANS, 1),), person)
        world.wait(days=2)
        asked = {person.email for person in people if subjects(world, person)}
        assert 0 < len(asked) < 12
        assert len(rows(world, "SELECT 1 FROM effects WHERE reason LIKE 'survey_sample%'")) == 12 - len(asked)


def test_the_results_by_command_and_on_their_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order_arrives(world)
    world.wait(days=5)
    answered(world, NORA, 2, "<b>late</b> & broken")
    monkeypatch.setattr(application, "load", lambda *_: world.kiitos)
    monkeypatch.setattr("connector.cli.context.load_config", lambda *_, **__: world.kiitos.config)
    monkeypatch.setattr("connector.cli.context.App.whole_config", world.kiitos.config)
    shown = CliRunner().invoke(cli, ["surveys", "results", SHOPIFY])
    assert shown.exit_code == 0, shown.output
    assert re.search(r"delivery +csat +1 +1 +100 % +- +- +2\.0 +too few", shown.output)
    assert "late</b> & broken" in shown.output
    nobody = CliRunner().invoke(cli, ["surveys", "results", WOO])
    assert "nobody of demo-metsa was asked anything" in nobody.output
    by_product = CliRunner().invoke(cli, ["surveys", "results", SHOPIFY, "--by", "product", "--json"])
    assert by_product.output.count('"asked": 1') == 2, "an answer counts for each product of its order"
    printed = CliRunner().invoke(cli, ["surveys", "page", SHOPIFY, "--life", "2d"])
    path = printed.output.strip()[printed.output.index("/p/results/") :]
    for by in ("stage", "flow", "month", "product", "nonsense"):
        page = client(world).get(f"{path}?by={by}&days=30")
        assert page.status_code == 200
        assert "&lt;b&gt;late&lt;/b&gt; &amp; broken" in page.text
    assert client(world).post(path).status_code == 409
    world.wait(days=3)
    assert client(world).get(path).status_code == 404, "the address ends by itself"


def test_a_high_score_brings_the_invitation_at_once_and_only_once(tmp_path: Path) -> None:
    with living(
        tmp_path, "feedback_survey", "referral_invite", soft_opt_in=["loyalty", "marketing", "referral"]
    ) as world:
        order_arrives(world)
        order_arrives(world, AINO)
        world.wait(days=5)

        def invited(buyer: Buyer, word: str) -> int:
            return sum(word in each for each in subjects(world, buyer))

        before = invited(NORA, "Give a friend")
        answered(world, NORA, 5, "lovely")
        world.wait(hours=26)
        assert (before, invited(NORA, "Give a friend"), invited(AINO, "yst")) == (0, 1, 0)
        world.wait(days=30)
        assert (invited(NORA, "Give a friend"), invited(AINO, "yst")) == (1, 1), "who did not answer: at the usual time"

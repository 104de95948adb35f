"""Short links: they lead where the message said and nowhere else, and what counts is a person's click."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from connector.app import create_app
from connector.cli.messages import _followed
from connector.config.consenting import TrackingSettings
from connector.errors import StoreUnavailable, TemplateError
from connector.model import Effect, Purpose
from connector.store import clicks, effects, people, surveys
from connector.store.clicks import Click
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import SHOPIFY, WOO, World
from connector.working import judging
from connector.working.judging import SETTLED
from flows.knowing.situation import look
from flows.render.renderer import Renderer
from flows.render.samples import samples
from flows.sending.addressing import Recipient, links_for
from flows.sending.short_links import LENGTH, OPENED, token_of
from tests.pages.life import NORA, START, asked, links_of, mails, rows, snapshot

PERSON = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1"}
ADDRESS = "nora.lind@example.test"
ASK = surveys.AskRow(
    ask_id="run:ask",
    survey="delivery",
    kind="csat",
    flow_id="feedback-survey",
    order_id="",
    email_key=ADDRESS,
    customer_id="",
    asked_at=START,
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A shop that has asked Nora for a review, ten minutes ago."""
    try:
        with World(Path(tmp_path_factory.mktemp("clicks")), START, unchecked=True) as made:
            asked(made)
            yield made
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(autouse=True)
def an_hour_passes(told: World) -> None:
    told.worker.drain()
    told.clock.advance(timedelta(hours=1))


def shown(world: World, message: int = -1) -> list[str]:
    """The short links of a mail to Nora, as paths."""
    found = [url for url in links_of(mails(world, NORA)[message]) if "/c/" in url]
    return list(dict.fromkeys("/c/" + url.partition("/c/")[2] for url in found))


def visit(world: World, path: str, method: str = "GET", **headers: str) -> TestResponse:
    visitor: FlaskClient = create_app(world.kiitos).test_client(use_cookies=False)
    return visitor.open(path, method=method, base_url=world.kiitos.config.app.base_url, headers={**PERSON, **headers})


def asking(world: World) -> Effect:
    """The message that asks for the review."""
    with world.kiitos.store.work.read() as tx:
        found = [each for each in effects.sent_to(tx, SHOPIFY, ADDRESS, START) if each.purpose is Purpose.REVIEW]
    return found[-1]


def verdicts(world: World) -> list[str]:
    return [click.verdict for click in kept_of(world)]


def kept_of(world: World) -> list[Click]:
    message = asking(world).id
    with world.kiitos.store.work.read() as tx:
        return clicks.of_effect(tx, SHOPIFY, message)


@pytest.fixture
def nothing_yet(told: World) -> World:
    with told.kiitos.store.work.transaction() as tx:
        tx.script("DELETE FROM clicks")
        tx.script("DELETE FROM events WHERE kind = 'message.clicked'")
        tx.script("DELETE FROM engagements")
    return told


def counted(world: World) -> int:
    world.clock.advance(SETTLED + timedelta(seconds=1))
    world.worker.drain()
    return len(rows(world, "SELECT 1 FROM events WHERE kind = 'message.clicked'"))


def tracking(world: World, monkeypatch: pytest.MonkeyPatch, wanted: TrackingSettings) -> None:
    config = world.kiitos.config
    changed = replace(config.shops[SHOPIFY], tracking=wanted)
    monkeypatch.setattr(world.kiitos, "config", replace(config, shops={**config.shops, SHOPIFY: changed}))


# -- where they lead ---------------------------------------------------------------------------------------------------


def test_a_marketing_mail_has_them_and_its_way_out_stays_itself(told: World) -> None:
    urls = links_of(mails(told, NORA)[-1])
    assert shown(told)
    assert not any(url.startswith("https://aurora-demo") for url in urls), "the shop's own address is a short link"
    for page in ("unsubscribe", "preferences", "review"):
        assert any(f"/p/{page}/" in url for url in urls), page


def test_order_mails_have_none(told: World) -> None:
    assert shown(told, 0) == []
    assert rows(told, "SELECT DISTINCT owner FROM short_links") == [("",)]


def test_it_leads_to_the_address_and_leaves_no_trace_of_the_mail(told: World) -> None:
    (path,) = shown(told)
    answer = visit(told, path)
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://aurora-demo.myshopify.com")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert answer.data == b""


@given(st.text(max_size=80) | st.from_regex(rf"[0-9a-z]{{{LENGTH}}}", fullmatch=True))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_stands_in_a_link_it_leads_nowhere_else(told: World, text: str) -> None:
    visitor = create_app(told.kiitos).test_client() if not _VISITOR else _VISITOR[0]
    _VISITOR[:] = [visitor]
    answer = visitor.get("/c/" + text.replace("/", ""), base_url=told.kiitos.config.app.base_url)
    assert answer.status_code in (404, 308) or "/c/" not in answer.request.path
    assert not answer.headers.get("Location", "").startswith("https://")


_VISITOR: list[FlaskClient] = []


def test_a_link_with_another_address_in_it_is_none(told: World) -> None:
    (path,) = shown(told)
    for wrong in (f"{path}x", path[:-1], f"{path[:-1]}{'0' if path[-1] != '0' else '1'}", "/c/"):
        assert visit(told, wrong).status_code == 404, wrong
    beside = visit(told, f"{path}?url=https://evil.example")
    assert beside.headers["Location"] == "https://aurora-demo.myshopify.com"


def test_a_brands_own_name_serves_its_links_and_nothing_else(told: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = shown(told)
    tracking(told, monkeypatch, TrackingSettings(url="https://go.aurora.example"))
    visitor = create_app(told.kiitos).test_client()
    theirs = "https://go.aurora.example"
    assert visitor.get(path, base_url=theirs).status_code == 302
    assert visitor.get("/p/unsubscribe/" + "0" * 26, base_url=theirs).status_code == 404
    assert visitor.get("/healthz", base_url=theirs).status_code == 404
    assert visitor.get(path, base_url="https://evil.example").status_code == 404
    config = told.kiitos.config
    other = replace(config.shops[WOO], tracking=TrackingSettings(url="https://go.metsa.example"))
    monkeypatch.setattr(told.kiitos, "config", replace(config, shops={**config.shops, WOO: other}))
    assert visitor.get(path, base_url="https://go.metsa.example").status_code == 404, "another brand's name"


# -- who clicked -------------------------------------------------------------------------------------------------------


def test_a_persons_click_is_a_sign_of_life_and_an_event_once(nothing_yet: World) -> None:
    world = nothing_yet
    (path,) = shown(world)
    for _ in range(3):
        visit(world, path)
    assert counted(world) == 1
    assert verdicts(world) == ["person"] * 3
    assert rows(world, "SELECT address_key, kind FROM engagements") == [(ADDRESS, "click")]
    assert _followed(kept_of(world)) == "3 by people"
    (data,) = rows(world, "SELECT data FROM events WHERE kind = 'message.clicked'")
    assert '"flow":"review-request"' in data[0]
    assert {click.url for click in kept_of(world)} == {"https://aurora-demo.myshopify.com"}


@pytest.mark.parametrize(
    ("method", "headers", "verdict"),
    [
        ("HEAD", {}, "head"),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}, "prefetch"),
        ("GET", {"X-Moz": "prefetch"}, "prefetch"),
        ("GET", {"Purpose": "preview"}, "prefetch"),
        ("GET", {"User-Agent": ""}, "agent"),
        ("GET", {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}, "agent"),
        ("GET", {"User-Agent": "BarracudaCentral/1.0"}, "agent"),
        ("GET", {"User-Agent": "python-requests/2.34.2"}, "agent"),
        ("GET", {"User-Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"}, "agent"),
    ],
)
def test_a_machine_is_kept_and_not_counted(
    nothing_yet: World, method: str, headers: dict[str, str], verdict: str
) -> None:
    (path,) = shown(nothing_yet)
    assert visit(nothing_yet, path, method, **headers).status_code == 302, "it is shown the way all the same"
    assert (counted(nothing_yet), verdicts(nothing_yet)) == (0, [verdict])
    assert rows(nothing_yet, "SELECT 1 FROM engagements") == []


def test_nobody_reads_within_seconds(nothing_yet: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = shown(nothing_yet)
    left = asking(nothing_yet).done_at
    assert left is not None
    for seconds in (0, 9):
        monkeypatch.setattr(nothing_yet.kiitos.clock, "now", lambda s=seconds: left + timedelta(seconds=s))
        visit(nothing_yet, path)
    monkeypatch.setattr(nothing_yet.kiitos.clock, "now", lambda: left + timedelta(seconds=10))
    visit(nothing_yet, path)
    monkeypatch.undo()
    assert sorted(verdicts(nothing_yet)) == ["new", "too_soon", "too_soon"]


def keep(world: World, many: int) -> None:
    """So many links of the message are followed within a second."""
    effect, now = asking(world), world.clock.now()
    with world.kiitos.store.work.transaction() as tx:
        for number in range(many):
            at = now + timedelta(milliseconds=100 * number)
            clicks.put(tx, Click(SHOPIFY, f"b{number}", effect.id, f"url{number}", at))


@pytest.mark.parametrize(("many", "verdict", "events"), [(3, "person", 1), (4, "burst", 0), (9, "burst", 0)])
def test_more_links_than_a_person_opens_at_once(nothing_yet: World, many: int, verdict: str, events: int) -> None:
    keep(nothing_yet, many)
    nothing_yet.clock.advance(timedelta(seconds=14))
    nothing_yet.worker.drain()
    assert verdicts(nothing_yet) == ["new"] * many, "what comes after may still change it"
    assert (counted(nothing_yet), verdicts(nothing_yet)) == (events, [verdict] * many)


def test_trouble_with_one_click_stops_no_worker(nothing_yet: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    keep(nothing_yet, 1)
    monkeypatch.setattr(judging, "clicked", broken)
    assert (counted(nothing_yet), verdicts(nothing_yet)) == (0, ["person"])


def test_a_flood_fills_nothing(nothing_yet: World) -> None:
    keep(nothing_yet, clicks.MOST + 20)
    assert len(verdicts(nothing_yet)) == clicks.MOST


def test_who_cannot_be_noted_is_shown_the_way(nothing_yet: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = shown(nothing_yet)

    def busy(*_: Any) -> None:
        raise StoreUnavailable("busy")

    monkeypatch.setattr(clicks, "put", busy)
    assert visit(nothing_yet, path).status_code == 302
    monkeypatch.undo()
    assert verdicts(nothing_yet) == []


def test_a_shop_that_follows_nobody(nothing_yet: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = shown(nothing_yet)
    tracking(nothing_yet, monkeypatch, TrackingSettings(clicks="none"))
    assert visit(nothing_yet, path).status_code == 302, "links of before go on working"
    assert verdicts(nothing_yet) == []


def test_whoever_follows_every_link_of_a_mail_changes_nothing_but_the_clicks(nothing_yet: World) -> None:
    before = {name: rows_ for name, rows_ in snapshot(nothing_yet).items() if name != "clicks"}
    for message in mails(nothing_yet, NORA):
        for url in links_of(message):
            if url.startswith(nothing_yet.kiitos.config.app.base_url):
                path = url.removeprefix(nothing_yet.kiitos.config.app.base_url)
                assert visit(nothing_yet, path).status_code in (200, 302), path
                assert visit(nothing_yet, path, "HEAD").status_code in (200, 302)
    after = {name: rows_ for name, rows_ in snapshot(nothing_yet).items() if name != "clicks"}
    assert after == before
    assert verdicts(nothing_yet) != [], "the mail had links to follow"


# -- opens -------------------------------------------------------------------------------------------------------------


def test_opens_are_off_and_on_they_are_a_maybe(nothing_yet: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world = nothing_yet
    body = mails(world, NORA)[-1].get_body(("html",))
    assert body is not None
    assert f"/c/{OPENED}" not in body.get_content()
    (path,) = shown(world)
    pixel = "/c/" + token_of(world.kiitos.salt, OPENED, path.removeprefix("/c/")[10:22])
    answer = visit(world, pixel)
    assert (answer.status_code, answer.content_type, verdicts(world)) == (200, "image/gif", [])
    tracking(world, monkeypatch, TrackingSettings(opens=True))
    visit(world, pixel)
    assert verdicts(world) == ["open"]
    assert _followed(kept_of(world)) == "1 perhaps opened"
    assert counted(world) == 0
    assert rows(world, "SELECT 1 FROM engagements") == []


# -- forgetting --------------------------------------------------------------------------------------------------------


def test_a_forgotten_persons_clicks_and_own_addresses_go(world: World) -> None:
    asked(world)
    keep(world, 2)
    with world.kiitos.store.work.transaction() as tx:
        clicks.keep(tx, SHOPIFY, "theirs0000", "https://shop.example/orders/secret", ADDRESS, world.clock.now())
        person = people.find(tx, SHOPIFY, email=ADDRESS)
        found = people.gather(tx, person)
        assert (len(found["clicks"]), len(found["short_links"])) == (2, 1)
    with world.kiitos.store.work.transaction() as tx:
        gone = people.erase(tx, person, world.clock.new_id, [], "r")
        assert (gone["clicks"], gone["short_links"]) == (2, 1)
        assert clicks.find(tx, "theirs0000") is None


# -- every shipped message ---------------------------------------------------------------------------------------------


def test_no_link_of_any_shipped_message_changes_a_row_when_it_is_followed(nothing_yet: World) -> None:
    """With all links that a message can have, real ones of Nora's order; by GET and by HEAD, as gateways do."""
    world, renderer = nothing_yet, Renderer()
    kiitos, order = world.kiitos, asking(world).order_id or ""
    shop = kiitos.catalog.settings(SHOPIFY).shop
    found: dict[str, str] = {}
    with kiitos.store.work.transaction() as tx:
        for purpose in (Purpose.REVIEW, Purpose.REFERRAL):
            found |= links_for(
                tx,
                shop=shop,
                purpose=purpose,
                recipient=Recipient(address=ADDRESS, locale="en"),
                situation=look(tx, shop, order),
                steps={
                    "code": {"outcome": "done", "code": "THANKS-1", "url": "https://shop.example/discount/THANKS-1"}
                },
                base_url=kiitos.config.app.base_url,
                salt=kiitos.salt,
                now=world.clock.now(),
                survey=ASK.ask_id,
            )
        surveys.ask(tx, SHOPIFY, replace(ASK, order_id=order, asked_at=world.clock.now()))
    assert {"unsubscribe", "preferences", "review", "survey", "referral"} <= set(found)
    ours = kiitos.config.app.base_url
    paths = set[str]()
    for name in renderer.names():
        for sample in samples().values():
            view = replace(sample, links=found, purpose=Purpose.MARKETING)
            with contextlib.suppress(TemplateError):  # a sample that does not fit the template
                parts = renderer.parts(name, view)
                urls = re.findall(r"https?://[^\s<>\"']+", parts.html + " " + parts.text)
                paths |= {unescape(url).removeprefix(ours) for url in urls if url.startswith(ours)}
                break
    assert {path.split("/")[2] for path in paths} == {"unsubscribe", "preferences", "review", "survey", "friend"}
    before = snapshot(world)
    for path in sorted(paths):
        assert visit(world, path).status_code == visit(world, path, "HEAD").status_code == 200, path
    assert snapshot(world) == before

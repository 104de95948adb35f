"""What every page promises: headers, methods, languages, colours, friendly errors."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from connector.app import create_app
from connector.config.referrals import RULES
from connector.errors import StoreUnavailable
from connector.model import ShipmentStatus
from connector.pages import colour
from connector.pages.frame import languages, strings
from connector.testing.world import World
from tests.pages.life import NORA, asked, client, link, with_base_url

PAGES = Path(__file__).parents[2] / "connector" / "pages"
ROUTES = {
    "pages.signup": {"GET", "HEAD"},
    "pages.signup_post": {"POST"},
    "pages.confirm": {"GET", "HEAD"},
    "pages.confirm_post": {"POST"},
    "pages.preferences": {"GET", "HEAD"},
    "pages.preferences_post": {"POST"},
    "pages.unsubscribe": {"GET", "HEAD"},
    "pages.unsubscribe_post": {"POST"},
    "pages.review": {"GET", "HEAD"},
    "pages.review_post": {"POST"},
    "pages.data": {"GET", "HEAD"},
    "pages.data_post": {"POST"},
    "pages.failed": {"GET", "HEAD"},
    "pages.failed_post": {"POST"},
    "pages.order": {"GET", "HEAD"},
    "pages.friend": {"GET", "HEAD"},
    "pages.friend_post": {"POST"},
    "pages.share": {"GET", "HEAD"},
    "pages.share_post": {"POST"},
    "pages.refer": {"GET", "HEAD"},
    "pages.refer_post": {"POST"},
    "pages.referrals": {"GET", "HEAD"},
    "pages.referrals_post": {"POST"},
    "pages.leaders": {"GET", "HEAD"},
    **{f"pages.{name}": {"GET", "HEAD"} for name in ("case", "desk", "find")},
    **{f"pages.{name}_post": {"POST"} for name in ("case", "desk", "find")},
    "pages.results": {"GET", "HEAD"},
    "pages.results_post": {"POST"},
    "pages.survey": {"GET", "HEAD"},
    "pages.survey_post": {"POST"},
    "pages.task": {"GET", "HEAD"},
    "pages.task_post": {"POST"},
    "pages.proxy": {"GET", "HEAD"},
    "pages.loyalty": {"GET", "HEAD"},
    "pages.loyalty_post": {"POST"},
    "pages.moderation": {"GET", "HEAD"},
    "pages.moderation_post": {"POST"},
    "pages.photo": {"GET", "HEAD"},
    "pages.desk_photo": {"GET", "HEAD"},
    "pages.reviews": {"GET", "HEAD"},
    "pages.push": {"GET", "HEAD"},
    "pages.push_post": {"POST"},
    "pages.push_order": {"GET", "HEAD"},
    "pages.push_order_post": {"POST"},
    "pages.push_worker": {"GET", "HEAD"},
    "pages.push_snippet": {"GET", "HEAD"},
    "pages.copier": {"GET", "HEAD"},
}
ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
UNKNOWN = "0" * 26


@pytest.fixture
def app(world: World) -> Flask:
    return create_app(world.kiitos)


def allowed(app: Flask) -> dict[str, set[str]]:
    """Methods by path with an unknown token in it."""
    found: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/p/"):
            path = rule.rule.replace("<token>", UNKNOWN).replace("<key>", UNKNOWN).replace("<what>", "friend")
            path = path.replace("<order_id>", "501")
            found.setdefault(path, set()).update(rule.methods or ())
    return found


def test_every_route_is_known_here(app: Flask) -> None:
    found = {rule.endpoint: set(rule.methods or ()) for rule in app.url_map.iter_rules() if rule.rule.startswith("/p/")}
    assert found == ROUTES


def test_other_methods_are_405_with_the_allowed_ones(app: Flask) -> None:
    visitor, refused = app.test_client(), 0
    for path, methods in allowed(app).items():
        for method in ALL_METHODS if not path.endswith(".js") else ():  # a POST there is one to a token of that name
            answer = visitor.open(path, method=method)
            if method in methods:
                assert answer.status_code != 405, (method, path)
            else:
                assert answer.status_code == 405, (method, path)
                assert set(answer.headers["Allow"].split(", ")) == methods
                refused += 1
    known = [methods for path, methods in allowed(app).items() if not path.endswith(".js")]
    assert refused == sum(len(ALL_METHODS) - len(methods) for methods in known) > 60


def assert_guarded(answer: object, where: str) -> None:
    headers = answer.headers  # type: ignore[attr-defined]
    expected = {
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex, nofollow",
    }
    assert {name: headers.getlist(name) for name in expected} == {k: [v] for k, v in expected.items()}, where
    # A friend's own press of the button marks the browser; looking never does.
    assert "Set-Cookie" not in headers or where.startswith("POST /p/friend/"), where
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy, where
    assert "frame-ancestors 'none'" in policy, where
    assert "unsafe" not in policy, where
    nonces = re.findall(r"style-src 'nonce-([0-9a-z]{20,})'", policy)
    styles = re.findall(r"<style nonce=\"([^\"]+)\">", answer.text)  # type: ignore[attr-defined]
    assert not styles or styles == nonces, where
    assert " style=" not in answer.text, where  # type: ignore[attr-defined]
    script = headers["Content-Type"].startswith("text/javascript")
    written = re.findall(r"<script[^>]*>", answer.text)  # type: ignore[attr-defined]
    assert script or written == [
        f'<script nonce="{each}" src="/p/copy.js" defer>' for each in nonces[: len(written)]
    ], where
    if not where.startswith("HEAD"):
        assert ("script-src" in policy) is bool(written and not script), where
    assert "connect-src" not in policy, where


def test_headers_on_every_answer(world: World, app: Flask) -> None:
    review = asked(world)
    world.wait(days=10)
    visitor = app.test_client()
    real = [review, link(world, NORA, "unsubscribe"), link(world, NORA, "friend"), link(world, NORA, "share")]
    paths = [*real, *allowed(app), "/p/", "/p/nowhere", "/p/review/%00", "/p/review/a/b"]
    seen = set()
    for path in paths:
        for method in ALL_METHODS:
            answer = visitor.open(path, method=method)
            assert_guarded(answer, f"{method} {path}")
            seen.add(answer.status_code)
    seen.add(visitor.post(review, data={"author": "x"}).status_code)
    product = re.search(r"rating-([^\"]+)", visitor.get(review).text)
    assert product is not None
    sent = visitor.post(review, data={product[0]: "5"})
    assert_guarded(sent, "redirect")
    assert seen | {sent.status_code} == {200, 303, 404, 405, 422}


def test_a_fresh_nonce_each_time(app: Flask) -> None:
    visitor = app.test_client()
    assert len({visitor.get(f"/p/review/{UNKNOWN}").headers["Content-Security-Policy"] for _ in range(20)}) == 20


def test_https_is_insisted_on_where_there_is_https(world: World) -> None:
    visitor = client(world)
    assert "Strict-Transport-Security" not in visitor.get(f"/p/review/{UNKNOWN}").headers
    with_base_url(world, "https://kiitos.example")
    assert "max-age=" in visitor.get(f"/p/review/{UNKNOWN}").headers["Strict-Transport-Security"]


def test_other_parts_of_the_product_keep_their_own_errors(app: Flask) -> None:
    answer = app.test_client().get("/nowhere")
    assert answer.status_code == 404
    assert "Content-Security-Policy" not in answer.headers
    assert "Not Found" in answer.text


def test_a_store_that_cannot_answer_is_503(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise StoreUnavailable("the disk is full")

    visitor = client(world)
    monkeypatch.setattr(world.kiitos.store.work, "read", broken)
    monkeypatch.setattr(world.kiitos.store.work, "transaction", broken)
    for answer in (visitor.get(f"/p/review/{UNKNOWN}"), visitor.post(f"/p/unsubscribe/{UNKNOWN}")):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
        assert "Nothing was changed" in answer.text
        assert "disk" not in answer.text
        assert_guarded(answer, "503")


def test_a_fault_of_ours_is_a_friendly_page_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty() -> None:
        raise ZeroDivisionError

    app = create_app(world.kiitos)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.logger.disabled = True
    monkeypatch.setattr(world.kiitos.store.work, "read", faulty)
    answer = app.test_client().get(f"/p/review/{UNKNOWN}")
    assert (answer.status_code, "That did not work" in answer.text) == (500, True)
    assert_guarded(answer, "500")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("fi-FI,fi;q=0.9,en;q=0.8", "fi"),
        ("nb,fi;q=0.5", "fi"),
        ("ja", "ja"),
        ("tlh", "en"),
        ("", "en"),
        ("*", "en"),
        ("x;q=z,,", "en"),
    ],
)
def test_a_lost_visitor_is_answered_in_their_own_language(world: World, accepted: str, language: str) -> None:
    answer = client(world).get(f"/p/friend/{UNKNOWN}", headers={"Accept-Language": accepted})
    assert answer.status_code == 404
    assert f'<html lang="{language}"' in answer.text


def test_the_languages_say_the_same_things() -> None:
    assert {"en", "fi"} <= set(languages())
    english = strings("en")
    for language in languages():
        assert strings(language).keys() == english.keys(), language
        for key, text in strings(language).items():
            assert fields(text) == fields(english[key]), (language, key)
            assert text.strip() == text != ""


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def order_words() -> set[str]:
    """States and moments of an order, which its page puts together."""
    parcel = {status.value for status in ShipmentStatus} - {"other", "cancelled"}
    moments = parcel | {"ordered", "paid", "partly_refunded", "refunded", "return", "cancelled"}
    states = {"cancelled", "refunded", "delivered", "partly_delivered", "on_the_way", "partly_sent"}
    states |= {"being_prepared", "waits_for_payment"}
    of_parcel = {f"order.is.{state}" for state in parcel | {"sent"}}
    return of_parcel | {f"order.was.{each}" for each in moments} | {f"order.state.{state}" for state in states}


COMPOSED = (
    *("survey.asks.", "survey.scale.", "survey.more.", "results.by.", "results.kind."),
    *("queue.way_", "share.kind_"),
    *("case.kind.", "case.state.", "case.reason.", "case.wish.", "desk."),
)


def test_every_text_is_used_and_every_used_text_exists() -> None:
    sources = "".join(path.read_text("utf-8") for path in [*PAGES.glob("*.py"), *PAGES.glob("templates/*.html")])
    kinds = "|".join(sorted({key.partition(".")[0] for key in strings("en")} - {"purpose"}))
    used = set(re.findall(rf"[\"']((?:{kinds})\.[\w.]*\w)[\"']", sources))
    composed = {f"review.{state}" for state in ("thanks", "again", "none")}
    composed |= {key for key in strings("en") if key.startswith(COMPOSED)}
    outcomes = ("approved", "refused")
    composed |= {f"task.{outcome}_{how}" for outcome in outcomes for how in ("by", "alone")}
    composed |= {f"task.otherwise.{outcome}" for outcome in outcomes}
    purposes = {key for key in strings("en") if key.startswith("purpose.")}
    composed |= {f"preferences.{channel}" for channel in ("email", "sms", "whatsapp")}
    composed |= order_words()
    composed |= {f"queue.{sign}" for sign in (*RULES, "over_cap")}
    composed |= {f"share.{state}" for state in ("waits", "rewarded", "refused", "reversed")}
    composed |= {"embed.orders", "embed.share"}
    for key in ("said", "state", "deed", "cause", "was"):
        composed |= {each for each in strings("en") if each.startswith(f"loyalty.{key}.")}
    begun = tuple(key for key in used if key.endswith("_"))  # a text's name is put together of this and a word
    composed |= {key for key in strings("en") if key.startswith((*begun, "review.photo_", "review.video_"))}
    composed |= {f"review.{state}" for state in ("withdrawn", "revoked", "restored", "saved")} & set(strings("en"))
    files = {path.name for path in PAGES.glob("templates/*.html")} | {*begun}
    assert used - files | composed | purposes == set(strings("en"))


def test_contrast_is_that_of_the_standard() -> None:
    assert colour.contrast("#ffffff", "#000000") == pytest.approx(21)
    assert colour.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert colour.contrast("#ff0000", "#ff0000") == 1


@given(st.integers(0, 0xFFFFFF))
def test_text_on_any_accent_can_be_read(number: int) -> None:
    accent = f"#{number:06x}"
    assert colour.contrast(colour.ink_on(accent), accent) >= 4.5
    assert colour.contrast(colour.visible_on(accent, "#ffffff", "#1d2421"), "#ffffff") >= 4.5


@pytest.mark.parametrize("wanted", ["red", "#fff", "#12345g", "#123456;}body{display:none", "", "#1234567"])
def test_an_accent_that_is_no_colour_is_ours(wanted: str) -> None:
    assert colour.accent_of(wanted) == colour.DEFAULT

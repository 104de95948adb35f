"""The preference centre: purposes by channel, a pause, the language, and what one may ask of one's own data."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connector.model import Channel, ConsentState, Purpose
from connector.pages.frame import languages
from connector.store import consents, links, preferences, privacy, suppressions
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import SHOPIFY, World
from flows import policy
from flows.people.choices import CHOICES, choices_of, reachable
from tests.pages.life import NORA, START, asked, client, link, links_of, mails, order_arrives, rows, snapshot, subjects

ADDRESS = "nora.lind@example.test"
TOKENS = itertools.count(1)
TOLD = frozenset({Purpose.REVIEW, Purpose.REFERRAL})


def centre(world: World) -> str:
    """The path of the page in the mail that asks Nora for a review."""
    asked(world)
    return link(world, NORA, "unsubscribe").replace("/unsubscribe/", "/preferences/")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One shop for all that needs no mail: each test has a person of its own."""
    try:
        with World(Path(tmp_path_factory.mktemp("shared")), START, unchecked=True) as made:
            yield made
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def someone(shared: World) -> tuple[str, str]:
    """The address of somebody new and the path of their page."""
    number = next(TOKENS)
    address, token = f"n{number}@example.test", f"{number:026d}"
    with shared.kiitos.store.work.transaction() as tx:
        data = {"address": address, "purpose": "review", "locale": "en"}
        links.put(tx, SHOPIFY, token, "unsubscribe", data, shared.clock.now())
    shared.clock.advance(timedelta(minutes=5))
    return address, f"/p/preferences/{token}"


def standing(world: World, address: str) -> dict[str, bool]:
    kiitos = world.kiitos
    shop = kiitos.catalog.settings(SHOPIFY).shop
    with kiitos.store.work.read() as tx:
        who = reachable(tx, SHOPIFY, Channel.EMAIL, address)
        return {str(c.purpose): c.allowed for c in choices_of(tx, shop, who, TOLD, kiitos.salt, kiitos.clock.now())}


def save(*purposes: str) -> dict[str, str]:
    return {"do": "save", "email-shown": "1", **{f"email-{purpose}": "1" for purpose in purposes}}


def boxes(page: str) -> dict[str, bool]:
    found = re.findall(r'type="checkbox" name="email-(\w+)" value="1"( checked)?', page)
    return {name: bool(checked) for name, checked in found}


def test_it_shows_how_things_stand(shared: World, someone: tuple[str, str]) -> None:
    address, path = someone
    page = client(shared).get(path).text
    assert boxes(page) == {"review": True, "referral": True, "loyalty": False, "marketing": False}
    assert "<bdi>n…@example.test</bdi>" in page
    assert address not in page, "who is forwarded the message does not learn the address"


def test_looking_changes_nothing(shared: World, someone: tuple[str, str]) -> None:
    (_address, path), visitor = someone, client(shared)
    before = snapshot(shared)
    assert visitor.get(path).status_code == visitor.head(path).status_code == 200
    assert snapshot(shared) == before
    visitor.post(path, data={"do": "pause"})
    assert snapshot(shared) != before, "the snapshot would not notice a change"


def test_saving_what_was_shown_changes_nothing(shared: World, someone: tuple[str, str]) -> None:
    (_address, path), visitor = someone, client(shared)
    before = snapshot(shared)
    assert visitor.post(path, data=save("review", "referral")).status_code == 200
    assert snapshot(shared) == before


@pytest.mark.parametrize(
    "wanted", [("review",), ("marketing",), ("loyalty", "marketing"), tuple(map(str, CHOICES)), ()]
)
def test_what_is_saved_is_how_it_stands(shared: World, someone: tuple[str, str], wanted: tuple[str, ...]) -> None:
    (address, path), visitor = someone, client(shared)
    visitor.post(path.replace("/preferences/", "/unsubscribe/"), data={"List-Unsubscribe": "One-Click"})
    shared.clock.advance(timedelta(minutes=1))
    page = visitor.post(path, data=save(*wanted)).text
    assert standing(shared, address) == boxes(page) == {str(purpose): purpose in wanted for purpose in CHOICES}
    shared.clock.advance(timedelta(minutes=1))
    visitor.post(path, data=save("referral"))
    assert standing(shared, address) == {str(purpose): purpose == "referral" for purpose in CHOICES}


def test_a_purpose_that_was_stopped_does_not_come_and_another_does(world: World) -> None:
    path = centre(world)
    assert any(url.endswith(path) for url in links_of(mails(world, NORA)[-1])), "it stands beside unsubscribe"
    before = subjects(world, NORA)
    client(world).post(path, data=save("referral"))
    world.wait(days=30)
    assert len(subjects(world, NORA)) == len(before) + 1, "the invitation, not the reminder"


def test_the_ledger_keeps_what_was_shown(shared: World, someone: tuple[str, str]) -> None:
    address, path = someone
    client(shared).post(path, data=save("review", "marketing"))
    with shared.kiitos.store.work.read() as tx:
        ledger = {row.purpose: row for row in consents.history(tx, SHOPIFY, address) if row.source == "preference page"}
    assert {purpose: row.state for purpose, row in ledger.items()} == {
        Purpose.REVIEW: ConsentState.GRANTED,
        Purpose.REFERRAL: ConsentState.WITHDRAWN,
        Purpose.LOYALTY: ConsentState.WITHDRAWN,
        Purpose.MARKETING: ConsentState.GRANTED,
    }
    told = json.loads(ledger[Purpose.MARKETING].evidence)
    assert told["language"] == "en"
    assert "What may Aurora Outdoor send you? (email) [x] review requests" in told["text"]
    assert "ip" not in told


def objections(world: World) -> int:
    return len(rows(world, "SELECT 1 FROM objections"))


def test_who_adds_something_has_not_had_enough_and_who_stops_something_has(world: World) -> None:
    path, visitor = centre(world), client(world)
    visitor.post(path, data=save("review", "referral", "marketing"))
    assert (objections(world), rows(world, "SELECT kind FROM events WHERE kind LIKE 'consent%'")) == (
        0,
        [("consent.granted",)],
    )
    world.clock.advance(timedelta(minutes=1))
    visitor.post(path, data=save("referral", "marketing"))
    assert objections(world) == 1


def test_a_bounced_address_cannot_be_switched_on(shared: World, someone: tuple[str, str]) -> None:
    address, path = someone
    with shared.kiitos.store.work.transaction() as tx:
        suppressions.add(tx, SHOPIFY, address, Channel.EMAIL, "all", "hard_bounce", shared.clock.now())
    visitor = client(shared)
    page = visitor.post(path, data=save(*map(str, CHOICES))).text
    assert boxes(page) == {}
    assert "messages to it came back" in page
    assert not any(standing(shared, address).values())


def test_a_pause_keeps_advertising_back_and_orders_not(world: World) -> None:
    path, visitor = centre(world), client(world)
    before = len(mails(world, NORA))
    assert "Advertising is paused until 12 April 2026." in visitor.post(path, data={"do": "pause"}).text.replace(
        "April 12, 2026", "12 April 2026"
    )
    world.wait(days=20)
    assert len(mails(world, NORA)) == before
    dropped = rows(world, "SELECT reason FROM effects WHERE reason LIKE 'paused_by_customer%'")
    assert dropped, "the reason is kept"
    order_arrives(world)
    assert len(mails(world, NORA)) > before, "order messages go on"


def test_a_pause_that_ends_soon_only_puts_off(world: World) -> None:
    path = centre(world)
    client(world).post(path, data={"do": "pause"})
    with world.kiitos.store.work.transaction() as tx:
        chosen = preferences.Preference("", world.clock.now() + timedelta(days=7, hours=10))
        preferences.put(tx, SHOPIFY, ADDRESS, chosen, world.clock.now())
    before = len(mails(world, NORA))
    world.wait(days=8)
    assert len(mails(world, NORA)) == before + 1, "the reminder, after the pause"


def test_ending_the_pause(world: World) -> None:
    path, visitor = centre(world), client(world)
    before = len(mails(world, NORA))
    visitor.post(path, data={"do": "pause"})
    assert "The pause is over." in visitor.post(path, data={"do": "resume"}).text
    world.wait(days=30)
    assert len(mails(world, NORA)) == before + 2


def test_the_language_chosen_is_that_of_the_next_message_and_of_the_page(world: World) -> None:
    path, visitor = centre(world), client(world)
    page = visitor.post(path, data={"do": "language", "language": "fi"}).text
    assert '<html lang="fi"' in page
    order_arrives(world)
    body = mails(world, NORA)[-1].get_body(("html",))
    assert body is not None
    assert 'lang="fi"' in body.get_content()
    visitor.post(path, data={"do": "language", "language": ""})
    order_arrives(world)
    again = mails(world, NORA)[-1].get_body(("html",))
    assert again is not None
    assert 'lang="en"' in again.get_content()


@pytest.mark.parametrize("language", ["tlh", "../en", "FI"])
def test_a_language_there_is_not_is_ignored(shared: World, someone: tuple[str, str], language: str) -> None:
    _address, path = someone
    before = snapshot(shared)
    client(shared).post(path, data={"do": "language", "language": language})
    assert snapshot(shared) == before


@pytest.mark.parametrize("language", ["ar", "de", "en", "fi", "ja", "sv"])
def test_every_language_there_is(shared: World, someone: tuple[str, str], language: str) -> None:
    assert language in languages()
    (_address, path), visitor = someone, client(shared)
    page = visitor.post(path, data={"do": "language", "language": language}).text
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page
    assert visitor.post(path, data={"do": "pause"}).status_code == 200
    assert visitor.post(path, data={"do": "erase"}).status_code == 200


def requests_of(world: World) -> list[tuple[str, str, dict[str, str]]]:
    with world.kiitos.store.work.read() as tx:
        return [(each.kind, each.source, dict(each.subject)) for each in privacy.trail(tx, SHOPIFY, 10)]


def test_a_copy_of_the_data_is_asked_for_once_and_the_owner_is_told(shared: World, someone: tuple[str, str]) -> None:
    (address, path), visitor = someone, client(shared)
    for _ in range(3):
        assert "has been asked for a copy" in visitor.post(path, data={"do": "export"}).text
    assert ("export", "preference page", {"email": address}) in requests_of(shared)
    assert [subject for _, _, subject in requests_of(shared)].count({"email": address}) == 1
    shared.wait(minutes=5)
    owner = [str(mail["Subject"]) for mail in mails(shared) if "help@aurora.example" in str(mail["To"])]
    assert len(owner) == 1, owner


def test_deleting_wants_the_address_that_the_page_does_not_show(world: World) -> None:
    path, visitor = centre(world), client(world)
    assert "Delete for good" in visitor.post(path, data={"do": "erase"}).text
    wrong = visitor.post(path, data={"do": "erase_now", "address": "friend@example.test"})
    assert (wrong.status_code, requests_of(world)) == (422, [])
    assert "That is not the address" in wrong.text
    done = visitor.post(path, data={"do": "erase_now", "address": " Nora.Lind@Example.TEST "})
    assert "Your data is being deleted" in done.text
    world.wait(minutes=10)
    assert visitor.get(path).status_code == 404
    assert rows(world, f"SELECT 1 FROM orders WHERE email_key = '{ADDRESS}'") == []
    before = len(mails(world, NORA))
    world.wait(days=30)
    assert len(mails(world, NORA)) == before


@pytest.mark.parametrize(
    "data", [{}, {"do": "back"}, {"do": "nothing"}, {"do": "save"}, {"do": "save", "sms-shown": "1"}]
)
def test_a_form_that_says_nothing_changes_nothing(
    shared: World, someone: tuple[str, str], data: dict[str, str]
) -> None:
    _address, path = someone
    before = snapshot(shared)
    assert client(shared).post(path, data=data).status_code == 200
    assert snapshot(shared) == before


def test_a_token_of_something_else_leads_nowhere(world: World) -> None:
    asked(world)
    path = link(world, NORA, "review").replace("/review/", "/preferences/")
    assert client(world).get(path).status_code == client(world).post(path, data=save()).status_code == 404


@pytest.mark.parametrize(("rules", "found"), [((), 0), (("_suppressed", "_consent"), 2)])
def test_the_proof_finds_what_a_rule_that_is_not_asked_lets_out(
    world: World, monkeypatch: pytest.MonkeyPatch, rules: tuple[str, ...], found: int
) -> None:
    path = centre(world).replace("/preferences/", "/unsubscribe/")
    client(world).post(path, data={"List-Unsubscribe": "One-Click"})
    monkeypatch.setattr(policy, "_LAWFUL", tuple(rule for rule in policy._LAWFUL if rule.__name__ not in rules))
    world.wait(days=30)
    with world.kiitos.store.work.read() as tx:
        assert len(consents.unfounded(tx)) == found
        assert consents.sent(tx) == 1 + found, "the request before the no, and what a broken policy lets out"

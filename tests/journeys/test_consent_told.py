"""Who unsubscribes with us is unsubscribed in the shop too, and the shop's word about it starts nothing anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.ledger import Ledger
from connector.model import Channel, EffectStatus, Purpose, email_key
from connector.send_ledger import SendLedger, read_ledgers
from connector.store import consents
from connector.testing.demo.mailbox import read_mail
from connector.testing.demo.scenario import JAM, MONDAY, MUG, unsubscribe
from connector.testing.fakes.people import AINO
from connector.testing.fakes.web import Trouble
from connector.testing.world import SHOPIFY, WOO, World
from connector.worker import Worker
from flows.people.consenting import CONSENT
from tests.journeys.conftest import Worlds

ADDRESS = email_key(AINO.email) or ""
WRITE_LOST = (Trouble(), Trouble(), Trouble(drop=True))
"""The token and the look at the customer come through; what is written then has no answer."""


@pytest.fixture
def world(worlds: Worlds) -> Iterator[World]:
    """The review request, which has an unsubscribe link, in shops that let us write customers."""
    started = worlds(flows={"review-request": {"file": "review_request"}})
    started.shopify.scopes.add("write_customers")
    yield started
    assert started.shopify.gaps == []
    assert started.woo.gaps == []


def asked(world: World, shop_id: str) -> None:
    """Aino, who has an account and said yes to the newsletter, is asked for a review."""
    if shop_id == SHOPIFY:
        order = world.shopify.place_order([(MUG, 1)], AINO)
        world.shopify.set_consent(next(iter(world.shopify.customers.values())), "subscribed")
        world.wait(days=1)
        world.shopify.carrier_event(world.shopify.fulfill(order), "delivered")
    else:
        order = world.woo.place_order([(JAM, 1)], AINO, account=True)
        world.wait(days=1)
        world.woo.add_tracking(order, "JJFI65300000000000001")
        world.woo.set_status(order, "completed")
    world.until(MONDAY + timedelta(days=17))
    assert world.sink.to(str(AINO.email)), "nobody was asked: the test would show nothing"


def told(world: World, shop_id: str) -> list[Any]:
    """What we wrote to the shop: status and result of each effect."""
    with world.kiitos.store.work.read() as tx:
        rows = tx.all("effect_sent_to", shop_id=shop_id, recipient_key=ADDRESS, since="")
    return [row for row in rows if row["kind"] == CONSENT]


def known_in(world: World, shop_id: str) -> str:
    if shop_id == SHOPIFY:
        return str(next(iter(world.shopify.consents.values()))["state"])
    account = next(iter(world.woo.customers.values()))
    meta = {entry["key"]: entry["value"] for entry in account["meta_data"]}
    return str(meta.get("_kiitos_email_consent", "")).partition(" ")[0]


def heard(world: World, shop_id: str) -> int:
    """Withdrawals that flows saw: of each event they see, a row is kept."""
    with world.kiitos.store.work.read() as tx:
        ledger = consents.history(tx, shop_id, ADDRESS)
    return sum(1 for row in ledger if row.raw_state == "unsubscribed" and row.purpose is Purpose.MARKETING)


@pytest.mark.parametrize(("shop_id", "state"), [(SHOPIFY, "unsubscribed"), (WOO, "withdrawn")])
def test_a_withdrawal_reaches_the_shop_once_and_does_not_echo(world: World, shop_id: str, state: str) -> None:
    asked(world, shop_id)
    unsubscribe(world, AINO)
    world.wait(days=2)
    assert known_in(world, shop_id) == state
    assert len(told(world, shop_id)) == 1
    assert heard(world, shop_id) == 1, "the shop's webhook about our own write is no second decision"


def test_the_shop_did_tell_us_of_our_own_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the echo: without knowing our own word it would be a second decision."""
    monkeypatch.setattr("flows.runner.is_echo", lambda *_: False)
    asked(world, SHOPIFY)
    unsubscribe(world, AINO)
    world.wait(days=2)
    assert heard(world, SHOPIFY) == 2
    assert len(told(world, SHOPIFY)) == 1, "and even then nothing is told back: there is no loop"


def test_what_the_shop_tells_is_not_told_back(world: World) -> None:
    asked(world, SHOPIFY)
    world.shopify.set_consent(next(iter(world.shopify.customers.values())), "unsubscribed")
    world.wait(days=2)
    assert heard(world, SHOPIFY) == 1
    assert told(world, SHOPIFY) == []


def test_taking_it_back_on_the_page_is_told_too(world: World) -> None:
    asked(world, SHOPIFY)
    unsubscribe(world, AINO)
    world.wait(hours=1)
    mail = read_mail(0, world.sink.to(str(AINO.email))[-1])
    link = dict(mail.headers)["List-Unsubscribe"].strip("<>")
    requests.post(link, data={"scope": "undo"}, timeout=10).raise_for_status()
    world.wait(days=1)
    assert known_in(world, SHOPIFY) == "subscribed"
    assert len(told(world, SHOPIFY)) == 2


def test_only_review_requests_stopped_is_nothing_a_shop_knows(world: World) -> None:
    asked(world, SHOPIFY)
    mail = read_mail(0, world.sink.to(str(AINO.email))[-1])
    link = dict(mail.headers)["List-Unsubscribe"].strip("<>")
    requests.post(link, data={"scope": "review"}, timeout=10).raise_for_status()
    world.wait(days=1)
    assert (told(world, SHOPIFY), known_in(world, SHOPIFY)) == ([], "subscribed")


@pytest.mark.parametrize(
    ("boxes", "state", "words"), [(["referral"], "unsubscribed", 1), (["marketing"], "subscribed", 0)]
)
def test_the_preference_page_tells_what_changed_and_the_shop_knows(
    world: World, boxes: list[str], state: str, words: int
) -> None:
    asked(world, SHOPIFY)
    mail = read_mail(0, world.sink.to(str(AINO.email))[-1])
    link = dict(mail.headers)["List-Unsubscribe"].strip("<>").replace("/unsubscribe/", "/preferences/")
    form = {"do": "save", "email-shown": "1", **{f"email-{box}": "1" for box in boxes}}
    requests.post(link, data=form, timeout=10).raise_for_status()
    world.wait(days=1)
    assert (known_in(world, SHOPIFY), len(told(world, SHOPIFY))) == (state, words)


def test_a_shop_that_is_down_hears_of_it_later(world: World) -> None:
    asked(world, SHOPIFY)
    world.shopify.trouble(*[Trouble(status=503)] * 30)
    unsubscribe(world, AINO)
    assert known_in(world, SHOPIFY) == "subscribed"
    world.wait(days=1)
    assert known_in(world, SHOPIFY) == "unsubscribed"
    assert len(told(world, SHOPIFY)) == 1


def test_an_answer_that_was_lost_is_looked_for(world: World) -> None:
    asked(world, SHOPIFY)
    world.shopify.trouble(*WRITE_LOST)
    unsubscribe(world, AINO)
    world.wait(hours=2)
    assert [row["attempts"] for row in told(world, SHOPIFY)] == [2], "its answer was not lost"
    updates = [call for call in world.shopify.calls if call.operation == "EmailConsentUpdate"]
    assert (known_in(world, SHOPIFY), len(updates)) == ("unsubscribed", 1)


@pytest.mark.parametrize(
    ("troubles", "fates"),
    [
        ((), ["sent"]),
        ([Trouble(), *[Trouble(status=503)] * 30], []),
        ([*WRITE_LOST, *[Trouble(status=503)] * 30], ["doubt"]),
    ],
    ids=["done", "certainly not done", "nobody knows"],
)
def test_the_send_ledger_tells_what_the_shop_was_asked_for(
    world: World, tmp_path: Path, troubles: Sequence[Trouble], fates: list[str]
) -> None:
    """A batch that is being recorded when its database is lost: what the shop had answered is no doubt."""
    asked(world, SHOPIFY)
    sent = SendLedger(tmp_path, "w", world.kiitos.clock, boot="b")
    world.worker = Worker(world.kiitos, Ledger(sent=sent), world.worker.reconciler)
    world.shopify.trouble(*troubles)
    unsubscribe(world, AINO)
    world.worker.drain()
    assert [one.fate.value for one in read_ledgers([tmp_path], MONDAY, "b")] == fates
    assert "w0\n" in next(tmp_path.glob("*.sent")).read_text("ascii"), "nothing was asked: this shows nothing"
    sent.close()


def test_a_guest_of_a_woocommerce_shop_has_no_account_to_write_to(world: World) -> None:
    order = world.woo.place_order([(JAM, 1)], AINO)
    world.wait(days=1)
    world.woo.add_tracking(order, "JJFI65300000000000001")
    world.woo.set_status(order, "completed")
    world.until(MONDAY + timedelta(days=17))
    unsubscribe(world, AINO)
    world.wait(days=1)
    assert world.woo.customers == {}
    assert [row["status"] for row in told(world, WOO)] == [EffectStatus.SENT]
    with world.kiitos.store.work.read() as tx:
        state, _ = consents.state(tx, WOO, ADDRESS, Channel.EMAIL, Purpose.MARKETING)
    assert str(state) == "withdrawn", "with us it holds all the same"

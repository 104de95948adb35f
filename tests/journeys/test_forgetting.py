"""Forgotten means everywhere: a byte search over databases, write-ahead logs and log lines finds nothing of them."""

from __future__ import annotations

import io
import json
import logging
import re
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from connector.app import create_app
from connector.model import EventKind, ShopStatus
from connector.privacy import Privacy
from connector.store import inbox, people, privacy, shops
from connector.store.packing import pack
from connector.testing.demo.mailbox import read_mail
from connector.testing.demo.scenario import JAM, MONDAY, MUG, SOCKS, review_by_form
from connector.testing.fakes.people import Buyer
from connector.testing.world import SHOPIFY, WOO, World

HILJA = Buyer(
    first_name="Hiljatar",
    last_name="Unohdettu-Öster",
    email="Hiljatar.Unohdettu@example.test",
    phone="+358409998877",
    city="Kuvitelmankylä",
    address="Unhonkuja 77 Z",
    postcode="99981",
    accepts_marketing=True,
)
MUISTO = Buyer(first_name="Muistolampi", last_name="Pysyvä", email="muistolampi@example.test", address="Jäävänkatu 5")
REVIEW = "Erittäin unohtumaton muki"
WORDS = ("hiljatar", "unohdettu", "unhonkuja", "kuvitelmankylä", "409998877", "unohtumaton", "öster")


def needles() -> list[bytes]:
    """Each word as UTF-8 in three spellings of case, and as JSON escapes."""
    found = set()
    for word in WORDS:
        for spelled in (word, word.capitalize(), word.upper()):
            found |= {spelled.encode(), json.dumps(spelled)[1:-1].encode()}
    return sorted(found)


def traces(folder: Path, wanted: list[bytes]) -> list[str]:
    """`file: needle` for each needle in each file under the folder."""
    return [
        f"{path.name}: {needle!r}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("-shm")
        for needle in wanted
        if needle in path.read_bytes()
    ]


def packed_bodies(world: World, shop_id: str) -> list[bytes]:
    """The middle of each compressed body that tells of the person: what a byte search for words cannot see."""
    with world.kiitos.store.inbox.read() as tx:
        found = inbox.of_shop(tx, shop_id, 0, 10_000)
    told = [delivery.body for delivery in found if any(needle in delivery.body for needle in needles())]
    return [pack(body)[1][40:120] for body in told if pack(body)[0]]


def lived(world: World) -> None:
    """Both people bought a mug; both were asked, and one wrote a review and was invited to refer."""
    for buyer in (HILJA, MUISTO):
        order = world.shopify.place_order([(MUG, 1)], buyer)
        world.wait(hours=1)
        parcel = world.shopify.fulfill(order)
        world.wait(days=2)
        world.shopify.carrier_event(parcel, "delivered")
        world.deliver()
    world.until(MONDAY + timedelta(days=16))
    review_by_form(world, HILJA, 5, REVIEW)
    world.wait(days=12)


@pytest.fixture
def spoken(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    caplog.set_level(logging.DEBUG)
    return lambda: "\n".join(record.getMessage() + str(record.__dict__) for record in caplog.records)


def test_shopify_redaction_reaches_every_byte(world: World, spoken: Callable[[], str]) -> None:
    lived(world)
    customer = next(c for c in world.shopify.customers.values() if c["email"] == HILJA.email)
    packed = packed_bodies(world, SHOPIFY)
    wanted = needles() + packed
    assert len(packed) >= 3
    before = traces(world.folder, wanted)
    assert {line.split(":")[0].removesuffix("-wal") for line in before} == {"kiitos.db", "inbox.db"}  # the control

    world.shopify.redact_customer(customer)
    world.until(world.clock.now() + timedelta(minutes=5))

    with world.kiitos.store.work.read() as tx:
        request = next(r for r in privacy.trail(tx, SHOPIFY) if r.kind == privacy.ERASE_CUSTOMER)
    assert (request.status, request.source, dict(request.subject)) == ("done", "webhook", {})
    assert request.done_at is not None
    assert request.done_at - request.received_at < timedelta(minutes=5)
    assert request.counts["orders"] == 1
    assert request.counts["deliveries"] >= 3
    assert traces(world.folder, wanted) == []
    assert not [needle for needle in needles() if needle.decode() in spoken()]
    assert traces(world.folder, [b"muistolampi@example.test"])  # the neighbour is still there


def test_without_the_scrubbing_the_files_still_tell(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above: rows are gone, and the write-ahead log remembers them."""
    lived(world)
    for database in (world.kiitos.store.work, world.kiitos.store.inbox):
        monkeypatch.setattr(database, "scrub", lambda: True)
    Privacy(world.kiitos).ask(SHOPIFY, privacy.ERASE_CUSTOMER, "command", {"email": str(HILJA.email)})
    world.until(world.clock.now() + timedelta(minutes=5))
    assert traces(world.folder, needles())


def test_nothing_brings_the_forgotten_back(world: World) -> None:
    lived(world)
    order = next(o for o in world.shopify.orders.values() if o["email"] == HILJA.email)
    hands = Privacy(world.kiitos)
    hands.ask(SHOPIFY, privacy.ERASE_CUSTOMER, "command", {"email": str(HILJA.email)})
    world.until(world.clock.now() + timedelta(minutes=5))
    mails = len(world.sink.to(str(HILJA.email)))

    world.shopify.edit_order(order, note="a late change, with everything in it")
    world.until(world.clock.now() + timedelta(days=40))

    assert len(world.sink.to(str(HILJA.email))) == mails
    with world.kiitos.store.work.read() as tx:
        assert not people.find(tx, SHOPIFY, email=HILJA.email).orders
        assert {request.status for request in privacy.trail(tx, SHOPIFY)} == {"done"}
    assert traces(world.folder, needles()) == []


def test_who_comes_back_hears_of_the_new_order_and_of_nothing_else(world: World) -> None:
    lived(world)
    Privacy(world.kiitos).ask(SHOPIFY, privacy.ERASE_CUSTOMER, "command", {"email": str(HILJA.email)})
    world.until(world.clock.now() + timedelta(minutes=5))
    mails = len(world.sink.to(str(HILJA.email)))

    order = world.shopify.place_order([(MUG, 1)], HILJA)
    world.wait(hours=1)
    parcel = world.shopify.fulfill(order)
    world.wait(days=2)
    world.shopify.carrier_event(parcel, "delivered")
    world.until(world.clock.now() + timedelta(days=40))

    new = [read_mail(0, mail).subject for mail in world.sink.to(str(HILJA.email))[mails:]]
    assert len(new) == 3, new  # confirmation, shipped, delivered: no review request, no invitation


def test_a_data_request_is_gathered_for_the_owner(world: World) -> None:
    lived(world)
    customer = next(c for c in world.shopify.customers.values() if c["email"] == HILJA.email)
    world.shopify.request_data(customer)
    world.until(world.clock.now() + timedelta(minutes=5))

    with world.kiitos.store.work.transaction() as tx:
        request = next(r for r in privacy.trail(tx, SHOPIFY) if r.kind == privacy.EXPORT)
        content = privacy.fetch_export(tx, SHOPIFY, request.id, world.clock.now(), "test")
        routes = [route for _, route in privacy.accesses(tx, SHOPIFY, request.id)]
    assert request.status == "done"
    assert content is not None
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = set(archive.namelist())
        text = archive.read("data.json").decode()
    known = json.loads(text)["data"]
    assert {"data.json", "orders.csv", "effect_contents.csv", "reviews.csv", "consents.csv", "deliveries.csv"} <= names
    assert REVIEW in text
    assert str(HILJA.address) in text
    assert str(MUISTO.email) not in text
    assert {row["kind"] for row in known["events"]} >= {EventKind.ORDER_CREATED, EventKind.REVIEW_SUBMITTED}
    assert routes == ["test"]

    mails = [read_mail(number, kept) for number, kept in enumerate(world.sink.messages)]
    letter = next(mail for mail in mails if "the data a customer asked for" in mail.subject)
    address = urlsplit(re.findall(r"https?://\S+/p/data/\w+", letter.text)[0]).path
    page = create_app(world.kiitos).test_client()
    assert "Download" in page.get(address).text
    assert page.post(address).data == content
    with world.kiitos.store.work.read() as tx:
        assert [route for _, route in privacy.accesses(tx, SHOPIFY, request.id)] == ["test", "page"]

    world.until(world.clock.now() + timedelta(days=31))
    assert page.get(address).status_code == page.post(address).status_code == 404
    with world.kiitos.store.work.transaction() as tx:
        assert privacy.fetch_export(tx, SHOPIFY, request.id, world.clock.now(), "late") is None


def test_woo_by_command_and_only_that_shop(world: World) -> None:
    for _ in range(2):
        order = world.woo.place_order([(JAM, 1), (SOCKS, 1)], HILJA)
        world.wait(days=1)
        world.woo.set_status(order, "completed")
        world.deliver()
    world.shopify.place_order([(MUG, 1)], HILJA)
    world.wait(days=1)

    Privacy(world.kiitos).ask(WOO, privacy.ERASE_CUSTOMER, "command", {"email": str(HILJA.email)})
    world.until(world.clock.now() + timedelta(minutes=5))

    with world.kiitos.store.work.read() as tx:
        assert not people.find(tx, WOO, email=HILJA.email).orders
        assert len(people.find(tx, SHOPIFY, email=HILJA.email).orders) == 1
    with world.kiitos.store.inbox.read() as tx:
        told = [d for d in inbox.of_shop(tx, WOO, 0, 1000) if any(needle in d.body for needle in needles())]
    assert told == []


def test_the_whole_shop_is_forgotten_and_its_neighbour_is_not(world: World) -> None:
    lived(world)
    world.woo.place_order([(JAM, 1)], MUISTO)
    world.wait(hours=1)
    world.shopify.uninstall()
    world.wait(days=2)
    packed = packed_bodies(world, SHOPIFY)
    world.shopify.redact_shop()
    world.until(world.clock.now() + timedelta(minutes=5))

    assert traces(world.folder, needles() + packed) == []
    with world.kiitos.store.work.read() as tx:
        shop = shops.get(tx, SHOPIFY)
        assert shop is not None
        assert shop.status is ShopStatus.UNINSTALLED
        assert shops.secrets(tx, world.kiitos.vault, SHOPIFY) == {}
        assert people.find(tx, WOO, email=MUISTO.email).orders
        kinds = [(r.kind, r.status) for r in privacy.trail(tx, SHOPIFY)]
    assert (privacy.ERASE_SHOP, "done") in kinds


def test_woo_the_eraser_of_the_shop_itself_is_heeded(world: World) -> None:
    """WooCommerce sends no compliance topic: the order comes back with `[deleted]` for its names."""
    first = world.woo.place_order([(JAM, 1)], HILJA)
    world.woo.place_order([(SOCKS, 1)], HILJA)
    world.wait(days=1)
    for part in ("billing", "shipping"):
        first[part] = {name: "[deleted]" if value else "" for name, value in first[part].items()}
    first["billing"]["email"] = "deleted@site.invalid"
    world.woo.set_status(first, "completed")
    world.until(world.clock.now() + timedelta(minutes=5))

    with world.kiitos.store.work.read() as tx:
        asked = [(request.source, request.status) for request in privacy.trail(tx, WOO)]
        assert not people.find(tx, WOO, email=HILJA.email).orders
    assert asked == [("webhook", "done")]
    assert traces(world.folder, needles()) == []

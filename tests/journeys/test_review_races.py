"""What becomes of a review while the shop is told of it, before its time has come, and when it came from a file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta

import pytest
import requests

from connector import privacy
from connector.contracts import Access, ReviewRequest
from connector.lists.review_import import take_in
from connector.store import privacy as asked_for
from connector.store import reviews
from connector.testing.demo.scenario import JAM, LIISA, MONDAY, MUG, SOCKS, TENT
from connector.testing.fakes.people import BEANS
from connector.testing.world import WOO, World
from flows.reviews import reviewing
from platforms.woocommerce.opinions import Opinions
from tests.journeys.conftest import Worlds
from tests.journeys.reviewing import form_of, of_product, picture, products_in, shown, write

LINK = "Katso www.example.com!"
"""Words that are held until a person looked."""


def in_shop(world: World) -> dict[str, list[str]]:
    """What the shop shows, by product."""
    found: dict[str, list[str]] = {}
    for row in world.woo.reviews.values():
        found.setdefault(str(row["product_id"]), []).append(str(row["review"]).partition("\n")[0])
    return found


def approve(world: World, review: str) -> None:
    with world.kiitos.store.work.transaction() as tx:
        row = reviews.get(tx, WOO, review)
        assert row is not None
        assert reviewing.show(tx, world.kiitos.runner, WOO, row, "Sanna", world.clock.now())


def test_it_changes_while_the_shop_is_being_told(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Edited or taken back, just before or after the shop has it: in the end the shop has what its author wants."""
    world = worlds(reviews={"publish_after": "24h"})
    order = world.woo.place_order([(each, 1) for each in (JAM, SOCKS, MUG, TENT, BEANS)], LIISA)
    world.woo.add_tracking(order, "JJFI65300000000000001")
    world.woo.set_status(order, "completed")
    world.until(MONDAY + timedelta(days=15))
    form = form_of(world, LIISA)
    bought = products_in(form)
    fields = {f"rating-{product}": "4" for product in bought} | {f"text-{product}": LINK for product in bought}
    fields[f"text-{bought[4]}"] = "Ilman linkkejä."
    assert write(world, form, fields) == 200
    held = {product: of_product(world, WOO, product)[0] for product in bought}
    assert [row.state for row in held.values()] == ["held"] * 4 + ["published"]
    assert in_shop(world) == {}, "held, or before its time"

    def edit(product: str) -> None:
        row = {"do": "edit", "review": held[product].id, f"rating-{product}": "2", f"text-{product}": "Toisin sanoin."}
        requests.post(form, data=row, timeout=30)

    def withdraw(product: str) -> None:
        requests.post(form, data={"do": "withdraw", "review": held[product].id}, timeout=30)

    before: dict[str, Callable[[str], None]] = {bought[0]: edit, bought[1]: withdraw}
    after: dict[str, Callable[[str], None]] = {bought[2]: edit, bought[3]: withdraw}
    told = Opinions.publish_review

    def publish(self: Opinions, access: Access, request: ReviewRequest) -> str:
        if (first := before.pop(request.product_id, None)) is not None:
            first(request.product_id)
        made = told(self, access, request)
        if (then := after.pop(request.product_id, None)) is not None:
            then(request.product_id)
        return made

    monkeypatch.setattr(Opinions, "publish_review", publish)
    for product in bought[:4]:
        approve(world, held[product].id)
    world.wait(hours=1)
    assert (before, after) == ({}, {}), "each changed while it was under way"
    world.wait(hours=25)
    assert in_shop(world) == {product: ["Toisin sanoin."] for product in (bought[0], bought[2])} | {
        bought[4]: ["Ilman linkkejä."]
    }
    with world.kiitos.store.work.read() as tx:
        kept = {row.product_id: row for row in reviews.every(tx, WOO)}
    assert [(kept[each].pushed == kept[each].revision, bool(kept[each].platform_id)) for each in bought] == [
        (True, True), (False, False), (True, True), (False, False), (True, True)
    ]  # fmt: skip


FILE = """product_id,rating,title,body,review_date,reviewer_name,reviewer_email,curated,reply
{jam},5,Hyvä,Maistui kaikille.,2026-01-02 10:12:00 UTC,Pekka Laine,pekka@example.fi,ok,Kiitos!
{jam},1,,Liian makea.,2026-01-03 10:12:00 UTC,Hilla,hilla@example.fi,ok,
{jam},4,,Piilossa jo siellä.,2026-01-04 10:12:00 UTC,Olli,olli@example.fi,spam,
"""


def test_what_came_from_a_file_is_written_into_the_shop_when_asked_for_alone(worlds: Worlds) -> None:
    """Whatever the stars; what was hidden stays so, and the same file again, with or without, changes nothing."""
    world = worlds()
    jam = str(world.woo.place_order([(JAM, 1)], LIISA)["line_items"][0]["product_id"])
    world.deliver()

    def take(text: str, *, publish: bool) -> tuple[int, int]:
        told = take_in(world.kiitos, WOO, io.StringIO(text), "judgeme", dry_run=False, publish=publish)
        assert told.bad == []
        world.wait(minutes=10)
        return told.kept, told.there

    head, first, *others = FILE.format(jam=jam).splitlines(keepends=True)
    assert take(head + first, publish=False) == (1, 0)
    assert in_shop(world) == {}, "the shop may have it already"
    whole = head + first + "".join(others)
    assert take(whole, publish=True) == (2, 1)
    assert in_shop(world) == {jam: ["Liian makea."]}, "the one that was taken in without stays ours"
    assert [row["rating"] for row in world.woo.reviews.values()] == [1]
    assert (take(whole, publish=True), in_shop(world)) == ((0, 3), {jam: ["Liian makea."]})
    page = shown(world, WOO, jam).text
    assert ("Maistui kaikille." in page, "Piilossa" in page) == (True, False)


def test_photos_are_given_to_their_owner_and_forgotten_with_them(worlds: Worlds) -> None:
    world = worlds()
    order = world.woo.place_order([(JAM, 1)], LIISA)
    world.woo.add_tracking(order, "JJFI65300000000000001")
    world.woo.set_status(order, "completed")
    world.until(MONDAY + timedelta(days=15))
    form = form_of(world, LIISA)
    (jam,) = products_in(form)
    sent = {f"rating-{jam}": "4", f"text-{jam}": "Kuvan kanssa."}
    assert write(world, form, sent, {f"photos-{jam}": [picture(), picture("red")]}) == 200
    (there,) = world.woo.reviews.values()
    addresses = [line for line in there["review"].splitlines() if "/p/photo/" in line]
    assert [requests.get(address, timeout=10).status_code for address in addresses] == [200, 200]

    who = {"email": str(LIISA.email)}
    request = privacy.Privacy(world.kiitos).ask(WOO, asked_for.EXPORT, privacy.COMMAND, who)
    assert request is not None
    world.wait(minutes=10)
    with world.kiitos.store.work.transaction() as tx:
        content = asked_for.fetch_export(tx, WOO, request.id, world.clock.now(), "command")
    assert content is not None
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        pictures = [archive.read(name) for name in archive.namelist() if name.startswith("photos/")]
        told = json.loads(archive.read("data.json"))["data"]
    assert [each[:3] for each in pictures] == [b"\xff\xd8\xff"] * 2
    assert sorted(row["photo_id"] for row in told["review_photos"]) == sorted(each[-32:] for each in addresses)
    assert [row["body"] for row in told["reviews"]] == ["Kuvan kanssa."]
    assert [row["product_id"] for row in told["review_asks"]] == [jam], "and what they were asked about"

    privacy.Privacy(world.kiitos).ask(WOO, asked_for.ERASE_CUSTOMER, privacy.COMMAND, who)
    world.wait(minutes=10)
    assert [requests.get(address, timeout=10).status_code for address in addresses] == [404, 404]
    assert (in_shop(world), of_product(world, WOO, jam)) == ({}, [])
    with world.kiitos.store.work.read() as tx:
        left = tx._cursor.execute("SELECT (SELECT COUNT(*) FROM review_photos) + (SELECT COUNT(*) FROM review_asks)")
        assert left.fetchone()[0] == 0

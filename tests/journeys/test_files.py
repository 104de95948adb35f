"""A file of the order's own goes with its message: fetched before, waited for a little, done without in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from connector.config.enclosures import LARGEST, read_enclosures
from connector.explaining.explain import explain
from connector.model import Enclosure
from connector.testing.demo.scenario import JAM, LIISA, MONDAY
from connector.testing.fakes.web import LoopbackServer, Request, Response
from connector.testing.world import WOO, World
from flows.render.enclosing import address_of, with_files
from tests.render.test_enclosing import VIEW

PDF = b"%PDF-1.7\nan invoice\n%%EOF\n"


class Invoices:
    """What the shop has made so far, by path."""

    def __init__(self) -> None:
        self.made: dict[str, bytes] = {}
        self.otherwise: bytes | None = None
        self.asked: list[str] = []
        self.server = LoopbackServer(self._answer)

    def _answer(self, request: Request) -> Response:
        self.asked.append(request.path)
        found = self.made.get(request.path, self.otherwise)
        return Response(404, b"not yet") if found is None else Response(200, found, "application/pdf")


@pytest.fixture
def invoices() -> Iterator[Invoices]:
    found = Invoices()
    found.server.start()
    yield found
    found.server.stop()


@pytest.fixture
def world(worlds: Callable[..., World], invoices: Invoices) -> World:
    table = {
        "url": invoices.server.url + "/invoices/{order.id}.pdf",
        "name": "Lasku.pdf",
        "templates": ["order_confirmation"],
        "private_addresses": True,
    }
    return worlds(MONDAY, attachments={"invoice": table})


def attached(world: World) -> list[tuple[str | None, bytes]]:
    (kept,) = world.sink.messages
    mail = message_from_bytes(kept.content, policy=policy.default)
    return [(part.get_filename(), part.get_content()) for part in mail.iter_attachments()]


def test_the_invoice_goes_with_the_confirmation(world: World, invoices: Invoices) -> None:
    invoices.otherwise = PDF
    order = world.woo.place_order([(JAM, 1)], LIISA)
    world.wait(minutes=1)
    assert attached(world) == [("Lasku.pdf", PDF)]
    assert invoices.asked == [f"/invoices/{order['id']}.pdf"]


def test_an_invoice_that_is_being_made_is_waited_for(world: World, invoices: Invoices) -> None:
    order = world.woo.place_order([(JAM, 1)], LIISA)
    world.wait(minutes=3)
    assert world.sink.messages == []
    invoices.made[f"/invoices/{order['id']}.pdf"] = PDF
    world.wait(minutes=2)
    assert attached(world) == [("Lasku.pdf", PDF)]


@pytest.mark.parametrize(
    "there", [None, b"<html>log in first</html>", PDF + b"x" * LARGEST], ids=["nothing", "no PDF", "too large"]
)
def test_without_it_the_confirmation_goes_all_the_same(world: World, invoices: Invoices, there: bytes | None) -> None:
    invoices.otherwise = there
    world.woo.place_order([(JAM, 1)], LIISA)
    world.wait(minutes=9)
    assert world.sink.messages == []
    world.wait(minutes=3)
    assert attached(world) == []
    story = explain(world.kiitos.store, WOO, str(LIISA.email))
    assert story is not None
    assert any("Lasku.pdf" in str(line.detail) + line.text for line in story.lines), "and it is told"
    assert len(invoices.asked) <= 12, "a shop without invoices is not hammered"


def test_no_order_leads_to_another_place() -> None:
    assert VIEW.order is not None
    where = Enclosure(name="i.pdf", templates=("a",), url="https://shop.example/i/{order.id}/{order.number}.pdf")
    sly = replace(VIEW.order, id="../../admin?x=", number="#1/..#")
    assert address_of(where, sly) == "https://shop.example/i/..%2F..%2Fadmin%3Fx%3D/1%2F..%23.pdf"


def test_what_was_fetched_for_one_shop_is_no_others() -> None:
    """One may name an address in the operator's own network."""
    assert VIEW.order is not None
    named = Enclosure(name="i.pdf", templates=("a",), url="https://shop.example/{order.id}.pdf")
    files = {("one", address_of(named, VIEW.order)): PDF}
    assert [each.content for each in with_files([named], "one", VIEW.order, files)] == [PDF]
    assert with_files([named], "other", VIEW.order, files) == ()


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"url": "http://shop.example/{order.id}.pdf"}, "should begin with https://"),
        ({"url": "https://shop.example/{order.nubmer}.pdf"}, "no place {order.nubmer}"),
        ({"url": "https://{order.id}.example/i.pdf"}, "names no order after the host"),
        ({"url": "https://shop.example/{order.id}", "name": "invoice.exe"}, "should end with one of"),
        ({"url": "https://shop.example/{order.id}.pdf", "file": "terms.pdf"}, "exactly one of"),
    ],
)
def test_a_wrong_address_is_named(tmp_path: Path, table: dict[str, Any], fault: str) -> None:
    faults: list[str] = []
    read_enclosures(tmp_path, {"invoice": {"templates": ["order_confirmation"], **table}}, "defaults", faults)
    assert any(fault in line for line in faults), faults

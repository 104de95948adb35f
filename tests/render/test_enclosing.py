"""What a message carries beside its text: JSON-LD for mail programs, files, calendar entries."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from connector.config.enclosures import read_enclosures
from connector.model import Enclosure, Purpose
from flows.render.headers import headers_for
from flows.render.jsonld import markup_of, with_markup
from flows.render.renderer import Rendered, Renderer
from flows.render.samples import samples

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
RENDERER = Renderer()
VIEW = replace(samples()["five_lines"], locale="en")
PICKUP = Enclosure(name="pickup.ics", templates=("order_confirmation",), calendar="{{ order.attributes['Pick-up'] }}")


def rendered(view: Any = VIEW, template: str = "order_confirmation", **more: Any) -> Rendered:
    headers = headers_for(view.purpose, view.shop, view.links.get("unsubscribe"))
    return RENDERER.render(
        template, view, key="k1", sender="A <a@shop.example>", reply_to=None, recipient="b@example.com",
        recipient_name="B", headers=headers, at=AT, **more,
    )  # fmt: skip


def told(html: str) -> dict[str, Any]:
    return json.loads(re.findall(r'<script type="application/ld\+json">(.*?)</script>', html)[0])


def body(made: Rendered) -> str:
    parts = [part for part in message_from_bytes(bytes(made.mime_bytes)).walk() if part.get_content_subtype() == "html"]
    return parts[0].get_payload(decode=True).decode()


def test_an_order_is_told_to_mail_programs_only_where_it_is_switched_on() -> None:
    assert "ld+json" not in body(rendered())
    table = told(body(rendered(markup=True)))
    assert table["@type"] == "Order"
    assert table["orderNumber"] == "#1042"
    assert table["merchant"]["name"] == "Aamu & Ilta"
    assert (table["price"], table["priceCurrency"]) == ("191.15", "EUR")
    assert len(table["acceptedOffer"]) == 5
    assert table["orderStatus"] == "http://schema.org/OrderProcessing"


def test_a_parcel_is_told_with_what_gmail_requires() -> None:
    table = told(body(rendered(template="shipment_shipped", markup=True)))
    assert table["@type"] == "ParcelDelivery"
    assert table["carrier"]["name"] == "Posti"
    wanted = {"streetAddress", "addressLocality", "addressRegion", "addressCountry", "postalCode", "name"}
    assert wanted <= table["deliveryAddress"].keys()
    assert table["partOfOrder"]["orderNumber"] == "#1042"
    assert markup_of(samples()["guest"], "shipment_shipped") is None  # no carrier, no address


def test_advertising_never_carries_it() -> None:
    view = replace(VIEW, purpose=Purpose.REVIEW)
    assert "ld+json" not in body(rendered(view, "review_request", markup=True))
    assert with_markup("<p>x</p>", view, "order_confirmation") == "<p>x</p>"


def test_nothing_breaks_out_of_it() -> None:
    html = with_markup("<body></body>", samples()["hostile"], "order_confirmation")
    assert html.count("<script") == 1
    assert html.count("</script>") == 1
    assert "<script>alert(1)</script>" in told(html)["orderNumber"]
    assert "javascript:" not in html


def test_a_file_goes_with_the_messages_it_is_for() -> None:
    pdf = bytes(range(256)) * 40
    terms = Enclosure(name="Ehdot ä.pdf", templates=("order_confirmation",), media_type="application/pdf", content=pdf)
    made = rendered(enclosures=(terms,))
    message = message_from_bytes(bytes(made.mime_bytes))
    assert message.get_content_type() == "multipart/mixed"
    forms, attached = message.get_payload()
    assert [part.get_content_subtype() for part in forms.get_payload()] == ["plain", "html"]
    assert attached.get_filename() == "Ehdot ä.pdf"
    assert attached.get_payload(decode=True) == pdf
    assert max(len(line) for line in bytes(made.mime_bytes).split(b"\r\n")) <= 998
    assert rendered(enclosures=(terms,)).mime_bytes == made.mime_bytes
    other = message_from_bytes(bytes(rendered(template="order_refunded", enclosures=(terms,)).mime_bytes))
    assert other.get_content_type() == "multipart/alternative"


def pickup(at: str) -> tuple[str, str]:
    assert VIEW.order is not None
    view = replace(VIEW, order=replace(VIEW.order, attributes=(("Pick-up", at),)))
    made = rendered(view, enclosures=(PICKUP,))
    files = [part for part in message_from_bytes(bytes(made.mime_bytes)).walk() if part.get_filename()]
    return files[0].get_payload(decode=True).decode() if files else "", made.fault


def test_a_pick_up_time_becomes_a_calendar_entry() -> None:
    entry, fault = pickup("2026-11-24T16:00")
    assert fault == ""
    assert entry.startswith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")
    assert "DTSTART:20261124T140000Z\r\nDTEND:20261124T150000Z" in entry  # Helsinki is two hours before UTC
    assert "SUMMARY:Aamu & Ilta #1042" in entry
    assert "LOCATION:Aamu & Ilta Oy\\, Esimerkkikatu 1\\, " in entry.replace("\r\n ", "")
    assert all(len(line.encode()) <= 75 for line in entry.split("\r\n"))
    moved, _ = pickup("2026-11-25T16:00+02:00")
    assert re.findall("UID:.*", moved) == re.findall("UID:.*", entry)


def test_without_a_time_there_is_no_entry_and_the_message_goes_out() -> None:
    assert rendered(enclosures=(PICKUP,)).fault == ""
    entry, fault = pickup("tomorrow")
    assert entry == ""
    assert "calendar should give a time such as 2026-11-24T16:00" in fault


def test_settings_of_attachments_are_checked(tmp_path: Path) -> None:
    (tmp_path / "terms.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "big.pdf").write_bytes(b"x" * (3 << 20))
    faults: list[str] = []
    sent = ["order_confirmation"]
    tables = {
        "terms": {"file": "terms.pdf", "templates": sent},
        "none": {"file": "nowhere.pdf", "templates": sent},
        "big": {"file": "big.pdf", "templates": sent},
        "odd": {"file": "terms.exe", "templates": sent},
        "both": {"file": "terms.pdf", "calendar": "x", "templates": sent},
        "whom": {"file": "terms.pdf"},
        "slip": {"fiel": "terms.pdf", "templates": sent, "calendar": "x"},
        "long": {"calendar": "x", "hours": 1000, "templates": sent},
        "named": {"file": "terms.pdf", "name": "../x\r\nBcc: y", "templates": sent},
    }
    found = read_enclosures(tmp_path, tables, "defaults", faults)
    assert [(each.name, each.media_type, each.content) for each in found] == [
        ("terms.pdf", "application/pdf", b"%PDF-1.7")
    ]
    assert sorted({fault.split(".")[2].split(":")[0] for fault in faults}) == sorted(tables.keys() - {"terms"})
    assert any("did you mean 'file'?" in fault for fault in faults)
    assert read_enclosures(tmp_path, {"x": 5}, "defaults", faults) == ()


@pytest.mark.parametrize("sample", ["guest", "arabic", "refunded", "free"])
def test_every_kind_of_order_can_be_told(sample: str) -> None:
    html = with_markup("<body></body>", samples()[sample], "order_confirmation")
    assert told(html)["orderNumber"]

"""Letters: the PDF a print house gets, where the address stands, once and never twice, and nothing fetched."""

from __future__ import annotations

import csv
import io
import json
import re
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.clock import ManualClock
from connector.contracts import Accepted, Message, Rejected, Retry
from connector.errors import ConfigError
from connector.model import Address
from flows.channels.letters import Letters
from flows.channels.letters.document import Layout, to_html, window_of
from flows.parcels.postal import address_lines, can_be_written_to
from tests.channels.sftp import sftp_server

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KEY = "0123456789abcdefghjkmnpq"
MM = 25.4 / 96
TOLD: dict[str, Any] = {
    "body": "<h1>Kiitos, Aino</h1><p>Kirje.</p>",
    "lines": ["Aino Mäkinen", "Esimerkkikatu 1 A 2", "00100 HELSINKI"],
    "country": "FI",
    "home": "FI",
    "sender": ["Metsäkauppa", "Keksitie 2", "33100 Tampere"],
    "lang": "fi",
    "dir": "ltr",
    "template": "loyalty_thanks",
    "accent": "#1f5c4d",
}


def message(key: str = KEY, **more: Any) -> Message:
    content = json.dumps({**TOLD, **more}).encode()
    return Message(
        key=key, channel="print", sender="", recipient="aino@example.test", content=content, shop_id="demo-metsa"
    )


def letters(folder: Path, **more: object) -> Letters:
    return Letters.from_settings({"folder": str(folder), **more}, ManualClock(NOW))


def lines_of(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "manifest.csv").read_text("utf-8"))))


def test_a_letter_is_a_file_and_a_line(tmp_path: Path) -> None:
    (outcome,) = letters(tmp_path).send_all([message()])
    assert outcome == Accepted(key=KEY, provider_id=f"{KEY}.pdf")
    pdf = (tmp_path / f"{KEY}.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-")
    (line,) = lines_of(tmp_path)
    assert (line["file"], line["pages"], line["country"]) == (f"{KEY}.pdf", "1", "FI")
    assert line["address"] == "Aino Mäkinen / Esimerkkikatu 1 A 2 / 00100 HELSINKI"
    assert line["shop"] == "demo-metsa"
    assert not list(tmp_path.glob("*.part"))


def test_the_same_key_is_never_printed_twice(tmp_path: Path) -> None:
    channel = letters(tmp_path)
    list(channel.send_all([message()]))
    list(channel.send_all([message(), message("z" * 24)]))
    assert [line["file"] for line in lines_of(tmp_path)] == [f"{KEY}.pdf", f"{'z' * 24}.pdf"]
    for file in (*tmp_path.glob("*.pdf"), tmp_path / "manifest.csv"):
        file.unlink()  # the print house has taken them
    (again,) = letters(tmp_path).send_all([message()])
    assert isinstance(again, Accepted)
    assert not list(tmp_path.glob("*.pdf"))


def test_what_a_crash_left_half_done_is_finished_once(tmp_path: Path) -> None:
    channel = letters(tmp_path)
    list(channel.send_all([message()]))
    (tmp_path / ".sent" / KEY).unlink()
    list(channel.send_all([message()]))
    assert len(lines_of(tmp_path)) == 1
    assert (tmp_path / ".sent" / KEY).exists()


def test_a_spreadsheet_takes_no_name_for_a_formula(tmp_path: Path) -> None:
    list(letters(tmp_path).send_all([message(lines=['=HYPERLINK("http://x.example")', "Katu 1", "00100 HELSINKI"])]))
    (line,) = lines_of(tmp_path)
    assert line["address"].startswith("'=HYPERLINK")


def test_a_folder_that_cannot_be_written_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    found = list(letters(tmp_path / "file").send_all([message(), message("z" * 24)]))
    assert [type(each) for each in found] == [Retry, Retry]


def test_a_letter_of_too_many_pages_is_refused(tmp_path: Path) -> None:
    (outcome,) = letters(tmp_path).send_all([message(body="<p>x</p>" * 400)])
    assert isinstance(outcome, Rejected)
    assert outcome.code == "too_long"
    assert not tmp_path.joinpath("manifest.csv").exists()


def test_nothing_is_fetched_from_the_network_or_the_disk(tmp_path: Path) -> None:
    from connector.testing.fakes.web import LoopbackServer, Request, Response

    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(200, b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml")

    secret = tmp_path / "secret.css"
    secret.write_text("body { color: red }")
    with LoopbackServer(answer) as web:
        body = (
            f'<img src="{web.url}/a.svg"><link rel="stylesheet" href="{web.url}/b.css">'
            f'<link rel="stylesheet" href="{secret.as_uri()}"><style>@import url({web.url}/c.css);</style>'
            f'<object data="{web.url}/d.svg"></object><a rel="attachment" href="{secret.as_uri()}">x</a>'
        )
        (outcome,) = letters(tmp_path / "out").send_all([message(body=body)])
    assert isinstance(outcome, Accepted)
    assert seen == []
    pdf = (tmp_path / "out" / f"{KEY}.pdf").read_bytes()
    assert b"color: red" not in pdf + b"".join(inflated(pdf))


def inflated(pdf: bytes) -> list[bytes]:
    found = []
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            found.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return found


def test_the_configured_logo_is_in_it(tmp_path: Path) -> None:
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="9" height="9"/></svg>')
    assert "data:image/svg+xml;base64," in to_html(TOLD, Layout(logo=logo))
    (outcome,) = letters(tmp_path / "out", logo=str(logo)).send_all([message()])
    assert isinstance(outcome, Accepted)


@pytest.mark.parametrize(
    ("home", "window", "left"),
    [("FI", "", 25), ("DE", "", 25), ("FR", "", 112), ("US", "", 22), ("FR", "left", 25), ("FI", "right", 112)],
)
def test_where_the_window_is(home: str, window: str, left: int) -> None:
    assert window_of(Layout(window=window), home)[0] == left
    place = measured({**TOLD, "home": home}, Layout(window=window))
    assert place[0] == pytest.approx(left, abs=0.5), "millimetres from the left edge of the sheet"
    assert place[1] == pytest.approx(window_of(Layout(window=window), home)[1], abs=0.5)


def measured(told: dict[str, Any], layout: Layout) -> tuple[float, float, float, float]:
    """Where the address stands on the sheet: left, top, right and bottom in millimetres."""
    from weasyprint import HTML

    box = boxes(HTML(string=to_html(told, layout)).render().pages[0]._page_box, "address")
    left, top = box.position_x, box.position_y
    right, bottom = left + box.width, top + box.height
    return (left * MM, top * MM, right * MM, bottom * MM)


def boxes(box: Any, name: str) -> Any:
    if getattr(box, "element", None) is not None and box.element.get("class") == name:
        return box
    return next((found for each in getattr(box, "children", ()) if (found := boxes(each, name)) is not None), None)


@pytest.mark.parametrize("paper", ["A6", "card"])
def test_on_a_card_text_and_address_do_not_meet(paper: str) -> None:
    from weasyprint import HTML

    html = to_html({**TOLD, "body": "<p>" + "Kiitos sinulle. " * 20 + "</p>"}, Layout(paper=paper))
    page = HTML(string=html).render().pages[0]
    address, text = boxes(page._page_box, "address"), boxes(page._page_box, "text")
    beside = text.position_x + text.width <= address.position_x
    below = address.position_y + address.height <= text.position_y
    assert beside or below
    assert (address.position_y + address.height) * MM <= (148 if paper == "A6" else 105)


AINO = Address(
    first_name="Aino", last_name="Mäkinen", lines=("Esimerkkikatu 1",), postcode="00100", city="Helsinki", country="FI"
)


@pytest.mark.parametrize(
    ("change", "home", "wanted"),
    [
        ({}, "FI", ["Aino Mäkinen", "Esimerkkikatu 1", "00100 HELSINKI"]),
        ({}, "DE", ["Aino Mäkinen", "Esimerkkikatu 1", "00100 HELSINKI", "FINNLAND"]),
        ({"company": "Oy Ab"}, "FI", ["Aino Mäkinen", "Oy Ab", "Esimerkkikatu 1", "00100 HELSINKI"]),
        (
            {"country": "GB", "city": "Leeds", "postcode": "ls1 4dy"},
            "GB",
            ["Aino Mäkinen", "Esimerkkikatu 1", "LEEDS", "LS1 4DY"],
        ),
        (
            {"country": "US", "city": "Portland", "region": "OR", "postcode": "97201"},
            "US",
            ["Aino Mäkinen", "Esimerkkikatu 1", "PORTLAND OR 97201"],
        ),
        (
            {"country": "DE", "city": "Berlin", "postcode": "10115"},
            "DE",
            ["Aino Mäkinen", "Esimerkkikatu 1", "10115 Berlin"],
        ),
        (
            {
                "country": "JP",
                "first_name": "花子",
                "last_name": "山田",
                "region": "東京都",
                "city": "千代田区",
                "postcode": "100-0001",
                "lines": ("千代田1-1",),
            },
            "JP",
            ["〒100-0001", "東京都千代田区", "千代田1-1", "山田 花子 様"],
        ),
    ],
)
def test_how_an_address_is_written(change: dict[str, Any], home: str, wanted: list[str]) -> None:
    assert address_lines(replace(AINO, **change), home, home_locale(home)) == wanted


def home_locale(home: str) -> str:
    return {"FI": "fi", "DE": "de", "JP": "ja"}.get(home, "en")


def test_what_no_letter_would_reach() -> None:
    assert can_be_written_to(AINO)
    assert not can_be_written_to(None)
    assert not can_be_written_to(replace(AINO, lines=("  ",)))
    assert not can_be_written_to(replace(AINO, city=None))


def test_over_sftp_to_a_server_whose_key_is_known(tmp_path: Path) -> None:
    with sftp_server(tmp_path) as server:
        channel = Letters.from_settings(server.settings, ManualClock(NOW))
        found = list(channel.send_all([message(), message("z" * 24), message()]))
        channel.close()
    assert [type(each) for each in found] == [Accepted] * 3
    out = tmp_path / "out"
    assert sorted(path.name for path in out.glob("*.pdf")) == [f"{KEY}.pdf", f"{'z' * 24}.pdf"]
    assert (out / f"{KEY}.pdf").read_bytes().startswith(b"%PDF-")
    assert [line["file"] for line in lines_of(out)] == [f"{KEY}.pdf", f"{'z' * 24}.pdf"]
    assert not list(out.rglob("*.part"))


def test_a_server_with_another_key_gets_nothing(tmp_path: Path) -> None:
    with sftp_server(tmp_path) as server:
        wrong = {**server.settings, "host_key": server.another_key}
        channel = Letters.from_settings(wrong, ManualClock(NOW))
        (outcome,) = channel.send_all([message()])
        channel.close()
        assert server.sign_ins == 0, "not even the password"
    assert isinstance(outcome, Retry)
    assert not list((tmp_path / "out").rglob("*"))


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ({}, "folder: set either folder or host"),
        ({"folder": "x", "host": "y"}, "folder: set either folder or host"),
        ({"folder": "x", "paper": "A44"}, "paper: no paper 'A44'; did you mean 'A4'"),
        ({"folder": "x", "window": "top"}, "window: should be left or right"),
        ({"folder": "x", "logo": "no-such.png"}, "logo: there is no such file"),
        ({"host": "h", "username": "u", "password": "p"}, "host_key: missing"),
        ({"host": "h", "username": "u", "password": "p", "host_key": "AAAA"}, "host_key: should be a line"),
        ({"host": "h", "username": "u", "host_key": "ssh-ed25519 AAAA"}, "password: set password or key_file"),
        ({"host": "h", "username": "u", "password": "p", "host_key": "ssh-ed25519 AAAA"}, "host_key: cannot be read"),
    ],
)
def test_a_wrong_setting_is_named(table: dict[str, object], where: str) -> None:
    with pytest.raises(ConfigError, match=where):
        Letters.from_settings(table, ManualClock(NOW))


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.channels.letters.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"letters need weasyprint and paramiko; install kiitos\[print\]"):
        Letters.from_settings({"folder": "x"}, ManualClock(NOW))

"""Recordings, golden files and damaged bodies: the kit's own tools."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.model import Customer, Event, Money, Ref, Refund
from connector.testing import find_recordings, golden, golden_update_allowed
from connector.testing.mutation import SENTINEL, damaged

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def write(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "request.json").write_text(json.dumps({"topic": "t", "headers": {"X-Topic": "t", "X-Id": "1"}}))
    (folder / "body.json").write_bytes(b'{"a": 1}\n')


def test_a_recording_keeps_the_bytes_and_lowers_the_headers(tmp_path: Path) -> None:
    write(tmp_path / "t" / "case")
    (recording,) = find_recordings(tmp_path)
    inbound = recording.inbound({"x-id": None, "x-topic": ["a", "b"], "x-new": "v"})
    assert recording.name == "t/case"
    assert inbound.body == b'{"a": 1}\n'
    assert inbound.headers == {"x-topic": ["a", "b"], "x-new": ["v"]}


def test_an_incomplete_recording_is_not_left_out_in_silence(tmp_path: Path) -> None:
    write(tmp_path / "t" / "case")
    (tmp_path / "t" / "case" / "body.json").unlink()
    with pytest.raises(FileNotFoundError):
        find_recordings(tmp_path)


def test_a_golden_says_each_snapshot_once_and_money_in_words() -> None:
    person = Customer(id="7", email="aino@example.test")
    refund = Refund(id="1", order_id="2", at=AT, amount=Money.parse("9.90", "EUR"))
    events = [
        Event(kind="b", key="k/2", subject=Ref("x", "1"), at=AT, customer=person),
        Event(kind="a", key="k/1", subject=Ref("x", "1"), at=AT, customer=person, refund=refund),
    ]
    first, second = json.loads(golden(events))
    assert first["refund"]["amount"] == "9.90 EUR"
    assert first["customer"] == {"id": "7", "email": "aino@example.test", "deleted": False}
    assert second["customer"] == "as k/1"
    assert "order_id" not in second


@pytest.mark.parametrize(
    ("environ", "allowed"),
    [
        ({}, False),
        ({"KIITOS_UPDATE_GOLDENS": "0"}, False),
        ({"CI": "1"}, False),
        ({"KIITOS_UPDATE_GOLDENS": "1"}, True),
    ],
)
def test_goldens_are_rewritten_only_when_asked(environ: dict[str, str], allowed: bool) -> None:
    assert golden_update_allowed(environ) is allowed


def test_goldens_are_never_rewritten_in_ci() -> None:
    with pytest.raises(RuntimeError, match="CI"):
        golden_update_allowed({"CI": "true", "KIITOS_UPDATE_GOLDENS": "1"})


def test_every_field_is_damaged_in_every_way_and_put_back() -> None:
    body = b'{"a": 1, "list": [{"b": "x"}, {"b": "y"}], "c": {"d": null}}'
    changes = [(what, json.loads(changed)) for what, changed in damaged(body)]
    assert ("a dropped", {"list": [{"b": "x"}, {"b": "y"}], "c": {"d": None}}) in changes
    assert {what.split(" ")[0] for what, _ in changes} == {"a", "list", "list.0", "list.0.b", "c", "c.d"}
    assert any(changed["c"] == {"d": SENTINEL} for what, changed in changes if what.startswith("c.d became"))
    assert all(changed["list"] == [{"b": "x"}, {"b": "y"}] for what, changed in changes if what.startswith("a became"))
    assert list(damaged(b"webhook_id=7")) == []

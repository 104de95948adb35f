"""What the send ledger says after each kind of death, and that nothing leaves that it has not announced."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.clock import ManualClock
from connector.errors import StoreUnavailable
from connector.keeping.forgotten import note_people, note_shop, read_forgotten
from connector.send_ledger import SUFFIX, SendLedger, key_of, read_ledgers
from connector.store.restored import Known
from tests.store.examples import NOW, effect, run

BOOT = "boot-one"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def ledger(tmp_path: Path, clock: ManualClock) -> SendLedger:
    return SendLedger(tmp_path, "w1", clock, boot=BOOT)


def told(folder: Path, boot: str = BOOT, since: datetime = EPOCH) -> dict[str, str]:
    return {f"{one.shop_id}/{one.sent_key}": one.fate.value for one in read_ledgers([folder], since, boot)}


def batch(*names: str) -> dict[str, tuple[str, str]]:
    return {name: ("shop-b" if name.startswith("b") else "shop-a", f"key-{name}") for name in names}


def test_accepted_refused_unknown_and_never_begun(ledger: SendLedger, tmp_path: Path) -> None:
    ledger.begin(batch("a1", "b1", "a2", "a3"))
    for name in ("a1", "b1", "a2"):
        ledger.on_wire(name)
    ledger.accepted("a1")
    ledger.refused("b1")
    assert told(tmp_path) == {"shop-a/key-a1": "sent", "shop-a/key-a2": "doubt"}


def test_of_another_boot_what_was_not_told_is_in_doubt_for_the_last_batch_only(
    ledger: SendLedger, tmp_path: Path
) -> None:
    """A power cut takes the lines after the last fsync: 'not on the wire' is then no knowledge."""
    ledger.begin(batch("a1", "a2"))
    ledger.on_wire("a1")
    ledger.accepted("a1")
    ledger.end()
    ledger.begin(batch("a3", "a4"))
    assert told(tmp_path, boot="another") == {
        "shop-a/key-a1": "sent",
        "shop-a/key-a3": "doubt",
        "shop-a/key-a4": "doubt",
    }
    assert told(tmp_path) == {"shop-a/key-a1": "sent"}


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_line_cut_short_announces_nothing(ledger: SendLedger, tmp_path: Path, cut: int) -> None:
    ledger.begin(batch("a1"))
    ledger.on_wire("a1")
    ledger.accepted("a1")
    (path,) = tmp_path.glob(f"*{SUFFIX}")
    whole = path.read_bytes()
    ledger.begin(batch("a2", "b2"))
    data = path.read_bytes()
    path.write_bytes(data[: max(len(whole), len(data) - cut)])
    assert told(tmp_path)["shop-a/key-a1"] == "sent"
    assert "shop-a/key-a2" not in told(tmp_path, boot="another") or cut == 0


def test_what_cannot_be_announced_is_not_sent(tmp_path: Path, clock: ManualClock) -> None:
    in_the_way = tmp_path / "a-file"
    in_the_way.write_text("")
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        SendLedger(in_the_way, "w1", clock).begin(batch("a1"))


def test_a_disk_that_takes_half_a_line_is_noticed(
    ledger: SendLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.begin(batch("a1"))
    ledger.accepted("a1")
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[: len(data) // 2]))
    with pytest.raises(StoreUnavailable):
        ledger.begin(batch("a2"))
    monkeypatch.undo()
    ledger.begin(batch("a3"))
    ledger.accepted("a3")
    assert told(tmp_path) == {"shop-a/key-a1": "sent", "shop-a/key-a3": "sent"}


def test_it_is_on_the_disk_before_anything_leaves(ledger: SendLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(os, "fdatasync", lambda _fd: order.append("sync"))
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: (order.append(chr(data[0])), write(fd, data))[1])
    ledger.begin(batch("a1", "a2"))
    ledger.on_wire("a1")
    ledger.on_wire("a2")
    ledger.end()
    assert order == ["k", "I", "sync", "w", "w", "."], "not one fsync a batch, before the first byte"


def test_files_change_by_day_and_the_old_ones_go(tmp_path: Path, clock: ManualClock) -> None:
    ledger = SendLedger(tmp_path, "w1", clock, boot=BOOT, keep=timedelta(days=3))
    for _ in range(6):
        ledger.begin(batch("a1"))
        ledger.accepted("a1")
        clock.advance(timedelta(days=1))
    names = sorted(path.name[:8] for path in tmp_path.glob(f"*{SUFFIX}"))
    assert names == [f"{NOW + timedelta(days=day):%Y%m%d}" for day in range(2, 6)]
    assert told(tmp_path, since=NOW + timedelta(days=5)) == {"shop-a/key-a1": "sent"}
    assert told(tmp_path, since=NOW + timedelta(days=6)) == {}


def test_nobody_can_be_read_from_it(ledger: SendLedger, tmp_path: Path) -> None:
    about = run("r1", flow_id="thanks", entry_key="order/4711 aino@example.test")
    key = key_of(b"salt", effect("r1:ask"), about)
    ledger.begin({"m": (about.shop_id, key)})
    (path,) = tmp_path.glob(f"*{SUFFIX}")
    assert b"aino" not in path.read_bytes()
    assert b"4711" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0


def test_the_name_of_an_effect_does_not_depend_on_the_runs_id() -> None:
    one, other = run("r1", flow_id="thanks", entry_key="order/1"), run("r2", flow_id="thanks", entry_key="order/1")
    again = run("r3", flow_id="thanks", entry_key="order/1#2")
    names = [key_of(b"salt", effect(f"{about.id}:ask"), about) for about in (one, other, again)]
    assert names[0] == names[1] != names[2]
    assert key_of(b"other", effect("r1:ask"), one) != names[0]
    assert key_of(b"salt", effect("r1:remind"), one) != names[0]


def test_the_forgotten_are_noted_and_a_cut_line_spoils_no_other(tmp_path: Path) -> None:
    note_people(tmp_path, "shop-a", ["k1", "k2"], NOW)
    path = tmp_path / "forgotten.list"
    path.write_bytes(path.read_bytes()[:-9])  # a power cut in the second line
    note_people(tmp_path, "shop-a", ["k3"], NOW + timedelta(hours=1))
    note_shop(tmp_path, "shop-b", NOW + timedelta(hours=2))
    found = [(one.shop_id, one.key) for one in read_forgotten([tmp_path], EPOCH)]
    assert found == [("shop-a", "k1"), ("shop-a", "k3"), ("shop-b", "")]
    assert [one.key for one in read_forgotten([tmp_path], NOW + timedelta(hours=1))] == ["k3", ""]
    note_people(None, "shop-a", ["k4"], NOW)
    assert Known.SENT.value == "sent"

"""Power cuts under the receiver's own commits: what was acknowledged is there afterwards (promise R2).

KIITOS_CUTS=20000 cuts more often; KIITOS_SEED chooses other moments. The disk is a model (tests/faults/disk.py), the
schema, the statements, the settings and the checkpoints are the product's.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from connector.errors import StoreUnavailable
from connector.store import inbox
from connector.store.db import Sqlite
from connector.store.inbox import NewDelivery
from connector.store.store import Store

from .disk import Disk, on

CUTS = int(os.environ.get("KIITOS_CUTS", "300"))
SEED = int(os.environ.get("KIITOS_SEED", "9"))
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SHORTEST, LONGEST = 20, 340
"""Writes and syncs until the power goes."""


@dataclass(slots=True)
class Tally:
    """What became of many cuts. `losing`: cuts after which something acknowledged was missing; `strange`: rows nobody
    sent; `refused`: files that the product's check at start turned down."""

    cuts: int = 0
    acknowledged: int = 0
    lost: int = 0
    losing: int = 0
    strange: int = 0
    refused: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.cuts} cuts, {self.acknowledged} acknowledged, {self.lost} lost in {self.losing} of the cuts, "
            f"{len(self.refused)} files refused"
        )


def delivery(name: str, body: bytes) -> NewDelivery:
    return NewDelivery(
        shop_id="s", platform="shopify", topic="orders/paid", dedup_key=name, headers={}, body=body, received_at=NOW
    )


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty installation."""
    folder = tmp_path_factory.mktemp("empty")
    Store.open(f"sqlite:///{folder}/work.db").close()
    return folder


def receive(disk: Disk, folder: Path, synchronous: str) -> list[str]:
    """Commit batch after batch, as the receiver's writer does, until the power goes; what was acknowledged."""
    chance = disk.chance
    database = Sqlite(folder / "inbox.db", synchronous=synchronous)
    acknowledged: list[str] = []
    numbers = count()
    try:
        database.set_autocheckpoint(0)
        beside = database.open().conn  # the receiver checkpoints on a connection of its own
        while not disk.out:
            names = [f"d-{next(numbers)}" for _ in range(chance.choice((1, 1, 2, 5, 8)))]
            inbox.append(database, [delivery(name, chance.randbytes(chance.randrange(10, 6000))) for name in names])
            acknowledged += names
            if chance.random() < 0.15:
                beside.execute(f"PRAGMA wal_checkpoint({chance.choice(('PASSIVE', 'PASSIVE', 'RESTART'))})").fetchall()
    except (StoreUnavailable, disk.error):
        assert disk.out
    return acknowledged


def cut_many(template: Path, tmp_path: Path, cuts: int, synchronous: str) -> Tally:
    tally = Tally()
    for number in range(cuts):
        before, after = tmp_path / "before", tmp_path / "after"
        shutil.copytree(template, before)
        shutil.copytree(template, after)
        disk = Disk(SEED * 1_000_003 + number)
        disk.fuse = disk.chance.randrange(SHORTEST, LONGEST)
        with on(disk):
            acknowledged = receive(disk, before, synchronous)
        disk.restore(after)
        tally.cuts += 1
        tally.acknowledged += len(acknowledged)
        _look(tally, after, acknowledged)
        shutil.rmtree(before)
        shutil.rmtree(after)
    return tally


def _look(tally: Tally, folder: Path, acknowledged: list[str]) -> None:
    try:
        store = Store.open(f"sqlite:///{folder}/work.db", migrate=False)
    except StoreUnavailable as refused:
        tally.refused.append(str(refused))
        return
    with store.inbox.read() as tx:
        kept = {found.dedup_key for found in inbox.after(tx, 0, 100_000)}
    store.close()
    missing = set(acknowledged) - kept
    tally.lost += len(missing)
    tally.losing += bool(missing)
    tally.strange += len({name for name in kept if not name.startswith("d-")})


def test_nothing_acknowledged_is_lost(template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = cut_many(template, tmp_path, CUTS, "FULL")
    with capsys.disabled():
        print(f"\npower cuts, FULL: {found}")
    assert (found.lost, found.refused, found.strange) == (0, [], 0), found
    assert found.acknowledged >= 30 * CUTS, "the cuts came too early to say much"


def test_control_normal_loses(template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = cut_many(template, tmp_path, max(CUTS // 10, 20), "NORMAL")
    with capsys.disabled():
        print(f"\npower cuts, NORMAL: {found}")
    assert found.lost > 0
    assert found.refused == [], "NORMAL forgets, and damages nothing"


def test_control_off_damages(template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The model does hurt: without any sync whole files are unusable, and the product's check at start says so."""
    found = cut_many(template, tmp_path, max(CUTS // 10, 20), "OFF")
    with capsys.disabled():
        print(f"\npower cuts, OFF: {found}")
    assert found.lost or found.refused

"""Power cuts under a worker: what comes back of the working database is a state from which every message ends well.

The worker reads deliveries, decides, renders and hands messages over; the power goes at a random write or sync. Its
ledger is of another boot afterwards, so the lease alone decides (docs/reliability.md). KIITOS_WORK_CUTS=300 cuts more
often.
"""

from __future__ import annotations

import os
import random  # noqa: TID251 - seeded cuts
import shutil
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from connector.contracts import Message
from connector.errors import StoreUnavailable
from connector.model import EffectStatus, Purpose
from connector.store.sqlite import Sqlite
from flows.outbox import LEASE
from flows.sending.addressing import derive_token
from tests.kill.product import SHOP

from .disk import Disk, on
from .installation import Counting, Installation

CUTS = int(os.environ.get("KIITOS_WORK_CUTS", "30"))
SEED = int(os.environ.get("KIITOS_SEED", "9"))
ORDERS = 4
PAUSES = 6
"""Leases to wait for: what is repeated waits a little longer than for its own."""


class Dark(BaseException):
    """The machine has no power: nothing leaves it."""


class OnThisDisk(Counting):
    """Sends nothing any more once the disk's power is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.disk: Disk | None = None

    def take(self, message: Message) -> None:
        if self.disk is not None and self.disk.out:
            raise Dark
        super().take(message)


@dataclass(slots=True)
class Tally:
    """What became of many cuts. `repeated`: transactional messages that came twice and are known to be in doubt;
    `faults`: every broken promise, with the cut's number."""

    cuts: int = 0
    messages: int = 0
    repeated: int = 0
    uncertain: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.cuts} cuts {self.messages} messages, "
            f"{self.repeated} transactional ones repeated, {self.uncertain} marketing ones uncertain, "
            f"{len(self.faults)} faults"
        )


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation whose receiver has taken in a few orders."""
    folder = tmp_path_factory.mktemp("received")
    made = Installation(folder, Counting())
    assert set(made.receive(made.orders(ORDERS))) == {200}
    made.close()
    return folder


def work(folder: Path, channel: OnThisDisk, disk: Disk) -> None:
    """Open the product and let a worker do everything that is due, or as much as the power lasts for."""
    channel.disk = disk
    with on(disk):
        try:
            here = Installation(folder, channel)
            here.worker().drain()
        except (StoreUnavailable, disk.error, Dark):
            assert disk.out


def steps(template: Path, scratch: Path) -> int:
    """How many writes and syncs the whole work takes."""
    folder = scratch / "counted"
    shutil.copytree(template, folder)
    disk = Disk(0, fuse=1_000_000)
    channel = OnThisDisk()
    work(folder, channel, disk)
    assert disk.fuse is not None
    assert channel.taken.total() == 2 * ORDERS
    shutil.rmtree(folder)
    return 1_000_000 - disk.fuse


def cut_many(template: Path, tmp_path: Path, cuts: int) -> Tally:
    chance, tally = random.Random(SEED), Tally()
    total = steps(template, tmp_path)
    for number in range(cuts):
        before, after = tmp_path / "before", tmp_path / "after"
        shutil.copytree(template, before)
        shutil.copytree(template, after)
        channel, disk = OnThisDisk(), Disk(SEED * 1_000_003 + number, chance.randrange(1, total + 1))
        work(before, channel, disk)
        disk.restore(after)
        if (before / "kiitos.db-ledger").is_dir():
            shutil.copytree(before / "kiitos.db-ledger", after / "kiitos.db-ledger")
        channel.disk = None
        _go_on(tally, number, after, channel)
        shutil.rmtree(before)
        shutil.rmtree(after)
    return tally


def _go_on(tally: Tally, number: int, folder: Path, channel: OnThisDisk) -> None:
    """Start again on what the disk kept, wait until leases have ended, and judge."""
    tally.cuts += 1
    try:
        again = Installation(folder, channel, boot="two")
    except StoreUnavailable as refused:
        tally.faults.append(f"{number}: {refused}")
        return
    worker = again.worker()
    worker.drain()
    for _ in range(PAUSES):
        again.clock.advance(LEASE + timedelta(seconds=1))
        worker.drain()
    tally.faults += [f"{number}: {fault}" for fault in _judge(tally, again, channel)]
    again.close()


def _judge(tally: Tally, here: Installation, channel: OnThisDisk) -> list[str]:
    found = here.messages(here.orders(ORDERS))
    by_key = Counter(channel.taken)
    faults = [] if len(found) == 2 * ORDERS else [f"{len(found)} messages"]
    faults += [f"deliveries {status}" for status in here.deliveries() if status != "done"]
    for effect in found:
        times = by_key.pop(derive_token(here.kiitos.salt, "message", SHOP, effect.id, length=24), 0)
        tally.messages += 1
        if effect.purpose is Purpose.TRANSACTIONAL:
            tally.repeated += times == 2
            good = effect.status is EffectStatus.SENT and (times == 1 or (times == 2 and effect.tainted))
        else:
            tally.uncertain += effect.status is EffectStatus.UNCERTAIN
            good = times == 1 if effect.status is EffectStatus.SENT else times < 2 and effect.tainted
        if not good:
            faults.append(f"{effect.purpose} {effect.status}, {times} times, tainted {effect.tainted}")
    return faults + [f"a message nobody knows of: {key}" for key in by_key]


def test_every_message_ends_well(template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = cut_many(template, tmp_path, CUTS)
    with capsys.disabled():
        print(f"\npower cuts, working database: {found}")
    assert found.faults == []
    assert min(found.repeated, found.uncertain) > 0, "the cuts must hit a worker that is sending"


def test_control_normal_forgets_what_was_sent(
    template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With NORMAL the intent may vanish after the message has left: it is sent twice and nobody knows."""
    monkeypatch.setitem(Sqlite.__init__.__kwdefaults__, "synchronous", "NORMAL")
    found = cut_many(template, tmp_path, max(CUTS // 2, 15))
    with capsys.disabled():
        print(f"\npower cuts, working database, NORMAL: {found}")
    assert [fault for fault in found.faults if " 2 times, tainted False" in fault], found.faults

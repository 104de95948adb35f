"""What a dead worker had claimed is due at once, on both engines; nothing of a living one's, and nothing twice."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from connector.claims import Claims
from connector.store import Store, deliveries, inbox
from tests.store.examples import NOW, delivery

LEASE = timedelta(seconds=30)
pytestmark = pytest.mark.skipif(os.name != "posix", reason="no file locks: there the lease decides alone")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def claimed(store: Store, claims: Claims, count: int = 3) -> list[deliveries.Claimed]:
    """So many deliveries, leased together and noted."""
    with store.inbox.transaction() as tx:
        inbox.put_many(tx, [delivery(f"d{number}") for number in range(count)])
    batch = deliveries.claim(store, NOW, 100, LEASE)
    assert len(batch) == count
    claims.begin(batch, NOW + LEASE)
    return batch


def die(claims: Claims) -> None:
    """As the system ends a process: its locks are gone, its files stay."""
    os.close(claims._fd)
    claims._fd = -1


def due(store: Store) -> int:
    with store.work.read() as tx:
        at = deliveries.next_due(tx)
    return 0 if at is None or at > NOW else len(deliveries.claim(store, NOW, 100, LEASE))


def test_a_dead_workers_batch_is_due_at_once_and_taken_one_by_one(store: Store, folder: Path) -> None:
    dead, other = Claims(folder, "dead"), Claims(folder, "other")
    claimed(store, dead)
    assert other.release(store, NOW) == 0, "it lives"
    die(dead)
    assert other.release(store, NOW) == 3
    assert other.release(store, NOW) == 0
    assert [due(store) for _ in range(4)] == [1, 1, 1, 0]
    assert list(folder.iterdir()) == []


def test_what_is_done_or_somebody_elses_by_now_stays(store: Store, folder: Path) -> None:
    dead = Claims(folder, "dead")
    first, *_ = claimed(store, dead)
    die(dead)
    with store.work.transaction() as tx:
        deliveries.finish(tx, first.delivery.shop_id, first.delivery.id, NOW)
    late = NOW + LEASE + timedelta(seconds=1)
    assert len(deliveries.claim(store, late, 100, LEASE)) == 1
    assert Claims(folder, "other").release(store, NOW) == 1, "of three: one is done, one is leased anew"


@pytest.mark.parametrize(
    "data", [b"", b'{"until": "2026', b"\xff\xfe", b'{"until": 1}', b'{"until": "x", "claimed": [1]}']
)
def test_a_file_that_was_cut_off_leaves_it_to_the_lease(store: Store, folder: Path, data: bytes) -> None:
    dead = Claims(folder, "dead")
    claimed(store, dead)
    die(dead)
    (folder / "dead.claims").write_bytes(data)
    assert Claims(folder, "other").release(store, NOW) == 0
    assert due(store) == 0
    assert list(folder.iterdir()) == []


def test_a_delivery_by_itself_and_a_batch_that_is_done_are_not_noted(store: Store, folder: Path) -> None:
    claims = Claims(folder, "one")
    batch = claimed(store, Claims())
    claims.begin(batch[:1], NOW + LEASE)
    assert not folder.exists(), "it has no neighbours"
    claims.begin(batch, NOW + LEASE)
    claims.clear()
    die(claims)
    assert Claims(folder, "other").release(store, NOW) == 0
    claims.begin(batch, NOW + LEASE)
    claims.close()
    claims.close()
    assert list(folder.iterdir()) == []

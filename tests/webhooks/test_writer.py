"""Group commits: who is answered, with what, and when."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from connector.clock import SystemClock
from connector.metrics import Metrics
from connector.store import inbox
from connector.store.db import Sqlite
from connector.store.inbox import NewDelivery
from connector.store.store import Store
from tests.webhooks.composition import stored
from webhooks.settings import ReceiverSettings
from webhooks.writer import DeliveryWriter


@pytest.fixture
def store(tmp_path: Path) -> Any:
    made = Store.open(f"sqlite:///{tmp_path / 'work.db'}")
    yield made
    made.close()


def writer_of(store: Store, **limits: Any) -> DeliveryWriter:
    return DeliveryWriter(store, SystemClock(), ReceiverSettings(**limits), Metrics())


def delivery(number: int, size: int = 20) -> NewDelivery:
    return NewDelivery(
        shop_id="s",
        platform="acme",
        topic="t",
        dedup_key=f"d-{number}",
        headers={},
        body=b"x" * size,
        received_at=SystemClock().now(),
    )


def submit(writer: DeliveryWriter, *rows: NewDelivery) -> list[Future[bool]]:
    futures: list[Future[bool]] = [Future() for _ in rows]
    assert all(writer.submit(row, future.set_result) for row, future in zip(rows, futures, strict=True))
    return futures


def batches(writer: DeliveryWriter) -> tuple[float, float]:
    """(commits, rows) so far."""
    text = writer._metrics.text().decode()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("kiitos_inbox_batch_rows_"))
    return float(values["kiitos_inbox_batch_rows_count"]), float(values["kiitos_inbox_batch_rows_sum"])


def test_what_queued_up_shares_a_commit(store: Store) -> None:
    writer = writer_of(store)
    futures = submit(writer, *(delivery(n) for n in range(100)))
    writer.start()
    assert [future.result(5) for future in futures] == [True] * 100
    assert batches(writer) == (1.0, 100.0)
    assert len(stored(store)) == 100
    assert writer.depth == 0
    writer.close()


@pytest.mark.parametrize(
    ("limits", "commits"), [({"batch_rows": 10}, 10), ({"batch_bytes": 20_000}, 7), ({"batch_bytes": 1}, 100)]
)
def test_a_batch_is_bounded_in_rows_and_bytes(store: Store, limits: dict[str, int], commits: int) -> None:
    writer = writer_of(store, **limits)
    futures = submit(writer, *(delivery(n, 700) for n in range(100)))
    writer.start()
    assert all(future.result(5) for future in futures)
    assert batches(writer) == (commits, 100.0)
    writer.close()


@pytest.mark.parametrize("limits", [{"queue_rows": 3}, {"queue_bytes": 3 * 612}])
def test_a_full_queue_takes_no_more_until_it_is_written(store: Store, limits: dict[str, int]) -> None:
    writer = writer_of(store, **limits)
    futures = submit(writer, *(delivery(n, 100) for n in range(3)))
    late: Future[bool] = Future()
    assert not writer.submit(delivery(3, 100), late.set_result)
    assert not late.done()
    writer.start()
    assert all(future.result(5) for future in futures)
    assert submit(writer, delivery(3, 100))[0].result(5)
    writer.close()


def test_closing_stores_what_is_queued_and_refuses_the_rest(store: Store) -> None:
    writer = writer_of(store)
    futures = submit(writer, *(delivery(n) for n in range(50)))
    writer.start()
    writer.close()
    assert all(future.done() and future.result() for future in futures)
    assert len(stored(store)) == 50
    assert not writer.submit(delivery(99), Future().set_result)
    writer.close()


def test_one_bad_row_fails_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = inbox.append

    def append(database: Any, rows: Any) -> None:
        if any(row.dedup_key == "d-13" for row in rows):
            raise ValueError("cannot be bound")
        plain(database, rows)

    monkeypatch.setattr(inbox, "append", append)
    writer = writer_of(store)
    futures = submit(writer, *(delivery(n) for n in range(40)))
    writer.start()
    assert [n for n, future in enumerate(futures) if not future.result(5)] == [13]
    assert {row.dedup_key for row in stored(store)} == {f"d-{n}" for n in range(40)} - {"d-13"}
    assert writer.healthy, "one bad row says nothing about the store"
    writer.close()


def test_a_full_disk_fails_its_rows_and_is_recovered_from(store: Store) -> None:
    """`max_page_count` of the writer's own connection makes SQLite report a full disk."""
    assert isinstance(store.inbox, Sqlite)
    writer = writer_of(store)
    real, limit = store.inbox._connect, [40]

    def connect() -> Any:
        connection, cursor = real()
        connection.execute(f"PRAGMA max_page_count={limit[0]}").fetchall()
        connections.append(connection)
        return connection, cursor

    connections: list[Any] = []
    store.inbox._connect = connect  # type: ignore[method-assign]
    writer.start()
    kept, row = 0, 0
    while True:
        (future,) = submit(writer, NewDelivery(**{**fields(delivery(row)), "body": noise(row)}))
        if not future.result(5):
            break
        kept, row = kept + 1, row + 1
        assert row < 200, "the disk never filled"
    assert kept > 0
    assert not writer.healthy
    assert len(stored(store)) == kept
    connections[0].execute("PRAGMA max_page_count=100000").fetchall()
    assert submit(writer, delivery(1000))[0].result(5)
    assert writer.healthy
    assert len(stored(store)) == kept + 1
    writer.close()


def fields(row: NewDelivery) -> dict[str, Any]:
    return {name: getattr(row, name) for name in NewDelivery.__dataclass_fields__}


def noise(seed: int) -> bytes:
    """Bytes that do not compress."""
    return b"".join(hashlib.sha256(b"%d %d" % (seed, n)).digest() for n in range(157))


def test_a_waiter_that_raises_keeps_the_news_from_nobody_else(store: Store) -> None:
    def gone(stored: bool) -> None:
        raise RuntimeError(f"nobody here to be told {stored}")

    writer = writer_of(store)
    assert writer.submit(delivery(1), gone)
    (future,) = submit(writer, delivery(2))
    writer.start()
    assert future.result(5)
    assert submit(writer, delivery(3))[0].result(5), "the thread lives on"
    writer.close()


def test_a_thread_that_sleeps_is_woken_by_each_row_and_by_the_end(store: Store) -> None:
    writer = writer_of(store)
    writer.start()
    for number in range(200):
        assert submit(writer, delivery(number))[0].result(5)
    writer.close()
    assert len(stored(store)) == 200


def test_checkpoints_empty_the_log_and_leave_every_row(tmp_path: Path, store: Store) -> None:
    from webhooks.checkpoint import Checkpointer

    settings = ReceiverSettings(checkpoint_bytes=100_000, checkpoint_interval=0.01)
    metrics = Metrics()
    writer = DeliveryWriter(store, SystemClock(), settings, metrics)
    checkpointer = Checkpointer(store, writer, SystemClock(), settings, metrics)
    checkpointer.start()
    writer.start()
    for number in range(60):
        row = NewDelivery(**{**fields(delivery(number)), "body": noise(number)})
        assert submit(writer, row)[0].result(5)
    read = metrics.registry.get_sample_value
    for _ in range(500):
        if any(read("kiitos_inbox_checkpoint_seconds_count", {"mode": mode}) for mode in ("PASSIVE", "RESTART")):
            break
        SystemClock().sleep(0.01)
    else:
        pytest.fail("300 kB of commits and no checkpoint")
    writer.close()
    checkpointer.close()
    assert (tmp_path / "inbox.db").stat().st_size > 60 * 5000, "the rows are in the file, not only in its log"
    assert len(stored(store)) == 60

"""The tables that change with every event of a life: dictionaries of rows, with the few indexes their queries need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]

HELD: dict[str, tuple[str, ...]] = {
    "events": ("event_key",),
    "orders": ("order_id",),
    "shipments": ("shipment_id",),
    "shipment_events": ("shipment_event_id",),
    "refunds": ("refund_id",),
    "returns": ("return_id",),
    "runs": ("run_id",),
    "effects": ("effect_id",),
    "journal": ("seq",),
    "engagements": ("address_key",),
}
"""The held tables and what names a row of theirs: there is one shop."""

COLUMNS: dict[str, frozenset[str]] = {
    table: frozenset(text.split())
    for table, text in {
        "events": "shop_id event_key kind subject_kind subject_id order_id customer_id at recorded_at delivery_id data",
        "orders": "shop_id order_id number email_key customer_id placed_at updated_at deleted snapshot bought",
        "shipments": (
            "shop_id shipment_id order_id status raw_status status_rank status_at status_since snapshot_at snapshot"
        ),
        "shipment_events": "shop_id shipment_event_id shipment_id order_id status at snapshot",
        "refunds": "shop_id refund_id order_id at snapshot",
        "returns": "shop_id return_id order_id at snapshot",
        "runs": (
            "shop_id run_id flow_id version subject_kind subject_id entry_key status step created_at updated_at"
            " order_id customer_id email_key wake_at awaiting event outcomes acted reason rev"
        ),
        "effects": (
            "shop_id effect_id run_id flow_id version step_id kind purpose priority request status due_at created_at"
            " order_id channel attempts tainted lease_until first_try_at done_at recipient recipient_key sender subject"
            " provider_id reason result message_key"
        ),
        "journal": "seq shop_id run_id at step_id what detail",
        "engagements": "shop_id address_key kind at",
    }.items()
}
"""What their twins know of them."""

_BY_ORDER = ("events", "shipments", "shipment_events", "refunds", "returns", "runs", "effects")
_ENDED = frozenset({"completed", "exited", "cancelled", "failed"})
_ASLEEP = frozenset({"ready", "sleeping", "awaiting"})


class Tables:
    """Rows are never changed, only replaced: whoever was given one keeps what they saw."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Empty, as before the life began."""
        self.rows: dict[str, dict[Any, Row]] = {table: {} for table in HELD}
        self.changed: dict[str, set[Any]] = {table: set() for table in HELD}
        self.of_order: dict[str, dict[str, dict[Any, Row]]] = {table: {} for table in _BY_ORDER}
        self.of_run: dict[str, dict[Any, Row]] = {}
        self.entries: dict[tuple[str, str], str] = {}
        self.active: dict[str, Row] = {}
        self.asleep: dict[str, str] = {}
        self.pending: dict[str, Row] = {}
        self.sending: dict[str, Row] = {}
        self.seq = 0

    def put(self, table: str, key: Any, row: Row) -> None:
        """Insert or replace."""
        self.rows[table][key] = row
        self.changed[table].add(key)
        self._index(table, key, row)

    def load(self, table: str, rows: Iterable[Row]) -> None:
        """Hold what SQLite has instead: a statement without a twin has written to it."""
        (name,) = HELD[table]
        self.rows[table] = {row[name]: row for row in rows}
        self.changed[table] = set()
        self._unindex(table)
        for key, row in self.rows[table].items():
            self._index(table, key, row)

    def take_changed(self, table: str) -> list[Row]:
        """The rows SQLite does not know yet; from now on it does."""
        keys, self.changed[table] = self.changed[table], set()
        return [self.rows[table][key] for key in keys]

    def next_due(self) -> str | None:
        """The earliest of all wakings, dues and ends of leases."""
        times = [*self.asleep.values()]
        times += [row["due_at"] for row in self.pending.values()]
        times += [row["lease_until"] for row in self.sending.values()]
        return min(times, default=None)

    def _index(self, table: str, key: Any, row: Row) -> None:
        if table == "runs":
            self._index_run(key, row)
        elif table == "effects":
            self.of_run.setdefault(row["run_id"], {})[key] = row
            self._keep(self.pending, key, row, row["status"] == "pending")
            self._keep(self.sending, key, row, row["status"] == "sending")
        elif table == "journal":
            self.seq = max(self.seq, key)
        if table in self.of_order and row["order_id"] is not None:
            self.of_order[table].setdefault(row["order_id"], {})[key] = row

    def _index_run(self, key: str, row: Row) -> None:
        self.entries[row["flow_id"], row["entry_key"]] = key
        self._keep(self.active, key, row, row["status"] not in _ENDED)
        if row["status"] in _ASLEEP and row["wake_at"] is not None:
            self.asleep[key] = row["wake_at"]
        else:
            self.asleep.pop(key, None)

    @staticmethod
    def _keep(index: dict[str, Row], key: str, row: Row, wanted: bool) -> None:
        if wanted:
            index[key] = row
        else:
            index.pop(key, None)

    def _unindex(self, table: str) -> None:
        if table in self.of_order:
            self.of_order[table] = {}
        if table == "runs":
            self.entries, self.active, self.asleep = {}, {}, {}
        elif table == "effects":
            self.of_run, self.pending, self.sending = {}, {}, {}

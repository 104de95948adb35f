"""The twins: what the product's hottest queries mean, over dictionaries. Each is tied to the text it stands for.

`tests/simulate/test_held.py` asks SQLite the same questions in the course of invented lives and compares every answer.
A query that changes leaves its twin behind: `digest` of the new text goes here once the twin says the same again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from connector import codec
from connector.simulate.tables import COLUMNS, Row, Tables

Args = Mapping[str, Any]
Read = Callable[[Tables, Args], list[Row]]
Write = Callable[[Tables, Args], int]
F = TypeVar("F", Read, Write)


@dataclass(frozen=True, slots=True)
class Twin(Generic[F]):
    """`of` is the digest of the query's text (`held.digest`)."""

    of: str
    act: F


READS: dict[str, Twin[Read]] = {}
WRITES: dict[str, Twin[Write]] = {}


def reads(name: str, of: str) -> Callable[[Read], Read]:
    """Say that this is the twin of a question."""

    def keep(act: Read) -> Read:
        READS[name] = Twin(of, act)
        return act

    return keep


def writes(name: str, of: str) -> Callable[[Write], Write]:
    """Say that this is the twin of a change."""

    def keep(act: Write) -> Write:
        WRITES[name] = Twin(of, act)
        return act

    return keep


def _one(row: Row | None) -> list[Row]:
    return [row] if row is not None else []


def _ids(text: str) -> list[str]:
    return codec.decode(text, list[str])


# -- what happened ---------------------------------------------------------------------------------------------------


_EVENT = tuple(COLUMNS["events"] - {"recorded_at"})


@writes("event_record", "e6a6be7ef97f")
def event_record(t: Tables, a: Args) -> int:
    key = a["event_key"]
    if key in t.rows["events"]:
        return 0
    row = {name: a[name] for name in _EVENT}
    row["recorded_at"] = a["now"]
    t.put("events", key, row)
    return 1


@reads("event_known", "1946872c12bb")
def event_known(t: Tables, a: Args) -> list[Row]:
    known = t.rows["events"]
    return [{"event_key": key} for key in dict.fromkeys(_ids(a["keys"])) if key in known]


@reads("event_has", "1df7ce1b529f")
def event_has(t: Tables, a: Args) -> list[Row]:
    return [{"found": 1}] if a["event_key"] in t.rows["events"] else []


@reads("event_of_order", "cc549ae34c56")
def event_of_order(t: Tables, a: Args) -> list[Row]:
    found = t.of_order["events"].get(a["order_id"], {}).values()
    return sorted(found, key=lambda row: (row["at"], row["recorded_at"], row["event_key"]))


# -- orders and what follows them ------------------------------------------------------------------------------------


_ORDER = tuple(COLUMNS["orders"] - {"deleted"})


@writes("order_put", "53426d4336ce")
def order_put(t: Tables, a: Args) -> int:
    key = a["order_id"]
    known = t.rows["orders"].get(key)
    if known is not None:
        newer = a["updated_at"] > known["updated_at"]
        if not newer and (a["updated_at"] != known["updated_at"] or known["deleted"]):
            return 0
    row = {name: a[name] for name in _ORDER}
    row["deleted"] = 0
    t.put("orders", key, row)
    return 1


@reads("order_get", "9afcdf52fc5b")
def order_get(t: Tables, a: Args) -> list[Row]:
    return _one(t.rows["orders"].get(a["order_id"]))


@reads("order_of_email", "6b027ca1ce2a")
def order_of_email(t: Tables, a: Args) -> list[Row]:
    theirs = [row for row in t.rows["orders"].values() if row["email_key"] == a["email_key"] and not row["deleted"]]
    if a["email_key"] is None:
        return []
    theirs.sort(key=lambda row: str(row["placed_at"]), reverse=True)
    return theirs[: a["limit"]]


@reads("order_followers", "e848cde95392")
def order_followers(t: Tables, a: Args) -> list[Row]:
    order_id = a["order_id"]
    told = t.of_order["events"].get(order_id, {}).values()
    reviewed = [row["at"] for row in told if row["kind"] == "review.submitted"]
    has = {name: int(bool(t.of_order[name].get(order_id))) for name in ("shipments", "refunds", "returns")}
    return [{**has, "reviewed_at": max(reviewed, default=None)}]


_SHIPMENT = tuple(COLUMNS["shipments"] - {"status_since"})


@writes("shipment_put", "ea9acf02dd19")
def shipment_put(t: Tables, a: Args) -> int:
    key, at = a["shipment_id"], a["status_at"]
    known = t.rows["shipments"].get(key)
    row = {name: a[name] for name in _SHIPMENT}
    row["status_since"] = at
    if known is not None:
        row = _merged_shipment(known, row)
    t.put("shipments", key, row)
    return 1


def _merged_shipment(known: Row, told: Row) -> Row:
    row = dict(known)
    if told["snapshot"] is not None and told["snapshot_at"] >= known["snapshot_at"]:
        row["snapshot"] = told["snapshot"]
    row["snapshot_at"] = max(told["snapshot_at"], known["snapshot_at"])
    further = (told["status_rank"], told["status_at"]) > (known["status_rank"], known["status_at"])
    if told["status"] == known["status"]:
        row["status_since"] = min(told["status_at"], known["status_since"])
    elif further:
        row["status_since"] = told["status_at"]
    if further:
        row.update(status=told["status"], raw_status=told["raw_status"], status_at=told["status_at"])
    row["status_rank"] = max(told["status_rank"], known["status_rank"])
    return row


@writes("shipment_event_put", "2014661d6edf")
def shipment_event_put(t: Tables, a: Args) -> int:
    key = a["shipment_event_id"]
    if key in t.rows["shipment_events"]:
        return 0
    names = ("shop_id", "shipment_event_id", "shipment_id", "order_id", "status", "at", "snapshot")
    t.put("shipment_events", key, {name: a[name] for name in names})
    return 1


@reads("shipment_get", "64aa0bf7438a")
def shipment_get(t: Tables, a: Args) -> list[Row]:
    return _one(t.rows["shipments"].get(a["shipment_id"]))


@reads("shipment_of_order", "b0612c1db824")
def shipment_of_order(t: Tables, a: Args) -> list[Row]:
    found = t.of_order["shipments"].get(a["order_id"], {})
    return [found[key] for key in sorted(found)]


@reads("shipment_event_times", "b8a592a0aa10")
def shipment_event_times(t: Tables, a: Args) -> list[Row]:
    first: dict[tuple[str, str], str] = {}
    for row in t.of_order["shipment_events"].get(a["order_id"], {}).values():
        key = (row["shipment_id"], row["status"])
        first[key] = min(first.get(key, row["at"]), row["at"])
    return [{"shipment_id": parcel, "status": status, "at": at} for (parcel, status), at in first.items()]


@writes("refund_put", "076789aa6715")
def refund_put(t: Tables, a: Args) -> int:
    if a["refund_id"] in t.rows["refunds"]:
        return 0
    t.put("refunds", a["refund_id"], {name: a[name] for name in ("shop_id", "refund_id", "order_id", "at", "snapshot")})
    return 1


@reads("refund_of_order", "ad09d1e9e2e4")
def refund_of_order(t: Tables, a: Args) -> list[Row]:
    found = t.of_order["refunds"].get(a["order_id"], {}).values()
    return sorted(found, key=lambda row: (row["at"], row["refund_id"]))


@reads("return_of_order", "239189d1b0ab")
def return_of_order(t: Tables, a: Args) -> list[Row]:
    found = t.of_order["returns"].get(a["order_id"], {}).values()
    return sorted(found, key=lambda row: (row["at"], row["return_id"]))


# -- runs ------------------------------------------------------------------------------------------------------------

_RUN = tuple(COLUMNS["runs"])
_RUN_MOVING = ("status", "step", "updated_at", "wake_at", "awaiting", "event", "outcomes", "acted", "reason")


@writes("run_start", "c03c4fe1dd29")
def run_start(t: Tables, a: Args) -> int:
    if a["run_id"] in t.rows["runs"] or (a["flow_id"], a["entry_key"]) in t.entries:
        return 0
    t.put("runs", a["run_id"], {name: a[name] for name in _RUN})
    return 1


@writes("run_save", "83183d589898")
def run_save(t: Tables, a: Args) -> int:
    known = t.rows["runs"].get(a["run_id"])
    if known is None or known["rev"] != a["rev"]:
        return 0
    row = dict(known)
    for name in _RUN_MOVING:
        row[name] = a[name]
    row["rev"] = known["rev"] + 1
    t.put("runs", a["run_id"], row)
    return 1


@reads("run_get", "aaa19180e7ab")
def run_get(t: Tables, a: Args) -> list[Row]:
    return _one(t.rows["runs"].get(a["run_id"]))


@reads("run_by_entry", "8cd83e9fe7dc")
def run_by_entry(t: Tables, a: Args) -> list[Row]:
    run_id = t.entries.get((a["flow_id"], a["entry_key"]))
    return [t.rows["runs"][run_id]] if run_id is not None else []


@reads("run_latest_entries", "b32f36222249")
def run_latest_entries(t: Tables, a: Args) -> list[Row]:
    subject, email = (a["subject_kind"], a["subject_id"]), a["email_key"]
    found = (
        row
        for row in t.rows["runs"].values()
        if row["flow_id"] == a["flow_id"]
        and not row["entry_key"].startswith("refused/")
        and ((row["subject_kind"], row["subject_id"]) == subject or row["email_key"] == email is not None)
    )
    return _in_order(found)[::-1][:5]


@reads("run_due", "40ce93aa2e2b")
def run_due(t: Tables, a: Args) -> list[Row]:
    due = sorted((at, run_id) for run_id, at in t.asleep.items() if at <= a["now"])
    return [t.rows["runs"][run_id] for _, run_id in due[: a["limit"]]]


def _in_order(rows: Any) -> list[Row]:
    return sorted(rows, key=lambda row: (row["created_at"], row["run_id"]))


@reads("run_of_order", "18645d111108")
def run_of_order(t: Tables, a: Args) -> list[Row]:
    return _in_order(t.of_order["runs"].get(a["order_id"], {}).values())


@reads("run_active_of_order", "06d362af5c41")
def run_active_of_order(t: Tables, a: Args) -> list[Row]:
    return _in_order(row for row in t.active.values() if row["order_id"] == a["order_id"])


@reads("run_active_of_subject", "650b06bb022d")
def run_active_of_subject(t: Tables, a: Args) -> list[Row]:
    kind, subject_id = a["subject_kind"], a["subject_id"]
    if kind == "order":
        return []
    return _in_order(
        row for row in t.active.values() if row["subject_id"] == subject_id and row["subject_kind"] == kind
    )


@reads("run_active_of_email", "e41595ffe8ad")
def run_active_of_email(t: Tables, a: Args) -> list[Row]:
    return _in_order(row for row in t.active.values() if row["email_key"] == a["email_key"] is not None)


@reads("run_active_of_customer", "980d99f63682")
def run_active_of_customer(t: Tables, a: Args) -> list[Row]:
    return _in_order(row for row in t.active.values() if row["customer_id"] == a["customer_id"] is not None)


@writes("effect_freeze", "7ffadca083e9")
def effect_freeze(t: Tables, a: Args) -> int:
    """Nobody reads what was sent: a look back renders nothing."""
    del t, a
    return 1


@writes("journal_put", "a6641f06ae0a")
def journal_put(t: Tables, a: Args) -> int:
    t.seq += 1
    row = {"seq": t.seq, **{name: a[name] for name in ("shop_id", "run_id", "at", "step_id", "what", "detail")}}
    t.put("journal", t.seq, row)
    return 1

"""The twins of the outbox: effects put, begun, settled, put off, and asked for. They join the others when imported."""

from __future__ import annotations

from connector.simulate.tables import COLUMNS, Row, Tables
from connector.simulate.twins import Args, reads, writes

_EFFECT = tuple(name for name in COLUMNS["effects"] if name != "message_key")  # given when it is begun
_NO_CONTENT = {"encoding": None, "content": None}


@writes("effect_put", "05968e7e69a5")
def effect_put(t: Tables, a: Args) -> int:
    if a["effect_id"] in t.rows["effects"]:
        return 0
    t.put("effects", a["effect_id"], {"message_key": None, **{name: a[name] for name in _EFFECT}})
    return 1


@reads("effect_get", "013df2dc2e2c")
def effect_get(t: Tables, a: Args) -> list[Row]:
    known = t.rows["effects"].get(a["effect_id"])
    return [known | _NO_CONTENT] if known is not None else []


@reads("effect_of_run", "22e60350f774")
def effect_of_run(t: Tables, a: Args) -> list[Row]:
    found = t.of_run.get(a["run_id"], {}).values()
    return [row | _NO_CONTENT for row in sorted(found, key=lambda row: (row["created_at"], row["effect_id"]))]


@reads("effect_told_of_subject", "5c58fc0673bf")
def effect_told_of_subject(t: Tables, a: Args) -> list[Row]:
    if a["subject_kind"] == "order":
        return []
    told = [
        (effect, run)
        for run in t.rows["runs"].values()
        if run["subject_id"] == a["subject_id"]
        and run["subject_kind"] == a["subject_kind"]
        and run["flow_id"] == a["flow_id"]
        and run["run_id"] != a["run_id"]
        for effect in t.of_run.get(run["run_id"], {}).values()
        if effect["kind"] == "message"
        and (
            effect["status"] in ("sending", "sent", "uncertain")
            or (effect["status"] == "pending" and effect["tainted"])
        )
    ]
    told.sort(key=lambda pair: pair[0]["effect_id"])
    told.sort(key=lambda pair: pair[0]["created_at"], reverse=True)
    return [{"request": effect["request"], "event": run["event"]} for effect, run in told]


@reads("effect_due", "731252cce3e7")
def effect_due(t: Tables, a: Args) -> list[Row]:
    due = [row for row in t.pending.values() if row["priority"] == a["priority"] and row["due_at"] <= a["now"]]
    due.sort(key=lambda row: row["due_at"])
    return due[: a["limit"]]


@reads("effect_expired", "1a96151cdd7c")
def effect_expired(t: Tables, a: Args) -> list[Row]:
    lost = [row for row in t.sending.values() if row["lease_until"] <= a["now"]]
    lost.sort(key=lambda row: row["lease_until"])
    return lost[: a["limit"]]


@writes("effect_begin", "12cd9a149b6e")
def effect_begin(t: Tables, a: Args) -> int:
    known = t.rows["effects"].get(a["effect_id"])
    if known is None or known["status"] != "pending":
        return 0
    row = dict(known)
    for name in ("lease_until", "recipient", "recipient_key", "sender", "subject", "message_key"):
        row[name] = a[name]
    first = a["now"] if known["first_try_at"] is None else known["first_try_at"]
    row.update(status="sending", attempts=known["attempts"] + 1, first_try_at=first)
    t.put("effects", a["effect_id"], row)
    return 1


@writes("effect_settle", "ba2d6c4a469f")
def effect_settle(t: Tables, a: Args) -> int:
    known = t.rows["effects"].get(a["effect_id"])
    if known is None or known["status"] == "sent":
        return 0
    row = dict(known)
    for name in ("status", "provider_id", "reason", "result"):
        row[name] = a[name]
    tainted = 1 if a["status"] == "uncertain" else known["tainted"]
    row.update(done_at=a["now"], lease_until=None, tainted=tainted)
    t.put("effects", a["effect_id"], row)
    return 1


@writes("effect_defer", "68e35690d91b")
def effect_defer(t: Tables, a: Args) -> int:
    known = t.rows["effects"].get(a["effect_id"])
    if known is None or known["status"] != "pending" or known["due_at"] > a["due_at"]:
        return 0
    t.put("effects", a["effect_id"], known | {"due_at": a["due_at"], "reason": a["reason"]})
    return 1

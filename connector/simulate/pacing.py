"""The twins of what policy counts by: who was written to when, by which flow, and when they last reacted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector import codec
from connector.simulate.tables import Row, Tables
from connector.simulate.twins import READS, WRITES, Twin

Args = Mapping[str, Any]


def _limited(row: Row) -> bool:
    return bool(row["kind"] == "message" and row["purpose"] != "transactional")


def pace_reached(t: Tables, a: Args) -> list[Row]:
    shops = codec.decode(a["shops"], list[str])
    found = [
        {
            "shop_id": row["shop_id"],
            "flow_id": row["flow_id"],
            "status": row["status"],
            "at": row["done_at"] or row["lease_until"] or row["first_try_at"] or row["created_at"],
        }
        for row in t.rows["effects"].values()
        if row["recipient_key"] == a["recipient_key"] != ""
        and row["status"] in ("sending", "sent", "uncertain")
        and _limited(row)
        and row["channel"] == a["channel"]
        and row["effect_id"] != a["effect_id"]
        and row["shop_id"] in shops
        and '"after_review":true' not in row["request"]
    ]
    found.sort(key=lambda row: row["at"], reverse=True)
    return found[: a["limit"]]


def pace_sign(t: Tables, a: Args) -> list[Row]:
    shops, key = codec.decode(a["shops"], list[str]), a["address_key"]
    signs = [
        row["placed_at"] for row in t.rows["orders"].values() if row["email_key"] == key and row["shop_id"] in shops
    ]
    signs += [row["at"] for row in t.rows["engagements"].values() if row["address_key"] == key]
    return [{"at": max((at for at in signs if at is not None), default=None)}]


def pace_rivals(t: Tables, a: Args) -> list[Row]:
    shops, key = codec.decode(a["shops"], list[str]), a["email_key"]
    wanted = ("shop_id", "effect_id", "flow_id", "request", "tainted", "first_try_at")
    return [
        {name: row[name] for name in wanted}
        for row in t.pending.values()
        if _limited(row)
        and row["channel"] == a["channel"]
        and row["effect_id"] != a["effect_id"]
        and row["shop_id"] in shops
        and (row["due_at"] <= a["now"] or row["tainted"])
        and key is not None
        and (run := t.rows["runs"].get(row["run_id"])) is not None
        and run["email_key"] == key
    ]


def pace_begun(t: Tables, a: Args) -> list[Row]:
    begun = (
        row
        for row in t.rows["effects"].values()
        if row["flow_id"] == a["flow_id"] and row["first_try_at"] is not None and row["first_try_at"] >= a["since"]
    )
    return [{"total": sum(_limited(row) for row in begun)}]


def engagement_note(t: Tables, a: Args) -> int:
    known = t.rows["engagements"].get(a["address_key"])
    if known is not None and known["at"] >= a["at"]:
        return 0
    t.put("engagements", a["address_key"], {name: a[name] for name in ("shop_id", "address_key", "kind", "at")})
    return 1


READS["pace_reached"] = Twin("a4038d9690a7", pace_reached)
READS["pace_sign"] = Twin("050527d39e71", pace_sign)
READS["pace_rivals"] = Twin("027b6bcc3f32", pace_rivals)
READS["pace_begun"] = Twin("66017f0993e4", pace_begun)
WRITES["engagement_note"] = Twin("8ea4010efa6b", engagement_note)

"""Who was taken out for which advertising platform, and the record of every such export."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from connector import codec
from connector.clock import from_text, to_text
from connector.store.db import Tx


@dataclass(frozen=True, slots=True)
class Audience:
    """One segment of a shop on one platform."""

    shop_id: str
    platform: str
    segment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What the platform has of somebody: digests of their address and, where there is one, their number. `name` is
    their address in the form of joins, `None` once they were forgotten or have gone."""

    member: str
    phone: str = ""
    name: str | None = None
    gone_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A line of the record. `left_out` counts by reason."""

    shop_id: str
    export_id: str
    at: datetime
    platform: str
    segment: str
    by_whom: str
    ground: str
    people: int
    removed: int
    left_out: Mapping[str, int]


def members(tx: Tx, audience: Audience, gone_since: datetime) -> list[Member]:
    """Who is on the platform, and who had to go since then."""
    rows = tx.all("audience_members", **_of(audience), gone_since=to_text(gone_since))
    return [
        Member(
            member=row["member"],
            phone=row["phone"],
            name=row["name"],
            gone_at=from_text(row["gone_at"]) if row["gone_at"] else None,
        )
        for row in rows
    ]


def put(tx: Tx, audience: Audience, found: Iterable[Member], now: datetime) -> None:
    """These are on the platform from now on."""
    rows = [
        {**_of(audience), "member": one.member, "phone": one.phone, "name": one.name, "now": to_text(now)}
        for one in found
    ]
    tx.many("audience_put", rows)


def gone(tx: Tx, audience: Audience, found: Iterable[str], now: datetime) -> None:
    """These have to go: their digests are kept until the platform was told."""
    tx.run("audience_gone", **_of(audience), members=codec.encode_text(sorted(found)), now=to_text(now))


def forget_gone(tx: Tx, shop_id: str, before: datetime) -> int:
    """Drop the digests of those who had to go before then."""
    return tx.run("audience_forget_gone", shop_id=shop_id, before=to_text(before))


def put_export(tx: Tx, export: Export) -> None:
    tx.run(
        "audience_export_put",
        shop_id=export.shop_id,
        export_id=export.export_id,
        at=to_text(export.at),
        platform=export.platform,
        segment=export.segment,
        by_whom=export.by_whom,
        ground=export.ground,
        people=export.people,
        removed=export.removed,
        left_out=codec.encode_text(dict(export.left_out)),
    )


def exports(tx: Tx, shop_id: str, limit: int = 100) -> list[Export]:
    """The record of a shop, newest first."""
    return [
        Export(
            shop_id=shop_id,
            export_id=row["export_id"],
            at=from_text(row["at"]),
            platform=row["platform"],
            segment=row["segment"],
            by_whom=row["by_whom"],
            ground=row["ground"],
            people=row["people"],
            removed=row["removed"],
            left_out=codec.decode(row["left_out"], dict[str, int]),
        )
        for row in tx.all("audience_exports", shop_id=shop_id, limit=limit)
    ]


def _of(audience: Audience) -> dict[str, str]:
    return {"shop_id": audience.shop_id, "platform": audience.platform, "segment": audience.segment}

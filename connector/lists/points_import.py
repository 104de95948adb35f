"""What customers own in another programme, from the file that it exports."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from connector.app import Kiitos
from connector.config.loyalty import Programme
from connector.errors import ConfigError, near
from connector.loyalty import granted, hold
from connector.model import Event, email_key
from connector.store import books
from flows.value.bookings import post

# As Smile, Yotpo and LoyaltyLion head them (help.smile.io/article/2443, support.yotpo.com importing points,
# help.loyaltylion.com/en/articles/5367139), in small letters without signs.
_COLUMNS = {
    "email": ("email", "emailaddress", "customeremail", "useremail"),
    "points": ("points", "pointsbalance", "pointsapproved", "availablepoints", "currentpoints", "balance"),
    "spent": ("pointsspent",),
    "tier": ("viptier", "tier", "loyaltytier", "tiername"),
    "expires": ("pointsexpireat", "expirydate", "pointsexpirationdate", "expiresat"),
}
_LESS_SPENT = "pointsapproved"
"""LoyaltyLion tells what was ever earned: what was spent goes off."""


@dataclass(slots=True)
class TakenOver:
    """`left_out` are lines of the file and what is wrong with them."""

    taken: int = 0
    known: int = 0
    points: int = 0
    left_out: list[tuple[int, str]] = field(default_factory=list)


def take_over(
    kiitos: Kiitos, shop_id: str, data: bytes, by: str, batch: str, *, messages: bool, dry_run: bool
) -> TakenOver:
    """Take a list over, a person a transaction. Raises `ConfigError` for a file that is no such list."""
    settings = kiitos.catalog.settings(shop_id)
    batch = batch or hashlib.sha256(data).hexdigest()[:12]
    told, seen = TakenOver(), set[str]()
    for line, row in _rows(data):
        try:
            key, points, tier, until = _read_row(row, settings.loyalty)
        except ValueError as error:
            told.left_out.append((line, str(error)))
            continue
        if key in seen:
            told.left_out.append((line, "the address is in the list twice"))
            continue
        seen.add(key)
        known = not dry_run and not _take_one(kiitos, shop_id, key, points, tier, until, by, batch, messages=messages)
        told.known += known
        told.taken += not known
        told.points += 0 if known else points
    return told


def _rows(data: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
        heads = {_plain(head): head for head in reader.fieldnames or ()}
        rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"no CSV file in UTF-8 ({type(error).__name__})") from error
    found = {name: next((heads[each] for each in names if each in heads), "") for name, names in _COLUMNS.items()}
    for needed in ("email", "points"):
        if not found[needed]:
            raise ConfigError(f"the file has no column '{needed}'{near(needed, heads)}; it has {', '.join(heads)}")
    if _plain(found["points"]) != _LESS_SPENT:
        found["spent"] = ""
    for line, row in rows:
        yield line, {name: (row.get(head) or "").strip() if head else "" for name, head in found.items()}


def _plain(head: str | None) -> str:
    return "".join(letter for letter in (head or "").lower() if letter.isalnum())


def _read_row(row: Mapping[str, str], programme: Programme) -> tuple[str, int, str, datetime | None]:
    key = email_key(row["email"])
    if key is None:
        raise ValueError("no e-mail address")
    points = _whole(row["points"]) - _whole(row["spent"])
    if points < 0:
        raise ValueError("less than no points")
    tiers = {name.lower(): tier.name for tier in programme.tiers for name in (tier.name, tier.title)}
    tier = row["tier"].lower()
    if tier and tier not in tiers:
        raise ValueError(f"no tier '{row['tier']}'{near(tier, tiers)}")
    until = None
    if row["expires"]:
        try:
            until = datetime.fromisoformat(row["expires"])
        except ValueError:
            raise ValueError("the expiry is no date such as 2026-12-31") from None
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return key, points, tiers.get(tier, ""), until


def _whole(text: str) -> int:
    plain = text.replace(",", "").replace(" ", "") or "0"
    number = plain.removesuffix(".0").removesuffix(".00")
    if not number.lstrip("-").isdigit() or not number.isascii():
        raise ValueError("points are no whole number")
    return int(number)


def _take_one(
    kiitos: Kiitos,
    shop_id: str,
    key: str,
    points: int,
    tier: str,
    until: datetime | None,
    by: str,
    batch: str,
    *,
    messages: bool,
) -> bool:
    """`False` where the person was taken over from this list before."""
    now = kiitos.clock.now()
    fact_id = f"import/{batch}/{hashlib.sha256(f'{batch}/{key}'.encode()).hexdigest()[:16]}"
    with kiitos.store.work.transaction() as tx:
        holder = hold(tx, shop_id, key, fact_id, now)
        if books.fact(tx, shop_id, fact_id) is not None:
            return False
        expires = kiitos.catalog.settings(shop_id).loyalty.expires
        lapses = until or (now + expires if expires else None)
        changes = post(
            tx, shop_id, holder, [granted(fact_id, Decimal(points), f"import/{batch}", by, now, lapses)], now
        )
        events: list[Event] = kiitos.runner.loyalty.imported(tx, shop_id, holder, changes, now, tier)
        if messages and events:
            kiitos.runner.ingest(tx, shop_id, events, now)
    return True

"""When a parcel may come: the platform's or the carrier's own word, else how long the shop's parcels have taken, else
nothing. Pure.

A range holds four of five of the parcels looked at (the tenth to the ninetieth percentile, nearest rank). It is shown
only while it may still come true: of a parcel that is later than nearly all others nothing is promised.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from connector.model import Shipment

FEWEST = 20
"""Parcels of the same kind that have arrived before one says anything about the next."""
LONGEST = timedelta(days=60)
"""A parcel that took longer was lost, or its arrival was told late: it says nothing about the next."""
_LOW, _HIGH = 0.1, 0.9
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A parcel that arrived. `ordered`, `sent`, `arrived` are when; `abroad` whether it left the shop's country."""

    ordered: datetime
    sent: datetime
    arrived: datetime
    carrier: str = ""
    abroad: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """Days (in the shop's zone) between which a parcel is expected, the same where there is one. `told`: the carrier
    or the shop's platform says so; else it is worked out from `parcels` that went before."""

    first: date
    last: date
    told: bool = True
    parcels: int = 0


def expected_of(
    parcel: Shipment | None, ordered: datetime, past: Sequence[Arrival], abroad: bool, now: datetime, zone: ZoneInfo
) -> Expected | None:
    """When a parcel, or with `None` what has not been sent yet, may come; `None` where nobody knows."""
    today = now.astimezone(zone).date()
    if parcel is not None and parcel.estimated_delivery_at is not None:
        day = parcel.estimated_delivery_at.astimezone(zone).date()
        return Expected(day, day) if day >= today else None
    same = [one for one in past if one.abroad == abroad]
    if parcel is None:
        return _worked_out(ordered, [one.arrived - one.ordered for one in same], today, zone)
    carrier = carrier_key(parcel.carrier)
    with_it = [one for one in same if one.carrier == carrier]
    chosen = with_it if len(with_it) >= FEWEST else same
    return _worked_out(parcel.created_at, [one.arrived - one.sent for one in chosen], today, zone)


def carrier_key(name: str | None) -> str:
    """A carrier's name as shops spell it differently."""
    return " ".join((name or "").lower().split())


def _worked_out(begin: datetime, spans: Iterable[timedelta], today: date, zone: ZoneInfo) -> Expected | None:
    took = sorted(span for span in spans if timedelta(0) <= span <= LONGEST)
    if len(took) < FEWEST:
        return None
    first = (begin + _percentile(took, _LOW)).astimezone(zone).date()
    last = (begin + _percentile(took, _HIGH)).astimezone(zone).date()
    if last < today:
        return None
    return Expected(max(first, today), last, told=False, parcels=len(took))


def _percentile(ordered: Sequence[_T], share: float) -> _T:
    """Nearest rank: the smallest value up to which so great a share lies."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

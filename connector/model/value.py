"""What somebody owns in a shop's programme: facts as they were told, and the double entry that follows from them.

A unit is `points`, `reward` (codes, counted), `badge/NAME`, or money on an account (`credit/EUR`). Points, rewards and
badges are whole numbers; money has the decimals of its currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from connector.model.enums import OpenEnum

POINTS, REWARD, CREDIT = "points", "reward", "credit/"
"""The last is what the units of money begin with."""


class FactKind(OpenEnum):
    """`grant` gives; `take_back` takes a part of a grant back (negative: gives that back again); `spend` uses;
    `give_back` undoes a part of a spend; `hold` and `release` change from when a grant may be used: from `at` on,
    which may be still to come, until `expires_at` where that is said."""

    GRANT = "grant"
    TAKE_BACK = "take_back"
    SPEND = "spend"
    GIVE_BACK = "give_back"
    HOLD = "hold"
    RELEASE = "release"
    OTHER = "other"


class Place(OpenEnum):
    """Where value is. Everything comes from `source` and what is taken back returns there; `owed` is below zero where
    more was used than is left after a reversal."""

    SOURCE = "source"
    PENDING = "pending"
    AVAILABLE = "available"
    SPENT = "spent"
    EXPIRED = "expired"
    OWED = "owed"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that changes what a person owns; told once under its `id`, never changed.

    `cause` names what it comes from (`order/17`, `review/17-3`, `adjustment`), `rule` and `version` what it was earned
    under. `of` is the grant or the spend it is about. A grant without `available_at` waits for a `release`; without
    `expires_at` it never lapses. `parts` maps the order's lines it was earned on to what each weighs.
    """

    id: str
    account: str
    unit: str
    kind: FactKind
    amount: Decimal
    at: datetime
    cause: str
    of: str = ""
    rule: str = ""
    version: str = ""
    reason: str = ""
    by: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    available_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def in_platform(self) -> bool:
        """Whether it stands for a code, a card or credit: of that only as much is taken back as the platform says."""
        return self.unit == REWARD or self.unit.startswith(CREDIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`amount` (more than nothing) moved from one place to another: a debit and a credit in one row. `lot` is the grant
    it belongs to, empty for what was used beyond all grants; `kind` is earn, hold, release, spend, expire, reverse,
    restore or settle."""

    id: str
    account: str
    unit: str
    lot: str
    kind: str
    debit: Place
    credit: Place
    amount: Decimal
    at: datetime
    cause: str
    rule: str = ""
    version: str = ""

"""The ledger's rule: what a set of facts comes to at a moment, and the entries that bring the books there. Pure.

`settle` looks at facts by what they say, never by when they came: the same facts in any order, any number of times, are
the same position. What is taken back counts as never earned, and what is given back as never spent. So a late reversal
may move what was spent to other lots; the entries then say so, and nothing already written changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from connector.model.value import Entry, Fact, FactKind, Place

NONE = Decimal(0)
_LAST = datetime(9999, 1, 1, tzinfo=UTC)
_OPENS, _LAPSES, _SPENDS = range(3)
"""What happens at one moment, in this order: a grant that lapses at noon cannot be spent at noon."""
BEYOND = ""
"""The lot of what was used beyond all grants."""


@dataclass(slots=True)
class Lot:
    """One grant as it stands. `kept` is what was earned and not taken back; the rest says where that is now. `owed` is
    negative: this very grant was used and then taken back. `word` is the last that was said of when it opens."""

    grant: Fact
    kept: Decimal
    opens_at: datetime | None
    word: Fact | None = None
    pending: Decimal = NONE
    available: Decimal = NONE
    spent: Decimal = NONE
    expired: Decimal = NONE
    owed: Decimal = NONE

    @property
    def lapses_at(self) -> datetime | None:
        told = self.word.expires_at if self.word is not None and self.word.expires_at else self.grant.expires_at
        if told is None or self.opens_at is None:
            return None
        return max(told, self.opens_at)


@dataclass(slots=True)
class Position:
    """What a person owns of one unit. `owed` (never negative) is what was spent beyond it."""

    lots: dict[str, Lot] = field(default_factory=dict)
    owed: Decimal = NONE

    @property
    def available(self) -> Decimal:
        """What can be used now; below zero where more was used than was earned in the end."""
        return sum((lot.available + lot.owed for lot in self.lots.values()), NONE) - self.owed

    @property
    def pending(self) -> Decimal:
        return sum((lot.pending for lot in self.lots.values()), NONE)

    def next_change(self, now: datetime) -> datetime | None:
        """When time alone changes it next."""
        times = [lot.opens_at for lot in self.lots.values() if lot.pending and lot.opens_at]
        times += [lot.lapses_at for lot in self.lots.values() if lot.available and lot.lapses_at]
        times += [lot.lapses_at for lot in self.lots.values() if lot.pending and lot.lapses_at]
        return min((at for at in times if at > now), default=None)

    def lapsing(self, until: datetime) -> dict[datetime, Decimal]:
        """What lapses up to a moment, by the moment."""
        found: dict[datetime, Decimal] = defaultdict(lambda: NONE)
        for lot in self.lots.values():
            if lot.available > NONE and lot.lapses_at is not None and lot.lapses_at <= until:
                found[lot.lapses_at] += lot.available
        return dict(sorted(found.items()))


def settle(facts: Iterable[Fact], now: datetime) -> Position:
    """What the facts about one person and unit come to at `now`."""
    told = {fact.id: fact for fact in facts}
    position = Position(lots={lot.grant.id: lot for lot in _lots(told)})
    moments: list[tuple[datetime, int, str]] = []
    for lot in position.lots.values():
        if lot.opens_at is None or lot.opens_at > now:
            lot.pending = lot.kept
            continue
        moments.append((lot.opens_at, _OPENS, lot.grant.id))
        if lot.lapses_at is not None and lot.lapses_at <= now:
            moments.append((lot.lapses_at, _LAPSES, lot.grant.id))
    spends = _spends(told)
    moments += [(min(told[key].at, now), _SPENDS, key) for key in spends]
    for _, what, key in sorted(moments):
        if what == _OPENS:
            _open(position, position.lots[key])
        elif what == _LAPSES:
            lot = position.lots[key]
            lot.expired, lot.available = lot.expired + lot.available, NONE
        else:
            _spend(position, spends[key], told[key].of)
    return position


def _lots(told: Mapping[str, Fact]) -> Iterable[Lot]:
    taken: dict[str, Decimal] = defaultdict(lambda: NONE)
    word: dict[str, Fact] = {}
    for fact in told.values():
        if fact.kind is FactKind.TAKE_BACK:
            taken[fact.of] += fact.amount
        elif fact.kind in (FactKind.HOLD, FactKind.RELEASE):
            last = word.get(fact.of)
            if last is None or (fact.at, fact.id) > (last.at, last.id):
                word[fact.of] = fact
    for key in sorted(told):
        grant = told[key]
        if grant.kind is FactKind.GRANT:
            opens, last = grant.available_at, word.get(key)
            if last is not None:
                opens = last.at if last.kind is FactKind.RELEASE else None
            yield Lot(grant, min(max(grant.amount - taken[key], NONE), grant.amount), opens, last)


def _spends(told: Mapping[str, Fact]) -> dict[str, Decimal]:
    found = {key: fact.amount for key, fact in told.items() if fact.kind is FactKind.SPEND}
    for fact in told.values():
        if fact.kind is FactKind.GIVE_BACK and fact.of in found:
            found[fact.of] -= fact.amount
    return {key: left for key, left in found.items() if left > NONE}


def _open(position: Position, lot: Lot) -> None:
    """A grant can be used from now on; it first pays what is owed."""
    paid = min(position.owed, lot.kept)
    position.owed -= paid
    lot.spent += paid
    lot.available += lot.kept - paid


def _spend(position: Position, amount: Decimal, only: str) -> None:
    """Use `amount`: what lapses first goes first; of one grant `only` where it is named (a code, a card)."""
    lots = [lot for lot in position.lots.values() if lot.available > NONE and only in (BEYOND, lot.grant.id)]
    for lot in sorted(lots, key=lambda each: (each.lapses_at or _LAST, each.opens_at or _LAST, each.grant.id)):
        used = min(lot.available, amount)
        lot.available, lot.spent, amount = lot.available - used, lot.spent + used, amount - used
    if amount > NONE and only in position.lots:
        lot = position.lots[only]
        lot.spent, lot.owed = lot.spent + amount, lot.owed - amount
    else:
        position.owed += amount


def taking_back(grant: Fact, facts: Iterable[Fact], target: Decimal, now: datetime, cause: str) -> Fact | None:
    """The fact after which `target` of a grant is taken back in all; `None` where that is so. Less than before gives
    the difference again (a refund that failed)."""
    told = [fact for fact in facts if fact.of == grant.id and fact.kind is FactKind.TAKE_BACK]
    missing = min(target, grant.amount) - sum((fact.amount for fact in told), NONE)
    if not missing:
        return None
    return Fact(
        id=f"{grant.id}/taken/{len(told) + 1}",
        account=grant.account,
        unit=grant.unit,
        kind=FactKind.TAKE_BACK,
        of=grant.id,
        amount=missing,
        at=now,
        cause=cause,
        rule=grant.rule,
        version=grant.version,
    )


# -- the books -----------------------------------------------------------------------------------------------------

_OTHER_PLACES = (Place.SOURCE, Place.OWED, Place.PENDING, Place.EXPIRED, Place.SPENT, Place.AVAILABLE)
_Balances = dict[Place, Decimal]


def balances(entries: Iterable[Entry]) -> dict[str, _Balances]:
    """What is at each place, by lot, as the books have it."""
    found: dict[str, _Balances] = {}
    for entry in entries:
        lot = found.setdefault(entry.lot, defaultdict(lambda: NONE))
        lot[entry.debit] -= entry.amount
        lot[entry.credit] += entry.amount
    return found


def wanted(position: Position) -> dict[str, _Balances]:
    """The same as it should be. Each lot's places sum to nothing, `source` being what was given away."""
    found: dict[str, _Balances] = {}
    for key, lot in position.lots.items():
        places = {
            Place.PENDING: lot.pending,
            Place.AVAILABLE: lot.available,
            Place.SPENT: lot.spent,
            Place.EXPIRED: lot.expired,
            Place.OWED: lot.owed,
        }
        found[key] = {**places, Place.SOURCE: -sum(places.values(), NONE)}
    found[BEYOND] = {Place.OWED: -position.owed, Place.SPENT: position.owed}
    return found


def postings(
    position: Position, entries: Iterable[Entry], account: str, unit: str, now: datetime, cause: str
) -> list[Entry]:
    """The entries that bring the books to `position`; none where they are there. `cause` is what led to them."""
    booked = list(entries)
    known, numbers = balances(booked), defaultdict[str, int](int)
    for entry in booked:
        numbers[entry.lot] += 1
    found: list[Entry] = []
    for key, places in sorted(wanted(position).items()):
        lot, has = position.lots.get(key), known.get(key, {})
        moved = {place: places.get(place, NONE) - has.get(place, NONE) for place in _OTHER_PLACES}
        for debit, credit, amount in _moves(moved):
            numbers[key] += 1
            found.append(
                Entry(
                    id=f"{key or account}#{numbers[key]}",
                    account=lot.grant.account if lot else account,
                    unit=unit,
                    lot=key,
                    kind=_kind(debit, credit),
                    debit=debit,
                    credit=credit,
                    amount=amount,
                    at=now,
                    cause=cause or (lot.grant.cause if lot else ""),
                    rule=lot.grant.rule if lot else "",
                    version=lot.grant.version if lot else "",
                )
            )
    return found


def _moves(moved: Mapping[Place, Decimal]) -> Iterable[tuple[Place, Place, Decimal]]:
    """Movements that make up the differences, by steps that have a name: what is earned and held is earned first."""
    left = dict(moved)
    for debit in _OTHER_PLACES:
        for credit in _OTHER_PLACES:
            amount = min(-left[debit], left[credit])
            if amount <= NONE:
                continue
            left[debit] += amount
            left[credit] -= amount
            by_way = debit is Place.SOURCE or (debit is Place.PENDING and credit is not Place.SOURCE)
            if by_way and credit is not Place.AVAILABLE:
                yield debit, Place.AVAILABLE, amount
                yield Place.AVAILABLE, credit, amount
            else:
                yield debit, credit, amount


_KINDS = {
    Place.SOURCE: "reverse",
    Place.PENDING: "hold",
    Place.SPENT: "spend",
    Place.EXPIRED: "expire",
    Place.OWED: "settle",
}
_INTO_USE = {Place.SOURCE: "earn", Place.PENDING: "release"}


def _kind(debit: Place, credit: Place) -> str:
    return _KINDS.get(credit) or _INTO_USE.get(debit, "restore")

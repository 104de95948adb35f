"""The `loyalty` table of app.toml, layered like all settings: what earns points, tiers, badges, challenges, expiry.

    [defaults.loyalty]
    return_window = "14d"
    expires = "365d"
    rules.spend = { kind = "spend", points = 1, per = "1 EUR" }
    tiers.gold = { at = "500 EUR" }

Checked a layer at a time for names and shapes, as a whole when the shop is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from connector.config.layering import Layered
from connector.config.perks import KINDS as PERKS
from connector.config.perks import Perk, link_fault, moment_fault, read_perk
from connector.config.rewards import Reward, percent_fault, read_reward
from connector.config.shapes import Check, count, flag, money, one_of, read_money, shaped, span_fault
from connector.config.tables import entries, key_faults, named_faults, table_faults
from connector.contracts.step import parse_span
from connector.model import Money

SPEND, PRODUCT, COLLECTION, FIRST = "spend", "product", "collection", "first_order"
REVIEW, REFERRAL, BIRTHDAY = "review", "referral", "birthday"
KINDS = (SPEND, PRODUCT, COLLECTION, FIRST, REVIEW, REFERRAL, BIRTHDAY)
MEASURES = ("spend", "orders", "points")
DELIVERY = "delivery"
PENDING_FROM = (DELIVERY, "payment")
PERIODS = ("rolling", "calendar", "ever")
DEEDS = ("orders", "reviews", "referrals", "spent")
UNKNOWN_WINDOW = timedelta(days=30)
"""How long points are pending where the return window is not known; else the window and `AFTER_WINDOW` (brief)."""
AFTER_WINDOW = timedelta(days=2)
_money = money("1 EUR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What earns points. `spend`: `points` for each whole or part `per`, rounded down an order. `product` (`products`:
    ids or SKUs) and `collection` (`tags`, `types`: tags and product types or categories): `points` a piece. The others:
    `points` once, a review or a referral at most `most` times in 365 days (0: any number)."""

    name: str
    kind: str
    points: int
    per: Money | None = None
    products: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    most: int = 0

    @property
    def version(self) -> str:
        """Tells one wording of a rule from another; every entry keeps the one it was earned under."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    name: str
    title: str
    at: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A badge, or a challenge with days (`begins` to `ends`, both included, on the shop's calendar) and `points`.
    All of `wants` (deed to number) must be reached; the `badge` of a challenge is called like it or as named."""

    name: str
    title: str
    wants: Mapping[str, Decimal]
    begins: date | None = None
    ends: date | None = None
    points: int = 0
    badge: str = ""

    @property
    def version(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """A shop's programme; `enabled` without rules, tiers and goals is none. `expires`: how long points are good once
    they can be used, `None` for ever; `warning` is how long before they lapse it is told. `pending_from`: what the
    return window is counted from, `delivery` where the shop tells of one, else payment. `measure`, `period`, `span`,
    `grace`: what tiers are reached by, over which time, and how long somebody who no longer reaches one keeps it."""

    enabled: bool = False
    return_window: timedelta | None = None
    pending_from: str = "delivery"
    expires: timedelta | None = None
    warning: timedelta = timedelta(days=14)
    rules: tuple[Rule, ...] = ()
    measure: str = "spend"
    period: str = "rolling"
    span: timedelta = timedelta(days=365)
    grace: timedelta = timedelta(days=30)
    tiers: tuple[Tier, ...] = ()
    badges: tuple[Goal, ...] = ()
    challenges: tuple[Goal, ...] = ()
    rewards: tuple[Reward, ...] = ()
    perks: tuple[Perk, ...] = ()

    def __bool__(self) -> bool:
        return self.enabled and bool(self.rules or self.tiers or self.badges or self.challenges or self.perks)

    @property
    def pending(self) -> timedelta:
        """From payment or delivery until points can be used."""
        return UNKNOWN_WINDOW if self.return_window is None else self.return_window + AFTER_WINDOW

    def of_kind(self, *kinds: str) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.kind in kinds)


# -- shapes, a layer at a time -------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    return "" if isinstance(value, str) and len(value) <= 80 else "should be a text of at most 80 letters"


def _texts(value: Any) -> str:
    fits = isinstance(value, list) and value and all(isinstance(item, str) for item in value)
    return "" if fits else 'should be a list of texts such as ["coffee"]'


def _level(value: Any) -> str:
    return count(value) and _money(value) and "should be a number of orders or points, or an amount such as 300 EUR"


def _day(value: Any) -> str:
    return "" if _date(value) is not None else "should be a day such as 2026-03-01"


def _date(value: Any) -> date | None:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None


_RULE: dict[str, Check] = {
    "kind": one_of(*KINDS),
    "points": count,
    "per": _money,
    "most": count,
    "enabled": flag,
    "products": _texts,
    "tags": _texts,
    "types": _texts,
}
_TIER: dict[str, Check] = {"at": _level, "title": _text, "enabled": flag}
_BADGE: dict[str, Check] = {
    "title": _text,
    "enabled": flag,
    "orders": count,
    "reviews": count,
    "referrals": count,
    "spent": _money,
}
_CHALLENGE: dict[str, Check] = {**_BADGE, "begins": _day, "ends": _day, "points": count, "badge": _text}
_REWARD: dict[str, Check] = {
    "title": _text,
    "enabled": flag,
    "points": count,
    "amount": _money,
    "percent": percent_fault,
    "free_delivery": flag,
    "products": _texts,
    "minimum": _money,
    "valid": span_fault,
    "back": span_fault,
}
_PERK: dict[str, Check] = {
    "kind": one_of(*PERKS),
    "title": _text,
    "enabled": flag,
    "begins": moment_fault,
    "opens": moment_fault,
    "ends": moment_fault,
    "link": link_fault,
    "tag": shaped(r"[^,\x00-\x1f]{1,40}", "a tag of at most 40 letters, without a comma"),
    "tiers": _texts,
}
_NAMED = {
    "rules": _RULE,
    "tiers": _TIER,
    "badges": _BADGE,
    "challenges": _CHALLENGE,
    "rewards": _REWARD,
    "perks": _PERK,
}
_KEYS: dict[str, Check] = {
    "enabled": flag,
    "return_window": span_fault,
    "pending_from": one_of(*PENDING_FROM),
    "expires": span_fault,
    "warning": span_fault,
    "measure": one_of(*MEASURES),
    "period": one_of(*PERIODS),
    "span": span_fault,
    "grace": span_fault,
}


def loyalty_faults(where: str, value: Any) -> list[str]:
    """All faults of one layer's table, each as `where.key: what is wrong`."""
    keys = {**_KEYS, **dict.fromkeys(_NAMED, flag)}

    def of_key(place: str, key: str, item: Any) -> list[str]:
        if key not in _NAMED:
            return key_faults(place, key, item, keys)
        return named_faults(place, item, lambda entry, table: table_faults(entry, table, _NAMED[key]))

    return entries(where, value, of_key)


# -- the whole, of one shop ----------------------------------------------------------------------------------------


def read_loyalty(layered: Layered, where: str, currency: str, faults: list[str]) -> Programme:
    """The checked and merged table. What only the whole can tell is noted in `faults`, with its layer's place."""
    get = layered.get
    if get("loyalty") is None:
        return Programme()
    shipped = Programme()

    def span(key: str, otherwise: timedelta | None) -> Any:
        return parse_span(get(f"loyalty.{key}")) if get(f"loyalty.{key}") else otherwise

    base = Programme(
        enabled=get("loyalty.enabled", True),
        return_window=span("return_window", None),
        pending_from=get("loyalty.pending_from", shipped.pending_from),
        expires=span("expires", None),
        warning=span("warning", shipped.warning),
        span=span("span", shipped.span),
        grace=span("grace", shipped.grace),
        measure=get("loyalty.measure", shipped.measure),
        period=get("loyalty.period", shipped.period),
    )
    note = _Notes(layered, where, faults)
    tiers = [_tier(base, name, table, currency, note) for name, table in _live(layered, "tiers")]
    rewards = [read_reward(name, table, currency, note.add) for name, table in _live(layered, "rewards")]
    levels = {tier.name for tier in tiers}
    zone = get("timezone") or "UTC"
    perks = [read_perk(name, table, zone, levels, note.add) for name, table in _live(layered, "perks")]
    return replace(
        base,
        perks=tuple(perk for perk in perks if perk is not None),
        rules=tuple(_rule(name, table, currency, note) for name, table in _live(layered, "rules")),
        tiers=tuple(sorted(tiers, key=lambda tier: (tier.at, tier.name))),
        badges=tuple(_goal("badges", name, table, currency, note) for name, table in _live(layered, "badges")),
        challenges=tuple(
            _goal("challenges", name, table, currency, note) for name, table in _live(layered, "challenges")
        ),
        rewards=tuple(sorted(rewards, key=lambda reward: (reward.points, reward.name))),
    )


@dataclass(frozen=True, slots=True)
class _Notes:
    layered: Layered
    where: str
    faults: list[str] = field(repr=False)

    def add(self, path: str, text: str) -> None:
        layer = self.layered.layer_of(f"loyalty.{path}") or self.where
        place = "" if layer == "app" else f"{layer}."
        self.faults.append(f"{place}loyalty.{path}: {text}")


def _live(layered: Layered, section: str) -> list[tuple[str, Mapping[str, Any]]]:
    tables = layered.get(f"loyalty.{section}", {})
    return [(name, table) for name, table in sorted(tables.items()) if table.get("enabled", True)]


def _rule(name: str, table: Mapping[str, Any], currency: str, note: _Notes) -> Rule:
    rule = Rule(
        name=name,
        kind=table.get("kind", ""),
        points=table.get("points", 0),
        per=read_money(table.get("per")),
        products=tuple(table.get("products", ())),
        tags=tuple(table.get("tags", ())),
        types=tuple(table.get("types", ())),
        most=table.get("most", 0),
    )
    path = f"rules.{name}"
    if not rule.kind:
        note.add(path, f'needs kind = "spend" or another of {", ".join(KINDS)}')
    if not rule.points:
        note.add(path, "needs points = 1 or more")
    if rule.kind == SPEND and (rule.per is None or rule.per.currency != currency):
        note.add(path, f'needs per = "1 {currency}", in the currency of the shop')
    if rule.kind == PRODUCT and not rule.products:
        note.add(path, 'needs products = ["an id or a SKU"]')
    if rule.kind == COLLECTION and not (rule.tags or rule.types):
        note.add(path, 'needs tags = ["..."] or types = ["..."]')
    return rule


def _tier(base: Programme, name: str, table: Mapping[str, Any], currency: str, note: _Notes) -> Tier:
    at, path = table.get("at"), f"tiers.{name}.at"
    if base.measure == "spend" and (not isinstance(at, str) or not at.endswith(currency)):
        note.add(path, f'tiers are reached by spend: write at = "300 {currency}"')
    elif base.measure != "spend" and not isinstance(at, int):
        note.add(path, f"tiers are reached by {base.measure}: write a number")
    return Tier(name=name, title=table.get("title", name.replace("_", " ").title()), at=_number(at or 0))


def _goal(section: str, name: str, table: Mapping[str, Any], currency: str, note: _Notes) -> Goal:
    wants = {deed: _number(table[deed]) for deed in DEEDS if table.get(deed)}
    path = f"{section}.{name}"
    if not wants:
        note.add(path, f"needs one of {', '.join(DEEDS)}")
    if "spent" in table and not str(table["spent"]).endswith(currency):
        note.add(f"{path}.spent", f"should be in the currency of the shop, {currency}")
    goal = Goal(
        name=name,
        title=table.get("title", name.replace("_", " ").title()),
        wants=wants,
        begins=_date(table.get("begins")),
        ends=_date(table.get("ends")),
        points=table.get("points", 0),
        badge=table.get("badge", "") if section == "challenges" else name,
    )
    if section == "challenges" and (goal.begins is None or goal.ends is None or goal.ends < goal.begins):
        note.add(path, 'needs begins = "2026-03-01" and a later ends = "2026-05-31"')
    return goal


def _number(value: Any) -> Decimal:
    """An amount's number, or the number; zero for what the checks refuse anyway."""
    found = read_money(value) if isinstance(value, str) else None
    return found.amount if found else Decimal(value if isinstance(value, int) else 0)

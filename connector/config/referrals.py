"""The `referrals` table of app.toml, layered like all settings: what friends and advocates get, when, and what is held.

    [defaults.referrals]
    friend = "10 %"
    return_window = "14d"
    reward = { kind = "credit", worth = "10 EUR" }
    tiers.faithful = { at = 5, kind = "credit", worth = "15 EUR" }
    caps = { rewards = 10, over = "hold" }
    rules.same_address = "hold"

Checked a layer at a time for names and shapes, as a whole when the shop is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from connector.config.layering import Layered
from connector.config.loyalty import AFTER_WINDOW, DELIVERY, PENDING_FROM, REFERRAL, UNKNOWN_WINDOW
from connector.config.shapes import MONEY, Check, count, flag, money, one_of, read_money, span_fault
from connector.config.tables import entries, key_faults, named_faults, table_faults
from connector.contracts.platform import FREE_DELIVERY
from connector.contracts.step import parse_span
from connector.model import Money

CODE, CREDIT, GIFT_CARD, POINTS = "code", "credit", "gift_card", "points"
KINDS = (CODE, CREDIT, GIFT_CARD, POINTS)
BLOCK, HOLD, OFF = "block", "hold", "off"
RULES: Mapping[str, str] = {
    "same_email": BLOCK,
    "same_customer": BLOCK,
    "same_phone": BLOCK,
    "same_address": BLOCK,
    "second_referral": BLOCK,
    "similar_email": HOLD,
    "similar_name": HOLD,
    "similar_address": HOLD,
    "sent_to_advocate": HOLD,
    "same_place": HOLD,
    "same_device": HOLD,
    "velocity": HOLD,
    "disposable_mail": HOLD,
    "advocate_refunded": HOLD,
}
"""What is done about each sign of fraud unless the shop says otherwise (promises B1 row 29)."""
LONGEST_WINDOW = timedelta(days=90)
"""How long a visit is remembered at most; its hashed network address and device are forgotten after 30 days."""
_money = money("30 EUR")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?) ?%")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """What one side gets: `worth` is `10 %`, `5 EUR` or `free delivery` (`code`), `5 EUR` (`credit`, `gift_card`), a
    number (`points`). `valid` is how long it is good for, `None` for ever. `at`: from the advocate's so manieth friend
    on."""

    kind: str
    worth: str
    valid: timedelta | None = None
    at: int = 1

    @property
    def money(self) -> Money | None:
        """What it costs where that is an amount: what the caps on value count."""
        found = MONEY.fullmatch(self.worth)
        return Money.parse(found[1], found[2]) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Rewards in a calendar month of the shop, for one advocate and for all of them; 0 or `None`: no limit.
    What goes over waits for a person (`hold`) or is refused (`refuse`)."""

    rewards: int = 0
    value: Money | None = None
    shop_rewards: int = 0
    shop_value: Money | None = None
    over: str = HOLD

    def __bool__(self) -> bool:
        return bool(self.rewards or self.value or self.shop_rewards or self.shop_value)

    @property
    def of_shop(self) -> bool:
        return bool(self.shop_rewards or self.shop_value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralTerms:
    """A shop's terms. `enabled`: they are the table's; without one they are what the shop's flows promise
    (`flows.referring.terms`), `friend` then empty and `rewards` none where that is not known.

    `hold`: until a reward is given, from the payment or (`pending_from`) the last parcel's arrival: the return window
    and two days, 30 days where it is unknown (brief); `None` where a flow of the shop's own waits by itself. `friend`:
    the benefit of the shared code (`10 %`, `5 EUR`, `free delivery`), good for `friend_valid`. `window`: from a visit
    to the order it brought. `velocity`: more friends than this within `velocity_span` are held; `same_place`: more than
    this from one network address within 30 days. `keeps_codes`: the code of an advocate who asks to be forgotten goes
    on to be worth something to friends; nobody is rewarded for it."""

    enabled: bool = False
    friend: str = "10 %"
    friend_valid: timedelta | None = None
    minimum: Money | None = None
    first_order: bool = True
    window: timedelta = timedelta(days=30)
    hold: timedelta | None = UNKNOWN_WINDOW
    pending_from: str = DELIVERY
    rewards: tuple[Reward, ...] = ()
    friend_reward: Reward | None = None
    caps: Caps = field(default_factory=Caps)
    rules: Mapping[str, str] = field(default_factory=lambda: dict(RULES))
    velocity: int = 5
    velocity_span: timedelta = timedelta(hours=24)
    same_place: int = 3
    disposable: tuple[str, ...] = ()
    leaderboard: bool = False
    ask: bool = True
    keeps_codes: bool = False

    def reward_for(self, nth: int) -> Reward:
        """The advocate's reward for their `nth` friend, counted from 1."""
        return next(reward for reward in reversed(self.rewards) if reward.at <= max(nth, 1))

    def does(self, rule: str) -> str:
        """What is done where a rule finds something: `block`, `hold` or `off`."""
        return self.rules.get(rule, RULES[rule])


# -- shapes, a layer at a time -------------------------------------------------------------------------------------


def _window(value: Any) -> str:
    fault = span_fault(value)
    return fault or ("" if parse_span(value) <= LONGEST_WINDOW else "should be 90d at most: no visit is kept longer")


def _worth(value: Any) -> str:
    fits = value == FREE_DELIVERY or _is_percent(value) or not _money(value)
    return "" if fits else f'should be 10 %, an amount such as 5 EUR, or "{FREE_DELIVERY}"'


def _is_percent(value: Any) -> bool:
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    return bool(found and 0 < Decimal(found[1]) <= 100)


def _domains(value: Any) -> str:
    fits = isinstance(value, list) and all(isinstance(item, str) and _DOMAIN.fullmatch(item) for item in value)
    return "" if fits else 'should be a list of mail domains such as ["mailinator.com"]'


_REWARD: dict[str, Check] = {"kind": one_of(*KINDS), "worth": _worth, "points": count, "valid": span_fault}
_TIER: dict[str, Check] = {**_REWARD, "at": count, "enabled": flag}
_CAPS: dict[str, Check] = {
    "rewards": count,
    "value": _money,
    "shop_rewards": count,
    "shop_value": _money,
    "over": one_of("hold", "refuse"),
}
_TABLES: dict[str, Mapping[str, Check]] = {
    "reward": _REWARD,
    "friend_reward": {**_REWARD, "enabled": flag},
    "caps": _CAPS,
    "rules": dict.fromkeys(RULES, one_of(BLOCK, HOLD, OFF)),
}
_KEYS: dict[str, Check] = {
    "enabled": flag,
    "friend": _worth,
    "friend_valid": span_fault,
    "minimum": _money,
    "first_order": flag,
    "window": _window,
    "return_window": span_fault,
    "pending_from": one_of(*PENDING_FROM),
    "velocity": count,
    "velocity_span": span_fault,
    "same_place": count,
    "disposable": _domains,
    "leaderboard": flag,
    "ask": flag,
    "keeps_codes": flag,
}


def referral_faults(where: str, value: Any) -> list[str]:
    """All faults of one layer's table, each as `where.key: what is wrong`."""
    keys = {**_KEYS, **dict.fromkeys((*_TABLES, "tiers"), flag)}

    def of_key(place: str, key: str, item: Any) -> list[str]:
        if key == "tiers":
            return named_faults(place, item, lambda entry, table: table_faults(entry, table, _TIER))
        if key in _TABLES:
            return table_faults(place, item, _TABLES[key])
        return key_faults(place, key, item, keys)

    return entries(where, value, of_key)


# -- the whole, of one shop ----------------------------------------------------------------------------------------


def read_referrals(layered: Layered, where: str, currency: str, faults: list[str]) -> ReferralTerms:
    """The checked and merged table. What only the whole can tell is noted in `faults`, with its layer's place."""
    table: Mapping[str, Any] | None = layered.get("referrals")
    if table is None:
        return ReferralTerms()
    note = _Notes(layered, where, currency, faults)
    shipped = ReferralTerms()
    window = _read_span(table.get("return_window", layered.get("loyalty.return_window")))
    for path in ("friend", "minimum", "caps.value", "caps.shop_value"):
        note.currency_of(path, layered.get(f"referrals.{path}"))
    rewards = _rewards(table, note)
    if not table.get("enabled", True):
        return ReferralTerms()
    _points_once(rewards, note)
    return ReferralTerms(
        enabled=True,
        friend=table.get("friend", shipped.friend),
        friend_valid=_read_span(table.get("friend_valid")),
        minimum=read_money(table.get("minimum")),
        first_order=table.get("first_order", True),
        window=_read_span(table.get("window")) or shipped.window,
        hold=UNKNOWN_WINDOW if window is None else window + AFTER_WINDOW,
        pending_from=table.get("pending_from", shipped.pending_from),
        rewards=rewards,
        friend_reward=_friend_reward(table, note),
        caps=_caps(table.get("caps", {})),
        rules={**RULES, **table.get("rules", {})},
        velocity=table.get("velocity", shipped.velocity),
        velocity_span=_read_span(table.get("velocity_span")) or shipped.velocity_span,
        same_place=table.get("same_place", shipped.same_place),
        disposable=tuple(table.get("disposable", ())),
        leaderboard=table.get("leaderboard", False),
        ask=table.get("ask", True),
        keeps_codes=table.get("keeps_codes", False),
    )


@dataclass(frozen=True, slots=True)
class _Notes:
    layered: Layered
    where: str
    currency: str
    faults: list[str] = field(repr=False)

    def add(self, path: str, text: str) -> None:
        layer = self.layered.layer_of(f"referrals.{path}") or self.layered.layer_of("referrals") or self.where
        place = "" if layer == "app" else f"{layer.split(', ')[-1]}."
        self.faults.append(f"{place}referrals.{path}: {text}")

    def currency_of(self, path: str, value: Any) -> None:
        found = MONEY.fullmatch(value) if isinstance(value, str) else None
        if found and found[2] != self.currency:
            self.add(path, f"should be in the currency of the shop, {self.currency}")


def _rewards(table: Mapping[str, Any], note: _Notes) -> tuple[Reward, ...]:
    """The advocate's reward and its tiers, by the number of the friend they begin with."""
    if "reward" not in table:
        if table.get("enabled", True):
            note.add("reward", 'missing; write reward = { kind = "code", worth = "10 %" }')
        return ()
    found = [_reward("reward", table["reward"], note)]
    for name, tier in sorted(table.get("tiers", {}).items()):
        if not tier.get("enabled", True):
            continue
        if tier.get("at", 0) < 2:
            note.add(f"tiers.{name}", "needs at = 2 or more: the number of the friend it begins with")
        found.append(_reward(f"tiers.{name}", tier, note))
    if len({reward.at for reward in found}) < len(found):
        note.add("tiers", "two tiers begin with the same friend")
    return tuple(sorted(found, key=lambda reward: reward.at))


def _points_once(rewards: Sequence[Reward], note: _Notes) -> None:
    """One friend must not earn the advocate points by both tables: by the reward, and by a rule of the programme."""
    loyal = note.layered.get("loyalty", {})
    rules = loyal.get("rules", {}) if loyal.get("enabled", True) else {}
    twice = [name for name, rule in sorted(rules.items()) if rule.get("kind") == REFERRAL and rule.get("enabled", True)]
    if twice and any(reward.kind == POINTS for reward in rewards):
        note.add(
            "reward",
            f"gives points, and so does loyalty.rules.{twice[0]}: the advocate would be paid twice; "
            f"keep one (loyalty.rules.{twice[0]}.enabled = false, or another kind of reward)",
        )


def _friend_reward(table: Mapping[str, Any], note: _Notes) -> Reward | None:
    entry = table.get("friend_reward")
    return _reward("friend_reward", entry, note) if entry and entry.get("enabled", True) else None


def _reward(path: str, table: Mapping[str, Any], note: _Notes) -> Reward:
    kind, worth, points = table.get("kind", ""), table.get("worth", ""), table.get("points", 0)
    note.currency_of(f"{path}.worth", worth)
    if not kind:
        note.add(path, f'needs kind = "code" or another of {", ".join(KINDS)}')
    elif kind == POINTS and (not points or worth):
        note.add(path, "needs points = 100, and no worth")
    elif kind != POINTS and (not worth or points):
        note.add(path, f'needs worth = "5 {note.currency}", and no points')
    elif kind in (CREDIT, GIFT_CARD) and (_is_percent(worth) or worth == FREE_DELIVERY):
        note.add(path, f'a {kind} is an amount: write worth = "5 {note.currency}"')
    return Reward(
        kind=kind,
        worth=str(points) if kind == POINTS else worth,
        valid=_read_span(table.get("valid")),
        at=table.get("at", 1),
    )


def _caps(table: Mapping[str, Any]) -> Caps:
    return Caps(
        rewards=table.get("rewards", 0),
        value=read_money(table.get("value")),
        shop_rewards=table.get("shop_rewards", 0),
        shop_value=read_money(table.get("shop_value")),
        over=table.get("over", HOLD),
    )


def _read_span(text: str | None) -> timedelta | None:
    return parse_span(text) if text else None

"""What policy says of an effect, and what its rules look at. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from connector.config.limits import ChannelLimits, Limits
from connector.model import ConsentState, Effect, ShopStatus
from connector.model.changing import quick
from flows.facts import Facts


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who an effect reaches, for this channel and purpose. `address_key` is `None` where nobody can be reached.

    `suppressions` are (scope, reason, at): scope `all`, `marketing` or a purpose; reason `unsubscribe`, `hard_bounce`,
    `complaint`, `manual` ... `soft_opt_in` is the merchant's word that buyers were told at checkout for this purpose.
    Before `paused_until` the person wants none of the marketing class, before `care_until` somebody owes them an
    answer.
    """

    address_key: str | None = field(default=None, repr=False)
    consent: ConsentState = ConsentState.UNKNOWN
    consent_source: str = ""
    consent_at: datetime | None = None
    suppressions: tuple[tuple[str, str, datetime], ...] = ()
    soft_opt_in: bool = False
    paused_until: datetime | None = None
    care_until: datetime | None = None
    care_reason: str = ""
    shop_status: ShopStatus = ShopStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class Allow:
    """The effect may happen. `detail` holds what made it lawful, for the record."""

    code: str = "allowed"
    reason: str = "every rule allows it"
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Defer:
    """Not now: ask again at `until`."""

    until: datetime
    code: str
    reason: str
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drop:
    """Never: the effect is skipped for good."""

    code: str
    reason: str
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hold:
    """Not before a person releases it: nothing is lost, and nothing goes out by itself."""

    code: str
    reason: str
    detail: Mapping[str, str] = field(default_factory=dict)


Verdict = Allow | Defer | Hold | Drop


@dataclass(frozen=True, slots=True)
class Reached:
    """A message of the marketing class that reached the person on this channel, or may have: `at`, of which flow of
    which shop. `until` is set while it is being sent: ask again then."""

    at: datetime
    flow_id: str
    shop_id: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rival:
    """A message of a flow that goes first, due now for the same person and channel."""

    flow_id: str
    shop_id: str
    priority: int


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """A question of a survey: when the person was last asked one, by which flow of which shop; `apart` is the least
    time between two. Of all people the `share` with the lowest `place` is asked."""

    asked_at: datetime | None
    flow_id: str
    shop_id: str
    apart: timedelta
    share: float
    place: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fairness:
    """What keeps a lawful message of the marketing class from being one too many, on one channel.

    `reached` is the last one that reached the person from any flow and shop of the client, `ignored` how many came
    since their last sign of life (`sign_at`). `zone` is theirs, known by `zone_source`; `closed` the name of the
    public holiday of a day, by which `limits.holidays` goes. `sent_today`: of this flow, in this shop; `place` is the
    person's place in it from 0 to 1, `canary` the share that is served. `unfit` are the products the message names
    that must not be named, each with its rule. `farewell`: the message belongs to a goodbye flow.
    `inquiry` is there for a message that asks something. `asked_until`: products the person was asked to review with
    another order, and until when they are not asked about again.
    """

    limits: Limits
    channel: ChannelLimits
    zone: str = "UTC"
    zone_source: str = "shop"
    closed: Callable[[date], str] = field(default=lambda _: "", compare=False, repr=False)
    reached: Reached | None = None
    ignored: int = 0
    sign_at: datetime | None = None
    priority: int = 50
    rival: Rival | None = None
    paused: str = ""
    released: bool = False
    daily: int = 0
    sent_today: int = 0
    canary: float = 1.0
    place: float = 0.0
    unfit: tuple[tuple[str, str], ...] = ()
    asked_until: Mapping[str, datetime] = field(default_factory=dict)
    farewell: bool = False
    inquiry: Inquiry | None = None


@quick
@dataclass(frozen=True, slots=True)
class Case:
    """What the rules look at. `fairness` is there once the law allows a message of the marketing class."""

    effect: Effect
    facts: Facts
    person: Person
    now: datetime
    fairness: Fairness | None = None

    @property
    def message(self) -> bool:
        return self.effect.kind == "message"

    @property
    def marketing(self) -> bool:
        return self.effect.purpose.needs_consent

    @property
    def age(self) -> timedelta:
        return self.now - self.effect.created_at

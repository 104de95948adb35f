"""What a flow may look at: one frozen picture of a run's order, customer, parcel and history at one moment.

The caller (the worker, the simulation, a test) fills it from the store; guards and steps read it by path.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from connector.clock import to_text
from connector.contracts.step import CODE_LETTERS
from connector.errors import ConfigError
from connector.model import Customer, Event, Guide, Order, Shipment, Shop, email_key
from connector.model.changing import quick
from flows.goods.guides import GuideFacts, fitting, guide_facts
from flows.knowing.about import CheckoutFacts, LineFacts
from flows.knowing.background import BLANK, Background
from flows.knowing.beyond import beyond, leads_beyond
from flows.knowing.zones import residence

# Crockford base 32 without i, l, o, u: a code read aloud or from paper is typed back the same.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an order has come, derived by `flows.derive`.

    `shipped_at` is when the last needed parcel left, `delivered_at` when the last live parcel arrived; both are
    `None` until that is true of the whole order. `parcels` counts live (not cancelled) parcels. `abroad` is false when
    unknown.
    """

    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    last_shipment_at: datetime | None = None
    parcels: int = 0
    delivered_parcels: int = 0
    refunded: bool = False
    fully_refunded: bool = False
    returned: bool = False
    cancelled: bool = False
    reviewed_at: datetime | None = None
    abroad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralFacts:
    """The referral an order came through. `state` is the ledger's word (`review`, `held`, `rewarded`, `reversed`).

    `opens_at` is when the reward may be given. Where the shop has a `referrals` table: what was promised when the order
    came (`reward_kind` is `code`, `credit`, `gift_card` or `points`), to the friend too.
    """

    state: str
    code: str
    advocate_email: str | None = None
    advocate_customer_id: str | None = None
    advocate_name: str | None = None
    is_self: bool = False
    id: str | None = None
    opens_at: datetime | None = None
    reward_kind: str | None = None
    reward: str | None = None
    reward_valid: str | None = None
    friend_kind: str | None = None
    friend_reward: str | None = None
    friend_valid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientFacts:
    """Where the person of the run lives, by the clock, and which of `address`, `phone`, `platform`, `shop` told."""

    timezone: str
    timezone_source: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Implements `connector.contracts.StepContext`.

    `event` is the trigger as text (`event_facts`); `steps` maps step id to its outcome and values; `salt` is the secret
    from which codes are derived and appears in no repr. `background` is asked for what is not here
    (`flows.knowing.beyond`).
    """

    now: datetime
    shop: Shop
    order: Order | None = None
    customer: Customer | None = None
    shipment: Shipment | None = None
    line: LineFacts | None = None
    checkout: CheckoutFacts | None = None
    progress: Progress = field(default_factory=Progress)
    referral: ReferralFacts | None = None
    event: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    run_id: str = ""
    step_id: str = ""
    salt: bytes = field(default=b"", repr=False)
    guides: tuple[Guide, ...] = ()
    product_tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    background: Background = field(default=BLANK, repr=False, compare=False)

    def get(self, path: str) -> Any:
        """The value at a guard path, `None` where anything on the way is missing."""
        return _reader(path)(self)

    @property
    def recipient(self) -> RecipientFacts:
        """Worked out when asked for: few flows look at it."""
        found = residence(self.shop, self.order, self.customer)
        return RecipientFacts(timezone=found.zone, timezone_source=found.source)

    @property
    def guide(self) -> GuideFacts:
        """What the merchant's product texts have to say about the order, or the line the run is about."""
        since = self.progress.delivered_at or self.progress.shipped_at
        return guide_facts(self.fitting_guides, since or (self.order.placed_at if self.order else None))

    @property
    def fitting_guides(self) -> tuple[Guide, ...]:
        if self.line is not None:
            return fitting(self.guides, (self.line,), {self.line.product_id or "": self.line.tags})
        return fitting(self.guides, self.order.lines if self.order else (), self.product_tags)

    def code(self, prefix: str, length: int = CODE_LETTERS) -> str:
        """`PREFIX-` and `length` letters of 5 bits, derived from shop, run, step and prefix.

        A retry meets its own code; without the salt nobody can guess another's.
        """
        return code_of(self, self.run_id, self.step_id, prefix, length)


def code_of(facts: Facts, run_id: str, step_id: str, prefix: str, length: int) -> str:
    """What `Facts.code` gives at one step of one run."""
    if not facts.salt:
        raise ConfigError("codes need the app's secret key: without it anyone could compute them")
    message = "\0".join((facts.shop.id, run_id, step_id, prefix)).encode()
    number = int.from_bytes(hmac.new(facts.salt, message, hashlib.sha256).digest())
    letters = "".join(_LETTERS[(number >> (5 * i)) & 31] for i in range(length))
    return f"{prefix}-{letters}" if prefix else letters


ROOTS = (
    *("order", "line", "customer", "checkout", "shipment", "progress", "referral", "recipient", "shop", "event"),
    *("guide", "params", "steps", "consent", "now"),
)
"""The first words of guard paths."""


class Standing:
    """Facts as guards and steps see them from where one run stands: with its event, its flow's parameters, what its
    earlier steps came to. Implements `connector.contracts.StepContext`; a view, so that none of the rest is copied."""

    __slots__ = ("_facts", "event", "now", "params", "run_id", "step_id", "steps")

    def __init__(
        self,
        facts: Facts,
        *,
        params: Mapping[str, str],
        event: Mapping[str, str],
        steps: Mapping[str, Mapping[str, str]],
        run_id: str = "",
        step_id: str = "",
    ) -> None:
        self._facts = facts
        self.now = facts.now
        self.params = params
        self.event = event
        self.steps = steps
        self.run_id = run_id
        self.step_id = step_id

    def get(self, path: str) -> Any:
        """The value at a guard path, `None` where anything on the way is missing."""
        root, read = _own_reader(path)
        return read(self if root in _OF_RUN else self._facts)

    def at(self, now: datetime) -> Standing:
        """The same at another moment."""
        return Standing(
            replace(self._facts, now=now),
            params=self.params,
            event=self.event,
            steps=self.steps,
            run_id=self.run_id,
            step_id=self.step_id,
        )

    def code(self, prefix: str, length: int = CODE_LETTERS) -> str:
        """As `Facts.code`, of this run and step."""
        return code_of(self._facts, self.run_id, self.step_id, prefix, length)


_OF_RUN = frozenset({"event", "params", "steps"})


@lru_cache(maxsize=4096)
def _own_reader(path: str) -> tuple[str, Callable[[Any], Any]]:
    return path.partition(".")[0], _reader(path)


@lru_cache(maxsize=4096)
def _reader(path: str) -> Callable[[Any], Any]:
    """How the value at a path is read: worked out once, flows ask the same few again and again."""
    root, *rest = path.split(".")
    if leads_beyond(root, rest):
        return partial(_read_beyond, root, rest)
    if root not in ROOTS:
        return _nothing
    if len(rest) == 1:
        return partial(_read_member, root, rest[0])
    return partial(_read_members, root, rest)


def _nothing(facts: object) -> None:
    del facts


def _read_member(root: str, name: str, facts: object) -> Any:
    return _member(getattr(facts, root, None), name)


def _read_members(root: str, names: Sequence[str], facts: object) -> Any:
    value = getattr(facts, root, None)
    for name in names:
        value = _member(value, name)
    return value


def _read_beyond(root: str, rest: list[str], facts: Facts) -> Any:
    found = beyond(facts, root, rest)
    value, left = found if found is not None else (None, [])
    for name in left:
        value = _member(value, name)
    return value


_MAPPINGS: dict[type[Any], bool] = {}


def _is_mapping(cls: type[Any]) -> bool:
    # Remembered by class: asking an abstract base class costs more than all the rest of a guard.
    known = _MAPPINGS[cls] = issubclass(cls, Mapping)
    return known


def _member(value: Any, name: str) -> Any:
    """One step along a path. Tuples of objects are read through: `order.lines.sku` is the tuple of their skus."""
    if value is None:
        return None
    cls = value.__class__
    if cls is not tuple and not isinstance(value, tuple):
        is_mapping = _MAPPINGS.get(cls)
        if is_mapping is None:
            is_mapping = _is_mapping(cls)
        return value.get(name) if is_mapping else getattr(value, name, None)
    if name == "count":
        return len(value)
    if not value:
        return None
    if all(isinstance(item, tuple) for item in value):
        return dict(value).get(name)
    found = (_member(item, name) for item in value)
    return tuple(item for item in found if item is not None)


def event_facts(event: Event) -> dict[str, str]:
    """The trigger as a run keeps it and guards read it: `event.kind`, `event.at`, `event.key` and its data."""
    return {**event.data, "kind": str(event.kind), "at": to_text(event.at), "key": event.key}


def email_of(facts: Facts) -> str | None:
    """The address of the person who ordered, in the form joins use: the order's own comes before the account's.

    An event about a person alone brings them as `customer`; a cart's address is its customer's
    (`flows.knowing.situation`).
    """
    for email in (facts.order.email if facts.order else None, facts.customer.email if facts.customer else None):
        key = email_key(email)
        if key:
            return key
    return None

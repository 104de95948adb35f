"""Paths that lead beyond what `Facts` carries: the one list of them, with their types and how each is read.

    customer.lifetime.orders   customer.segments   customer.fields.size
    consent.email.state        consent.sms.loyalty.at
    shop.repeat_gap_days       line.replenish_after

`flows.authoring.paths` checks a path by the types here, `flows.facts` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from connector.model import Channel, Purpose
from flows.goods.recommending import candidates
from flows.knowing.lifetime import Lifetime

if TYPE_CHECKING:
    from flows.facts import Facts

BEYOND: Mapping[str, Mapping[str, Any]] = {
    "customer": {
        "lifetime": Lifetime,
        "segments": tuple[str, ...],
        "fields": Mapping[str, str],
        "recommendations": int,
    },
    "shop": {
        "repeat_gap_days": int | None,
        "repeat_gap": timedelta | None,
        "late_gap_days": int | None,
        "late_gap": timedelta | None,
        "buyers": int,
        "repeat_buyers": int,
    },
    "line": {"replenish_after": timedelta | None},
}
"""Root, name, type: what a root has beside the members of its class."""
ROOTS_BEYOND = frozenset({*BEYOND, "consent"})
COUNTED = ("customer.lifetime.rfm", "customer.recommendations", "line.replenish_after")
"""Beginnings of paths whose values are counted over the shop's whole history, beside the shop's own."""
PURPOSES = ("marketing", "review", "referral", "loyalty")


def is_counted(path: str) -> bool:
    """Whether a path needs the shop's nightly count."""
    root, _, rest = path.partition(".")
    if root == "shop":
        return rest.partition(".")[0] in BEYOND["shop"]
    return path.startswith(COUNTED)


def _replenish_after(facts: Facts) -> timedelta | None:
    line = facts.line
    if line is None or not line.product_id:
        return None
    return facts.background.product(line.product_id).lasts(line.quantity)


def _recommendations(facts: Facts) -> int:
    """How many products the shop's history puts beside those of the order: not the person's yet, to be had now."""
    order = facts.order
    seeds = [line.product_id for line in order.lines if line.product_id and line.current_quantity != 0] if order else []
    figures = {product: facts.background.product(product) for product in seeds}
    found = candidates(seeds, figures, {*seeds, *facts.background.lifetime().products})
    return len(facts.background.recommendable(found))


def _shop(name: str) -> Callable[[Facts], Any]:
    return lambda facts: getattr(facts.background.shop(), name)


_READERS: Mapping[tuple[str, str], Callable[[Facts], Any]] = {
    ("customer", "lifetime"): lambda facts: facts.background.lifetime(),
    ("customer", "segments"): lambda facts: facts.background.segments(),
    ("customer", "fields"): lambda facts: facts.background.fields(),
    ("customer", "recommendations"): _recommendations,
    ("line", "replenish_after"): _replenish_after,
    **{("shop", name): _shop(name) for name in BEYOND["shop"]},
}


def leads_beyond(root: str, rest: Sequence[str]) -> bool:
    """Whether a path that begins so is read by `beyond`."""
    return bool(rest) and (root == "consent" or (root, rest[0]) in _READERS)


def beyond(facts: Facts, root: str, rest: list[str]) -> tuple[Any, list[str]] | None:
    """The value such a path begins with and what is left of it; `None` for a path that leads nowhere beyond."""
    if root == "consent":
        return _consent(facts, rest)
    reader = _READERS.get((root, rest[0])) if rest else None
    return (reader(facts), rest[1:]) if reader is not None else None


def _consent(facts: Facts, rest: list[str]) -> tuple[Any, list[str]] | None:
    if not rest:
        return None
    named = len(rest) > 1 and rest[1] in PURPOSES
    purpose = Purpose.of(rest[1]) if named else Purpose.MARKETING
    return facts.background.consent(Channel.of(rest[0]), purpose), rest[2 if named else 1 :]

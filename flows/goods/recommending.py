"""What else somebody may like: products that others bought with theirs, from the shop's own history.

Never what they have bought already (kept or returned; what runs out may come again when it is about to), nothing the
shop does not sell just now, no gift card, nothing its tags keep out. Whatever is left out has its reason
(`Verdict.why`): `kiitos recommendations explain` shows what a message used, not an account of its own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from connector.model import Product
from flows.knowing.background import Companion, ProductFigures

MOST = 4
NO_PROFILING = "no-profiling"
"""The tag of a customer for whom nothing is worked out from what they bought (GDPR Art. 21(2))."""
NOT_RECOMMENDED = "no-recommendation"
"""The tag of a product that is never recommended: a spare part, a sample, something that needs advice."""
CONSUMABLE = "consumable"
"""The tag of a product that runs out, as the flow `replenishment` has it."""
_SOLD = frozenset({"", "active", "publish"})
_GIFT_CARDS = frozenset({"gift card", "gift cards", "giftcard", "gift_card", "gift-card"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """One candidate: `why` it is not recommended, empty where it is. `because` are what they bought and how it goes
    with this; nothing where it came in as a best-seller."""

    product_id: str
    weight: float
    why: str = ""
    because: tuple[tuple[str, Companion], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Having:
    """What somebody has: `owned` whatever was ever in an order of theirs; of it `due` what has run out or is about to,
    and `returned` what they sent back."""

    owned: frozenset[str] = frozenset()
    due: frozenset[str] = frozenset()
    returned: frozenset[str] = field(default=frozenset())


def weigh(seeds: Sequence[str], figures: Mapping[str, ProductFigures]) -> list[Verdict]:
    """Everything that goes with `seeds` (what they bought), the surest first."""
    weights: defaultdict[str, float] = defaultdict(float)
    because: defaultdict[str, list[tuple[str, Companion]]] = defaultdict(list)
    for seed in dict.fromkeys(seeds):
        for companion in figures[seed].companions if seed in figures else ():
            # Each seed votes with how much likelier it makes the other, the more buyers say so the louder.
            weights[companion.product_id] += math.log(companion.lift) * math.log1p(companion.together)
            because[companion.product_id].append((seed, companion))
    ranked = sorted(sorted(weights), key=lambda product: weights[product], reverse=True)
    return [Verdict(product, weights[product], because=tuple(because[product])) for product in ranked]


def candidates(seeds: Sequence[str], figures: Mapping[str, ProductFigures], owned: Collection[str]) -> list[str]:
    """Product ids, the surest first. `seeds` are what they bought; of `figures` those of the seeds are looked at."""
    return [found.product_id for found in weigh(seeds, figures) if found.product_id not in owned]


def obstacle(product: Product | None) -> str:
    """Why a product cannot be recommended to anybody now; empty where it can."""
    if product is None:
        return "the shop never told of it"
    if product.deleted:
        return "it was deleted"
    if product.raw_status.lower() not in _SOLD:
        return f"it is not published ({product.raw_status})"
    if product.in_stock is False:
        return "it is out of stock"
    if not product.url:
        return "it has no page"
    if (product.product_type or "").lower() in _GIFT_CARDS:
        return "it is a gift card"
    if NOT_RECOMMENDED in {tag.lower() for tag in product.tags}:
        return f"it has the tag {NOT_RECOMMENDED}"
    return ""


def judge(found: Iterable[Verdict], having: Having, known: Mapping[str, Product], most: int = MOST) -> list[Verdict]:
    """Each candidate with why it is left out; at most `most` are not. `known` are the shop's products by id."""
    judged: list[Verdict] = []
    chosen = 0
    for each in found:
        why = _theirs(each.product_id, having, known.get(each.product_id)) or obstacle(known.get(each.product_id))
        if not why and chosen == most:
            why = "others come before it"
        chosen += not why
        judged.append(Verdict(each.product_id, each.weight, why, each.because))
    return judged


def _theirs(product_id: str, having: Having, product: Product | None) -> str:
    if product_id in having.returned:
        return "they sent it back"
    if product_id not in having.owned:
        return ""
    runs_out = product is not None and CONSUMABLE in {tag.lower() for tag in product.tags}
    if runs_out and product_id in having.due:
        return ""
    return "theirs has not run out yet" if runs_out else "they have it"


def recommend(
    seeds: Sequence[str],
    figures: Mapping[str, ProductFigures],
    owned: Collection[str],
    known: Mapping[str, Product],
    most: int = MOST,
) -> tuple[Product, ...]:
    """At most `most` products. `known` are the shop's products by id; what it does not know is not recommended."""
    having = Having(owned=frozenset(owned))
    judged = judge(weigh(seeds, figures), having, known, most)
    return tuple(known[each.product_id] for each in judged if not each.why)

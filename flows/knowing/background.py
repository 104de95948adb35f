"""What is known beyond a run itself: its person's figures, segments and consents, its shop's and products' figures.

Read only when a guard, a step or a template asks: a flow that asks for none of it pays for none of it. The caller says
where it comes from (the store, a simulation, a test).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from connector.model import Channel, ConsentState, Money, Purpose
from flows.knowing.lifetime import Lifetime, Quintiles


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody last decided about one channel and purpose, when, and where they said so."""

    state: ConsentState = ConsentState.UNKNOWN
    at: datetime | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class SaidByPurpose:
    """What they decided about one channel: about marketing, and about each purpose that can be decided by itself."""

    state: ConsentState = ConsentState.UNKNOWN
    at: datetime | None = None
    source: str = ""
    marketing: Said = Said()
    review: Said = Said()
    referral: Said = Said()
    loyalty: Said = Said()


@dataclass(frozen=True, slots=True)
class ConsentFacts:
    """What they decided, by channel."""

    email: SaidByPurpose = SaidByPurpose()
    sms: SaidByPurpose = SaidByPurpose()
    whatsapp: SaidByPurpose = SaidByPurpose()
    push: SaidByPurpose = SaidByPurpose()
    print: SaidByPurpose = SaidByPurpose()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopFigures:
    """What a shop's whole history says, counted at night. The repeat gap is `None` until so many have come back that
    it can be trusted (`flows.goods.counting`): half of all returns come within `repeat_gap`, four of five within
    `late`. `best_sellers` are the products that most people bought of late, most first."""

    quintiles: Quintiles | None = None
    buyers: int = 0
    repeat_buyers: int = 0
    repeat_gap_days: int | None = None
    late_gap_days: int | None = None
    best_sellers: tuple[str, ...] = ()

    @property
    def repeat_gap(self) -> timedelta | None:
        return None if self.repeat_gap_days is None else timedelta(days=self.repeat_gap_days)

    @property
    def late_gap(self) -> timedelta | None:
        return None if self.late_gap_days is None else timedelta(days=self.late_gap_days)


@dataclass(frozen=True, slots=True)
class Companion:
    """A product that is bought by those who bought another. `together` buyers have both, `beside` times in one order;
    they are `confidence` (0 to 1) of those who have the other; `lift` is how many times more than chance would have it,
    and hardly less than `lift_low`."""

    product_id: str
    together: int
    lift: float
    lift_low: float = 0.0
    confidence: float = 0.0
    beside: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFigures:
    """What the shop's history says of a product. `gap_days` is how long one piece of it lasts: the middle of the gaps
    between one person's purchases of it, between `gap_low` and `gap_high` in 19 cases of 20; `None` where too few came
    back to say so (`flows.goods.intervals`)."""

    buyers: int = 0
    repeats: int = 0
    gap_days: float | None = None
    gap_low: float | None = None
    gap_high: float | None = None
    companions: tuple[Companion, ...] = ()

    def lasts(self, pieces: int = 1) -> timedelta | None:
        """How long so many last; `None` where nobody knows."""
        return None if self.gap_days is None else timedelta(days=self.gap_days * max(1, pieces))


class Background(Protocol):
    """Where `Facts` finds what it does not carry itself. Every method may be asked any number of times."""

    def lifetime(self) -> Lifetime: ...
    def segments(self) -> tuple[str, ...]:
        """The names of the segments the person is in."""
        ...

    def fields(self) -> Mapping[str, object]:
        """The person's own fields, as step `set` wrote them."""
        ...

    def consent(self, channel: Channel, purpose: Purpose) -> Said: ...
    def reviewed(self) -> frozenset[str]:
        """The products the person reviewed, with whichever order."""
        return frozenset()

    def shop(self) -> ShopFigures: ...
    def product(self, product_id: str) -> ProductFigures: ...
    def recommendable(self, product_ids: Sequence[str]) -> Sequence[str]:
        """Those that can be bought now and may be recommended to the person, as far as is known."""
        ...


@dataclass(frozen=True, slots=True)
class Blank:
    """Nothing is known: the background of tests, and of facts nobody asks."""

    nothing: Lifetime = field(default=Lifetime(orders=0, spent=Money.zero("EUR"), average=Money.zero("EUR")))

    def lifetime(self) -> Lifetime:
        return self.nothing

    def segments(self) -> tuple[str, ...]:
        return ()

    def fields(self) -> Mapping[str, object]:
        return {}

    def consent(self, channel: Channel, purpose: Purpose) -> Said:
        del channel, purpose
        return Said()

    def reviewed(self) -> frozenset[str]:
        return frozenset()

    def shop(self) -> ShopFigures:
        return ShopFigures()

    def product(self, product_id: str) -> ProductFigures:
        del product_id
        return ProductFigures()

    def recommendable(self, product_ids: Sequence[str]) -> Sequence[str]:
        return product_ids


BLANK = Blank()

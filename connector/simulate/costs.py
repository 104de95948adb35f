"""What messages and rewards would have cost, at the prices in `app.toml`:

    [defaults.costs]
    email = "0.0008 EUR"        # a message, by channel
    sms = "0.07 EUR"            # for each part of a text
    reward_use = 0.2            # the share of codes and credits that people use

A reward of "10 %" counts as a tenth of the shop's average order, "free delivery" as nothing: nobody tells what a
parcel costs the shop. Without prices nothing is counted, and said so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from connector.config import ShopSettings
from connector.simulate.parts import TextParts
from connector.simulate.tally import Line, Tally

REWARD_USE = "reward_use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Prices in the shop's currency. `reward_use` is a share between 0 and 1, `None` where nobody said; `parts` counts
    the SMS that a text of a template takes."""

    currency: str
    messages: Mapping[str, Decimal] = field(default_factory=dict)
    reward_use: Decimal | None = None
    parts: Callable[[str], int] = field(default=lambda _: 1, compare=False)

    def of(self, line: Line) -> Decimal:
        """The price of one message of a line. Providers charge for each part of a text."""
        price = self.messages.get(line.channel, Decimal(0))
        return price * self.parts(line.what) if price and line.channel == "sms" else price

    def __bool__(self) -> bool:
        return bool(self.messages) or self.reward_use is not None


@dataclass(frozen=True, slots=True)
class Bill:
    """What one flow would have cost, in the shop's currency."""

    messages: Decimal = Decimal(0)
    rewards: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        return self.messages + self.rewards


def costs_of(settings: ShopSettings) -> Costs:
    """The prices the layers of the shop give; checked when the file was read."""
    table: Mapping[str, object] = settings.layered.get("costs") or {}
    use = table.get(REWARD_USE)
    return Costs(
        currency=settings.shop.currency,
        messages={name: _amount(str(value)) for name, value in table.items() if name != REWARD_USE},
        reward_use=Decimal(str(use)) if use is not None else None,
        parts=TextParts(settings).of,
    )


def bill(tally: Tally, costs: Costs, flow: str) -> Bill:
    """The flow's messages at their prices, and its rewards at their worth times the share that is used."""
    sent = (
        costs.of(line) * count for line, count in tally.sent.items() if line.flow == flow and line.kind == "message"
    )
    promised = (worth(text, tally.average) * count for (of, text), count in tally.rewards.items() if of == flow)
    used = sum(promised, Decimal(0)) * (costs.reward_use or Decimal(0))
    return Bill(sum(sent, Decimal(0)).quantize(Decimal("0.01")), used.quantize(Decimal("0.01")))


def worth(text: str, average: Decimal) -> Decimal:
    """What a reward is worth once: a share of the average order, or its own amount."""
    number, _, unit = text.partition(" ")
    return average * _amount(number) / 100 if unit == "%" else _amount(number)


def _amount(text: str) -> Decimal:
    try:
        return Decimal(text.partition(" ")[0])
    except InvalidOperation:
        return Decimal(0)

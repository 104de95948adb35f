"""`send`: one message to one person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from connector.contracts import Act, Decision, Step, StepContext
from connector.model import Channel, Purpose

PEOPLE = ("customer", "advocate", "friend")
"""Whom a message or a code may be for. `friend` is who ordered with an advocate's code."""

CHANNELS = tuple(str(channel) for channel in Channel if channel is not Channel.OTHER)
PURPOSES = tuple(str(purpose) for purpose in Purpose if purpose is not Purpose.OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(Step):
    """Send `template` through `channel`. Whether the person may be written to is decided at the last moment by
    `flows.policy`, never here: what holds now need not hold when the message leaves.

    With `channels` it goes through the first of them on which the person may be reached then: the shop has such a
    channel, an address for it is known, and policy does not object to them. Which one, and why not those before it,
    stands in the journal.

    What is no e-mail carries the text part of the template `short`, or of the same one without it.

    `platform` is the shop's own mail about the order, to who placed it: for messages of purpose `transactional` only,
    because it has no unsubscribe link (facts/woocommerce.md section 5).

    `survey` names the stage of `[surveys]` whose question the message asks; it decides how rarely, and the template
    shows it (`survey.question`, `survey.scores`).

    `purpose` replaces the flow's own. `after_review` marks the answer to a review; without it a message of purpose
    `review` asks for one and is dropped once there is one. `products` are the products the message is about, by id or
    by the path where the id stands (`event.product_id`): it is dropped when the person has just bought one of them or
    sent one back, or when one is sold out.
    """

    do: ClassVar[str] = "send"

    template: str
    channel: str = field(default="email", metadata={"words": CHANNELS})
    channels: tuple[str, ...] = field(default=(), metadata={"words": CHANNELS})
    to: str = field(default="customer", metadata={"words": PEOPLE})
    purpose: str = field(default="", metadata={"words": PURPOSES})
    after_review: bool = False
    products: tuple[str, ...] = ()
    short: str = ""
    survey: str = ""

    def __post_init__(self) -> None:
        if any(not name.strip() for name in self.products):
            raise ValueError("products: write product ids, or where they stand, such as event.product_id")
        if len(set(self.channels)) < len(self.channels):
            raise ValueError("channels: each once, the preferred first")
        if tuple(self.media()) == (str(Channel.PLATFORM),) and self.to == "advocate":
            raise ValueError('to: the shop mails who placed the order, never the advocate; write channel = "email"')

    def start(self, ctx: StepContext) -> Decision:
        request: dict[str, object] = {"template": self.template, "channel": self.media()[0], "to": self.to}
        if len(self.media()) > 1:
            request["channels"] = list(self.channels)
        if self.short:
            request["short"] = self.short
        if self.survey:
            request["survey"] = self.survey
        if self.after_review:
            request["after_review"] = True
        if named := self._named(ctx):
            request["products"] = named
        return Act("message", request)

    def named(self) -> Mapping[str, Sequence[str]]:
        return {"surveys.stages": (self.survey,)} if self.survey else {}

    def paths(self) -> Sequence[str]:
        return [name for name in self.products if "." in name]

    def _named(self, ctx: StepContext) -> list[str]:
        """Product ids have no dots, paths do."""
        found: list[str] = []
        for name in self.products:
            value = ctx.get(name) if "." in name else name
            found += map(str, value) if isinstance(value, tuple) else [str(value)] if value else []
        return list(dict.fromkeys(found))

    def templates(self) -> Sequence[str]:
        return (self.template, self.short) if self.short else (self.template,)

    def media(self) -> Sequence[str]:
        return self.channels or (self.channel,)

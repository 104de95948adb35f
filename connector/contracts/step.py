"""What a step of a flow is: a frozen dataclass that decides, and never acts.

A step type is one class registered under the entry point group `kiitos.steps`. Its fields are the keys an author may
write in TOML. `start` and `resume` are pure: they see a context and return a decision.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

from connector.contracts.platform import Access, PlatformAdapter
from connector.errors import Unsupported


@dataclass(frozen=True, slots=True)
class Done:
    """The step is over. `outcome` and `values` are what later guards and templates see as `steps.<id>.*`."""

    outcome: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wake the run at `until` (aware)."""

    until: datetime
    why: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """Put an effect in the outbox. `request` is plain JSON-like data.

    | kind | who carries it out |
    | --- | --- |
    | message | a channel, to the customer |
    | platform | the step's own `perform`, through the shop's adapter |
    | call | `connector.working.calling`: a signed request to an endpoint of the merchant's |
    | notify | a channel, to a person of the merchant's |
    | record | the outbox itself, in the transaction that settles it: a row of ours |

    With `until` in the request (text as in the store) it is given up at that time.
    """

    kind: str
    request: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Await:
    """Wait for one of `kinds` about the run's subject or order, at most until `until`.

    `beside` goes into the outbox meanwhile; the run does not wait for what becomes of it.
    """

    kinds: tuple[str, ...]
    until: datetime
    beside: Act | None = None


@dataclass(frozen=True, slots=True)
class Exit:
    """End the run here, for `reason`."""

    reason: str


Decision = Done | Sleep | Await | Act | Exit


@dataclass(frozen=True, slots=True)
class Woke:
    """The time a step slept or waited until has come."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """An awaited event came."""

    kind: str
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EffectDone:
    """The effect was carried out. `values` is what it gave (a code, a provider's id)."""

    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EffectSkipped:
    """Policy dropped the effect, for `reason`."""

    reason: str


@dataclass(frozen=True, slots=True)
class EffectFailed:
    """The effect failed for good."""

    code: str
    text: str


Signal = Woke | Arrived | EffectDone | EffectSkipped | EffectFailed

CODE_LETTERS = 16
"""80 bits, of every code that is money to whoever knows it: how often one may be tried at the checkout is the shop's to
say, and neither platform promises a limit."""


class StepContext(Protocol):
    """What a step may look at.

    Paths are those of guards (`order.placed_at`, `progress.delivered_at`, `steps.ask.outcome`).
    """

    @property
    def now(self) -> datetime: ...
    @property
    def run_id(self) -> str: ...
    @property
    def step_id(self) -> str: ...

    def get(self, path: str) -> Any:
        """The value at a guard path, `None` where it is missing."""
        ...

    def code(self, prefix: str, length: int = CODE_LETTERS) -> str:
        """A code derived from the run and the step: the same at each attempt, unguessable from outside. A letter is
        worth 5 bits."""
        ...


class Step(ABC):
    """Base of all steps. Sub-classes are frozen dataclasses with `id` and their own keys.

    `capabilities` are the adapter classes a shop's platform must have, checked when flows load; `instead` names step
    types that come near where one is lacking, the best first. `costly` says that it costs the merchant money or cannot
    be taken back: its order is fetched afresh before. `told_in_message`: what it makes is worth nothing to a customer
    who does not hear of it. `transactional_only` is for what leaves out consent.
    `paths()` and `templates()` name what the step refers to, so that loading can check it.
    """

    do: ClassVar[str]
    capabilities: ClassVar[tuple[type[ABC], ...]] = ()
    instead: ClassVar[tuple[str, ...]] = ()
    costly: ClassVar[bool] = False
    told_in_message: ClassVar[bool] = False
    transactional_only: ClassVar[bool] = False

    @abstractmethod
    def start(self, ctx: StepContext) -> Decision:
        """Decide what happens when the run reaches this step."""

    def resume(self, ctx: StepContext, signal: Signal) -> Decision:  # noqa: ARG002 - steps that override it look
        """Decide what happens when the thing it waited for came. The default carries the outcome on."""
        match signal:
            case Woke():
                return Done("woke")
            case Arrived(kind=kind, data=data):
                return Done("event", {"kind": kind, **data})
            case EffectDone(values=values):
                return Done("done", values)
            case EffectSkipped(reason=reason):
                return Done("skipped", {"reason": reason})
            case EffectFailed(code=code, text=text):
                return Done("failed", {"code": code, "text": text})

    def awaits(self, ctx: StepContext, signal: Arrived) -> bool:  # noqa: ARG002 - most wait for any event of the kind
        """Whether an event of an awaited kind is the one it waits for. One that is not changes nothing."""
        return True

    def needs(self) -> Sequence[type[ABC]]:
        """The adapter classes this very step needs: `capabilities`, unless its keys choose between several."""
        return self.capabilities

    def leaves_out_consent(self) -> bool:
        """Whether it reaches the customer without anybody asking for consent: for transactional flows only."""
        return self.transactional_only

    def named(self) -> Mapping[str, Sequence[str]]:
        """Names it uses from app.toml, by section (`endpoints`, `people`): loading checks that the shop has them."""
        return {}

    def media(self) -> Sequence[str]:
        """The kinds of channel it may send through, the preferred first: the shop must have one of them."""
        return ()

    def gives(self) -> Sequence[str]:
        """Names of values its outcome may carry beside those of every step: templates are tried with them."""
        return ()

    def paths(self) -> Sequence[str]:
        """Guard paths the step reads."""
        return ()

    def templates(self) -> Sequence[str]:
        """Names of message templates the step sends."""
        return ()

    def currencies(self) -> Sequence[str]:
        """ISO 4217 codes the step names, so that a reward in another currency than the shop's is refused at load."""
        return ()

    def perform(
        self,
        adapter: PlatformAdapter,  # noqa: ARG002 - a step that decides a platform effect writes its own
        access: Access,  # noqa: ARG002
        request: Mapping[str, Any],  # noqa: ARG002
        key: str,  # noqa: ARG002
    ) -> Mapping[str, str]:
        """Carry out a `platform` effect through the adapter's capability; runs outside any transaction.

        Returns what later steps see. Raises the errors of `connector.errors`.
        """
        raise Unsupported(f"step '{self.do}' decided a platform effect but has no perform()")


def parse_span(text: str) -> timedelta:
    """Read a span: `90s`, `15m`, `2h`, `10d`, `3w`, or several (`1d 12h`). Raises `ValueError`.

    >>> parse_span("1d 12h")
    datetime.timedelta(days=1, seconds=43200)
    """
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    seconds = 0
    parts = text.split()
    if not parts:
        raise ValueError("empty span")
    for part in parts:
        number, unit = part[:-1], part[-1]
        if unit not in units or not number.isdigit() or not number.isascii():
            raise ValueError(f"'{part}' is not a span such as 10d, 2h or 90s")
        seconds += int(number) * units[unit]
    return timedelta(seconds=seconds)

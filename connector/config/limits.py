"""How often, when and to how many at once a shop writes: the `limits` table of app.toml, layered like all settings.

Only messages of the marketing class meet these limits (every purpose but transactional); order messages never wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector.config.layering import Layered
from connector.config.schema import LIMITED
from connector.contracts.step import parse_span


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLimits:
    """Of one channel. `cap` is the least distance between two messages to a person, 0 for none; `quiet` the hours
    without any, such as `20:00-09:00` on the person's wall, empty for none; `holidays`: public holidays of the
    person's country and the weekdays in `quiet_days` are quiet as a whole."""

    cap: timedelta = timedelta()
    quiet: str = ""
    quiet_days: frozenset[str] = frozenset()
    holidays: bool = False


_PHONE = ChannelLimits(cap=timedelta(hours=24), quiet="20:00-09:00")
# Brief, defaults: one e-mail per 16 h, one SMS or push per 24 h; quiet hours for SMS, WhatsApp and push 20:00 to 09:00.
_SHIPPED: Mapping[str, ChannelLimits] = {
    "email": ChannelLimits(cap=timedelta(hours=16)),
    "sms": _PHONE,
    "whatsapp": _PHONE,
    "push": _PHONE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Saturation:
    """When somebody does not react. Of each `after` messages without an order, a review, a consent or a click (opens
    never count) the cap doubles, up to `slowest` times; after `goodbye` messages nothing more is sent but the goodbye.
    0 switches either off."""

    after: int = 4
    slowest: int = 8
    goodbye: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """When a flow is paused and a person is told: more complaints or opt-outs than this share of what the flow sent
    within `window`, once it has sent `at_least` and there were two. facts/messaging.md 5.2: complaints stay under
    0.1 %, never 0.3 %."""

    complaints: float = 0.001
    unsubscribes: float = 0.02
    window: timedelta = timedelta(days=7)
    at_least: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Everything under `limits`. `patience`: what the limits put off longer is dropped. `daily`: messages of one flow
    on one day of the shop's, 0 for no limit; 4,000 keeps one flow from making a sender a bulk sender by accident
    (facts/messaging.md 5.2: about 5,000 a day, for ever). `just_bought`: products bought this recently are not named.
    """

    channels: Mapping[str, ChannelLimits] = field(default_factory=lambda: dict(_SHIPPED))
    patience: timedelta = timedelta(hours=48)
    daily: int = 4000
    just_bought: timedelta = timedelta(days=30)
    saturation: Saturation = Saturation()
    alarm: Alarm = Alarm()

    def of(self, channel: str) -> ChannelLimits:
        """The limits of a channel; none for one that has none."""
        return self.channels.get(channel, ChannelLimits())


def read_share(text: str) -> float:
    """`"0.1%"` as 0.001."""
    return float(text.rstrip("% ")) / 100


def read_limits(layered: Layered) -> Limits:
    """The checked and merged table; what it leaves out is as shipped."""
    get = layered.get
    shipped = Limits()
    spans = {
        name: parse_span(found) for name in ("patience", "just_bought") if (found := get(f"limits.{name}")) is not None
    }
    return Limits(
        channels={name: _channel(get(f"limits.{name}", {}), shipped.of(name)) for name in LIMITED},
        daily=get("limits.daily", shipped.daily),
        saturation=Saturation(**get("limits.saturation", {})),
        alarm=_alarm(get("limits.alarm", {})),
        **spans,
    )


def _channel(table: Mapping[str, Any], shipped: ChannelLimits) -> ChannelLimits:
    return ChannelLimits(
        cap=parse_span(table["cap"]) if "cap" in table else shipped.cap,
        quiet=table.get("quiet", shipped.quiet),
        quiet_days=frozenset(table.get("quiet_days", shipped.quiet_days)),
        holidays=table.get("holidays", shipped.holidays),
    )


def _alarm(table: Mapping[str, Any]) -> Alarm:
    shipped = Alarm()
    return Alarm(
        complaints=read_share(table["complaints"]) if "complaints" in table else shipped.complaints,
        unsubscribes=read_share(table["unsubscribes"]) if "unsubscribes" in table else shipped.unsubscribes,
        window=parse_span(table["window"]) if "window" in table else shipped.window,
        at_least=table.get("at_least", shipped.at_least),
    )

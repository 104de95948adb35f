"""What an operator says about watching the installation: `[app.alerts]`, `[app.retention]`, `[app.traces]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector.contracts.step import parse_span
from connector.errors import near

LookUp = Callable[[str, Any], str]
FOREVER = "forever"
STYLES = ("slack", "teams", "discord", "ntfy")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """Whom the worker tells what `kiitos doctor` would find. `mail` are addresses, written to through `channel` from
    `sender`; `chat` is an incoming webhook or an ntfy topic, whose form is `style` where the address does not tell.

    It looks every `every`, tells what stands for `wait`, and tells of one and the same thing at most once in `quiet`.
    """

    mail: tuple[str, ...] = ()
    channel: str = ""
    sender: str = ""
    chat: str = field(default="", repr=False)
    style: str = ""
    private_addresses: bool = False
    every: timedelta = timedelta(minutes=5)
    wait: timedelta = timedelta(minutes=5)
    quiet: timedelta = timedelta(hours=1)

    def __bool__(self) -> bool:
        return bool(self.mail or self.chat)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    """How long things are kept; `None` for ever. The defaults are promises.md B2's. `photos`: those sent with a
    case, from the day it was settled."""

    webhooks: timedelta | None = timedelta(days=30)
    messages: timedelta | None = timedelta(days=90)
    events: timedelta | None = timedelta(days=760)
    ip: timedelta | None = timedelta(days=30)
    audit: timedelta | None = timedelta(days=365)
    traces: timedelta | None = timedelta(days=30)
    photos: timedelta | None = timedelta(days=180)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSettings:
    """Where traces go (OTLP over HTTP); empty: there are none. `share` of the deliveries begin one."""

    endpoint: str = ""
    share: float = 1.0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.endpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeeingSettings:
    """Everything about watching. `worker_listen` is where a worker tells of itself (`host:port`), empty for nowhere."""

    alerts: AlertSettings = AlertSettings()
    retention: RetentionSettings = RetentionSettings()
    traces: TraceSettings = TraceSettings()
    worker_listen: str = ""
    log_format: str = "json"


def read_seeing(
    table: Mapping[str, Any], channels: Mapping[str, Any], secret: LookUp, faults: list[str]
) -> SeeingSettings:
    """Of a checked `[app]` table."""
    listen = str(table.get("worker_listen", ""))
    if listen and not listen.rpartition(":")[2].isdigit():
        faults.append("app.worker_listen: should be host:port, such as 127.0.0.1:8322")
    return SeeingSettings(
        alerts=_alerts(table.get("alerts", {}), channels, secret, faults),
        retention=_retention(table.get("retention", {})),
        traces=_traces(table.get("traces", {}), secret),
        worker_listen=listen,
        log_format=str(table.get("log_format", "json")),
    )


def _alerts(table: Mapping[str, Any], channels: Mapping[str, Any], secret: LookUp, faults: list[str]) -> AlertSettings:
    if not table:
        return AlertSettings()
    mail = table.get("mail", [])
    addresses = (mail,) if isinstance(mail, str) else tuple(mail)
    channel = str(table.get("channel", next(iter(channels), "")))
    if addresses and channel not in channels:
        faults.append(f"app.alerts.channel: no channel '{channel}'{near(channel, channels)}")
    if addresses and not table.get("sender"):
        faults.append('app.alerts.sender: missing; write sender = "Kiitos <kiitos@your-domain>"')
    chat = secret("app.alerts.chat", table["chat"]) if "chat" in table else ""
    if not (addresses or "chat" in table):
        faults.append('app.alerts: needs mail = "you@your-domain" or chat = { env = "..." }')
    spans = {name: parse_span(table[name]) for name in ("every", "wait", "quiet") if name in table}
    return AlertSettings(
        mail=addresses,
        channel=channel,
        sender=str(table.get("sender", "")),
        chat=chat,
        style=str(table.get("style", "")),
        private_addresses=bool(table.get("private_addresses", False)),
        **spans,
    )


def _retention(table: Mapping[str, Any]) -> RetentionSettings:
    return RetentionSettings(**{name: None if text == FOREVER else parse_span(text) for name, text in table.items()})


def _traces(table: Mapping[str, Any], secret: LookUp) -> TraceSettings:
    if not table:
        return TraceSettings()
    headers = {
        name: secret(f"app.traces.headers.{name}", value) for name, value in dict(table.get("headers", {})).items()
    }
    share = float(str(table.get("share", "100%")).removesuffix("%").strip()) / 100
    return TraceSettings(endpoint=str(table.get("endpoint", "")), share=share, headers=headers)

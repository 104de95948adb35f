"""`[app.dispatcher]`: what carries due steps to other processes, and for how long a step is one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector.contracts.step import parse_span

_LEAST = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatcherSettings:
    """`lease` is how long a step that was handed out is not handed out again, `threads` how many steps an executor does
    at once, `listen` where one tells of itself (`host:port`, empty for nowhere); `rest` is the dispatcher's own, with
    its secrets read."""

    kind: str = "inline"
    lease: timedelta = timedelta(seconds=60)
    threads: int = 8
    listen: str = ""
    rest: Mapping[str, Any] = field(default_factory=dict, repr=False)


def dispatcher_fault(value: Any) -> str:
    """What is wrong with the table, or an empty string. Which other keys there may be, the dispatcher knows."""
    if not isinstance(value, Mapping):
        return 'should be a table, such as { kind = "procrastinate" }'
    if not isinstance(value.get("kind"), str):
        return 'needs kind = "inline", "procrastinate", "celery" or another installed dispatcher'
    threads = value.get("threads", 8)
    if not isinstance(threads, int) or isinstance(threads, bool) or not 1 <= threads <= 64:
        return "threads should be a whole number from 1 to 64"
    listen = value.get("listen", "")
    if not isinstance(listen, str) or (listen and not listen.rpartition(":")[2].isdigit()):
        return "listen should be host:port, such as 127.0.0.1:8323"
    try:
        lease = parse_span(value.get("lease", "60s"))
    except (ValueError, TypeError, AttributeError) as error:
        return f"lease: {error}"
    return "" if lease >= _LEAST else "lease should be 2 seconds or more"


def read_dispatcher(value: Mapping[str, Any], secret: Callable[[str, Any], str]) -> DispatcherSettings:
    """The settings of a table without faults. `secret` reads `{ env = ... }` by where it stands."""
    if not value or dispatcher_fault(value):
        return DispatcherSettings()
    rest = {
        key: secret(f"app.dispatcher.{key}", item) if isinstance(item, Mapping) else item
        for key, item in value.items()
        if key not in ("kind", "lease", "threads", "listen")
    }
    lease = parse_span(value.get("lease", "60s"))
    return DispatcherSettings(
        kind=value["kind"],
        lease=lease,
        threads=value.get("threads", 8),
        listen=value.get("listen", ""),
        rest=rest,
    )

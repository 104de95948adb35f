"""Calls to a provider's API: kept connections, bounded in time and size, never redirected, never repeated here.

`connector.outside.posting` makes one POST to a stranger; a provider is met a thousand times a day at one address the
operator chose. A connection that has been idle is dropped before the provider drops it: a request on a connection the
other side is just closing ends with an outcome nobody knows.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter

from connector.clock import Clock
from connector.outside.posting import Answer, Cutter, bare_session, exchange

LARGEST = 256 * 1024
"""Bytes of an answer that are read: a page of a provider's events."""
IDLE = 15.0
"""Seconds after which a kept connection is not used again; common servers close theirs after 20 to 75."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class ProviderApi:
    """One account at one provider. Any number of threads may call; each call has a connection to itself.

    `base` is the address without a slash at its end, `limit` the seconds a call may take altogether.
    """

    def __init__(self, base: str, headers: Mapping[str, str], clock: Clock, *, limit: float = 30.0) -> None:
        self._base = base.rstrip("/")
        self._headers = dict(headers)
        self._clock = clock
        self._limit = limit
        self._idle: list[_Line] = []
        self._lock = threading.Lock()

    def call(self, method: str, path: str, **options: Any) -> Answer:
        """`options` are those of `requests.Session.request` (`data`, `json`, `files`, `params`, `headers`).

        Raises `Transient` (`maybe_done` when it may have arrived), `Refused`. No error quotes address or key.
        """
        line = self._take()
        try:
            answer = exchange(
                line.session,
                line.cutter,
                method,
                self._base + path,
                now=self._clock.now(),
                limit=self._limit,
                largest=LARGEST,
                **{**options, "headers": {**self._headers, **options.get("headers", {})}},
            )
        except BaseException:
            line.session.close()
            raise
        line.used_at = self._clock.monotonic()
        with self._lock:
            self._idle.append(line)
        return answer

    def close(self) -> None:
        """Hang up. Idempotent."""
        with self._lock:
            lines, self._idle = self._idle, []
        for line in lines:
            line.session.close()

    def _take(self) -> _Line:
        oldest = self._clock.monotonic() - IDLE
        with self._lock:
            kept = [line for line in self._idle if line.used_at > oldest]
            worn = [line for line in self._idle if line.used_at <= oldest]
            self._idle = kept
            found = kept.pop() if kept else None
        for line in worn:
            line.session.close()
        return found or _Line(self._base, self._limit)


class _Line:
    """One kept connection and what cuts it."""

    def __init__(self, base: str, limit: float) -> None:
        self.cutter = Cutter(limit)
        adapter = self.cutter.watch(HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0))
        self.session = bare_session(adapter, trust_env=urlsplit(base).hostname not in LOOPBACK)
        self.used_at = 0.0

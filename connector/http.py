"""The one way to speak HTTP: pooled requests sessions with time-outs, no silent retries of writes, typed errors.

requests has no default time-out, follows a redirected POST as a GET, and reports everything as a Response. Here a
call either returns an answer below 400 or raises what `connector.errors` says must happen next.
"""

from __future__ import annotations

import email.utils
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from connector import __version__
from connector.clock import Clock
from connector.errors import AuthExpired, KiitosError, Refused, Transient
from connector.outside.destinations import LARGEST_ANSWER, PublicOnly

USER_AGENT = f"Kiitos/{__version__} (+post-purchase messages)"
MAX_RETRY_AFTER = 3600.0

_RETRYABLE = frozenset({408, 409, 423, 425, 429, 500, 502, 503, 504})


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds the other side asks us to wait: both forms of Retry-After, clamped to an hour; `None` when absent."""
    value = (headers.get("Retry-After") or "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    if seconds != seconds:  # a NaN would compare false with everything below
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def error_for(response: requests.Response, *, wrote: bool, now: datetime) -> KiitosError:
    """The error an answer of 400 or more stands for. `wrote` marks a request that may have changed something.

    A 5xx other than 503 to a write is `maybe_done`: the other side may have failed after doing it. The text of the
    answer is not quoted: it may hold a customer's data.
    """
    status = response.status_code
    place = f"{response.request.method} {response.request.path_url.split('?')[0]} answered {status}"
    if status in (401, 403):
        return AuthExpired(place)
    if status in _RETRYABLE:
        return Transient(
            place,
            retry_after=retry_after(response.headers, now),
            maybe_done=wrote and status in (500, 502, 504),
        )
    return Refused(place, provider_code=str(status))


class Http:
    """A session for one remote host's API. Thread-safe as far as requests' pool is; keep one a worker.

    `public_only`: the host was named by a merchant; only public https servers are reached
    (`connector.outside.destinations`), redirects included, and an answer is read up to 16 MiB.

    `timeout` is (connect, read) in seconds. Reads (GET, HEAD, or a call marked `reads=True`) are tried `attempts`
    times on `Transient`, honouring Retry-After up to `max_wait` seconds; writes are never repeated here.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        timeout: tuple[float, float] = (3.05, 15.0),
        attempts: int = 3,
        max_wait: float = 2.0,
        pool: int = 8,
        headers: Mapping[str, str] | None = None,
        public_only: bool = False,
    ) -> None:
        self._clock = clock
        self._timeout = timeout
        self._attempts = attempts
        self._max_wait = max_wait
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": USER_AGENT, **(headers or {})})
        kind = PublicOnly if public_only else HTTPAdapter
        adapter = kind(pool_connections=pool, pool_maxsize=pool, max_retries=0)
        self._most = LARGEST_ANSWER if public_only else None
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def call(
        self,
        method: str,
        url: str,
        *,
        reads: bool | None = None,
        classify: Callable[[requests.Response], KiitosError | None] | None = None,
        patience: float | None = None,
        **options: Any,
    ) -> requests.Response:
        """Make the request; return the answer (< 400), or raise `Transient`, `AuthExpired` or `Refused`.

        `classify` may name a better error for an answer (or `None` to leave it to the table). `options` are those
        of `requests.Session.request`.
        """
        if patience is not None:  # seconds to connect and to answer, and no second try
            options["timeout"] = (patience, patience)
        reading = method.upper() in ("GET", "HEAD") if reads is None else reads
        attempt = 1
        while True:
            try:
                return self._once(method, url, reading, classify, options)
            except Transient as error:
                wait = error.retry_after if error.retry_after is not None else 0.2 * 2**attempt
                if not reading or patience is not None or attempt >= self._attempts or wait > self._max_wait:
                    raise
                self._clock.sleep(wait * (0.5 + self._clock.random() / 2))
                attempt += 1

    def _once(
        self,
        method: str,
        url: str,
        reading: bool,
        classify: Callable[[requests.Response], KiitosError | None] | None,
        options: Mapping[str, Any],
    ) -> requests.Response:
        place = f"{method} {url.split('?')[0]}"
        try:
            response = self._session.request(
                method,
                url,
                **{
                    "timeout": self._timeout,
                    "allow_redirects": method.upper() == "GET",
                    "stream": self._most is not None,
                    **options,
                },
            )
            if self._most is not None and not options.get("stream"):
                _read_whole(response, self._most, place)
        except requests.exceptions.ConnectTimeout as error:
            raise Transient(f"{place}: no connection in time") from error
        except requests.exceptions.Timeout as error:
            raise Transient(f"{place}: no answer in time", maybe_done=not reading) from error
        except requests.exceptions.ConnectionError as error:
            refused = "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)
            raise Transient(f"{place}: connection failed", maybe_done=not reading and not refused) from error
        except requests.exceptions.RequestException as error:
            raise Refused(f"{place}: {type(error).__name__}") from error
        named = classify(response) if classify else None
        if named is not None:
            raise named
        if 300 <= response.status_code < 400:
            raise Refused(f"{place} redirected a write elsewhere", provider_code=str(response.status_code))
        if response.status_code >= 400:
            raise error_for(response, wrote=not reading, now=self._clock.now())
        return response

    def close(self) -> None:
        self._session.close()


def _read_whole(response: requests.Response, most: int, place: str) -> None:
    """Read the answer now, as requests would, but no more of it than `most` bytes."""
    parts, size = [], 0
    for part in response.iter_content(64 * 1024):
        size += len(part)
        if size > most:
            response.close()
            raise Refused(f"{place}: the answer is larger than {most >> 20} MiB", provider_code="too_large")
        parts.append(part)
    response._content = b"".join(parts)

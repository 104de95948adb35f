"""One request to a server nobody vouches for: bounded in time and size, never redirected, never repeated here.

`connector.http` speaks to platforms; this speaks to endpoints a merchant named and to chats. Whoever answers slowly, at
great length or not at all costs `LIMIT` seconds and `LARGEST` bytes, no more: a timer cuts the connection, whatever it
is waiting for. Unless the operator says that the server is their own, only public https addresses are reached
(`connector.outside.destinations`, promises.md B1 row 16).
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from connector.errors import Refused, Transient
from connector.http import USER_AGENT, retry_after
from connector.outside.destinations import PublicOnly

LIMIT = 10.0
"""Seconds from the first packet to the last byte of the answer."""
LARGEST = 64 * 1024
"""Bytes of an answer that are read."""
_CONNECT = 3.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    body: bytes
    retry_after: float | None
    headers: Mapping[str, str] = field(default_factory=dict)


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    now: datetime,
    private_addresses: bool = False,
    limit: float = LIMIT,
) -> Answer:
    """Send it once. Raises `Transient` (with `maybe_done` when it may have arrived) and `Refused`.

    No error quotes the address: a chat's is a credential.
    """
    sent = {"Content-Type": "application/json", **headers}
    return _once("POST", url, body, sent, now, private_addresses=private_addresses, limit=limit)


def fetch(
    url: str, *, now: datetime, private_addresses: bool = False, limit: float = LIMIT, largest: int = LARGEST
) -> bytes:
    """What is at a public address: a provider's certificate, its confirmation, an invoice. Its first `largest` bytes.
    Raises `Transient` and `Refused`."""
    answer = _once("GET", url, None, {}, now, private_addresses=private_addresses, limit=limit, largest=largest)
    if answer.status >= 500 or answer.status == 429:
        raise Transient(f"answered {answer.status}", retry_after=answer.retry_after)
    if answer.status != 200:
        raise Refused(f"answered {answer.status}", provider_code=str(answer.status))
    return answer.body


def _once(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    now: datetime,
    *,
    private_addresses: bool,
    limit: float,
    largest: int = LARGEST,
) -> Answer:
    cutter = Cutter(limit)
    adapter: HTTPAdapter = HTTPAdapter(max_retries=0) if private_addresses else PublicOnly(max_retries=0)
    # a proxy of the operator's stands before the world, not their own house
    session = bare_session(cutter.watch(adapter), trust_env=not private_addresses)
    with session:
        return exchange(session, cutter, method, url, now=now, limit=limit, largest=largest, data=body, headers=headers)


def bare_session(adapter: HTTPAdapter, *, trust_env: bool) -> requests.Session:
    """A session that adds nothing of its own: no .netrc, no cookies kept, nothing compressed (what is read is counted
    as it comes, and a bomb stays small)."""
    session = requests.Session()
    session.trust_env = trust_env
    session.auth = _as_it_is
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def exchange(
    session: requests.Session,
    cutter: Cutter,
    method: str,
    url: str,
    *,
    now: datetime,
    limit: float,
    largest: int,
    **options: Any,
) -> Answer:
    """One request and its answer, whatever its status; `options` are those of `requests.Session.request`.

    Raises `Transient`, with `maybe_done` when it may have arrived: not when no connection came about; and `Refused`.
    """
    try:
        with (
            cutter,
            session.request(
                method, url, timeout=(_CONNECT, limit), allow_redirects=False, stream=True, **options
            ) as response,
        ):
            body = _read(response, cutter, largest)
            return Answer(response.status_code, body, retry_after(response.headers, now), response.headers)
    except requests.exceptions.ConnectTimeout as error:
        raise Transient("no connection in time") from error
    except requests.exceptions.Timeout as error:
        raise Transient("no answer in time", maybe_done=True) from error
    except requests.exceptions.ConnectionError as error:
        never = cutter.unconnected or any(n in repr(error) for n in ("NewConnectionError", "NameResolutionError"))
        what = "no answer in time" if cutter.cut else "the connection failed"
        raise Transient(what, maybe_done=not never) from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise Transient("no answer in time" if cutter.cut else "the answer broke off", maybe_done=True) from error
    except requests.exceptions.RequestException as error:
        raise Refused(f"the request cannot be made ({type(error).__name__})", provider_code="request") from error


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps requests from adding what stands in a .netrc for the host."""
    return request


def _read(response: requests.Response, cutter: Cutter, largest: int) -> bytes:
    """The answer's body, or its beginning. An answer cut short is none: its end could say anything."""
    parts, size = [], 0
    for part in response.iter_content(8 * 1024):
        parts.append(part)
        size += len(part)
        if size > largest:
            break
    if cutter.cut:
        raise Transient("no answer in time", maybe_done=True)
    return b"".join(parts)[:largest]


class Cutter:
    """Shuts every connection of an adapter down after `limit` seconds, on whatever read it hangs. For one call at a
    time, and for as many as there are: kept connections stay watched. `unconnected`: this call made none."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._timer: threading.Timer | None = None
        self._open: list[socket.socket] = []
        self.cut = False
        self.unconnected = False

    def watch(self, adapter: HTTPAdapter) -> HTTPAdapter:
        """Have the adapter's connections noted as they are made."""
        classes = dict(adapter.poolmanager.pool_classes_by_scheme)
        adapter.poolmanager.pool_classes_by_scheme = {name: self._noting(kind) for name, kind in classes.items()}
        return adapter

    def _noting(self, kind: type[HTTPConnectionPool | HTTPSConnectionPool]) -> type[Any]:
        cutter = self

        class Noting(kind):  # type: ignore[misc, valid-type]  # a pool of the scheme's own class
            def _new_conn(self) -> Any:
                connection = super()._new_conn()
                connect = connection.connect

                def noted() -> None:
                    with cutter._connecting():
                        connect()
                    cutter._open.append(connection.sock)  # later the connection may have let go of it, not the answer

                connection.connect = noted
                return connection

        return Noting

    @contextlib.contextmanager
    def _connecting(self) -> Iterator[None]:
        self.unconnected = True
        yield
        self.unconnected = False

    def _shut(self) -> None:
        self.cut = True
        for each in self._open:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it had ended by itself

    def __enter__(self) -> Cutter:
        self.cut = self.unconnected = False
        self._open = [each for each in self._open if each.fileno() >= 0]
        self._timer = threading.Timer(self._limit, self._shut)
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

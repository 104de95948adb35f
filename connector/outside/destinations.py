"""Where a request may go when a merchant, and not the operator, named the address: public servers only (SSRF).

A store's address is resolved once for each connection, every address it resolves to must be public, and the connection
is made to an address that was checked: a name that resolves differently a moment later reaches nothing. Redirects open
connections of their own and are checked the same way. Rules: promises.md B1 row 16.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import connection as sockets

from connector.errors import Refused

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int], Sequence[str]]

PRIVATE = "private_address"
"""`provider_code` of what is refused because of where it would go."""
PORTS = frozenset({443, 8443})
LARGEST_ANSWER = 16 * 1024 * 1024

# `ipaddress.is_global` says True for these, and each of them can carry a private IPv4 address or reach a neighbour.
_NEVER = tuple(
    ipaddress.ip_network(net)
    for net in (
        "::/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2002::/16",
        "5f00::/16",
        "fec0::/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
    )
)


def is_public(text: str) -> bool:
    """Whether an IP address may be contacted for a merchant.

    >>> [is_public(a) for a in ("198.51.100.7", "93.184.215.14", "10.0.0.1", "::ffff:127.0.0.1", "169.254.169.254")]
    [False, True, False, False, False]
    """
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return not any(address in net for net in _NEVER if net.version == address.version)


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, as the system knows them. Raises `socket.gaierror`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def check_url(url: str) -> None:
    """Raise `Refused` unless `url` is https, on a port of the web, without a user name, and no private literal."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError as error:
        raise _refused("is no address") from error
    if parts.scheme != "https":
        raise _refused("is not https")
    if parts.username is not None or parts.password is not None:
        raise _refused("carries a user name")
    if port not in PORTS:
        raise _refused("is on another port than 443 and 8443")
    if not host or (_literal(host) and not is_public(host)):
        raise _refused("is a private address")


def checked(host: str, port: int, look_up: Resolve | None = None) -> list[str]:
    """The public addresses of a host. One private address among them refuses it: which one is used is chance.

    Raises `Refused`, `socket.gaierror`.
    """
    found = list((look_up or resolve)(host, port))
    if not found or not all(is_public(address) for address in found):
        raise _refused("leads into a private network")
    return found


def _literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _refused(why: str) -> Refused:
    """Without the address: it is the merchant's own, and goes into logs."""
    return Refused(f"the address {why}; nothing was sent there", provider_code=PRIVATE)


class _Checked:
    """Mixed into urllib3's connections: connect to an address that was checked a moment ago, and to no other."""

    def _new_conn(self) -> socket.socket:
        conn: Any = self
        host = conn._dns_host
        try:
            addresses = checked(host, conn.port)
        except socket.gaierror as error:
            raise NameResolutionError(host, conn, error) from error
        failure: OSError | None = None
        for address in addresses:
            try:
                return sockets.create_connection(
                    (address, conn.port),
                    conn.timeout,
                    source_address=conn.source_address,
                    socket_options=conn.socket_options,
                )
            except OSError as error:
                failure = error
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(conn, f"no connection to {host} in time") from failure
        raise NewConnectionError(conn, f"no connection to {host}") from failure


class _PublicHTTP(_Checked, HTTPConnection):
    pass


class _PublicHTTPS(_Checked, HTTPSConnection):
    pass


class _PublicHTTPPool(HTTPConnectionPool):
    ConnectionCls = _PublicHTTP


class _PublicHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PublicHTTPS


class PublicOnly(HTTPAdapter):
    """A requests transport that reaches public https servers and nothing else. Raises `Refused` for the rest.

    Behind a proxy of the operator's (HTTPS_PROXY) the proxy resolves names, so it must do the refusing; what can be
    seen here is refused all the same.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PublicHTTPPool, "https": _PublicHTTPSPool}

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        url = request.url or ""
        check_url(url)
        if requests.utils.select_proxy(url, dict(proxies or {})):
            self._check_behind_proxy(url)
        response = super().send(request, stream=stream, timeout=timeout, verify=verify, cert=cert, proxies=proxies)
        if response.is_redirect:
            # requests reads a redirect's body to its end, however long it is; nobody needs it.
            response._content = b""
            response.raw.close()
        return response

    @staticmethod
    def _check_behind_proxy(url: str) -> None:
        parts = urlsplit(url)
        try:
            checked(parts.hostname or "", parts.port or 443)
        except socket.gaierror:
            return  # only the proxy knows the name

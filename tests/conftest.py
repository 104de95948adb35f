"""No test leaves this machine: a name that is not ours is refused at once, and the test that asked for it fails."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from tests.again import said
from tests.schema_once import copied_schemas

# Where it is set, each of the many processes that tests start compiles the whole product anew: a second each.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

asked: list[str] = []
_real = socket.getaddrinfo


RESERVED = (".test", ".example", ".invalid", ".localhost", "example.com", "example.org")
"""Names nobody owns (RFC 2606): they may be asked for and are not found, here as anywhere."""


def _is_address(name: str) -> bool:
    """Whether it is an address in any form a resolver takes: `127.1` and `2130706433` too."""
    try:
        return bool(ip_address(name))
    except ValueError:
        pass
    try:
        return bool(socket.inet_aton(name))
    except OSError:
        return False


def _guarded(host: Any, *rest: Any, **named: Any) -> Any:
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    if name in ("", "localhost", socket.gethostname()) or _is_address(name):
        return _real(host, *rest, **named)
    if not name.endswith(RESERVED):
        asked.append(name)
    # The C library would wait for a name server that may not be there, ten seconds a time.
    raise socket.gaierror(socket.EAI_NONAME, "tests do not look names up")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, whatever the order is else: one that began last would leave the other processes idle."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in said(report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])):
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture(scope="session", autouse=True)
def _no_names() -> Iterator[None]:
    socket.getaddrinfo = _guarded
    yield
    socket.getaddrinfo = _real


@pytest.fixture(scope="session", autouse=True)
def _schema_once() -> Iterator[None]:
    with copied_schemas():
        yield


@pytest.fixture(autouse=True)
def _stays_here() -> Iterator[None]:
    before = len(asked)
    yield
    left = sorted(set(asked[before:]))
    del asked[before:]
    assert not left, f"the test asked for {', '.join(left)}: give it a fake, or set api_url"

"""A merchant's address never leads into the operator's network: 60 targets, rebinding, redirects, big answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import requests
import responses
from responses import matchers

from connector.clock import SystemClock
from connector.errors import KiitosError, Refused, Transient
from connector.http import Http
from connector.outside import destinations
from connector.outside.destinations import PRIVATE, PublicOnly, check_url, checked, is_public

PRIVATE_ADDRESSES = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.0.1",
    "169.254.169.254",
    "169.254.0.1",
    "100.64.0.1",
    "100.127.255.254",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "ff0e::1",
    "100::1",
]
PUBLIC_ADDRESSES = [
    "93.184.215.14",
    "8.8.8.8",
    "1.1.1.1",
    "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
    "2a00:1450:400f::200e",
]
WRONG_URLS = (
    "http://shop.example",
    "https://127.0.0.1",
    "https://[::1]/wp-json",
    "https://[::ffff:10.0.0.1]",
    "https://169.254.169.254/latest/meta-data/",
    "https://user:pass@shop.example",
    "https://shop.example@127.0.0.1",
    "https://shop.example:22",
    "https://shop.example:6379",
    "https://shop.example:99999",
    "ftp://shop.example",
    "file:///etc/passwd",
    "gopher://shop.example",
    "https://",
    "//shop.example",
)


@pytest.mark.parametrize("address", PRIVATE_ADDRESSES)
def test_private_addresses(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(Refused):
        checked("shop.example", 443, lambda _host, _port: [address])


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_public_addresses(address: str) -> None:
    assert is_public(address)
    assert checked("shop.example", 443, lambda _host, _port: [address]) == [address]


@pytest.mark.parametrize("url", WRONG_URLS)
def test_addresses_refused_as_written(url: str) -> None:
    with pytest.raises(Refused) as refused:
        check_url(url)
    assert refused.value.provider_code == PRIVATE
    assert "127.0.0.1" not in str(refused.value)
    assert "pass" not in str(refused.value).replace("passwd", "")


@pytest.mark.parametrize("url", ["https://shop.example", "https://shop.example:8443/de", "https://93.184.215.14"])
def test_addresses_that_may_be_asked(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize("written", ["2130706433", "0x7f.1", "127.1", "localhost"])
def test_other_ways_to_write_this_machine_are_caught_when_they_are_resolved(written: str) -> None:
    with pytest.raises(Refused):
        checked(written, 443)


def test_one_private_address_among_public_ones_refuses_all() -> None:
    with pytest.raises(Refused):
        checked("shop.example", 443, lambda _host, _port: ["93.184.215.14", "10.0.0.1"])
    with pytest.raises(Refused):
        checked("shop.example", 443, lambda _host, _port: [])


class Listener:
    """A port on this machine that counts who connects."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                accepted, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            accepted.close()


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    made = Listener()
    monkeypatch.setattr(destinations, "PORTS", frozenset({443, 8443, made.port}))
    yield made
    made.socket.close()


def http(**options: object) -> Http:
    return Http(SystemClock(), timeout=(1, 1), attempts=1, public_only=True, **options)


def test_the_checked_address_is_the_one_connected_to(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: public when it is first asked for, private ever after."""
    answers = [["93.184.215.14"], ["127.0.0.1"], ["127.0.0.1"]]
    asked: list[str] = []

    def look_up(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), 3) - 1]

    reached: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], *_args: object, **_options: object) -> socket.socket:
        reached.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(destinations, "resolve", look_up)
    monkeypatch.setattr(destinations.sockets, "create_connection", connect)
    with pytest.raises(Transient):
        http().call("GET", f"https://shop.example:{listener.port}/")
    assert reached == [("93.184.215.14", listener.port)]
    with pytest.raises(Refused):
        http().call("GET", f"https://shop.example:{listener.port}/")
    assert len(reached) == 1


def test_nothing_connects_to_this_machine(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "shop.example"):
        monkeypatch.setattr(destinations, "resolve", lambda _host, _port: ["127.0.0.1"])
        with pytest.raises(Refused) as refused:
            http().call("GET", f"https://{host}:{listener.port}/")
        assert refused.value.provider_code == PRIVATE
    assert listener.connections == 0


def test_it_would_have_connected_without_the_rule(listener: Listener) -> None:
    with pytest.raises(KiitosError):
        Http(SystemClock(), timeout=(1, 1), attempts=1).call("GET", f"https://127.0.0.1:{listener.port}/")
    assert listener.connections == 1


@pytest.mark.parametrize("there", ["http://shop.example/", "https://127.0.0.1/", "https://shop.example:25/"])
@responses.activate
def test_redirects_are_checked_too(there: str) -> None:
    """`responses` stands in for the wire below the check: what passes the check would be answered."""
    responses.get("https://shop.example/wp-json/", status=302, headers={"Location": there})
    responses.get(there, body="secrets of the operator")
    with guarded() as session, pytest.raises(Refused):
        session.get("https://shop.example/wp-json/")
    assert len(responses.calls) == 1


@responses.activate
def test_a_redirect_to_a_public_server_is_followed_and_keys_stay_behind() -> None:
    responses.get("https://shop.example/", status=301, headers={"Location": "https://www.shop.example/"})
    stripped = matchers.header_matcher({"User-Agent": "x"}, strict_match=False)
    responses.get("https://www.shop.example/", body="ok", match=[stripped])
    with guarded() as session:
        session.headers["User-Agent"] = "x"
        found = session.get("https://shop.example/", auth=("ck", "cs"))
    assert found.text == "ok"
    assert "Authorization" not in responses.calls[1].request.headers


def guarded() -> requests.Session:
    session = requests.Session()
    session.mount("https://", PublicOnly())
    session.mount("http://", PublicOnly())
    return session


@responses.activate
def test_an_endless_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.http.LARGEST_ANSWER", 1024 * 1024)
    responses.get("https://shop.example/", body=b"x" * (1024 * 1024 + 1))
    with pytest.raises(Refused) as refused:
        http().call("GET", "https://shop.example/")
    assert refused.value.provider_code == "too_large"
    responses.replace("GET", "https://shop.example/", body=b"x" * 1024)
    assert len(http().call("GET", "https://shop.example/").content) == 1024


def test_behind_a_proxy_what_can_be_seen_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setattr(destinations, "resolve", lambda _host, _port: ["10.0.0.1"])
    with pytest.raises(Refused):
        http().call("GET", "https://shop.example/")

"""A provider that accepts and never answers: it takes the request, and the connection stays open and silent.

Each provider costs a worker its time-out and no more, once: what it was asked for is in doubt and treated as that
provider's rules say, the rest of its batch is put off, and others' messages leave in the same round. Connections that
are cut instead are in tests/journeys/test_providers_whole.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib.metadata import entry_points
from socket import SHUT_RDWR, create_server, socket
from threading import Thread
from typing import Any

import pytest

from connector.clock import SystemClock
from connector.contracts import Outcome, Retry, Unknown
from connector.model import EffectStatus
from connector.outside import posting
from connector.registry import Registry
from connector.testing.channel_stages import SmtpStage
from connector.testing.channels import STAGES
from connector.testing.fakes.providers import GOOD_KEY, FakeProviders, Mishap
from connector.testing.fakes.smtp import MailSink
from connector.testing.phone_stages import WebPushStage
from connector.testing.world import SHOPIFY
from tests.journeys.test_provider_limits import house
from tests.journeys.two_providers import ASKING, ORDERS, House, Make

__all__ = ["house"]

TIMEOUT = 1
"""Seconds of real time: what is under test is a wait on a socket."""
SLACK = 3.0
"""Seconds by which a busy machine may be late."""
APIS = ("resend", "brevo", "postmark", "mailgun", "sendgrid")
MAIL = ("smtp", "ses")
PHONES = ("twilio", "elks46", "whatsapp", "webpush")
EACH_ITS_OWN = ("webpush",)
"""A server for each recipient: one that is silent says nothing of the others."""


class Mute:
    """Accepts any number of connections, reads what comes, and never says a word."""

    def __init__(self) -> None:
        self.heard = b""
        self._open: list[socket] = []
        self._listener = create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                Thread(target=self._read, args=(client,), daemon=True).start()

    def _read(self, client: socket) -> None:
        with suppress(OSError):
            while piece := client.recv(65_536):
                self.heard += piece

    def close(self) -> None:
        """Hang up on everybody."""
        self._listener.close()
        for client in self._open:
            with suppress(OSError):
                client.shutdown(SHUT_RDWR)
            client.close()


def short(monkeypatch: pytest.MonkeyPatch, limit: float) -> None:
    """Those that have no setting for it wait so long, instead of ten seconds."""
    for module in ("flows.channels.posted", "flows.channels.webpush"):
        monkeypatch.setattr(f"{module}.post", partial(posting.post, limit=limit))


@contextmanager
def silent(name: str, timeout: float) -> Iterator[tuple[Callable[[], list[Outcome]], Callable[[], bytes]]]:
    """A channel at a silent server: what sends two messages by it, and what the server has heard."""
    with ExitStack() as stack:
        (found,) = entry_points(group=STAGES, name=name)
        stage: Any = found.load()()
        stack.callback(stage.leave)
        mute = Mute()
        stack.callback(mute.close)
        changed: dict[str, object] = {"timeout": timeout}
        if isinstance(stage, SmtpStage):
            stage._server.script.hang_after_data = 1
            changed["connections"] = 1
        elif isinstance(stage, WebPushStage):
            stage._url, changed = mute.url, {}
        else:
            changed = {"api_url": mute.url} if name in PHONES else {"url": mute.url, "timeout": timeout}
        channel = Registry().channel(name).from_settings({**stage.settings, **changed}, SystemClock())
        stack.callback(channel.close)
        messages = [stage.message(key, stage.recipient(key)) for key in ("k-1", "k-2")]
        kept = stage._server.messages if isinstance(stage, SmtpStage) else ()
        yield lambda: list(channel.send_all(messages)), lambda: mute.heard + b"".join(each.content for each in kept)


@pytest.mark.parametrize("name", [*APIS, *MAIL, *PHONES])
def test_each_channel_gives_up_after_its_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked for is in doubt, not failed; behind it nobody waits for a time-out of their own."""
    short(monkeypatch, TIMEOUT)
    with silent(name, TIMEOUT) as (send, heard):
        began = time.monotonic()
        first, second = send()
        took = time.monotonic() - began
        assert b"k-1" in heard() or len(heard()) > 200, "it took the request"
    assert isinstance(first, Unknown), first
    waits = 2 if name in EACH_ITS_OWN else 1
    assert waits * TIMEOUT * 0.9 <= took <= waits * TIMEOUT + SLACK
    if name in (*APIS, *PHONES) and name not in EACH_ITS_OWN:
        assert isinstance(second, Retry), "put off: it was not begun with"


@pytest.mark.parametrize("name", ["resend", "smtp", "twilio"])
def test_control_a_client_without_a_timeout_waits_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch, 300)
    with ThreadPoolExecutor(1) as pool, silent(name, 300) as (send, _):
        sending = pool.submit(send)
        assert wait([sending], timeout=TIMEOUT + SLACK).not_done == {sending}


# -- the whole worker --------------------------------------------------------------------------------------------------

RULES = [
    # provider, flow, what the recipient has in the end, what is known
    ("resend", ORDERS, 1, EffectStatus.SENT),  # repeated under its key, which the provider knows
    ("resend", ASKING, 1, EffectStatus.SENT),
    ("brevo", ORDERS, 1, EffectStatus.SENT),
    ("brevo", ASKING, 1, EffectStatus.SENT),
    ("postmark", ORDERS, 1, EffectStatus.SENT),  # asked, and it has the message
    ("postmark", ASKING, 1, EffectStatus.SENT),
    ("mailgun", ORDERS, 1, EffectStatus.SENT),
    ("mailgun", ASKING, 1, EffectStatus.SENT),
    ("sendgrid", ORDERS, 2, EffectStatus.SENT),  # it knows no key and cannot be asked: order mail once more
    ("sendgrid", ASKING, 1, EffectStatus.UNCERTAIN),
    ("smtp", ORDERS, 2, EffectStatus.SENT),
    ("smtp", ASKING, 1, EffectStatus.UNCERTAIN),
    ("ses", ORDERS, 2, EffectStatus.SENT),
    ("ses", ASKING, 1, EffectStatus.UNCERTAIN),
]


@contextmanager
def silent_once(make: Make, name: str, flow: str, timeout: int = TIMEOUT) -> Iterator[tuple[House, Callable[[], int]]]:
    """Two shops: mail of one goes by a provider that is silent over its first message, and well again after that; mail
    of the other leaves by a channel of its own. And how many messages the provider has taken."""
    with FakeProviders() as providers, MailSink() as sink:
        life = make(flow, email="main", neighbour="backup")
        table: dict[str, object] = {"api_key": GOOD_KEY, "url": providers.url, "timeout": timeout, "connections": 1}
        if name in MAIL:
            sink.script.hang_after_data = 1
            table = {"host": "127.0.0.1", "port": sink.port, "tls": "none", "timeout": timeout, "connections": 1}
        elif name == "mailgun":
            table["domain"] = "mg.metsa.example"
        providers.mishaps.append(Mishap(after_work=True, hang=600))
        channel = Registry().channel(name).from_settings(table, life.clock)
        life.kiitos.use_channel("main", channel)
        try:
            yield life, lambda: len(sink.messages) + len(providers.box)
        finally:
            channel.close()


@pytest.mark.parametrize(("name", "flow", "arrived", "status"), RULES)
def test_others_go_on_and_the_doubt_is_settled_by_its_rules(
    house: Make, name: str, flow: str, arrived: int, status: EffectStatus
) -> None:
    with silent_once(house, name, flow) as (life, taken):
        life.orders(1)
        life.orders(1, 2, 3, shop_id=SHOPIFY)
        began = time.monotonic()
        life.worker.tick()
        assert time.monotonic() - began <= TIMEOUT + SLACK
        assert taken() == 1
        assert life.sent("backup") == 3, "the other shop's mail left in the same round"
        assert EffectStatus.SENT not in life.statuses(), "nobody knows yet"
        life.until(hours=1)
        assert (taken(), life.statuses()) == (arrived, [status])


@pytest.mark.parametrize("name", ["resend", "smtp"])
def test_control_a_worker_whose_client_has_no_timeout_stands_still(house: Make, name: str) -> None:
    with ThreadPoolExecutor(1) as pool, silent_once(house, name, ORDERS, timeout=300) as (life, _):
        life.orders(1)
        rounds = pool.submit(life.worker.tick)
        assert wait([rounds], timeout=TIMEOUT + SLACK).not_done == {rounds}
        life.orders(1, 2, 3, shop_id=SHOPIFY)
        assert life.sent("backup") == 0, "whoever comes behind it waits"

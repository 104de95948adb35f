"""`kill -9` of the running product in front of providers with an API, each at the moment that leaves a doubt: a message
was handed over, and its answer has not come. What reached the readers is counted at the provider.

Three shops: Resend knows our keys, Postmark can be asked, SendGrid neither. `make kill` kills more often
(KIITOS_PROVIDER_KILLS).
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connector.testing.fakes.providers import FakeProviders, Taken

from .product import Product
from .test_kill9 import Run, attack, figures
from .verdict import Sent

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.name != "posix", reason="SIGKILL and flock are POSIX"),
]

KILLS = int(os.environ.get("KIITOS_PROVIDER_KILLS", "3"))
KINDS = ("resend", "sendgrid", "postmark")
RATE = 12.0  # orders a second over three shops; two messages each
PATIENCE = 60.0


@dataclass
class Trap:
    """Holds one message at its provider until the product is dead: of a provider and a class, after or before the
    provider took it. Every twelve kills go through all of these."""

    kinds: Sequence[str]
    first: int = 0
    held: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    wanted: tuple[str, bool, bool] | None = None

    def __call__(self, taken: Taken, done: bool) -> None:
        if self.wanted == (taken.provider, "List-Unsubscribe" in taken.headers, done):
            self.wanted = None
            self.held.set()
            self.released.wait(PATIENCE)

    def moment(self, number: int) -> None:
        self.held.clear()
        self.released.clear()
        number += self.first
        self.wanted = wanted = (self.kinds[number % len(self.kinds)], bool(number % 2), not number // 2 % 2)
        assert self.held.wait(PATIENCE), f"no message of {wanted} came"


@pytest.fixture
def providers() -> Iterator[FakeProviders]:
    with FakeProviders() as running:
        yield running


def killed(folder: Path, providers: FakeProviders, kinds: Sequence[str], kills: int, first: int = 0) -> Run:
    trap = Trap(kinds, first)
    providers.watch = trap
    product = Product.set_up_providers(folder, providers.url, kinds, worker="hurried")

    def start() -> float:
        trap.released.set()  # the provider goes on with what it has, and nobody hears the answer
        return product.start()

    def counts() -> Counter[str]:
        return Counter(taken.key for taken in providers.box)

    return attack(product, trap.moment, counts, kills, rate=RATE, start=start)


def of(run: Run, kind: str) -> list[Sent]:
    return [message for message in run.verdict.messages if message.shop_id == f"killed-{kind}"]


def test_once_by_key_once_by_asking_and_else_order_mail_once_more_at_most(
    tmp_path: Path, providers: FakeProviders, capsys: pytest.CaptureFixture[str]
) -> None:
    done = killed(tmp_path, providers, KINDS, KILLS)
    with capsys.disabled():
        print(f"\nkill -9 before providers: {figures(done)}")
        for kind in KINDS:
            doubted = [message for message in of(done, kind) if message.tainted]
            again = sum(message.count - 1 for message in of(done, kind) if message.count > 1)
            print(f"  {kind}: {len(of(done, kind))} messages, {len(doubted)} in doubt, {again} repeated")
    assert done.verdict.faults() == {}
    for kind in KINDS:
        assert sum(message.tainted for message in of(done, kind)) >= KILLS // 3, f"{kind} was never left in doubt"
    for kind in ("resend", "postmark"):
        assert {(message.status, message.count) for message in of(done, kind)} == {("sent", 1)}, kind
    shown = [message for message in of(done, "sendgrid") if message.tainted and message.purpose == "review"]
    assert shown
    assert {message.status for message in shown} == {"uncertain"}
    assert all(message.count <= 2 for message in of(done, "sendgrid"))


def test_control_a_provider_that_forgets_its_keys_is_found_out(tmp_path: Path, providers: FakeProviders) -> None:
    providers.keeps_keys = False
    done = killed(tmp_path, providers, ("resend",), 1, first=1)
    assert "marketing_twice" in done.verdict.faults()

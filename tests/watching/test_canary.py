"""A canary customer goes through everything that can go wrong, at debug level, and is nowhere to be seen afterwards."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry, generate_latest

from connector import log, tracing
from connector.app import Kiitos
from connector.cli import cli
from connector.contracts import Accepted, Message, Outcome, Rejected, Retry, Unknown
from connector.model import Channel
from connector.store import suppressions
from connector.testing.fakes.web import LoopbackServer
from connector.watching.doctor import examine_running
from connector.watching.figures import Looking
from connector.watching.gauges import register
from connector.worker import Worker
from flows.channels.memory import Memory
from platforms.shopify.platform import Shopify
from tests.watching.conftest import BODY, SHOP, House
from tests.watching.test_traces import Collector

CANARY = {
    "first_name": "Kanarialintu",
    "last_name": "Häkkilä-Tirppa",
    "email": "kanaria.tirppa@mail.example.com",
    "phone": "+358401234987",
    "address1": "Laulurinne 17 b 43",
    "city": "Visertäjänkylä",
    "note": "ovikoodi 9753, varo kissaa",
}
FORMS = [
    form
    for word in CANARY.values()
    for form in (word, json.dumps(word)[1:-1], word.replace("@", "%40"), word.removeprefix("+"))
]


def order(house: House, **changes: Any) -> dict[str, Any]:
    now = house.clock.now().isoformat()
    body: dict[str, Any] = json.loads(BODY.read_text("utf-8"))
    person = {"first_name": CANARY["first_name"], "last_name": CANARY["last_name"], "phone": CANARY["phone"]}
    place = {**person, "name": f"{CANARY['first_name']} {CANARY['last_name']}", "address1": CANARY["address1"]}
    place["city"] = CANARY["city"]
    body |= {
        "email": CANARY["email"],
        "contact_email": CANARY["email"],
        "phone": CANARY["phone"],
        "note": CANARY["note"],
    }
    body |= {"created_at": now, "processed_at": now, "updated_at": now, **changes}
    body["customer"] = {**body["customer"], **person, "email": CANARY["email"]}
    for name in ("shipping_address", "billing_address"):
        body[name] = {**(body.get(name) or {}), **place}
    return body


@dataclass
class Nasty(Memory):
    """A provider whose answers quote the address, each kind in turn, and which also raises."""

    turn: int = 0

    def send_all(self, messages: Any, on_wire: Any = None) -> Iterator[Outcome]:
        for message in messages:
            if on_wire is not None:
                on_wire(message.key)
            self.turn += 1
            yield self._answer(message)

    def _answer(self, message: Message) -> Outcome:
        text = f"550 no such user {message.recipient} ({CANARY['first_name']})"
        match self.turn % 5:
            case 0:
                return Rejected(key=message.key, code="550 5.1.1", text=text, bad_address=True)
            case 1:
                return Retry(key=message.key, text=text)
            case 2:
                return Unknown(key=message.key, text=text)
            case 3:
                raise RuntimeError(text)
        return Accepted(key=message.key)


@dataclass
class Places:
    """Everywhere something could show."""

    logs: io.StringIO
    spans: Collector
    shown: dict[str, str] = field(default_factory=dict)

    def all(self) -> dict[str, str]:
        return {"logs": self.logs.getvalue(), "traces": self.spans.raw.decode("utf-8", "replace"), **self.shown}


def leaks(places: Places) -> set[tuple[str, str]]:
    return {(name, form) for name, text in places.all().items() for form in FORMS if form and form in text}


@pytest.fixture
def places() -> Iterator[Places]:
    root, ours, stream = logging.getLogger(), logging.getLogger("kiitos"), io.StringIO()
    handlers, level, before = root.handlers[:], root.level, ours.level
    log.configure(level="DEBUG", stream=stream)
    root.setLevel(logging.DEBUG)
    seen = Collector()
    with LoopbackServer(seen.answer) as server:
        tracing.configure(server.url, "test")
        yield Places(stream, seen)
        tracing.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(before)


def show(house: House, kiitos: Kiitos, places: Places) -> None:
    """Take down what an operator can look at."""
    registry = CollectorRegistry()
    register(registry, Looking(kiitos.store, kiitos.clock), Worker(kiitos).carrier.tallies)
    places.shown["metrics"] = generate_latest(registry).decode()
    places.shown["doctor"] = "\n".join(map(str, examine_running(kiitos)))
    for words in (("status",), ("status", "--json"), ("doctor", "--offline"), ("deliveries", "failed")):
        places.shown[" ".join(words)] = CliRunner().invoke(cli, ["-c", str(house.path), *words]).output
    tracing.close()


def live(house: House, kiitos: Kiitos) -> None:
    """Orders that go well and badly, bodies that cannot be read, a provider that quotes, a worker that chokes."""
    root = tracing.begin("receive", "")
    house.trace = root
    for number in range(6):
        house.arrive(
            kiitos, f"o{number}", json.dumps(order(house, id=9000 + number, name=f"#{9000 + number}")).encode()
        )
    wrong = order(house, id=9100)
    wrong["line_items"] = CANARY["note"]
    house.arrive(kiitos, "wrong type", json.dumps(wrong).encode())
    house.arrive(kiitos, "broken", json.dumps(order(house)).encode()[:-40])
    house.arrive(kiitos, "no object", json.dumps([CANARY["email"], CANARY["note"]]).encode())
    house.until(kiitos, hours=3)
    tracing.end(root)


@pytest.mark.filterwarnings("default")
def test_the_canary_is_nowhere(house: House, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    kiitos = house.open()
    kiitos.use_channel("mail", Nasty())
    live(house, kiitos)
    normalise = Shopify.normalise

    def choke(self: Shopify, verified: Any, body: bytes, shop: Any) -> Any:
        raise RuntimeError(body.decode("utf-8", "replace"))

    monkeypatch.setattr(Shopify, "normalise", choke)
    house.arrive(kiitos, "choked", json.dumps(order(house, id=9200)).encode())
    house.until(kiitos, hours=1)
    monkeypatch.setattr(Shopify, "normalise", normalise)
    with kiitos.store.work.transaction() as tx:
        suppressions.add(tx, SHOP, CANARY["email"], Channel.EMAIL, "all", "hard_bounce", house.clock.now())
    show(house, kiitos, places)
    assert "channel_failed" in places.logs.getvalue()
    assert "delivery_failed" in places.logs.getvalue()
    assert places.spans.spans
    assert leaks(places) == set()


@pytest.mark.parametrize("place", ["event", "field", "metric", "span"])
def test_a_planted_leak_is_found(house: House, places: Places, place: str) -> None:
    kiitos = house.open()
    said = f"{CANARY['first_name']} lives at {CANARY['address1']}"
    if place == "event":
        log.get_log("test").warning(said)
    elif place == "field":
        log.get_log("test").warning("said", what=said)
    elif place == "span":
        with tracing.span("run", tracing.begin("receive", ""), what=said):
            pass
    show(house, kiitos, places)
    if place == "metric":
        places.shown["metrics"] += said
    assert {form for _, form in leaks(places)} >= {CANARY["first_name"], CANARY["address1"]}


def test_what_is_caught_by_its_shape_is_caught(places: Places) -> None:
    """An address or number that slipped into a line all the same is hidden; a name cannot be told from a word."""
    log.get_log("test").error("went_wrong", reason=f"{CANARY['email']} {CANARY['phone']}", email="x", first_name="Aino")
    assert leaks(places) == set()
    assert timedelta(0) == timedelta()

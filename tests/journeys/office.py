"""A shop whose flows also speak to a system, a chat and a person of the merchant's: real HTTP, a clock of ours."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connector.app import Kiitos, build
from connector.clock import ManualClock
from connector.config import parse_config
from connector.model import Effect, Run
from connector.rehearsal import VOCABULARY
from connector.rehearsal.life import Life
from connector.store import effects, runs
from connector.store.store import Store
from connector.testing.fakes.web import LoopbackServer, Request, Response
from connector.testing.world import WOO, document
from connector.worker import Worker
from connector.working.calling import secrets_of
from flows.channels.memory import Memory
from tests.journeys.bare import ENVIRON, RENDERER

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FLOW = """
id = "office"
title = "What the office hears"
trigger = "order.paid"
purpose = "transactional"
cancel_on = ["order.cancelled"]

[[steps]]
id = "score"
do = "call"
endpoint = "crm"
fields = ["order.number", "order.total"]
answer = ["score", "segment"]
patience = "2d"

[[steps]]
id = "tell"
do = "notify"
to = "chat"
text = "{order.number} has the score {steps.score.score}"

[[steps]]
id = "ask"
do = "task"
to = "anna"
ask = "May {order.number} have 100 points?"
timeout = "2d"
otherwise = "refused"

[[steps]]
id = "keep"
do = "set"
field = "decision"
value = "{steps.ask.outcome}"

[[steps]]
id = "give"
do = "grant"
what = "points"
points = 100
when = ["steps.ask.outcome == 'approved'"]
"""


@dataclass
class Room:
    """The system at `/crm` and the chat at `/chat`. `answers` are used up one a request, by path."""

    seen: list[Request] = field(default_factory=list)
    answers: dict[str, list[Response]] = field(default_factory=dict)

    def answer(self, request: Request) -> Response:
        self.seen.append(request)
        waiting = self.answers.get(request.path, [])
        return waiting.pop(0) if waiting else Response(200, b'{"score": 7, "segment": "gold", "list": [1]}')

    def at(self, path: str) -> list[Request]:
        return [request for request in self.seen if request.path == path]


@dataclass
class Office:
    """One life. `kiitos` and `worker` are replaced when a worker dies; mails are kept all the while."""

    clock: ManualClock
    store: Store
    room: Room
    url: str
    folder: Path
    mails: Memory
    kiitos: Kiitos
    worker: Worker
    life: Life

    def happens(self, word: str, rest: str = "") -> None:
        events = VOCABULARY[word](self.life, rest, self.clock.now())
        with self.store.work.transaction() as tx:
            self.kiitos.runner.ingest(tx, WOO, events, self.clock.now())

    def until(self, **span: float) -> None:
        end = self.clock.now() + timedelta(**span)
        self.worker.drain()
        while (due := self.worker.next_due()) is not None and due <= end:
            self.clock.advance(max(due - self.clock.now(), timedelta(microseconds=1)))
            self.worker.drain()
        self.clock.advance(max(end - self.clock.now(), timedelta()))

    def be_born(self) -> None:
        self.kiitos = build_office(self.clock, self.store, self.url, self.folder, self.mails)
        self.worker = Worker(self.kiitos)

    def runs(self) -> list[Run]:
        with self.store.work.read() as tx:
            return runs.all_of_shop(tx, WOO)

    def effects(self, number: int = 0) -> dict[str, Effect]:
        """What one of the runs asked for, by step."""
        run = self.runs()[number]
        with self.store.work.read() as tx:
            return {effect.step_id: effect for effect in effects.of_run(tx, WOO, run.id)}

    def secrets(self) -> list[str]:
        with self.store.work.read() as tx:
            return secrets_of(tx, self.kiitos.vault, self.kiitos.config.shop(WOO).endpoints["crm"])

    def letters(self) -> list[str]:
        """The plain text of every mail."""
        found = [email.message_from_bytes(each.content, policy=email.policy.default) for each in self.mails.messages]
        return [body.get_content() for mail in found if (body := mail.get_body(("plain",))) is not None]

    def link(self) -> str:
        """The path behind the newest question to Anna."""
        found = re.findall(r"http://localhost(/p/task/\w+)", self.letters()[-1])
        assert len(found) == 1
        return str(found[0])


def build_office(clock: ManualClock, store: Store, url: str, folder: Path, mails: Memory, **more: Any) -> Kiitos:
    found = document(flows={}, fetch_before_send=False)
    found["app"]["base_url"] = "http://localhost"
    found["endpoints"] = {"crm": {"url": f"{url}/crm", "private_addresses": True}}
    found["people"] = {
        "anna": {"email": "anna@example.com", "name": "Anna"},
        "chat": {"chat": {"env": "CHAT"}, "private_addresses": True},
    }
    found["channels"]["texts"] = {"kind": "memory"}
    metsa = found["clients"]["demo"]["shops"]["metsa"]
    metsa["flows"] = {"office": {"file": "office.toml"}}
    metsa |= more
    config = parse_config(found, folder / "app.toml", {**ENVIRON, "CHAT": f"{url}/chat"})
    kiitos = build(config, clock=clock, store=store)
    kiitos.renderer = RENDERER
    kiitos.use_channel("mail", mails)
    return kiitos


@contextlib.contextmanager
def office(folder: Path, flow: str = FLOW, **more: Any) -> Iterator[Office]:
    clock, store, room, mails = ManualClock(START), Store.open("sqlite://:memory:"), Room(), Memory()
    (folder / "office.toml").write_text(flow, "utf-8")
    with LoopbackServer(room.answer) as server:
        kiitos = build_office(clock, store, server.url, folder, mails, **more)
        life = Life(kiitos.config.shop(WOO).shop, {}, {})
        found = Office(clock, store, room, server.url, folder, mails, kiitos, Worker(kiitos), life)
        try:
            yield found
        finally:
            found.kiitos.close()


def body_of(request: Request) -> Any:
    return json.loads(request.body)

"""Where a flow is rehearsed: the whole application over a store in memory, one shop, one flow, a clock of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from connector.app import Kiitos, build
from connector.clock import ManualClock
from connector.config import parse_config
from connector.config.load import MEDIA
from connector.model import Effect, EffectStatus, Event, EventKind, Run, ShopStatus, email_key
from connector.registry import PLATFORMS, Registry
from connector.rehearsal.life import Life
from connector.rehearsal.others import CODES, DECISIONS, Answering, anyone, anywhere, decide_task, fill_list
from connector.rehearsal.platform import NAME, Recording, Rehearsed
from connector.rehearsal.script import Expected, FlowTest
from connector.rehearsal.vocabulary import VOCABULARY
from connector.store import effects, people, runs, shops, standings
from connector.store.db import Tx
from connector.store.store import Store
from connector.worker import Worker
from connector.working import clockwatch
from connector.working.bookkeeping import Bookkeeping
from flows.catalog import LIBRARY
from flows.channels.memory import Memory
from flows.render.renderer import Renderer

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""A Monday morning, weeks away from a change of clocks in most places."""
_SHOP = "rehearsal-shop"
_TOLD = ["review", "referral", "loyalty"]
"""What the imagined shop told its buyers at checkout that it will write about."""
_SEGMENT = re.compile(
    r"\bsegment\s*=\s*[\"']([a-z][\w-]*)[\"']|customer\.segments\s+(?:not\s+)?contains\s+[\"']([a-z][\w-]*)[\"']"
)
_KEY = "rehearsal=" + "cmVoZWFyc2FsIGtleSB0aGF0IGlzIDMyIGJ5dGVzISE="


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was sent or done: a template's name, or the word of the step."""

    at: timedelta
    what: str
    to: str


@dataclass(frozen=True, slots=True)
class Silence:
    """Something that was not: an effect policy dropped, a run that ended or never began."""

    at: timedelta
    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a test gave. `faults` is empty when it holds."""

    test: FlowTest
    deeds: tuple[Deed, ...]
    silences: tuple[Silence, ...]
    faults: tuple[str, ...] = field(default=())

    @property
    def holds(self) -> bool:
        return not self.faults


class Stage:
    """Rehearses one flow file. The store is made once and swept between tests.

    `flow` is the library name of the flow, or its path below `folder`; `flow_id` is what it calls itself. `run` raises
    `ConfigError` when it does not load.
    """

    def __init__(self, flow: str, flow_id: str, folder: Path) -> None:
        self._flow = flow
        self._flow_id = flow_id
        self._folder = folder
        self._store = Store.open("sqlite://:memory:")
        self._registry = Registry(extra={(PLATFORMS, NAME): Rehearsed})
        self._platform = cast(Recording, self._registry.platform(NAME))
        self._renderer = Renderer()  # keeps its compiled templates from test to test

    def close(self) -> None:
        self._store.close()

    def run(self, test: FlowTest) -> Outcome:
        """Let the test happen and compare. Raises `ConfigError` where the test itself makes no sense."""
        clock, channel = ManualClock(START), Memory()
        kiitos = self._build(clock, test)
        kiitos.use_channel("mail", channel)
        kiitos.renderer = self._renderer
        with self._store.work.transaction() as tx:
            clockwatch.confirm(tx, clock.now())  # each test begins at the same moment, on one database
        worker = Worker(kiitos)
        worker.bookkeeping = Bookkeeping(kiitos, resting=not test.segments)
        life = Life(kiitos.config.shop(_SHOP).shop, test.order, test.customer)
        sent: dict[str, Deed] = {}
        for happening in test.given:
            self._pass(worker, clock, START + happening.at)
            sent |= self._sent()  # before it happens: an erasure leaves nothing to be told of
            life.codes = self._codes()
            events = VOCABULARY[happening.word](life, happening.rest, clock.now())
            with self._store.work.transaction() as tx:
                if happening.word == CODES:
                    fill_list(tx, _SHOP, happening.rest)
                if happening.word in DECISIONS:
                    decide_task(tx, kiitos.runner, _SHOP, happening.word, happening.rest, clock.now())
                _keep_members(tx, events, clock.now())  # before: a flow may ask at once who is in
                kiitos.runner.ingest(tx, _SHOP, events, clock.now())
        self._pass(worker, clock, START + test.until)
        outcome = self._tell(test, sent | self._sent())
        with self._store.work.transaction() as tx:
            while people.wipe_shop(tx, _SHOP, 10_000):
                pass
            shops.set_status(tx, _SHOP, ShopStatus.ACTIVE, START)
        return outcome

    def _build(self, clock: ManualClock, test: FlowTest) -> Kiitos:
        document = {
            "schema": 1,
            "app": {"master_key": {"env": "KEY"}, "base_url": "https://rehearsal.example"},
            "channels": {"mail": {"kind": "memory"}},
            "defaults": {"email": "mail", "soft_opt_in": _TOLD, "fetch_before_send": False},
            "clients": {"rehearsal": {"shops": {"shop": self._shop(test)}}},
        }
        config = parse_config(document, self._folder / "rehearsal.toml", {"KEY": _KEY})
        written = (test.guide,) if test.guide is not None else ()
        shops = {name: replace(settings, guides=written) for name, settings in config.shops.items()}
        config = replace(config, shops=shops)
        self._platform.deeds.clear()
        media = dict.fromkeys(("email", *MEDIA), "mail")
        settings = replace(config.shop(_SHOP), endpoints=anywhere(), people=anyone(), channels=media)
        whole = replace(config, shops={_SHOP: settings})
        kiitos = build(whole, clock=clock, registry=self._registry, store=self._store)
        kiitos.caller = Answering(test.answers)
        return kiitos

    def _shop(self, test: FlowTest) -> dict[str, Any]:
        beside = {name: {"file": name} for name in test.beside}
        return {
            "platform": NAME,
            "domain": "rehearsal.example",
            "name": "The Rehearsal",
            "sender": "The Rehearsal <hello@rehearsal.example>",
            "support_email": "help@rehearsal.example",
            "address": ["Esimerkkikatu 1", "00100 Helsinki"],
            "timezone": "Europe/Helsinki",
            "country": "FI",
            "currency": "EUR",
            "segments": {**_named_segments(self._texts(test)), **test.segments},
            "flows": {**beside, "rehearsed": {"file": self._flow, "params": dict(test.params)}},
        }

    def _texts(self, test: FlowTest) -> str:
        """The flow and those beside it, as written."""
        own = self._folder / self._flow
        texts = [own.read_text("utf-8")] if self._flow.endswith(".toml") else []
        names = [*test.beside, *([] if texts else [self._flow])]
        return "\n".join([*texts, *(LIBRARY.joinpath(f"{name}.toml").read_text("utf-8") for name in names)])

    def _pass(self, worker: Worker, clock: ManualClock, until: datetime) -> None:
        worker.drain()
        while (due := worker.next_due()) is not None and due <= until:
            clock.advance(max(due - clock.now(), timedelta(microseconds=1)))
            worker.drain()
        if until > clock.now():
            clock.advance(until - clock.now())

    def _codes(self) -> list[str]:
        """Codes the platform made so far, oldest first: what a friend may order with."""
        return [deed.arguments[0].code for deed in self._platform.deeds if deed.method == "create_discount"]

    def _sent(self) -> dict[str, Deed]:
        """What the flow has sent and done so far, by the effect's id."""
        with self._store.work.read() as tx:
            mine = [run for run in runs.all_of_shop(tx, _SHOP) if run.flow_id == self._flow_id]
            done = [effect for run in mine for effect in effects.of_run(tx, _SHOP, run.id)]
        return {effect.id: _deed(effect) for effect in done if effect.status is EffectStatus.SENT}

    def _tell(self, test: FlowTest, sent: Mapping[str, Deed]) -> Outcome:
        with self._store.work.read() as tx:
            happened = [run for run in runs.all_of_shop(tx, _SHOP) if run.flow_id == self._flow_id]
            done = [(run, effect) for run in happened for effect in effects.of_run(tx, _SHOP, run.id)]
            refused = [
                (run, entry)
                for run in happened
                for entry in runs.journal_of(tx, _SHOP, run.id)
                if entry.what == "not_started"
            ]
        deeds = sorted(sent.values(), key=lambda deed: deed.at)
        silences = [_skipped(effect) for _, effect in done if effect.status is not EffectStatus.SENT]
        silences += [
            Silence(
                run.created_at - START, "not started", f"{entry.detail.get('rule', '')} {entry.detail.get('saw', '')}"
            )
            for run, entry in refused
        ]
        silences += [_ended(run) for run in happened if run.reason]
        silences.sort(key=lambda silence: silence.at)
        faults = tuple(_faults(test, deeds, silences))
        return Outcome(test=test, deeds=tuple(deeds), silences=tuple(silences), faults=faults)


def _named_segments(text: str) -> dict[str, Any]:
    """Every segment the flows name, with nobody in it: a test says who enters."""
    found = {first or second for first, second in _SEGMENT.findall(text)}
    return {name: {"when": ["customer.lifetime.orders < 0"]} for name in sorted(found)}


def _keep_members(tx: Tx, events: Iterable[Event], now: datetime) -> None:
    for event in events:
        key = email_key(event.customer.email) if event.customer else None
        if key and event.kind == EventKind.SEGMENT_ENTERED:
            standings.enter(tx, _SHOP, event.data["segment"], key, now)
        elif key and event.kind == EventKind.SEGMENT_LEFT:
            standings.leave(tx, _SHOP, event.data["segment"], key)


def _deed(effect: Effect) -> Deed:
    what = str(effect.request.get("template") or effect.request.get("do"))
    return Deed((effect.done_at or effect.due_at) - START, what, str(effect.request.get("to", "")))


def _skipped(effect: Effect) -> Silence:
    what = str(effect.request.get("template") or effect.request.get("do"))
    return Silence((effect.done_at or effect.due_at) - START, what, effect.reason or str(effect.status))


def _ended(run: Run) -> Silence:
    return Silence(run.updated_at - START, f"run {run.status}", run.reason)


def _faults(test: FlowTest, deeds: list[Deed], silences: list[Silence]) -> Iterable[str]:
    left = list(deeds)
    for wanted in test.expect:
        found = next((deed for deed in left if _is(deed, wanted)), None)
        if found is None:
            yield f"expected '{wanted.text}', which did not come"
        else:
            left.remove(found)
    for deed in left:
        yield f"nobody expected '{shown(deed.at)} {deed.what}'"
    if test.why and not any(test.why in silence.why for silence in silences):
        said = "; ".join(dict.fromkeys(silence.why for silence in silences)) or "nothing"
        yield f"expected the reason '{test.why}', but it said: {said}"


def _is(deed: Deed, wanted: Expected) -> bool:
    return (
        deed.what == wanted.what
        and wanted.at <= deed.at < wanted.at + wanted.grain
        and (not wanted.to or wanted.to == deed.to)
    )


def shown(span: timedelta) -> str:
    """`13d 2h`, `45m`, `0d`: as tests write it."""
    seconds = int(span.total_seconds())
    parts = [(seconds // 86400, "d"), (seconds % 86400 // 3600, "h"), (seconds % 3600 // 60, "m")]
    text = " ".join(f"{count}{unit}" for count, unit in parts if count)
    return text or "0d"

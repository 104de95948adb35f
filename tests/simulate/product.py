"""The product as it runs, over an invented past: what a look back is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connector.app import build
from connector.clock import ManualClock
from connector.config import Config, parse_config
from connector.model import Event
from connector.registry import PLATFORMS, Registry
from connector.rehearsal.others import Answering
from connector.rehearsal.platform import Rehearsed
from connector.simulate.outcome import Deed, Lived
from connector.simulate.playbook import Playbook, of_shop
from connector.simulate.scene import Scene, Window
from connector.simulate.story import Moment
from connector.store import effects, runs
from connector.store.store import Store
from connector.worker import Worker
from connector.working import clockwatch
from flows.channels.memory import Memory
from flows.outbox import Outbox

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SHOP = "demo-aurora"
CORE = ("order_confirmation", "delivery_updates", "review_request", "referral_invite", "referral_reward")
KEY = "k1=" + "cmVoZWFyc2FsIGtleSB0aGF0IGlzIDMyIGJ5dGVzISE="


def document(flows: Iterable[str] = CORE, **changes: Any) -> dict[str, Any]:
    """An operator's file with one shop."""
    return {
        "schema": 1,
        "app": {"master_key": {"env": "KEY"}, "base_url": "https://kiitos.example"},
        "channels": {"mail": {"kind": "memory"}},
        "defaults": {
            "email": "mail",
            "soft_opt_in": ["review", "referral"],
            "fetch_before_send": False,
            "flows": {name.replace("_", "-").removesuffix(".toml"): {"file": name} for name in flows},
            **changes,
        },
        "clients": {
            "demo": {
                "shops": {
                    "aurora": {
                        "platform": "shopify",
                        "domain": "aurora-demo.myshopify.com",
                        "name": "Aurora",
                        "sender": "Aurora <orders@aurora.example>",
                        "address": ["Esimerkkikatu 1"],
                        "timezone": "Europe/Helsinki",
                        "country": "FI",
                    }
                }
            }
        },
    }


def config(flows: Iterable[str] = CORE, folder: Path = Path("/nowhere"), **changes: Any) -> Config:
    return parse_config(document(flows, **changes), folder / "app.toml", {"KEY": KEY})


def window(days: int = 400) -> Window:
    return Window(BEGIN, BEGIN + timedelta(days=days))


def moments(told: Iterable[Event]) -> list[Moment]:
    """Events as moments: what came at one time to one order came together."""
    found: list[Moment] = []
    for event in sorted(told, key=lambda event: event.at):
        last = found[-1] if found else None
        if last is not None and last.at == event.at and last.events[0].order_id == event.order_id:
            found[-1] = Moment(last.at, (*last.events, event))
        else:
            found.append(Moment(event.at, (event,)))
    return found


def looked_back(
    playbook: Playbook, people: Sequence[Sequence[Moment]], within: Window, *, twins: bool = True, exact: bool = False
) -> Lived:
    """The same past, person by person, in a scene: by the short way, or by the product's own runner."""
    scene = Scene(playbook, within, twins=twins, exact=exact)
    whole = Lived()
    try:
        for person in people:
            part = scene.live(person)
            whole.deeds += part.deeds
            whole.started += part.started
            whole.refused += part.refused
            whole.ended += part.ended
    finally:
        scene.close()
    return whole


class _Blank:
    """Renders nothing: the templates are not what is compared."""

    def compose(self, tx: object, case: Any, key: str, now: datetime) -> Any:
        from flows.sending.composing import Composed

        return Composed(b"", str(case.effect.request.get("template")))


def really(playbook: Playbook, told: Sequence[Moment], within: Window) -> set[tuple[str, ...]]:
    """What the product does: its store, worker, carrier and channel, every person at once, by `essence`."""
    clock = ManualClock(within.since)
    registry = Registry(extra={(PLATFORMS, "shopify"): Rehearsed})
    store = Store.open("sqlite://:memory:")
    kiitos = build(playbook.config, clock=clock, registry=registry, store=store)
    kiitos.use_channel(kiitos.catalog.settings(SHOP).email_channel, Memory())
    kiitos.outbox = Outbox(kiitos.runner, _Blank(), clock, salt=kiitos.salt)
    kiitos.caller = Answering({})
    with store.work.transaction() as tx:
        clockwatch.confirm(tx, clock.now())
    worker = Worker(kiitos)
    try:
        for moment in sorted(told, key=lambda moment: moment.at):
            _pass(worker, clock, moment.at)
            with store.work.transaction() as tx:
                kiitos.runner.ingest(tx, SHOP, moment.events, clock.now())
        _pass(worker, clock, within.until)
        with store.work.read() as tx:
            theirs = [(run, effects.of_run(tx, SHOP, run.id)) for run in runs.all_of_shop(tx, SHOP)]
    finally:
        store.close()
    return {
        (
            str(effect.done_at),
            run.flow_id,
            effect.step_id,
            str(effect.status),
            effect.reason.partition(":")[0],
            *_of(run),
        )
        for run, acts in theirs
        for effect in acts
        if effect.done_at is not None
    }


def _of(run: Any) -> tuple[str, str]:
    return (run.order_id or "", run.subject_id)


def essence(deeds: Iterable[Deed]) -> set[tuple[str, ...]]:
    """A look back in the words of `really`, without the subject, which deeds do not tell."""
    words = {"sent": "sent", "dropped": "skipped"}
    return {(str(d.at), d.flow, d.step, words[d.state], d.why, d.order_id) for d in deeds if d.state in words}


def without_subject(found: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    return {each[:6] for each in found}


def _pass(worker: Worker, clock: ManualClock, until: datetime) -> None:
    worker.drain()
    while (due := worker.next_due()) is not None and due <= until:
        clock.advance(max(due - clock.now(), timedelta(microseconds=1)))
        worker.drain()
    if until > clock.now():
        clock.advance(until - clock.now())


def playbook(flows: Iterable[str] = CORE, folder: Path = Path("/nowhere"), **changes: Any) -> Playbook:
    return of_shop(config(flows, folder, **changes), SHOP)

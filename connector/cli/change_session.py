"""What the commands that change flows share: the files beside what runs, and their options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.context import App
from connector.errors import ConfigError, near
from connector.store import applied
from connector.store.applied import AppliedState
from connector.store.store import Store

if TYPE_CHECKING:
    from connector.changes import Choices, Files, Plan, Target
    from connector.config import Config, ConnectedShop


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The files, as far as they can be used, beside what runs."""

    files: Files
    store: Store | None
    targets: Sequence[Target]
    states: Mapping[str, AppliedState]
    known: frozenset[str] | None = None
    """Every shop that a file names, where all were asked for: only then can one be missing."""

    def plan(self, targets: Sequence[Target], choices: Choices) -> Plan:
        from connector.changes import Plan, ShopPlan, find_orphans, make_plan

        if self.store is None:  # no database yet: everything is new
            return Plan(tuple(ShopPlan(target=each, state=0, changes=_all_new(each, choices)) for each in targets))
        with self.store.work.read() as tx:
            found = make_plan(tx, targets, self.states, choices)
            if self.known is None:
                return found
            return Plan(found.shops, find_orphans(tx, self.states, self.known))


def _all_new(target: Target, choices: Choices) -> Any:
    from connector.changes import FlowChange

    return tuple(
        FlowChange(flow_id=each.flow_id, change="added", before=None, after=each, how=choices.migration(each.flow_id))
        for each in target.entries
    )


@contextmanager
def open_session(app: App, client: str | None, shop: str | None, *, acting: bool = False) -> Iterator[Session]:
    """Read files and states. Without `acting` nothing is touched: no database made or migrated, no secret generated."""
    from connector.app import connected_shops
    from connector.changes import read_files, targets_of
    from connector.registry import Registry
    from flows.render.sources import Sources

    opened: list[Store] = []

    def connected(config: Config) -> Sequence[ConnectedShop]:
        store = _open(config, acting=acting)
        if store is None:
            return ()
        opened.append(store)
        return connected_shops(store)

    try:
        files = read_files(app.path, Registry(), connected, generate=acting)
        store = opened[0] if opened else None
        states: Mapping[str, AppliedState] = {}
        if store is not None:
            with store.work.read() as tx:
                states = applied.newest(tx)
        all_targets = targets_of(files, Sources())
        known = frozenset(each.shop_id for each in all_targets) if client is None and shop is None else None
        targets = _chosen(all_targets, client, shop)
        yield Session(files=files, store=store, targets=targets, states=states, known=known)
    finally:
        for each in opened:
            each.close()


def _open(config: Config, *, acting: bool) -> Store | None:
    url = config.app.database
    if acting:
        from connector.config.folders import make_folder

        make_folder(url)
        return Store.open(url, inbox_url=config.app.inbox)
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return None
    return Store.open(url, inbox_url=config.app.inbox, migrate=False, check=False)


def _chosen(targets: Sequence[Target], client: str | None, shop: str | None) -> Sequence[Target]:
    for word, wanted, known in (
        ("client", client, {each.client_id for each in targets}),
        ("shop", shop, {each.shop_id for each in targets}),
    ):
        if wanted is not None and wanted not in known:
            raise ConfigError(f"no {word} '{wanted}'{near(wanted, known)}")
    return [each for each in targets if client in (None, each.client_id) and shop in (None, each.shop_id)]


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def wrap(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return wrap


where_options = _options(
    click.option("--client", help="Only this client's shops."),
    click.option("--shop", help="Only this shop."),
)
migration_options = _options(
    click.option(
        "--migrate",
        multiple=True,
        metavar="[FLOW=]HOW",
        help="People in flight: finish (default), move, re-evaluate or end; for all flows or one.",
    ),
    click.option("--map", "mapped", multiple=True, metavar="[FLOW:]OLD=NEW", help="Who stands at OLD goes on at NEW."),
)
apply_options = _options(
    click.option("--digest", help="The plan that was looked at, as `kiitos flows plan` printed it."),
    click.option("--yes", is_flag=True, help="Apply whatever the plan is now."),
    click.option("--who", help="Kept in the history; the system's user by default."),
    click.option("--note", default="", help="Why, kept in the history."),
)


def choices_of(files: Files, migrate: Iterable[str], mapped: Iterable[str]) -> Choices:
    from connector.changes import read_choices

    return read_choices(migrate, mapped, files.config.flows.migrate)

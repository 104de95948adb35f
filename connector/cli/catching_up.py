"""`kiitos shops webhooks | backfill | completeness`: whether anything is missed, and what is done about it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.errors import Transient, Unsupported

if TYPE_CHECKING:
    from connector.store.jobs import JobRow

PLAIN_EVERY = 10.0
"""Seconds between two lines of progress where there is no terminal."""
LOOK_EVERY = 2.0


@click.command()
@click.argument("shop")
@click.option("--repair", is_flag=True, help="Put right what is wrong, now instead of tonight.")
@json_option
@click.pass_context
def webhooks(ctx: click.Context, shop: str, repair: bool, as_json: bool) -> None:
    """Compare SHOP's webhook subscriptions with what we need; the worker repairs them daily.

    \b
    Examples:
      kiitos shops webhooks SHOP
      kiitos shops webhooks SHOP --repair
    """
    from connector.contracts import HookTarget, ManagesWebhooks
    from connector.reconciliation import Reconciler, hooks_as_report
    from connector.store import jobs

    app: App = ctx.obj
    kiitos = app.kiitos
    adapter, access = _to_ask(ctx, shop)
    if not isinstance(adapter, ManagesWebhooks):
        raise Unsupported(f"{access.shop.platform} has no subscriptions that could be managed")
    if repair and not Reconciler(kiitos).run_now(shop, "webhooks"):
        click.echo("the worker is busy with this shop; the report below is its last", err=True)
    with kiitos.store.work.read() as tx:
        row = jobs.get(tx, shop, "webhooks")
        last = jobs.reports(tx, shop, "webhooks")
    if repair and last:
        found = last[0][1]
    else:
        target = HookTarget(
            url=kiitos.hook_url(kiitos.catalog.settings(shop)),
            secret=access.secrets.get("webhook_secret"),
            notes=dict(row.state.get("notes") or {}) if row else {},
        )
        found = hooks_as_report(adapter.check_webhooks(access, target))
    if as_json:
        print_json({"shop": shop, **found})
    else:
        _print_hooks(found)
    ctx.exit(1 if any(fault["fault"] != "no_scope" for fault in found["faults"]) else 0)


def _print_hooks(found: dict[str, Any]) -> None:
    click.echo(f"{found['present']} right, {found['foreign']} of others left alone")
    rows = [("repaired", each["topic"], each["fault"], each["detail"]) for each in found["repaired"]]
    rows += [("wrong", each["topic"], each["fault"], each["detail"]) for each in found["faults"]]
    if rows:
        print_table(rows, ("", "topic", "what", "detail"))


@click.command()
@click.argument("shop")
@click.option("--years", type=click.FloatRange(0, 20, min_open=True), default=1.0, show_default=True)
@click.pass_context
def backfill(ctx: click.Context, shop: str, years: float) -> None:
    """Read SHOP's orders, customers, products and consents of the last years; nobody is mailed about them.

    It may be stopped with Ctrl-C at any time: the worker, or the same command again, goes on from there.

    \b
    Example:
      kiitos shops backfill SHOP --years 2
    """
    from connector.contracts import Backfills
    from connector.reconciliation import Reconciler, backfill_plan
    from connector.store import jobs

    app: App = ctx.obj
    adapter, access = _to_ask(ctx, shop)
    if not isinstance(adapter, Backfills):
        raise Unsupported(f"the history of {access.shop.platform} cannot be read")
    reconciler = Reconciler(app.kiitos)
    reconciler.plan()
    with app.kiitos.store.work.transaction() as tx:
        row, polled = jobs.get(tx, shop, "backfill"), jobs.get(tx, shop, "poll")
        assert row is not None
        if row.due_at is None or row.state.get("years") != years:
            live_since = polled.created_at if polled else row.created_at
            jobs.restart(tx, shop, "backfill", backfill_plan(years, live_since), app.kiitos.clock.now())
    try:
        _follow(app, reconciler, shop, list(adapter.history_kinds))
    except KeyboardInterrupt:
        click.echo("\nstopped; the worker goes on from here, or run the command again", err=True)
        ctx.exit(130)


def _follow(app: App, reconciler: Any, shop: str, kinds: list[str]) -> None:
    """Do a page after another, or watch the worker do it, until all is read."""
    clock = app.kiitos.clock
    progress = _Progress(kinds)
    with progress:
        while True:
            try:
                mine = reconciler.run_now(shop, "backfill", budget=0.0)
            except Transient as error:
                progress.say(f"{error.message}; trying again")
                mine = True
            row = _row(app, shop)
            progress.show(row, clock.monotonic())
            if row.due_at is None:
                break
            wait = (row.due_at - clock.now()).total_seconds() if mine else LOOK_EVERY
            clock.sleep(max(0.0, min(wait, 60.0)))
    counts = dict(_row(app, shop).state.get("counts") or {})
    faults = _row(app, shop).state.get("faults") or 0
    read = ", ".join(f"{counts.get(kind, 0)} {kind}s" for kind in kinds)
    click.echo(f"{read}; {faults} could not be read")


def _row(app: App, shop: str) -> JobRow:
    from connector.store import jobs

    with app.kiitos.store.work.read() as tx:
        row = jobs.get(tx, shop, "backfill")
    assert row is not None
    return row


class _Progress:
    """A bar with an estimate on a terminal, a line now and then elsewhere."""

    def __init__(self, kinds: list[str]) -> None:
        self._kinds = kinds
        self._stream = sys.stderr
        self._plain = not self._stream.isatty()
        self._bar: Any = None
        self._next_line = 0.0

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()

    def say(self, text: str) -> None:
        click.echo(text, err=True)

    def show(self, row: JobRow, now: float) -> None:
        counts, totals = dict(row.state.get("counts") or {}), dict(row.state.get("totals") or {})
        read = sum(counts.values())
        total = sum(totals.get(kind) or counts.get(kind, 0) for kind in self._kinds)
        current = next((kind for kind in self._kinds if kind not in (row.state.get("finished") or ())), "")
        if self._plain:
            if now >= self._next_line:
                self._next_line = now + PLAIN_EVERY
                self.say(f"{read} of about {total}" + (f", reading {current}s" if current else ""))
            return
        if self._bar is None:
            self._bar = click.progressbar(length=max(total, 1), file=self._stream, show_pos=True)
        self._bar.label = f"{current}s" if current else "done"
        self._bar.length = max(total, read, 1)
        self._bar.update(read - self._bar.pos)


@click.command()
@click.argument("shop")
@click.option("--days", type=click.FloatRange(0, 60, min_open=True), default=7.0, show_default=True)
@json_option
@click.pass_context
def completeness(ctx: click.Context, shop: str, days: float, as_json: bool) -> None:
    """Compare SHOP's orders of the last days with ours: how they came, how late, and which are missing.

    Orders from before the shop was connected are not counted. Ends with 1 when an order is missing.

    \b
    Example:
      kiitos shops completeness SHOP --days 7
    """
    from connector.reconciliation import Reconciler, measure

    app: App = ctx.obj
    _to_ask(ctx, shop)
    Reconciler(app.kiitos).plan()
    found = measure(app.kiitos, shop, days)
    if as_json:
        print_json(asdict(found))
    else:
        rows = [
            ("orders in the shop", str(found.in_shop)),
            ("seen by webhook", str(found.by_webhook)),
            ("recovered by poll", str(found.by_poll)),
            ("recovered by sweep", str(found.by_sweep)),
            ("missing", str(found.missing_count)),
            ("median delay", _span(found.median_delay)),
            ("worst delay", _span(found.worst_delay)),
        ]
        print_table(rows, (f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC", ""))
        for order_id in found.missing[:20]:
            click.echo(f"missing: {order_id}")
    ctx.exit(1 if found.missing_count else 0)


def _span(seconds: float | None) -> str:
    return "-" if seconds is None else str(timedelta(seconds=round(seconds)))


def _to_ask(ctx: click.Context, shop: str) -> tuple[Any, Any]:
    """The shop's adapter and access; ends with 1 where there are no credentials to ask with."""
    from connector.reconciliation import can_ask

    kiitos = ctx.obj.kiitos
    ctx.obj.config.shop(shop)
    settings = kiitos.catalog.settings(shop)
    if not can_ask(kiitos, settings):
        click.echo(f"{shop} has no API credentials: connect the store, then it can be asked", err=True)
        ctx.exit(1)
    return kiitos.registry.platform(settings.shop.platform), kiitos.access(settings)

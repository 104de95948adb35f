"""`kiitos backtest`: what flows would have done in a shop's own past, before they go live."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.errors import ConfigError
from flows.limits.daytime import zone_of

if TYPE_CHECKING:
    from connector.simulate.costs import Costs
    from connector.simulate.playbook import Playbook
    from connector.simulate.scene import Window
    from connector.simulate.shards import Look, Seen
    from connector.simulate.tally import Tally

YEAR = timedelta(days=365)
_DAY = click.DateTime(formats=["%Y-%m-%d"])


def look_options(command: click.decorators.FC) -> click.decorators.FC:
    """What every look back asks: where the data are, from when until when, with how many processes."""
    for option in (
        click.option("--jobs", type=click.IntRange(1, 64), default=None, help="Processes; one a core if not given."),
        click.option("--to", "until", type=_DAY, help="The day after the last one; today if not given."),
        click.option("--from", "since", type=_DAY, help="The first day; a year before the end if not given."),
        click.option("--shop", required=True, help="The shop whose past is lived again."),
    ):
        command = option(command)
    return command


@click.command()
@look_options
@click.option("--flow", "flows", multiple=True, help="Tell only of this flow: of the shop, the library, or a file.")
@click.option("--alone", is_flag=True, help="With --flow: leave the shop's other flows out altogether.")
@click.option("--playbook", type=click.Path(path_type=Path), help="Another app.toml in place of this one.")
@click.option("--exact", is_flag=True, help="Live every life by the product's own runner: slower, the same answer.")
@click.option("--svg", type=click.Path(path_type=Path), help="Also draw the messages by day or week into this file.")
@json_option
@click.pass_obj
def backtest(
    app: App,
    shop: str,
    since: datetime | None,
    until: datetime | None,
    jobs: int | None,
    flows: tuple[str, ...],
    alone: bool,
    playbook: Path | None,
    exact: bool,
    svg: Path | None,
    as_json: bool,
) -> None:
    """Who of SHOP's customers would have got what, when, and at what cost, had the flows been live in its past.

    The whole playbook runs, through the engine, guards and policy of production, over a copy in memory; nothing is
    written or sent. --flow tells only of the flows named; one that the shop does not have yet joins its playbook.

    \b
    Examples:
      kiitos backtest --shop acme-main
      kiitos backtest --shop acme-main --flow review_request --from 2026-01-01 --svg review.svg
      kiitos backtest --shop acme-main --playbook next.toml --json
    """
    from connector.simulate.costs import costs_of
    from connector.simulate.playbook import from_file, of_shop, with_flows
    from connector.simulate.report import backtest_document

    config = app.kiitos.config
    book = from_file(playbook, shop, os.environ) if playbook else of_shop(config, shop)
    if flows:
        book = with_flows(book, flows, alone=alone)
    window = window_of(since, until, book)
    seen = run_look(look_of(app, (book,), window, exact=exact), jobs)
    tally, costs = seen.tallies[0], costs_of(book.settings)
    if svg is not None:
        from connector.simulate.picture import draw

        title = f"{book.settings.shop.name}: {days_of(window, book)}"
        svg.write_text(draw(tally, title), encoding="utf-8")
    if as_json:
        print_json(backtest_document(tally, costs, window, shop, book.name))
    else:
        _print(tally, costs, days_of(window, book), book)
    if seen.interrupted:
        raise click.exceptions.Exit(130)


def window_of(since: datetime | None, until: datetime | None, book: Playbook) -> Window:
    """The days asked for, as days of the shop; the last year if nothing was said. Raises `ConfigError`."""
    from connector.clock import SystemClock
    from connector.simulate.scene import Window

    zone = zone_of(book.settings.shop.timezone)
    end = until.replace(tzinfo=zone) if until else SystemClock().now().astimezone(zone)
    begin = since.replace(tzinfo=zone) if since else end - YEAR
    if begin >= end:
        raise ConfigError(f"--from {begin:%Y-%m-%d} is not before --to {end:%Y-%m-%d}")
    return Window(begin.astimezone(UTC), end.astimezone(UTC))


def look_of(app: App, playbooks: tuple[Playbook, ...], window: Window, *, exact: bool = False) -> Look:
    from connector.simulate.shards import Look

    settings = app.config.app
    return Look(database=settings.database, inbox=settings.inbox, playbooks=playbooks, window=window, exact=exact)


def run_look(look: Look, jobs: int | None) -> Seen:
    """The look, with a bar on the terminal. Ctrl-C ends it; what was seen until then is told, and that it is a part."""
    from connector.simulate.shards import look_back

    count = jobs or os.cpu_count() or 1
    with click.progressbar(length=1, label="looking back", file=sys.stderr, width=40) as bar:

        def show(done: int, total: int | None) -> None:
            if total is None:
                return
            bar.length = total
            bar.update(done - bar.pos)

        seen = look_back(look, jobs=count, progress=show)
        if not seen.interrupted:
            show(bar.length or 0, bar.length or 0)
    if seen.interrupted:
        click.secho(f"interrupted: what follows is of {seen.tallies[0].orders:,} orders", err=True, fg="yellow")
    return seen


def days_of(window: Window, book: Playbook) -> str:
    """From the first day to the last, as days of the shop."""
    zone = zone_of(book.settings.shop.timezone)
    last = window.until.astimezone(zone) - timedelta(seconds=1)
    return f"{window.since.astimezone(zone):%Y-%m-%d} to {last:%Y-%m-%d}"


def over_budget(tally: Tally, book: Playbook) -> list[tuple[str, int, int]]:
    """(flow, messages a day, how many would be held): whoever is looked at alone never meets a shop's budget."""
    limits = {setting.flow_id: setting.daily for setting in book.settings.flows}
    purposes = {flow.id: flow.purpose.needs_consent for flow in book.flows()}
    found = []
    for flow in tally.flows:
        own = limits.get(flow)
        limit = book.settings.limits.daily if own is None else own
        count = tally.over_budget(flow, limit) if limit and purposes.get(flow) else 0
        if count:
            found.append((flow, limit, count))
    return found


def _print(tally: Tally, costs: Costs, days: str, book: Playbook) -> None:
    from connector.simulate.costs import bill

    people = sum(tally.per_person.values())
    messages = sum(map(tally.messages, tally.flows))
    click.echo(
        f"{tally.orders:,} orders of {tally.lives:,} people, {days}: {people:,} would have got {messages:,} messages\n"
    )
    rows = []
    for flow in tally.flows:
        spent = f"{bill(tally, costs, flow).total:,.2f} {costs.currency}" if costs else ""
        numbers = (tally.started[flow], tally.people[flow], tally.messages(flow), tally.acts(flow))
        rows.append((flow, *(f"{number:,}" for number in (*numbers, tally.held_back(flow))), spent))
    print_table(rows, ("flow", "runs", "people", "messages", "acts", "not sent", "cost" if costs else ""))
    _print_months(tally)
    _print_reasons(tally)
    for flow, limit, count in over_budget(tally, book):
        click.echo(
            f"\n{flow}: {count:,} messages came after the {limit:,} a day that its budget allows; those are held"
        )
    click.secho(f"\n{way_of(tally)}", dim=True)
    if not costs:
        click.secho(
            'no cost: write prices into app.toml, such as costs = { email = "0.001 EUR", reward_use = 0.2 }', dim=True
        )


def way_of(tally: Tally) -> str:
    """By which loop people were looked at, as a sentence."""
    short, long = tally.ways[""], tally.ways.total() - tally.ways[""]
    said = f"lived by the short loop: {short:,} people; by the product's own: {long:,}"
    why = next((why for why, _ in tally.ways.most_common() if why), "")
    return f"{said} (mostly: {why})" if why else said


def _print_months(tally: Tally) -> None:
    months = sorted({day.replace(day=1) for day, line in tally.days if line.kind == "message"})
    if not months:
        return
    flows = [flow for flow in tally.flows if tally.messages(flow)]
    counts = {
        (month, flow): sum(
            n
            for (day, line), n in tally.days.items()
            if line.flow == flow and line.kind == "message" and day.replace(day=1) == month
        )
        for month in months
        for flow in flows
    }
    click.echo()
    rows = [(f"{month:%Y-%m}", *(f"{counts[month, flow]:,}" for flow in flows)) for month in months]
    print_table(rows, ("messages", *flows))


def _print_reasons(tally: Tally) -> None:
    rows = [(line.flow, line.what, why, f"{n:,}") for (line, why), n in tally.why.most_common(12)]
    rows += [(flow, "(not started)", rule, f"{n:,}") for (flow, rule), n in tally.refused.most_common(8)]
    if rows:
        click.echo()
        print_table(rows, ("flow", "not sent", "why", "times"))

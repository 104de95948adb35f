"""`kiitos flows diff`: two versions of a playbook compared by what they do to the same people in the same past."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING

import click

from connector.cli.backtest import look_of, look_options, run_look, window_of
from connector.cli.context import App, json_option, print_json, print_table

if TYPE_CHECKING:
    from connector.simulate.difference import Change, Difference
    from connector.simulate.playbook import Playbook


@click.command()
@click.argument("old")
@click.argument("new")
@look_options
@json_option
@click.pass_obj
def diff(
    app: App,
    old: str,
    new: str,
    shop: str,
    since: datetime | None,
    until: datetime | None,
    jobs: int | None,
    as_json: bool,
) -> None:
    """What changes for SHOP's customers between OLD and NEW: messages added, removed and shifted in time.

    OLD and NEW are each `now` (app.toml as it stands), `applied` (what runs), the number of a state that was applied
    (`kiitos flows history` shows them), another app.toml, the file of one flow, or a flow's version.
    \b
    Examples:
      kiitos flows diff applied now --shop acme-main
      kiitos flows diff now flows/our-review.toml --shop acme-main
      kiitos flows diff 3f2a9c41d07b now --shop acme-main --from 2026-06-01
    """
    from connector.simulate.report import difference_document

    books = _books(app, (old, new), shop)
    window = window_of(since, until, books[0])
    seen = run_look(look_of(app, books, window), jobs)
    found = seen.difference
    if as_json:
        print_json(difference_document(found, (old, new), window, shop))
    else:
        _print(found)
    if seen.interrupted:
        raise click.exceptions.Exit(130)


def _books(app: App, names: tuple[str, str], shop: str) -> tuple[Playbook, ...]:
    from connector.simulate.playbook import chosen

    kiitos = app.kiitos
    with kiitos.store.work.read() as tx:
        return tuple(chosen(name, kiitos.config, shop, tx, os.environ) for name in names)


def _print(found: Difference) -> None:
    if not found:
        click.echo(f"no difference: {found.same:,} messages and acts, the same and at the same times")
        return
    added, removed, shifted = (sum(each.values()) for each in (found.added, found.removed, found.shifted))
    click.secho(f"+{added:,} added, -{removed:,} removed, {shifted:,} shifted", bold=True, nl=False)
    click.echo(f"; {found.people:,} people meet a difference; {found.same:,} messages and acts stay as they are\n")
    keys = sorted({*found.added, *found.removed, *found.shifted})
    rows = [
        (*key, f"+{found.added[key]:,}", f"-{found.removed[key]:,}", f"{found.shifted[key]:,}", _spans(found, key))
        for key in keys
    ]
    print_table(rows, ("flow", "what", "added", "removed", "shifted", "by"))
    for (kind, _, what), changes in sorted(found.examples.items()):
        click.echo()
        for change in changes[:3]:
            click.echo(_example(kind, what, change))


def _spans(found: Difference, key: tuple[str, str]) -> str:
    """The commonest shifts: "12 by 2 d later, 3 by 1 d earlier"."""
    spans = sorted((-n, days) for (*of, days), n in found.spans.items() if tuple(of) == key)
    return ", ".join(f"{-n:,} by {_days(days)}" for n, days in spans[:3]) + (" ..." if len(spans) > 3 else "")


def _days(days: int) -> str:
    return "hours" if days == 0 else f"{abs(days)} d {'later' if days > 0 else 'earlier'}"


def _example(kind: str, what: str, change: Change) -> str:
    mark, colour = {"added": ("+", "green"), "removed": ("-", "red")}.get(kind, ("~", "yellow"))
    text = f"{mark} {change.deed.at:%Y-%m-%d %H:%M}  {what}  order {change.deed.order_id or '-'}"
    if change.by:
        text += f"  (was {change.deed.at - change.by:%Y-%m-%d %H:%M})"
    return click.style(text, fg=colour)

"""`kiitos clock`: whether workers believe the machine's clock, and telling them that it is right."""

from __future__ import annotations

import click

from connector.cli.context import App, json_option, print_json
from connector.clock import to_text
from connector.working import clockwatch


@click.group()
def clock() -> None:
    """Look at the clock workers go by, and confirm it after a jump."""


@clock.command()
@json_option
@click.pass_obj
def show(app: App, as_json: bool) -> None:
    """What this machine's clock says, and the last time a worker believed."""
    kiitos = app.kiitos
    with kiitos.store.work.read() as tx:
        kept = clockwatch.believed(tx)
    told = {"now": to_text(kiitos.clock.now()), "believed": to_text(kept) if kept else ""}
    if as_json:
        print_json(told)
        return
    for name, value in told.items():
        click.echo(f"{name:<10}{value or 'never'}")


@clock.command()
@click.pass_obj
def confirm(app: App) -> None:
    """Say that this machine's clock is right now. Workers that logged `clock_jumped` go on within seconds."""
    kiitos = app.kiitos
    now = kiitos.clock.now()
    with kiitos.store.work.transaction() as tx:
        clockwatch.confirm(tx, now)
    click.echo(f"confirmed: it is {to_text(now)}")

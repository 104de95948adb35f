"""`kiitos restore`: a backup put back, held until it has caught up."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from connector.cli.backup import require_stream
from connector.cli.context import App, json_option, print_json


@click.group()
def restore() -> None:
    """Put a backup back. Nothing is sent from it until it has caught up and you release it.

    \b
    1  stop kiitos serve and kiitos worker
    2  kiitos restore from latest      what was there stays beside it
    3  start both again                deliveries and platforms are read, nothing is sent
    4  kiitos restore status           what is still to come, what is in doubt
    5  kiitos restore release          the worker sends again
    """


@restore.command("from")
@click.argument("name")
@click.option(
    "--ledger",
    "ledgers",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder of send ledgers of another machine, beside this one's. May be repeated.",
)
@click.option(
    "--inbox",
    type=click.Choice(["auto", "keep", "replace"]),
    default="auto",
    show_default=True,
    help="Whether an inbox that is whole and newer than the backup stays in place (SQLite).",
)
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ"]),
    help="With `litestream`: the moment to go back to, UTC, such as 2026-11-22T14:30Z.",
)
@json_option
@click.pass_obj
def from_(app: App, name: str, ledgers: tuple[Path, ...], inbox: str, at: datetime | None, as_json: bool) -> None:
    """Put the backup NAME (or `latest`, or a file) in the place of the configured database.

    \b
    Examples:
      kiitos restore from latest
      kiitos restore from litestream     what Litestream copied last ([backup.litestream])
    """
    from connector.clock import SystemClock
    from connector.keeping.backup import list_backups
    from connector.keeping.restoring import LITESTREAM
    from connector.keeping.restoring import restore as put_back

    if name == LITESTREAM:
        require_stream(app)
    if name == "latest" and not list_backups(app.config.backup):
        click.echo("there are no backups; nothing was changed", err=True)
        raise click.exceptions.Exit(1)
    moment = at.replace(tzinfo=UTC) if at else None
    done = put_back(app.config, SystemClock(), name, ledgers=ledgers, inbox=inbox, at=moment)
    if as_json:
        print_json(
            {
                "backup": done.manifest.name,
                "sent_since": done.sent,
                "in_doubt": done.doubtful,
                "forgotten_since": done.forgotten,
                "refused_since": done.refused,
                "inbox": done.inbox,
                "aside": list(done.aside),
            }
        )
        return
    click.echo(f"restored {done.manifest.name}, made {done.manifest.at}; inbox: {done.inbox}")
    click.echo(f"since then: {done.sent} effects had been sent, {done.doubtful} are in doubt (send ledger)")
    click.echo(f"since then: {done.forgotten} names of people or shops were forgotten; they are again")
    click.echo(f"since then: {done.refused} addresses said no, or could not be reached; they are heeded again")
    for path in done.aside:
        click.echo(f"what was there: {path}")
    click.secho(
        "held: start serve and worker, look at `kiitos restore status`, then `kiitos restore release`", fg="yellow"
    )


@restore.command()
@json_option
@click.pass_obj
def status(app: App, as_json: bool) -> None:
    """How far a restored installation has caught up. Exit code 1 while something is missing."""
    from connector.keeping.release import progress

    found = progress(app.kiitos)
    if found is None:
        if as_json:
            print_json({"held": False})
        else:
            click.echo("nothing is held: no restore waits for a release")
        return
    if as_json:
        print_json(
            {
                "held": True,
                "since": found.held.since,
                **found.held.detail,
                "ledger": {fate: {"effects": total, "recognised": met} for fate, (total, met) in found.left.items()},
                "shops": dict(found.shops),
                "missing": list(found.missing),
            }
        )
    else:
        click.echo(f"held since {found.held.since:%Y-%m-%d %H:%M} UTC, restored from {found.held.detail.get('backup')}")
        for fate, (total, met) in sorted(found.left.items()):
            click.echo(f"send ledger: {total} {fate}, {met} of them recognised so far")
        for shop_id, said in found.shops.items():
            click.echo(f"{shop_id}: {said}")
        for line in found.missing:
            click.secho(f"missing: {line}", fg="yellow")
    if found.missing:
        raise click.exceptions.Exit(1)


@restore.command()
@click.option("--anyway", is_flag=True, help="Although something is missing: it may be sent that should not have been.")
@click.pass_obj
def release(app: App, anyway: bool) -> None:
    """Let workers send again."""
    from connector.keeping.release import progress
    from connector.keeping.release import release as let_go

    found = progress(app.kiitos)
    if found is None:
        click.echo("nothing is held: no restore waits for a release")
        return
    if found.missing and not anyway:
        for line in found.missing:
            click.echo(f"missing: {line}", err=True)
        click.echo("not released; wait, or release it with --anyway", err=True)
        raise click.exceptions.Exit(1)
    let_go(app.kiitos)
    click.echo("released: workers send again")

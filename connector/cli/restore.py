"""`kiitos restore`: a backup put back, held until it has caught up."""

from __future__ import annotations

from collections.abc import Sequence
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
    4  kiitos restore ledger FOLDER    where several machines sent: the send ledger of each other one
    5  kiitos restore status           what is still to come, what is in doubt
    6  kiitos restore release          the worker sends again
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
    done = put_back(app.config, SystemClock(), name, further=ledgers, inbox=inbox, at=moment)
    if as_json:
        print_json(
            {
                "backup": done.manifest.name,
                "sent_since": done.sent,
                "in_doubt": done.doubtful,
                "gaps": list(done.gaps),
                "forgotten_since": done.forgotten,
                "refused_since": done.refused,
                "inbox": done.inbox,
                "aside": list(done.aside),
            }
        )
        return
    click.echo(f"restored {done.manifest.name}, made {done.manifest.at}; inbox: {done.inbox}")
    _tell_known(done.sent, done.doubtful, done.gaps, done.at)
    click.echo(f"since then: {done.forgotten} names of people or shops were forgotten; they are again")
    click.echo(f"since then: {done.refused} addresses said no, or could not be reached; they are heeded again")
    for path in done.aside:
        click.echo(f"what was there: {path}")
    click.secho(
        "held: start serve and worker, look at `kiitos restore status`, then `kiitos restore release`", fg="yellow"
    )


@restore.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.pass_obj
def ledger(app: App, folders: tuple[Path, ...]) -> None:
    """Take in the send ledgers of further machines, while the restored database is held.

    \b
    Example, once for each machine that had a worker or a receiver:
      rsync -a worker2:/var/lib/kiitos/var/app-sent/ ledgers/worker2/
      kiitos restore ledger ledgers/worker2
    """
    from connector.keeping.release import hear

    told = hear(app.kiitos, folders)
    if told is None:
        click.echo("nothing is held: no restore waits for a release", err=True)
        raise click.exceptions.Exit(1)
    _tell_known(told.counts["sent"], told.counts["doubtful"], told.gaps, told.at)
    click.echo(f"{told.counts['forgotten']} names to forget, {told.counts['refused']} addresses that said no")


def _tell_known(sent: int, doubtful: int, gaps: Sequence[str], at: datetime) -> None:
    if not gaps:
        click.echo(f"since then: {sent} effects had been sent, {doubtful} are in doubt (send ledger)")
        return
    click.secho(f"since then, until {at:%Y-%m-%d %H:%M} UTC, nobody knows all that was sent:", fg="red")
    for line in gaps:
        click.echo(f"  {line}")
    click.echo(f"what is known: {sent} effects had been sent, {doubtful} are in doubt (send ledger)")
    click.echo("bring the missing folders before anything is released: kiitos restore ledger FOLDER")


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
                "gaps": list(found.gaps),
                "ledger": {fate: {"effects": total, "recognised": met} for fate, (total, met) in found.left.items()},
                "shops": dict(found.shops),
                "missing": list(found.missing),
            }
        )
    else:
        click.echo(f"held since {found.held.since:%Y-%m-%d %H:%M} UTC, restored from {found.held.detail.get('backup')}")
        for line in found.gaps:
            click.secho(f"nobody knows all that was sent {found.span}: {line}", fg="red")
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
@click.option(
    "--without-ledger",
    is_flag=True,
    help="Although no send ledger tells all that was sent since the backup: it is sent again.",
)
@click.pass_obj
def release(app: App, anyway: bool, without_ledger: bool) -> None:
    """Let workers send again.

    Where the send ledger does not tell all that left between the backup and the restore, this is refused: what left
    then is sent a second time, to people who may have said no meanwhile. --without-ledger is your word for it.
    """
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
    if found.gaps and not without_ledger:
        for line in found.gaps:
            click.echo(f"not known: {line}", err=True)
        click.echo(f"what was sent {found.span} would be sent again, and who said no then is not known", err=True)
        click.echo(
            "not released; bring what is missing (kiitos restore ledger FOLDER), or say --without-ledger", err=True
        )
        raise click.exceptions.Exit(1)
    let_go(app.kiitos)
    click.echo("released: workers send again")

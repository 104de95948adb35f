"""`kiitos db`: the database's schema, forwards and back, and moving it elsewhere."""

from __future__ import annotations

import contextlib

import click

from connector.cli.context import App, json_option, print_json, print_table


@click.group()
def db() -> None:
    """Look at the database's schema, upgrade it, lead it back, or move everything to another database."""


@db.command()
@json_option
@click.pass_obj
def status(app: App, as_json: bool) -> None:
    """Which migrations have run. Exit code 1 when some have not, or only another Kiitos knows them."""
    from connector.keeping.upgrading import attach, standing

    with contextlib.closing(attach(app.config)) as store:
        found = standing(store)
    if as_json:
        print_json(
            {
                one.component: {
                    "applied": list(one.applied),
                    "pending": list(one.pending),
                    "unknown": list(one.unknown),
                }
                for one in found
            }
        )
    else:
        rows = [
            (one.component, name, state)
            for one in found
            for state, names in (("applied", one.applied), ("pending", one.pending), ("NEWER", one.unknown))
            for name in names
        ]
        print_table(rows, ("database", "migration", "state"))
    if any(one.pending or one.unknown for one in found):
        raise click.exceptions.Exit(1)


@db.command()
@click.option("--no-backup", is_flag=True, help="Do not back up first.")
@click.pass_obj
def upgrade(app: App, no_backup: bool) -> None:
    """Back up, then run the migrations that have not run. `kiitos serve` and `kiitos worker` do the same when they
    start."""
    from connector.clock import SystemClock
    from connector.config.folders import make_folder
    from connector.keeping import upgrading

    make_folder(app.config.app.database)
    with contextlib.closing(upgrading.attach(app.config)) as store:
        kept = None if no_backup else upgrading.secure(store, app.config, SystemClock())
        if kept is not None:
            click.echo(f"backup: {kept.manifest.name}")
        done = [f"{component}/{name}" for component, names in upgrading.upgrade(store).items() for name in names]
    click.echo(f"migrated: {', '.join(done)}" if done else "nothing to do: the schema is this version's")


@db.command()
@click.option("--to", required=True, help="The newest migration that stays, such as 0018_links.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--no-backup", is_flag=True, help="Do not back up first.")
@click.pass_obj
def downgrade(app: App, to: str, yes: bool, no_backup: bool) -> None:
    """Undo the newer migrations, so that an older Kiitos can use the database. Stop serve and worker first.

    What only the newer schema has a place for is deleted; it is listed and asked for. A backup is made before.
    """
    from connector.clock import SystemClock
    from connector.keeping import upgrading
    from connector.keeping.backup import back_up

    with contextlib.closing(upgrading.attach(app.config)) as store:
        lost = upgrading.losses(store, to)
        for name, remark in upgrading.remarks(store, to).items():
            click.echo(f"{name}: {remark}")
        for what, rows in lost.items():
            click.echo(f"deleted with it: {what} ({rows} rows)")
        if not yes:
            click.confirm("go back?", abort=True)
        if not no_backup:
            kept = back_up(store, app.config.backup, SystemClock(), why=f"before the way back to {to}")
            click.echo(f"backup: {kept.manifest.name}")
        undone = upgrading.go_back(store, to)
    click.echo(f"undone: {', '.join(undone)}" if undone else "nothing to undo")


@db.command()
@click.option(
    "--to", "target", required=True, help="postgresql://... or sqlite:///..., or env:NAME of a variable with it."
)
@click.pass_obj
def copy(app: App, target: str) -> None:
    """Move everything to another, empty database, and prove it row by row.

    Most is copied while all goes on. Then workers rest and pages answer 503 while what changed is brought up to date
    and every row compared; webhooks are taken until the last moment. A copy that was cut
    off goes on when it is begun again. Afterwards put the new address into app.database and restart; the old database
    refuses every write (`kiitos db reopen` if you stay after all).
    """
    import os

    from connector.cli.backup import bar
    from connector.clock import SystemClock
    from connector.keeping.moving import move
    from connector.keeping.upgrading import attach
    from connector.store.store import Store

    url = os.environ.get(target.removeprefix("env:"), "") if target.startswith("env:") else target
    with (
        contextlib.closing(attach(app.config)) as source,
        contextlib.closing(Store.open(url)) as new,
        bar("copying", hidden=False) as progress,
    ):
        done = move(source, new, SystemClock(), progress)
    click.echo(f"{sum(done.rows.values())} rows in {len(done.rows)} tables copied and compared")
    click.echo(
        f"{done.copying:.1f} s while everything went on; then frozen for {done.frozen:.1f} s,"
        f" the last {done.closed:.1f} s of it without webhooks, until the restart"
    )
    click.echo("now put the new address into app.database and restart serve and worker; the old one takes no writes")


@db.command()
@click.pass_obj
def reopen(app: App) -> None:
    """Stay with a database that was to be moved: it may be written to again."""
    from connector.clock import SystemClock
    from connector.keeping.moving import reopen as let_go
    from connector.keeping.upgrading import attach

    with contextlib.closing(attach(app.config)) as store:
        click.echo("reopened" if let_go(store, SystemClock()) else "it was not frozen")

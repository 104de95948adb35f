"""`kiitos backup`: copies of the running installation, made, listed and checked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.context import App, json_option, print_json, print_table

if TYPE_CHECKING:
    from connector.keeping.archive import Manifest
    from connector.store.snapshots import Progress

MIB = 1 << 20


@click.group(invoke_without_command=True)
@click.option("--plain", is_flag=True, help="Do not seal it: whoever has the file can read your customers' addresses.")
@click.option("--why", default="", help="A note kept with the backup.")
@json_option
@click.pass_context
def backup(ctx: click.Context, plain: bool, why: str, as_json: bool) -> None:
    """Copy the installation while it runs, check the copy, seal it and put it where `[backup] to` says.

    \b
    Examples:
      kiitos backup                    copy, check, seal, store, remove what is too many
      kiitos backup list               what there is
      kiitos backup verify latest      fetch it, open it, check every table

    \b
    Configuration and master.key are not in it: keep both, and backup.key, in another place.
    """
    if ctx.invoked_subcommand is not None:
        return
    from connector.keeping.backup import back_up

    app: App = ctx.obj
    settings = app.config.backup
    fresh = not settings.key and not settings.recipients and not plain
    with bar("copying", hidden=as_json) as progress:
        done = back_up(app.kiitos.store, settings, app.kiitos.clock, plain=plain, why=why, progress=progress)
    if as_json:
        print_json({**_told(done.manifest), "to": settings.to, "removed": list(done.removed)})
        return
    made = done.manifest
    click.echo(f"{made.name}  {made.size / MIB:.1f} MiB, {made.total_rows} rows, checked  ->  {settings.to}")
    for name in done.removed:
        click.echo(f"removed {name}")
    if fresh:
        click.secho(
            f"Copies are sealed for the key in {settings.key_file}. Keep a copy of that file and of the master key in "
            "another place: without them no backup can be used.",
            err=True,
            fg="yellow",
        )


@backup.command("list")
@json_option
@click.pass_obj
def list_them(app: App, as_json: bool) -> None:
    """Each backup, the newest last."""
    from connector.keeping.backup import list_backups

    found = list_backups(app.config.backup)
    if as_json:
        print_json([_told(one) for one in found])
    elif found:
        rows = [
            (one.name, f"{one.size / MIB:.1f} MiB", str(one.total_rows), "sealed" if one.sealed else "PLAIN", one.why)
            for one in found
        ]
        print_table(rows, ("backup", "size", "rows", "", "why"))
    if not found:
        click.echo("no backups yet; make one with: kiitos backup", err=True)
        raise click.exceptions.Exit(1)


@backup.command()
@click.argument("name", default="latest")
@json_option
@click.pass_obj
def verify(app: App, name: str, as_json: bool) -> None:
    """Fetch a backup, open it and check it to the last row. Exit code 4 says that it is damaged."""
    import tempfile

    from connector.keeping.backup import list_backups, opened

    if name == "latest" and not list_backups(app.config.backup):
        click.echo("no backups yet; make one with: kiitos backup", err=True)
        raise click.exceptions.Exit(1)
    with opened(app.config.backup, name, Path(tempfile.gettempdir())) as (manifest, _):
        if as_json:
            print_json({**_told(manifest), "verified": True})
        else:
            click.echo(f"{manifest.name}: whole, {manifest.total_rows} rows in {len(manifest.files)} files")


@backup.command()
@click.option("--print", "only_print", is_flag=True, help="Print Litestream's configuration and run nothing.")
@click.pass_obj
def stream(app: App, only_print: bool) -> None:
    """Run Litestream for [backup.litestream] until SIGTERM: a third process beside serve and worker.

    \b
    It copies both databases second by second; kiitos doctor says when it does not run or lags.
    Put back with: kiitos restore from litestream
    """
    from connector.keeping.streaming import command, document, environment

    require_stream(app)
    if only_print:
        print_json(document(app.config))
        return
    words = command(app.config)
    os.execve(words[0], words, environment(app.config, os.environ))  # noqa: S606 - no shell; nothing of Python stays


def require_stream(app: App) -> None:
    """Exit code 1 where Litestream has nothing to do."""
    if app.config.stream is None:
        click.echo("nothing is streamed: there is no [backup.litestream], or the database is no SQLite file", err=True)
        raise click.exceptions.Exit(1)


def _told(one: Manifest) -> dict[str, object]:
    return {
        "name": one.name,
        "at": one.at,
        "why": one.why,
        "sealed": one.sealed,
        "how": one.how,
        "bytes": one.size,
        "rows": one.total_rows,
        "sha256": one.sha256,
    }


@contextmanager
def bar(label: str, *, hidden: bool) -> Iterator[Progress]:
    """A bar on the terminal; nothing where there is none."""
    out = sys.stderr
    made: Any = click.progressbar(length=1000, label=label, hidden=hidden or not out.isatty(), file=out)
    with made as bar:

        def show(done: int, total: int) -> None:
            bar.update(max(0, done * 1000 // max(total, 1) - bar.pos))

        yield show

"""`kiitos suppressions`: whom a shop does not write to, and why; lists from and to other tools."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.clock import to_text
from connector.lists.spreadsheet import guard, unguard
from connector.model import Channel, email_key
from connector.store import suppressions as store
from connector.store.suppressions import Suppression
from flows.people.imported import COLUMNS, Fault, Listed, columns_of, listed
from flows.people.suppressing import EVERYTHING, MANUAL, REASONS

_BATCH = 500
_CHANNELS = [str(channel) for channel in Channel if channel is not Channel.OTHER]


@click.group()
def suppressions() -> None:
    """Look after the addresses a shop does not write to.

    \b
    Examples:
      kiitos suppressions list demo-aurora --reason hard_bounce
      kiitos suppressions add demo-aurora aino@example.com
      kiitos suppressions import demo-aurora old-provider.csv
      kiitos suppressions export demo-aurora          as CSV, to standard output
    """


@suppressions.command("list")
@click.argument("shop")
@click.option("--reason", type=click.Choice(REASONS), help="Only these.")
@click.option("--channel", type=click.Choice(_CHANNELS), help="Only these.")
@click.option("--limit", default=100, show_default=True, help="At most so many, newest first.")
@json_option
@click.pass_obj
def list_suppressions(app: App, shop: str, reason: str | None, channel: str | None, limit: int, as_json: bool) -> None:
    """Who is blocked in SHOP, on which channel, from what, since when. `#...` is somebody who was forgotten."""
    app.kiitos.config.shop(shop)
    with app.kiitos.store.work.read() as tx:
        rows = [_told(row) for row in store.of_shop(tx, shop, reason or "", channel or "", limit)]
    if as_json:
        print_json([dict(zip(COLUMNS, row, strict=True)) for row in rows])
        return
    print_table(rows, COLUMNS)


@suppressions.command()
@click.argument("shop")
@click.argument("address")
@click.option("--reason", type=click.Choice(REASONS), default=MANUAL, show_default=True)
@click.option("--channel", type=click.Choice(_CHANNELS), help="Without it, by the address: e-mail or sms.")
@click.option("--scope", default=EVERYTHING, show_default=True, help="all, marketing, or one purpose.")
@click.pass_obj
def add(app: App, shop: str, address: str, reason: str, channel: str | None, scope: str) -> None:
    """Write to ADDRESS of SHOP no more."""
    app.kiitos.config.shop(shop)
    said = {"address": address, "channel": channel or "", "scope": scope, "reason": reason}
    found = listed(said, app.kiitos.clock.now())
    if isinstance(found, Fault):
        raise click.UsageError(found.text)
    with app.kiitos.store.work.transaction() as tx:
        store.add(tx, shop, found.address_key, found.channel, found.scope, found.reason, found.at)
    click.echo(f"{shop} writes no more to {address} ({found.channel}, {found.scope}, {found.reason})")


@suppressions.command()
@click.argument("shop")
@click.argument("address")
@click.option("--channel", type=click.Choice(_CHANNELS), help="Only this one.")
@click.pass_obj
def remove(app: App, shop: str, address: str, channel: str | None) -> None:
    """Let ADDRESS be written to again. An opt-out comes off the list, but no consent is made by it."""
    app.kiitos.config.shop(shop)
    key, removed = email_key(address) or "".join(address.split()), 0
    with app.kiitos.store.work.transaction() as tx:
        for each in Channel:
            if channel not in (None, str(each)):
                continue
            for row in store.find(tx, shop, key, each):
                removed += store.remove(tx, shop, key, each, row.scope)
    if not removed:
        click.echo(f"{address} is not on the list of {shop}", err=True)
        raise click.exceptions.Exit(1)
    click.echo(f"{removed} removed")


@suppressions.command("import")
@click.argument("shop")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--rejected", type=click.Path(dir_okay=False, path_type=Path), help="Where bad rows go, if not beside FILE."
)
@json_option
@click.pass_obj
def import_(app: App, shop: str, file: Path, rejected: Path | None, as_json: bool) -> None:
    """Add the addresses of a CSV file with a heading: address, and if there are such: channel, scope, reason, at.

    Rows that cannot be used are named by their line and kept apart, so that they can be mended and imported again.
    """
    app.kiitos.config.shop(shop)
    if not file.is_file():
        click.echo(f"there is no file {file}", err=True)
        raise click.exceptions.Exit(1)
    apart = rejected or file.with_name(f"{file.stem}.rejected.csv")
    taken, faults = _import(app, shop, file)
    if faults:
        with apart.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows(
                [["line", "fault", "row"], *([f.line, f.text, guard(";".join(f.row))] for f in faults)]
            )
    if as_json:
        print_json({"taken": taken, "faults": [{"line": f.line, "text": f.text} for f in faults]})
    else:
        click.echo(f"{taken} taken in, {len(faults)} left out{f'; they are in {apart}' if faults else ''}")
        for fault in faults[:20]:
            click.echo(f"line {fault.line}: {fault.text}", err=True)
    if faults:
        raise click.exceptions.Exit(1)


def _import(app: App, shop: str, file: Path) -> tuple[int, list[Fault]]:
    faults: list[Fault] = []
    taken, batch = 0, []
    with (
        file.open(encoding="utf-8-sig", errors="replace", newline="") as opened,
        click.progressbar(length=file.stat().st_size, label=file.name, file=sys.stderr) as bar,
    ):
        for size, found in _rows(opened, app.kiitos.clock.now()):
            bar.update(size)
            if isinstance(found, Fault):
                faults.append(found)
                continue
            batch.append(found)
            if len(batch) >= _BATCH:
                taken += _store(app, shop, batch)
                batch = []
    return taken + _store(app, shop, batch), faults


def _rows(opened: Iterator[str], now: datetime) -> Iterator[tuple[int, Listed | Fault]]:
    """Each row with its size in the file. Raises `ConfigError` for a heading that names no address."""
    lines = iter(opened)
    heading = next(lines, "")
    delimiter = ";" if heading.count(";") > heading.count(",") else ","
    columns = columns_of(next(csv.reader([heading], delimiter=delimiter), []))
    for number, line in enumerate(lines, 2):
        if not line.strip():
            continue
        row = [unguard(cell) for cell in next(csv.reader([line], delimiter=delimiter))]
        values = {name: row[place] for name, place in columns.items() if place < len(row)}
        yield len(line.encode()), listed(values, now, number, row)


def _store(app: App, shop: str, batch: Sequence[Listed]) -> int:
    if batch:
        with app.kiitos.store.work.transaction() as tx:
            for each in batch:
                store.add(tx, shop, each.address_key, each.channel, each.scope, each.reason, each.at)
    return len(batch)


@suppressions.command()
@click.argument("shop")
@click.option("--reason", type=click.Choice(REASONS), help="Only these.")
@click.pass_obj
def export(app: App, shop: str, reason: str | None) -> None:
    """Print the whole list as CSV, in the form that `import` reads. Hashes of people who were forgotten stay here."""
    app.kiitos.config.shop(shop)
    with app.kiitos.store.work.read() as tx:
        rows = store.of_shop(tx, shop, reason or "")
    writer = csv.writer(sys.stdout)
    writer.writerow(COLUMNS)
    writer.writerows([guard(cell) for cell in _told(row)] for row in rows if not row.address_key.startswith("#"))


def _told(row: Suppression) -> tuple[str, ...]:
    return (row.address_key, str(row.channel), row.scope, row.reason, to_text(row.at.astimezone(UTC)))

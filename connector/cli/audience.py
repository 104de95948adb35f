"""`kiitos audience`: people of a segment as a list of digests for an advertising platform, and the record of it."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime
from pathlib import Path

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.clock import to_text

PLATFORMS = ("google", "meta", "pinterest", "tiktok")


@click.group()
def audience() -> None:
    """Lists for advertising platforms: consented, hashed, and taken back."""


@audience.command()
@click.argument("shop")
@click.option("--segment", required=True, help="The segment whose members are taken.")
@click.option("--for", "platform", type=click.Choice(PLATFORMS), required=True, help="The advertising platform.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The CSV to write.")
@click.option(
    "--removed", type=click.Path(dir_okay=False, path_type=Path), help="A CSV of those who have to go from there."
)
@click.option(
    "--removed-since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="With --removed: all who had to go since this day (UTC), at most 90 days back; else those of this export.",
)
@click.option("--by", "by_whom", default="", help="Who takes it, for the record; the user of this machine otherwise.")
@click.pass_obj
def export(
    app: App,
    shop: str,
    segment: str,
    platform: str,
    out: Path,
    removed: Path | None,
    removed_since: datetime | None,
    by_whom: str,
) -> None:
    """Write the members of a segment of SHOP as PLATFORM wants them: SHA-256, nothing in plain words.

    Only who said yes to marketing, and to advertising platforms or as the shop states; never who objects, is blocked
    or was forgotten. Each export is written down with who made it.

    \b
    Examples:
      kiitos audience export acme-main --segment vip --for meta --out vip.csv
      kiitos audience export acme-main --segment vip --for google --out vip.csv --removed gone.csv
    """
    from connector.lists.audiences import take
    from connector.store.audiences import Audience

    settings = app.kiitos.config.shop(shop)
    since = removed_since.replace(tzinfo=UTC) if removed_since is not None else None
    taken = take(app.kiitos, settings, Audience(shop, platform, segment), by_whom or _user(), since)
    _write(out, taken.file)
    if removed is not None:
        _write(removed, taken.removed_file)
    click.echo(f"{out}: {taken.people} people")
    for why, count in sorted(taken.left_out.items()):
        click.echo(f"  left out, {why}: {count}")
    if taken.removed:
        where = removed if removed is not None else "take them out of the platform's list: --removed FILE names them"
        click.echo(f"  have to go: {taken.removed} ({where})")


@audience.command()
@click.argument("shop")
@json_option
@click.pass_obj
def log(app: App, shop: str, as_json: bool) -> None:
    """Show every export of SHOP: when, who, which segment, for whom, on which ground, how many.

    \b
    Example:
      kiitos audience log acme-main
    """
    from connector.store import audiences

    app.whole_config.shop(shop)
    with app.kiitos.store.work.read() as tx:
        found = audiences.exports(tx, shop)
    if as_json:
        print_json(
            [
                {
                    "at": to_text(each.at),
                    "by": each.by_whom,
                    "segment": each.segment,
                    "for": each.platform,
                    "ground": each.ground,
                    "people": each.people,
                    "removed": each.removed,
                    "left_out": dict(each.left_out),
                }
                for each in found
            ]
        )
        return
    rows = [
        (to_text(each.at), each.by_whom, each.segment, each.platform, str(each.people), str(each.removed), each.ground)
        for each in found
    ]
    print_table(rows, ("at", "by", "segment", "for", "people", "removed", "ground"))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return f"user {os.getuid()}"


def _write(path: Path, text: str) -> None:
    """For its owner alone, whoever could read the file that was there before."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as target:
        target.write(text)

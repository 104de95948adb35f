"""`kiitos adapters`: the platforms that are installed, a new one to begin with, and what holds of any of them.

Here and not in `connector.cli`, because the kit is no part of a running shop: nothing the product imports leads here.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import click

from connector.cli.context import json_option, print_json, print_table
from connector.errors import ConfigError, near
from connector.registry import PLATFORMS, Registry
from connector.testing.skeleton import NAME, write_skeleton


@click.group()
def adapters() -> None:
    """List platform adapters, begin one, check one."""


@adapters.command("list")
@json_option
def list_adapters(as_json: bool) -> None:
    """Each installed platform: where it comes from and what it can do."""
    rows = []
    for point in sorted(entry_points(group=PLATFORMS), key=lambda point: point.name):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else "?"
        rows.append((point.name, point.value, package, _abilities(point)))
    if as_json:
        print_json([dict(zip(("name", "class", "package", "capabilities"), row, strict=True)) for row in rows])
        return
    print_table([(name, value, package, ", ".join(can)) for name, value, package, can in rows], HEAD)


HEAD = ("name", "class", "package", "capabilities")


def _abilities(point: EntryPoint) -> list[str]:
    from connector.testing.report import all_capabilities

    try:
        adapter = Registry().platform(point.name)
    except ConfigError as error:
        return [str(error)]
    return [each.__name__ for each in all_capabilities() if isinstance(adapter, each)]


@adapters.command()
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="this folder",
    help="The folder to make the package's folder in.",
)
def new(name: str, into: Path) -> None:
    """Write a working package for a platform NAME: kiitos-NAME, with an adapter, recordings and its test.

    It passes the kit as it is, for a platform that does not exist: its README says what to change, in which order.
    """
    if not NAME.fullmatch(name):
        raise click.BadParameter(
            "a name is 2 to 30 lower-case letters, digits and single dashes, and begins with a letter, such as "
            "'acme' or 'acme-shop'",
            param_hint="NAME",
        )
    known = Registry().names(PLATFORMS)
    if name in known:
        raise click.BadParameter(f"a platform '{name}' is installed already", param_hint="NAME")
    folder = into / f"kiitos-{name}"
    if folder.exists():
        raise click.BadParameter(f"{folder} is there already; nothing was written", param_hint="NAME")
    for file in write_skeleton(name, folder):
        click.echo(file)
    if hint := near(name, known):
        click.echo(f"Note: '{name}' looks much like a platform that is installed{hint}", err=True)
    click.echo(f"\nNow: pip install -e {folder} && kiitos adapters check {name}; then read {folder / 'README.md'}.")


@adapters.command()
@click.argument("name")
@click.option("--recordings", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Recordings to use.")
@click.option("--exchanges", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Tapes to use.")
@json_option
@click.pass_context
def check(ctx: click.Context, name: str, recordings: Path | None, exchanges: Path | None, as_json: bool) -> None:
    """Run the conformance kit over the installed adapter NAME; exit 1 when something does not hold."""
    if importlib.util.find_spec("hypothesis") is None:
        raise ConfigError("the kit needs hypothesis: pip install 'kiitos[kit]'")
    from connector.testing.profile import conformance_of
    from connector.testing.report import FAILS, findings_of

    kit = conformance_of(name, recordings=recordings, exchanges=exchanges)
    if not kit.recordings.is_dir():
        raise ConfigError(f"the recordings of '{name}' are not at {kit.recordings}: say where with --recordings")
    found = findings_of(kit)
    if as_json:
        print_json([{"check": each.check, "state": each.state, "why": each.why} for each in found])
    else:
        print_table([(each.check, each.state, each.why) for each in found], ("check", "state", "why"))
    ctx.exit(1 if any(each.state == FAILS for each in found) else 0)

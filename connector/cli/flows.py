"""`kiitos flows`: what each shop's flows are, whether they load, who is in them, and stopping one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from connector.cli import flow_changes, flow_views
from connector.cli.behaviour import diff
from connector.cli.context import App, json_option, print_json, print_table
from connector.cli.holding import held, pause, release, resume
from connector.errors import ConfigError, near
from connector.store import census, runs
from connector.working.asking import ask_scopes
from connector.working.intake import again_if_moved

if TYPE_CHECKING:
    from connector.app import Kiitos
    from connector.changes import Files

BATCH = 100
"""Runs ended in one transaction: the worker goes on in between."""


@click.group()
def flows() -> None:
    """List, check, change and stop flows."""


for _command in (
    flow_views.list_flows,
    flow_views.show,
    flow_views.funnel,
    flow_changes.plan,
    flow_changes.apply,
    flow_changes.drift,
    flow_changes.history,
    flow_changes.rollback,
):
    flows.add_command(_command)


flows.add_command(diff)


@flows.command()
@click.argument("shop", required=False)
@json_option
@click.pass_obj
def running(app: App, shop: str | None, as_json: bool) -> None:
    """How many runs of each flow are under way, and of how many people; `off` are flows app.toml no longer starts."""
    if shop:
        app.config.shop(shop)
    with app.kiitos.store.work.read() as tx:
        found = [row for row in census.under_way(tx) if shop in (None, row.shop_id)]
    rows = [
        (row.shop_id, row.flow_id, "on" if _is_on(app, row.shop_id, row.flow_id) else "off", row.runs, row.people)
        for row in found
    ]
    names = ("shop", "flow", "state", "runs", "people")
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    print_table([tuple(map(str, row)) for row in rows], names)


@flows.command()
@click.argument("shop")
@click.argument("flow")
@click.option("--reason", default="the flow was stopped by hand", show_default=True, help="Kept in each journal.")
@click.pass_obj
def stop(app: App, shop: str, flow: str, reason: str) -> None:
    """End every run of FLOW of SHOP. Nobody in it hears more of it; `kiitos explain` says what was not sent and why.

    To keep new runs from starting, first write flows.FLOW.enabled = false into app.toml and restart the worker.
    """
    app.config.shop(shop)
    kiitos, ended = app.kiitos, 0
    while count := again_if_moved(lambda: _stop_some(kiitos, shop, flow, reason)):
        ended += count
    if not ended:
        known = {row.flow_id for row in _under_way(kiitos) if row.shop_id == shop}
        click.echo(f"{shop} has nobody in a flow '{flow}'{near(flow, known)}", err=True)
        raise click.exceptions.Exit(1)
    click.echo(f"{ended} runs of {flow} in {shop} ended: {reason}")
    if _is_on(app, shop, flow):
        click.secho(f"the flow is still on: new runs will start until flows.{flow}.enabled = false", fg="yellow")


def _stop_some(kiitos: Kiitos, shop: str, flow: str, reason: str) -> int:
    with kiitos.store.work.transaction() as tx:
        found = runs.active_of_flow(tx, shop, flow, BATCH)
        for run in found:
            kiitos.runner.withdraw(tx, run, reason, kiitos.clock.now())
    return len(found)


def _under_way(kiitos: Kiitos) -> list[census.UnderWay]:
    with kiitos.store.work.read() as tx:
        return census.under_way(tx)


def _is_on(app: App, shop: str, flow: str) -> bool:
    return any(each.id == flow for each in app.catalog.flows(shop))


@flows.command()
@click.option("--ask", is_flag=True, help="Ask each shop what the merchant granted, and hold it against its flows.")
@json_option
@click.pass_obj
def check(app: App, *, ask: bool, as_json: bool) -> None:
    """Read app.toml, every flow of every shop and the templates they send; all faults are printed in one pass, each
    with its place and a near match. One client's fault does not hide another's.
    """
    files = _read(app)
    shops = {*files.flows, *files.faults}
    every = [flow for flows in files.flows.values() for flow in flows]
    faults = list(dict.fromkeys(line for fault in files.faults.values() for line in fault.lines))
    faults = faults or _template_faults(files)
    if ask and not faults and (lacking := ask_scopes(app.kiitos)):
        faults = [*lacking, f"{len(lacking)} steps lack a permission; their flows start nothing until it is granted"]
    if as_json:
        print_json({"flows": len(every), "shops": len(shops), "faults": faults})
        raise click.exceptions.Exit(3 if faults else 0)
    if faults:
        raise ConfigError("\n".join(faults))
    click.echo(f"{len(every)} flows in {len(shops)} shops, no faults")


def _read(app: App) -> Files:
    from connector.changes import read_files
    from connector.registry import Registry
    from connector.secrets import Vault

    files = read_files(app.path, Registry(), lambda _: ())
    if files.config.app.master_key:
        Vault.from_text(files.config.app.master_key)
    return files


def _template_faults(files: Files) -> list[str]:
    from flows.render.renderer import Renderer
    from flows.render.supply import faults_by_look

    shops = files.config.shops
    return faults_by_look(
        Renderer(),
        [((shops[name].templates, shops[name].brand), flows) for name, flows in files.flows.items()],
    )


@flows.command("test")
@click.argument("names", nargs=-1)
@json_option
@click.pass_obj
def test_flows(app: App, names: tuple[str, ...], as_json: bool) -> None:
    """Run the [[tests]] that stand in flow files: NAMES of library flows or paths, else all that app.toml uses.

    Each test lets an invented customer's order live under a clock of its own, through the same engine, policy and
    templates as in production; nothing is sent. Exit code 1 when one fails.

    \b
    Examples:
      kiitos flows test
      kiitos flows test review_request
    """
    from connector.cli.flow_tests import run_tests

    files = names or tuple(dict.fromkeys(flow.file for shop in app.config.shops.values() for flow in shop.flows))
    found = run_tests(files, app.config.directory, quiet=as_json)
    if as_json:
        print_json(found)
    elif not found:
        click.echo("no tests: write [[tests]] into a flow's file", err=True)
    if not found or not all(test["holds"] for test in found):
        raise click.exceptions.Exit(1)


for command in (held, release, pause, resume):
    flows.add_command(command)

"""`kiitos flows list`, `show`, `funnel`: which flows there are, what one does and when, and where people leave it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.contracts.step import parse_span
from connector.errors import ConfigError, near

if TYPE_CHECKING:
    from connector.explaining.funnel import Funnel, Reason
    from flows.definition import Flow

_SHOPS, _KINDS = 3, 2
"""So many shops, and kinds of event, are named in a cell."""


@click.command("list")
@click.argument("shop", required=False)
@click.option("--library", is_flag=True, help="Also the flows that come with Kiitos and no shop uses.")
@json_option
@click.pass_obj
def list_flows(app: App, shop: str | None, library: bool, as_json: bool) -> None:
    """The flows: what starts each, its purpose and channels, and where it is enabled; of SHOP with their versions.

    \b
    Examples:
      kiitos flows list
      kiitos flows list --library
    """
    from flows.authoring.timeline import channels, trigger_text

    shop_ids = [app.config.shop(shop).shop.id] if shop else sorted(app.config.shops)
    found = [(shop_id, flow) for shop_id in shop_ids for flow in app.catalog.flows(shop_id)]
    used = {flow.id for _, flow in found}
    unused = [flow for flow in _library(app.config.directory) if flow.id not in used] if library else []
    if as_json:
        print_json([_flow_json(s, f) for s, f in found] + [_flow_json(None, f) for f in unused])
        return
    if shop:
        rows = [
            (f.id, f.version, _short(trigger_text(f)), str(f.purpose), ", ".join(channels(f)), f.title)
            for _, f in found
        ]
        print_table(rows, ("flow", "version", "trigger", "purpose", "channels", "title"))
        return
    where: dict[str, list[str]] = {}
    first: dict[str, Flow] = {}
    for shop_id, flow in found:
        where.setdefault(flow.id, []).append(shop_id)
        first.setdefault(flow.id, flow)
    first |= {flow.id: flow for flow in unused}
    rows = [
        (
            name,
            _short(trigger_text(f)),
            str(f.purpose),
            ", ".join(channels(f)),
            _places(where.get(name, []), len(shop_ids)),
            f.title,
        )
        for name, f in first.items()
    ]
    print_table(rows, ("flow", "trigger", "purpose", "channels", "enabled in", "title"))


def _short(trigger: str) -> str:
    """A cell's worth: `kiitos flows show` tells all of it."""
    kinds = trigger.split(" or ")
    return trigger if len(kinds) <= _KINDS else f"{' or '.join(kinds[:_KINDS])} or {len(kinds) - _KINDS} more"


def _places(shops: list[str], total: int) -> str:
    if not shops:
        return "nowhere"
    if len(shops) == total > 1:
        return f"all {total} shops"
    more = f" and {len(shops) - _SHOPS} more" if len(shops) > _SHOPS else ""
    return ", ".join(shops[:_SHOPS]) + more


def _flow_json(shop: str | None, flow: Flow) -> dict[str, Any]:
    from flows.authoring.timeline import channels

    return {
        "shop": shop,
        "flow": flow.id,
        "version": flow.version,
        "title": flow.title,
        "purpose": flow.purpose,
        "trigger": list(flow.trigger),
        "starts_at": flow.document["trigger"],
        "channels": channels(flow),
    }


def _library(folder: Path) -> Iterator[Flow]:
    """The flows that come with Kiitos, as they are; `folder` is where app.toml lies, with its lists of steps."""
    from connector.registry import Registry
    from flows.catalog import LIBRARY, library_names, read_list
    from flows.definition import load_flow

    steps, lists = Registry().steps, partial(read_list, folder)
    for name in library_names():
        text = LIBRARY.joinpath(f"{name}.toml").read_text(encoding="utf-8")
        yield load_flow(text, where=f"{name}.toml", registry_steps=steps, lists=lists)


@click.command()
@click.argument("flow")
@click.option("--shop", help="As this shop has it, with its own values.")
@json_option
@click.pass_obj
def show(app: App, flow: str, shop: str | None, as_json: bool) -> None:
    """FLOW as a timeline: what starts it, what happens on which day, what stops it.

    \b
    Examples:
      kiitos flows show review-request
      kiitos flows show review-request --shop demo-metsa
    """
    from flows.authoring.timeline import starts, timeline

    found = _find(app, flow, shop)
    moments = timeline(found)
    if as_json:
        steps = [{"when": m.when, "step": m.step_id, "what": m.what, "only_if": list(m.only_if)} for m in moments]
        stops = list(found.cancel_on)
        print_json({**_flow_json(shop, found), "starts": starts(found), "steps": steps, "stops_at": stops})
        return
    click.secho(f"{found.id} ({found.purpose}, version {found.version}): {found.title}", bold=True)
    for number, line in enumerate(starts(found)):
        click.echo(f"{'starts' if not number else '':8}{line}")
    width = max(len(moment.when) for moment in moments)
    names = max(len(moment.step_id) for moment in moments)
    for moment in moments:
        click.echo(f"{moment.when:<{width}}  {moment.step_id:<{names}}  {moment.what}")
        for guard in moment.only_if:
            click.secho(f"{'':{width + names + 4}}only if {guard}", dim=True)
    if found.cancel_on:
        click.echo(f"{'stops':8}at {', '.join(found.cancel_on)}")


def _find(app: App, name: str, shop: str | None) -> Flow:
    """By id, or by the name of its file in the library. Raises `ConfigError` with a near match."""
    if shop is not None:
        known = {flow.id: flow for flow in app.catalog.flows(app.config.shop(shop).shop.id)}
        if name not in known:
            raise ConfigError(f"{shop} has no flow '{name}'{near(name, known)}")
        return known[name]
    known = {flow.id: flow for shop_id in app.config.shops for flow in app.catalog.flows(shop_id)}
    known |= {flow.id: flow for flow in _library(app.config.directory)}
    found = known.get(name) or known.get(name.replace("_", "-"))
    if found is None:
        raise ConfigError(f"no flow '{name}'{near(name, known)} (kiitos flows list --library shows all)")
    return found


def read_since(ctx: click.Context, param: click.Parameter, value: str) -> timedelta:
    """A span of the command line. Raises `BadParameter`."""
    del ctx, param
    try:
        return parse_span(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.argument("shop")
@click.argument("flow")
@click.option("--since", default="90d", show_default=True, callback=read_since, help="Who began so long ago, or later.")
@json_option
@click.pass_obj
def funnel(app: App, shop: str, flow: str, since: timedelta, as_json: bool) -> None:
    """Where people leave FLOW of SHOP: at each step how many came, what was sent, and the reasons of the others.

    \b
    Example:
      kiitos flows funnel demo-aurora review-request --since 30d
    """
    app.config.shop(shop)
    show_funnel(app, shop, flow, since, as_json=as_json)


def show_funnel(app: App, shop: str, flow: str, since: timedelta, *, as_json: bool) -> None:
    from connector.codec import builtins
    from connector.explaining.funnel import count_funnel

    kiitos = app.kiitos
    found = count_funnel(kiitos.store, shop, flow, kiitos.clock.now() - since)
    if found is None:
        known = [each.id for each in kiitos.catalog.flows(shop)]
        hint = "" if flow in known else near(flow, known) or "; the shop has no such flow"
        click.echo(f"nobody came near '{flow}' in {shop} since then{hint}", err=True)
        raise click.exceptions.Exit(1)
    if as_json:
        print_json(builtins(found))
    else:
        _print_funnel(found)


def _print_funnel(found: Funnel) -> None:
    click.secho(f"{found.shop_id}: {found.flow_id} since {found.since:%Y-%m-%d}", bold=True)
    _print_reasons(found.before)
    click.echo(f"{found.started} started, {found.completed} came to the end")
    for step in found.steps:
        sent = f", {step.sent} sent or done" if step.sent else ""
        click.secho(f"{step.step_id}: {step.reached} came{sent}", bold=True)
        _print_reasons(step.reasons)


def _print_reasons(reasons: tuple[Reason, ...]) -> None:
    for each in reasons:
        click.echo(f"  {each.runs:>6} {each.what}: {each.why} (such as {each.example})")
        if each.flip:
            click.secho(f"{'':9}{each.flip}", dim=True)

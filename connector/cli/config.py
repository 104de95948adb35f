"""`kiitos config`: check the operator's file, and say where each value comes from."""

from __future__ import annotations

import click

from connector.cli.context import RESTART_FOR_GUIDES, App, json_option, print_json
from connector.errors import ConfigError, near


@click.group()
def config() -> None:
    """Check app.toml and explain its layers."""


@config.command()
@click.pass_obj
def check(app: App) -> None:
    """Check app.toml, every flow and every template; print all faults at once. Nothing is written.

    Templates are tried in every language, with odd orders and with what the flow that sends them has to give.
    """
    from flows.render.renderer import Renderer
    from flows.render.supply import faults_by_look

    shops = app.config.shops
    flows = sum(len(app.catalog.flows(shop_id)) for shop_id in shops)
    looks = [((settings.templates, settings.brand), app.catalog.flows(shop_id)) for shop_id, settings in shops.items()]
    faults = faults_by_look(Renderer(), looks)
    if faults:
        raise ConfigError("\n".join(faults))
    click.echo(f"{app.path.name}: {len(shops)} shops, {flows} flows, no faults")
    if any(settings.guides for settings in shops.values()):
        click.secho(RESTART_FOR_GUIDES, dim=True)


@config.command("explain")
@click.argument("shop")
@click.argument("path", required=False)
@json_option
@click.pass_obj
def explain_value(app: App, shop: str, path: str | None, as_json: bool) -> None:
    """Show the value at PATH for SHOP and the layer it comes from; without PATH, all of them.

    \b
    Examples:
      kiitos config explain acme-main flows.review-request.params.wait
      kiitos config explain acme-main
    """
    layered = app.whole_config.shop(shop).layered
    wanted = {
        leaf: layer
        for leaf, layer in sorted(layered.origin.items())
        if path is None or (leaf + ".").startswith(path + ".")
    }
    if not wanted:
        click.echo(f"'{path}' is not set for {shop}{near(path or '', layered.origin)}", err=True)
        raise click.exceptions.Exit(1)
    if as_json:
        print_json([{"path": leaf, "value": layered.get(leaf), "layer": layer} for leaf, layer in wanted.items()])
        return
    for leaf, layer in wanted.items():
        click.echo(f"{leaf} = {layered.get(leaf)!r}  " + click.style(f"({layer})", dim=True))

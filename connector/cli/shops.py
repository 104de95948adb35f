"""`kiitos shops`: the connected stores and the address their webhooks go to."""

from __future__ import annotations

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.errors import ConfigError
from connector.model import ShopStatus
from connector.store import shops as shop_store


@click.group()
def shops() -> None:
    """List shops, pause and resume them."""


@shops.command("list")
@json_option
@click.pass_obj
def list_shops(app: App, as_json: bool) -> None:
    """Each shop with its state and the address to enter as webhook URL in the store."""
    kiitos = app.kiitos
    with kiitos.store.work.read() as tx:
        states = {shop.id: str(shop.status) for shop in shop_store.all(tx)}
    found = [
        (s.shop.id, s.shop.platform, states.get(s.shop.id, ""), kiitos.hook_url(s)) for s in app.config.shops.values()
    ]
    if as_json:
        print_json([dict(zip(("shop", "platform", "status", "webhook_url"), row, strict=True)) for row in found])
        return
    print_table(found, ("shop", "platform", "status", "webhook url"))


@shops.command()
@click.argument("shop")
@click.pass_obj
def pause(app: App, shop: str) -> None:
    """Hold everything that would be sent for SHOP; webhooks are still taken."""
    _set(app, shop, ShopStatus.PAUSED)


@shops.command()
@click.argument("shop")
@click.pass_obj
def resume(app: App, shop: str) -> None:
    """Let SHOP's messages go again, what waited included."""
    _set(app, shop, ShopStatus.ACTIVE)


def _set(app: App, shop: str, status: ShopStatus) -> None:
    app.config.shop(shop)
    with app.kiitos.store.work.transaction() as tx:
        if shop_store.get(tx, shop) is None:
            raise ConfigError(f"shop '{shop}' is not in the database")
        shop_store.set_status(tx, shop, status, app.kiitos.clock.now(), "by command")
    click.echo(f"{shop} is {status}")

"""`kiitos push`: keys for notifications in the browser, and the line a merchant pastes."""

from __future__ import annotations

from collections import Counter
from html import escape

import click

from connector.cli.context import App, json_option, print_json, print_table


@click.group()
def push() -> None:
    """Notifications in the browser.

    \b
    Examples:
      kiitos push keys                     a key pair for a webpush channel
      kiitos push snippet acme-main        the line for the shop's order page
    """


@push.command()
@json_option
def keys(as_json: bool) -> None:
    """Make a key pair. Nothing is changed; keep the private key as private_key of the channel, secret."""
    from flows.channels.webpush.vapid import Vapid, make_private_key

    private = make_private_key()
    public = Vapid(private).public_key
    if as_json:
        print_json({"private_key": private, "public_key": public})
        return
    click.echo(f"private_key  {private}")
    click.echo(f"public key   {public}   (sign-up pages name it by themselves)")


@push.command()
@click.argument("shop_id", metavar="SHOP")
@click.pass_obj
def snippet(app: App, shop_id: str) -> None:
    """Print the line for SHOP's thank-you or order status page, and where the order's id goes."""
    from connector.pages.push import shop_key

    settings = app.kiitos.config.shop(shop_id)
    if "push" not in settings.channels:
        click.echo(f"{shop_id} has no push channel: write push = in app.toml", err=True)
        raise click.exceptions.Exit(1)
    base = escape(app.kiitos.config.app.base_url, quote=True)
    key = shop_key(app.kiitos.salt, shop_id)
    order = ' data-order="{{ order.id }}"' if settings.shop.platform == "shopify" else ""
    click.echo(f'<script src="{base}/p/push/snippet.js" data-shop="{key}"{order} defer></script>')


@push.command("list")
@json_option
@click.pass_obj
def list_browsers(app: App, as_json: bool) -> None:
    """How many browsers take notifications, by shop."""
    from connector.store import push_subscriptions

    with app.kiitos.store.work.read() as tx:
        found: Counter[str] = push_subscriptions.count(tx)
    if as_json:
        print_json(dict(found))
        return
    print_table([(shop_id, str(count)) for shop_id, count in sorted(found.items())], ("shop", "browsers"))

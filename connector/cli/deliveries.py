"""`kiitos deliveries`: what arrived and could not be used, and replaying it."""

from __future__ import annotations

from datetime import timedelta

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.store import deliveries as store


@click.group()
def deliveries() -> None:
    """Look at failed deliveries and replay them."""


@deliveries.command("failed")
@click.option("--shop", help="Only this shop.")
@click.option("--limit", default=50, show_default=True, help="At most so many.")
@json_option
@click.pass_obj
def failed(app: App, shop: str | None, limit: int, as_json: bool) -> None:
    """Deliveries that could not be used, with the reason; their bodies are kept."""
    with app.kiitos.store.work.read() as tx:
        rows = store.failed(tx, shop, limit)
    if as_json:
        print_json(
            [
                {
                    "shop": r.shop_id,
                    "delivery": r.delivery_id,
                    "attempts": r.attempts,
                    "code": r.error_code,
                    "text": r.error_text,
                }
                for r in rows
            ]
        )
        return
    print_table(
        [(r.shop_id, str(r.delivery_id), str(r.attempts), r.error_code or "", r.error_text or "") for r in rows],
        ("shop", "delivery", "attempts", "code", "reason"),
    )


@deliveries.command()
@click.argument("shop")
@click.argument("delivery", type=int)
@click.pass_obj
def replay(app: App, shop: str, delivery: int) -> None:
    """Take DELIVERY of SHOP again; what it already did is not done twice.

    \b
    Example:
      kiitos deliveries replay acme-main 4711
      kiitos deliveries replay channel:mail 4712     what a channel's provider told
    """
    if shop.removeprefix("channel:") not in app.config.channels:
        app.config.shop(shop)
    with app.kiitos.store.work.transaction() as tx:
        known = store.replay(tx, shop, delivery, app.kiitos.clock.now())
    if not known:
        click.echo(
            f"{shop} has no delivery {delivery} that is finished; `kiitos deliveries failed` lists them", err=True
        )
        raise click.exceptions.Exit(1)
    click.echo(f"delivery {delivery} of {shop} will be taken again")


@deliveries.command("page")
@click.argument("shop")
@click.option(
    "--hours", default=24, show_default=True, type=click.IntRange(1, 24 * 30), help="How long the link works."
)
@click.pass_obj
def page(app: App, shop: str, hours: int) -> None:
    """A link to a page that lists SHOP's failed deliveries and takes them again. Whoever has it may do so.

    \b
    Example:
      kiitos deliveries page acme-main --hours 4
    """
    app.config.shop(shop)
    from connector.pages import failed as failed_page

    click.echo(failed_page.new_link(app.kiitos, shop, timedelta(hours=hours)))

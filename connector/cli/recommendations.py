"""`kiitos recommendations`: what would be recommended to somebody, and why the rest would not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.errors import ConfigError
from connector.model import Customer, email_key

if TYPE_CHECKING:
    from connector.store.db import Tx
    from flows.goods.suggestions import Suggested


@click.group()
def recommendations() -> None:
    """What others bought with the same, for one customer."""


@recommendations.command("explain")
@click.argument("shop")
@click.argument("email")
@click.option("--order", "number", help="Follow from this order; without it, from all they bought.")
@json_option
@click.pass_obj
def explain(app: App, shop: str, email: str, number: str | None, as_json: bool) -> None:
    """Show what SHOP would recommend to EMAIL now, what it follows from, and why other candidates are left out.
    Exit code 1 when nothing would be.

    \b
    Examples:
      kiitos recommendations explain acme-main aino@example.com
      kiitos recommendations explain acme-main aino@example.com --order 1001 --json
    """
    app.whole_config.shop(shop)
    with app.kiitos.store.work.read() as tx:
        found = _suggested(app, tx, shop, email, number)
    titles = {name: product.title for name, product in found.known.items()}
    rows: list[dict[str, Any]] = [
        {
            "product": each.product_id,
            "title": titles.get(each.product_id, ""),
            "recommended": not (each.why or found.objection),
            "why_not": each.why or found.objection,
            "because": [
                {
                    "bought": seed,
                    "together": pair.together,
                    "in_one_order": pair.beside,
                    "of_those_who_bought": pair.confidence,
                    "lift": pair.lift,
                    "lift_at_least": pair.lift_low,
                }
                for seed, pair in each.because
            ],
        }
        for each in found.verdicts
    ]
    if as_json:
        print_json({"follows_from": list(found.seeds), "objection": found.objection, "candidates": rows})
    else:
        click.echo(f"follows from: {', '.join(found.seeds) or 'nothing they bought'}")
        if found.objection:
            click.echo(f"nothing is recommended: {found.objection}")
        table = [(row["product"], row["title"], row["why_not"] or "yes", _because(row["because"])) for row in rows]
        print_table(table, ("product", "title", "recommended", "because"))
    if not found.products:
        raise click.exceptions.Exit(1)


def _because(pairs: list[dict[str, Any]]) -> str:
    return (
        "; ".join(
            f"{one['together']} customers have it and {one['bought']},"
            f" {one['lift']} times chance (at least {one['lift_at_least']})"
            for one in pairs
        )
        or "sells most of its kind"
    )


def _suggested(app: App, tx: Tx, shop_id: str, email: str, number: str | None) -> Suggested:
    from connector.store import entities
    from flows.facts import Facts
    from flows.goods.suggestions import suggested
    from flows.knowing.acquaintance import acquaintance

    kiitos, key = app.kiitos, email_key(email)
    if key is None:
        raise ConfigError(f"'{email}' is no e-mail address", where="EMAIL")
    shop, now = kiitos.catalog.settings(shop_id).shop, kiitos.clock.now()
    orders = entities.orders_of(tx, shop_id, key)
    order = next((one for one in orders if number in (one.number, one.number.lstrip("#"), one.id)), None)
    if number is not None and order is None:
        click.echo(f"'{email}' has no order '{number}' in {shop_id}", err=True)
        raise click.exceptions.Exit(1)
    account = entities.customer_by_email(tx, shop_id, key) or (orders[0].customer if orders else None)
    account = replace(account or Customer(id=None), email=key)
    background = acquaintance(tx, shop, order or (orders[0] if orders else None), account, now)
    facts = Facts(now=now, shop=shop, order=order, customer=account, background=background)
    return suggested(tx, facts, best_sellers=kiitos.config.shops[shop_id].growth.best_sellers)

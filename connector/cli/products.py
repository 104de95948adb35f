"""`kiitos products`: what a shop's history says of its products."""

from __future__ import annotations

from typing import Any

import click

from connector.cli.context import App, json_option, print_json, print_table


@click.group()
def products() -> None:
    """What a shop's history says of its products."""


@products.command("intervals")
@click.argument("shop")
@click.option("--least", default=10, show_default=True, help="Only products bought again at least so often.")
@json_option
@click.pass_obj
def intervals(app: App, shop: str, least: int, as_json: bool) -> None:
    """Show how long a piece of each product of SHOP lasts: days from one purchase of a customer to their next, with the
    range it lies in. Where the days are empty, the flow's own time counts. Exit code 1 when nothing was counted.

    \b
    Examples:
      kiitos products intervals acme-main
      kiitos products intervals acme-main --least 30 --json
    """
    from connector import codec
    from connector.store import entities, figures
    from flows.knowing.background import ProductFigures

    app.whole_config.shop(shop)
    with app.kiitos.store.work.read() as tx:
        counted = {name: codec.decode(text, ProductFigures) for name, text in figures.all_products(tx, shop)}
        found = {name: one for name, one in counted.items() if one.repeats >= least}
        known = entities.products(tx, shop, list(found)) if found else {}
    rows: list[dict[str, Any]] = [
        {
            "product": name,
            "title": known[name].title if name in known else "",
            "repeats": one.repeats,
            "days": one.gap_days,
            "low": one.gap_low,
            "high": one.gap_high,
        }
        for name, one in sorted(found.items(), key=lambda item: (-item[1].repeats, item[0]))
    ]
    if as_json:
        print_json(rows)
    else:
        shown = [["" if row[name] is None else str(row[name]) for name in row] for row in rows]
        print_table([tuple(row) for row in shown], ("product", "title", "repeats", "days", "low", "high"))
    if not rows:
        click.echo("nothing yet: the history is counted at night, where a flow asks for it", err=True)
        raise click.exceptions.Exit(1)

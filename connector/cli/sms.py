"""`kiitos sms`: what a text takes, before anybody pays for it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.model import Money
from flows.render.small import SmallForms
from flows.render.sms import Segments, fold, segments
from flows.render.sources import Sources


@click.group()
def sms() -> None:
    """Texts: their alphabet, their parts and what they cost.

    \b
    Examples:
      kiitos sms count "Tilauksesi on matkalla."
      kiitos sms list --shop acme-main
    """


@sms.command()
@click.argument("text")
@click.option("--shop", "shop_id", help="Show the cost at this shop's price (costs.sms).")
@json_option
@click.pass_obj
def count(app: App, text: str, shop_id: str | None, as_json: bool) -> None:
    """Count the parts of TEXT as it would be sent, and name the characters that make it dearer."""
    counted = segments(fold(text))
    price = _price(app, shop_id) if shop_id else None
    if as_json:
        print_json(_told(counted, price))
        return
    click.echo(f"{counted.parts} SMS, {counted.encoding}, {counted.left} {_unit(counted)} left in the last")
    if counted.dear:
        click.echo(f"UCS-2 because of: {' '.join(counted.dear)}")
    if (cost := counted.cost(price)) is not None:
        click.echo(f"{cost.amount} {cost.currency}")


@sms.command("list")
@click.option("--shop", "shop_id", help="Show the cost at this shop's price (costs.sms).")
@json_option
@click.pass_obj
def list_texts(app: App, shop_id: str | None, as_json: bool) -> None:
    """Every text that has a form for SMS, with the parts an ordinary order takes in each language."""
    from flows.render.samples import five_lines

    sources, price = Sources(), _price(app, shop_id) if shop_id else None
    forms, view = SmallForms(sources), five_lines()
    names = sorted({path.name.split(".")[0] for path in sources.directory.glob("*/*.sms.liquid")})
    found = []
    for name in names:
        for language in forms.languages(name, "sms"):
            text = forms.render(name, "sms", view, language)
            found.append((name, language, segments(fold(text or ""))))
    if as_json:
        print_json([{"template": name, "language": lang, **_told(each, price)} for name, lang, each in found])
        return
    rows = [(name, lang, each.encoding, str(each.parts), _cost(each, price)) for name, lang, each in found]
    print_table(rows, ("template", "language", "alphabet", "SMS", "cost"))


def _unit(counted: Segments) -> str:
    return "septets" if counted.encoding == "GSM-7" else "characters"


def _cost(counted: Segments, price: Money | None) -> str:
    cost = counted.cost(price)
    return f"{cost.amount} {cost.currency}" if cost is not None else "-"


def _told(counted: Segments, price: Money | None) -> dict[str, Any]:
    cost = counted.cost(price)
    told = {"encoding": counted.encoding, "parts": counted.parts, "left": counted.left, "dear": counted.dear}
    return told | ({"cost": str(cost.amount), "currency": cost.currency} if cost else {})


def _price(app: App, shop_id: str) -> Money | None:
    written = (app.whole_config.shop(shop_id).layered.get("costs") or {}).get("sms")
    if not written:
        return None
    amount, _, currency = str(written).partition(" ")
    return Money(Decimal(amount), currency)

"""`kiitos simulate`: what one order or customer has ahead of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from connector.cli.context import App, json_option, print_json
from connector.errors import ConfigError

if TYPE_CHECKING:
    from connector.simulate.forward import Future, Step

_MARKS = {
    "sent": ("SENT", "green"),
    "done": ("done", "green"),
    "not sent": ("not ", "yellow"),
    "happens": ("in  ", "cyan"),
    "waits": ("wait", "blue"),
}


@click.command()
@click.option("--shop", required=True, help="The shop.")
@click.option("--order", default="", help="An order's number or id.")
@click.option("--email", default="", help="A customer's address.")
@click.option("--flow", "flows", multiple=True, help="Tell only of this flow.")
@click.option("--if", "assumed", multiple=True, metavar="'3d delivered'", help="Assume that this happens on the way.")
@click.option("--days", type=click.IntRange(1, 3660), default=120, show_default=True, help="How far to look.")
@json_option
@click.pass_obj
def simulate(
    app: App,
    shop: str,
    order: str,
    email: str,
    flows: tuple[str, ...],
    assumed: tuple[str, ...],
    days: int,
    as_json: bool,
) -> None:
    """What would be sent to one customer of SHOP and when, if nothing else happens, or if what --if says does.

    The product itself goes on from a copy in memory on a clock that runs ahead; nothing is written or sent. The words
    after --if are those of a flow's [[tests]].

    \b
    Examples:
      kiitos simulate --shop acme-main --order 1042
      kiitos simulate --shop acme-main --email aino@example.com --if "1d shipped" --if "3d delivered"
    """
    from connector.rehearsal import read_happening
    from connector.simulate.forward import find_person, look_forward
    from connector.simulate.playbook import as_running, only

    if bool(order) == bool(email):
        raise ConfigError("name one of --order and --email")
    kiitos = app.kiitos
    book = as_running(kiitos.config, shop, kiitos.catalog.flows(shop))
    book = only(book, flows) if flows else book
    happenings = [read_happening(text) for text in assumed]
    person, order_id = find_person(kiitos.store, shop, order=order, email=email)
    if person is None:
        click.echo(f"nobody and nothing called '{order or email}' in {shop}", err=True)
        raise click.exceptions.Exit(1)
    future = look_forward(kiitos.store, book, person, kiitos.clock.now(), timedelta(days=days), happenings, order_id)
    if as_json:
        print_json({"shop": shop, "steps": [_document(step) for step in future.steps], "under_way": future.under_way})
    else:
        _print(future, days)


def _document(step: Step) -> dict[str, str]:
    return {"at": step.at.isoformat(), "what": step.what, "text": step.text, "flow": step.flow, "why": step.why}


def _print(future: Future, days: int) -> None:
    for step in future.steps:
        mark, colour = _MARKS.get(step.what, ("    ", "white"))
        why = f": {step.why}" if step.why else ""
        flow = click.style(f"  [{step.flow}]", dim=True) if step.flow else ""
        click.echo(f"{step.at:%Y-%m-%d %H:%M}  {click.style(mark, fg=colour)} {step.text}{why}{flow}")
    if not future.steps:
        click.echo(f"nothing happens in the next {days} days")
    elif future.under_way:
        click.echo(f"{future.under_way} runs are still under way after {days} days")

"""`kiitos referrals`: whose friend an order was and why, what waits for a person, and the page where they decide."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from typing import Any

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.contracts.step import parse_span

_SHOP = click.option("--shop", required=True, help="The shop.")
_BY = click.option("--by", help="Who decides; without it, your name on this machine.")
_NOTE = click.option("--note", default="", help="Why, kept with the referral (500 characters at most).")


@click.group()
def referrals() -> None:
    """Referrals, as [referrals] in app.toml and the flows referral-invite and referral-reward make them."""


@referrals.command("list")
@_SHOP
@click.option("--state", default="", help="Only those in this state: review, held, rewarded, refused or reversed.")
@click.option("--limit", default=100, show_default=True, help="At most so many, the newest first.")
@json_option
@click.pass_obj
def list_referrals(app: App, shop: str, state: str, limit: int, as_json: bool) -> None:
    """List the friends' orders of SHOP with what became of them. Nobody is named: `show` tells who.

    \b
    Example:
      kiitos referrals list --shop acme-main --state rewarded
    """
    from connector.referring import overview

    _print_all(overview(app.kiitos, _known(app, shop), state, limit), as_json)


@referrals.command("queue")
@_SHOP
@click.option("--limit", default=100, show_default=True, help="At most so many, the oldest first.")
@json_option
@click.pass_obj
def queue(app: App, shop: str, limit: int, as_json: bool) -> None:
    """List what waits for a person in SHOP, with the signs it waits for.

    \b
    Example:
      kiitos referrals queue --shop acme-main
    """
    from connector.referring import waiting

    _print_all(waiting(app.kiitos, _known(app, shop), limit), as_json)


@referrals.command("show")
@click.argument("referral")
@_SHOP
@json_option
@click.pass_obj
def show(app: App, referral: str, shop: str, as_json: bool) -> None:
    """Show one referral whole: both people, the way it was found, the signs, the reward and what became of it.

    REFERRAL is its id, or the number or id of the friend's order. Exit code 1 when there is none.

    \b
    Example:
      kiitos referrals show order-1042 --shop acme-main
    """
    from connector.referring import found

    told = found(app.kiitos, _known(app, shop), referral)
    _print_one(told, as_json, f"no referral '{referral}' in {shop}")


@referrals.command("explain")
@click.argument("order")
@_SHOP
@json_option
@click.pass_obj
def explain(app: App, order: str, shop: str, as_json: bool) -> None:
    """Explain why the friend's ORDER (number or id) was or was not a referral: each way, and what it said.

    Exit code 1 when the order is not known.

    \b
    Example:
      kiitos referrals explain 1042 --shop acme-main
    """
    from connector.referring import explained

    told = explained(app.kiitos, _known(app, shop), order)
    _print_one(told, as_json, f"no order '{order}' in {shop}")


@referrals.command("approve")
@click.argument("referral")
@_SHOP
@_BY
@_NOTE
@click.pass_obj
def approve(app: App, referral: str, shop: str, by: str | None, note: str) -> None:
    """Let REFERRAL go on to its reward, once the return window is over. Exit code 1 when it does not wait.

    \b
    Example:
      kiitos referrals approve order-1042 --shop acme-main --note "a sister in another town"
    """
    _decide(app, shop, referral, by, note, approve=True)


@referrals.command("refuse")
@click.argument("referral")
@_SHOP
@_BY
@_NOTE
@click.pass_obj
def refuse(app: App, referral: str, shop: str, by: str | None, note: str) -> None:
    """Refuse REFERRAL: nobody is rewarded for it. Exit code 1 when it does not wait.

    \b
    Example:
      kiitos referrals refuse order-1042 --shop acme-main --note "the same person"
    """
    _decide(app, shop, referral, by, note, approve=False)


@referrals.command("page")
@_SHOP
@click.option("--who", required=True, help="Whose link it is: named with every decision made there.")
@click.option("--for", "span", default="7d", show_default=True, help="How long the link works.")
@click.pass_obj
def page(app: App, shop: str, who: str, span: str) -> None:
    """Print the address of a page where WHO looks at what waits in SHOP and decides, without a command line.

    \b
    Example:
      kiitos referrals page --shop acme-main --who "Maija, customer service" --for 14d
    """
    from connector.pages.referral_queue import new_link

    try:
        life = parse_span(span)
    except ValueError as error:
        raise click.UsageError(f"--for: {error}") from error
    click.echo(new_link(app.kiitos, _known(app, shop), who, life))


@referrals.command("ask")
@_SHOP
@click.pass_obj
def ask(app: App, shop: str) -> None:
    """Print the address of the page where customers of SHOP ask for their link: for the shop's menu or footer.

    \b
    Example:
      kiitos referrals ask --shop acme-main
    """
    from connector.pages.referral_ask import address_of

    found = address_of(app.kiitos, _known(app, shop))
    if not found:
        click.echo(f"{shop} has no such page: [referrals] with `ask`, and the flow referral_link, make one", err=True)
        raise click.exceptions.Exit(1)
    click.echo(found)


def _known(app: App, shop: str) -> str:
    return app.config.shop(shop).shop.id


def _decide(app: App, shop: str, referral: str, by: str | None, note: str, *, approve: bool) -> None:
    from connector.referring import decided

    who = by or getpass.getuser()
    if not decided(app.kiitos, _known(app, shop), referral, approve=approve, by=who, note=note):
        click.echo(f"'{referral}' does not wait in {shop}; `kiitos referrals queue` shows what does", err=True)
        raise click.exceptions.Exit(1)
    click.echo(f"{referral}: {'approved' if approve else 'refused'} by {who}")


def _print_all(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    names = ("id", "order", "when", "state", "way", "reward", "because")
    print_table([tuple(str(row[name]) for name in names) for row in rows], names)


def _print_one(told: Mapping[str, Any] | None, as_json: bool, missing: str) -> None:
    if told is None:
        click.echo(missing, err=True)
        raise click.exceptions.Exit(1)
    if as_json:
        print_json(told)
        return
    for name, value in told.items():
        for number, line in enumerate(value if isinstance(value, list) else [value]):
            click.echo(f"{name if not number else '':<12} {line}".rstrip())

"""`kiitos loyalty`: what customers own and why, adjustments, lists from other programmes, perks, and a look back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.clock import to_text
from connector.model import email_key

_SHOP = click.option("--shop", required=True, help="The shop.")
_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group()
def loyalty() -> None:
    """Points, tiers, badges and perks, as [loyalty] in app.toml defines them."""


@loyalty.command("show")
@click.argument("email")
@_SHOP
@json_option
@click.pass_obj
def show(app: App, email: str, shop: str, as_json: bool) -> None:
    """Show what the person EMAIL owns in SHOP, and why: each entry with its cause, rule and version, and the lines of
    the order that it was earned on, with their price or pieces.

    Exit code 1 when they own nothing and never did.

    \b
    Example:
      kiitos loyalty show aino@example.com --shop acme-main
    """
    from connector.loyalty import overview

    found = overview(app.kiitos, _known(app, shop), _key(email))
    if as_json:
        print_json(found)
    else:
        _print(found)
    if not found["entries"]:
        raise click.exceptions.Exit(1)


def _print(found: dict[str, Any]) -> None:
    for unit in found["units"]:
        owed = f", {unit['owed']} owed" if unit["owed"] != "0" else ""
        click.echo(f"{unit['unit']}: {unit['available']} to use, {unit['pending']} pending{owed}")
    tier = found["tier"]
    if tier["name"] or tier["next"]:
        near = f", {tier['missing']} missing to {tier['next']}" if tier["next"] else ""
        click.echo(f"tier: {tier['name'] or 'none'}{' since ' + tier['since'] if tier['since'] else ''}{near}")
        click.echo(f"      {tier['why']}")
    rows = [
        (
            entry["at"][:16],
            entry["kind"],
            f"{entry['amount']} {entry['unit']}",
            entry["cause"],
            _lines(entry) if entry["kind"] == "earn" else "",
            f"{entry['rule']} {entry['version']}".strip(),
            entry["because"],
        )
        for entry in found["entries"]
    ]
    print_table(rows, ("when", "what", "how much", "earned by", "lines", "rule", "because of"))


def _lines(entry: Mapping[str, Any]) -> str:
    """`Mug 17.90, line 2 30`: each line of the order that it was earned on, and its price or pieces."""
    return ", ".join(f"{line['title'] or 'line ' + line['line']} {line['amount']}" for line in entry["lines"])


@loyalty.command("adjust")
@click.argument("email")
@click.argument("points", type=int)
@_SHOP
@click.option("--by", required=True, help="Who adjusts it: it stays in the books.")
@click.option("--note", default="", help="Why, in your words; kept beside the books, and erased with the person.")
@click.option("--key", default="", help="A name of the adjustment: once more under it changes nothing.")
@click.option("--expires", help="How long they are good, such as 90d, or 'never'; as other points if not given.")
@click.pass_obj
def adjust(app: App, email: str, points: int, shop: str, by: str, note: str, key: str, expires: str | None) -> None:
    """Give POINTS to the person EMAIL of SHOP, to be used at once, or take them away (-- -50).

    They lapse as other points of the shop do. Flows hear of it as of any points (points.changed, tier.changed); nobody
    gets a mail by it alone. Exit code 1 when more is to be taken than there is.

    \b
    Examples:
      kiitos loyalty adjust aino@example.com 50 --shop acme-main --by maija --note "the parcel was late"
      kiitos loyalty adjust aino@example.com 500 --shop acme-main --by maija --expires never
      kiitos loyalty adjust --shop acme-main --by maija -- aino@example.com -50
    """
    from connector.loyalty import Adjustment, adjustment

    _known(app, shop)
    if points == 0:
        raise click.UsageError("0 points change nothing")
    adjusted = Adjustment(points=points, by=by, note=note, name=key, lasting=_lasting(expires))
    told = adjustment(app.kiitos, shop, _key(email), adjusted)
    click.echo(told.text)
    if not told.done:
        raise click.exceptions.Exit(1)


@loyalty.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_SHOP
@click.option("--by", required=True, help="Who imports it: it stays in the books.")
@click.option("--batch", default="", help="A name of the list; the file's digest if not given. A list counts once.")
@click.option("--messages", is_flag=True, help="Let flows hear of it: people are told of their points and tier.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@json_option
@click.pass_obj
def import_list(
    app: App, file: Path, shop: str, by: str, batch: str, messages: bool, dry_run: bool, as_json: bool
) -> None:
    """Take over what customers own in another programme, from a CSV file with a header.

    Known columns, in any order and case: Email; Points, Points Balance or points_approved (less points_spent);
    VIP Tier; Points Expire At. That is what Smile, Yotpo and LoyaltyLion export. A second run of one list changes
    nothing. Exit code 1 when rows were left out; each is named with its line.

    \b
    Examples:
      kiitos loyalty import customers.csv --shop acme-main --by maija --dry-run
      kiitos loyalty import customers.csv --shop acme-main --by maija --messages
    """
    from connector.lists.points_import import take_over

    _known(app, shop)
    told = take_over(app.kiitos, shop, file.read_bytes(), by, batch, messages=messages, dry_run=dry_run)
    if as_json:
        print_json({"taken": told.taken, "known": told.known, "points": told.points, "left_out": told.left_out})
    else:
        verb = "would be taken over" if dry_run else "taken over"
        click.echo(f"{told.taken} people {verb}, {told.points} points; {told.known} were there already")
        for line, reason in told.left_out:
            click.echo(f"line {line}: {reason}", err=True)
    if told.left_out:
        raise click.exceptions.Exit(1)


@loyalty.command("coupons")
@click.argument("perk", required=False)
@_SHOP
@click.option("--add", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Codes, one a line.")
@click.option("--seats", type=click.IntRange(1, 100_000), help="Add so many numbered seats instead of codes.")
@json_option
@click.pass_obj
def coupons(app: App, perk: str | None, shop: str, file: Path | None, seats: int | None, as_json: bool) -> None:
    """Show SHOP's lists of coupons and seats, or add to the list PERK; each code goes to one person.

    \b
    Examples:
      kiitos loyalty coupons --shop acme-main
      kiitos loyalty coupons spa-day --shop acme-main --add spa-codes.txt
      kiitos loyalty coupons autumn-evening --shop acme-main --seats 40
    """
    from connector.store import perks

    _known(app, shop)
    if (file is not None or seats is not None) and not perk:
        raise click.UsageError("name the list to add to, such as spa-day")
    store = app.kiitos.store.work
    if file is not None or seats is not None:
        codes = [line.strip() for line in file.read_text("utf-8-sig").splitlines() if line.strip()] if file else []
        codes += [f"{perk}-{number:04}" for number in range(1, (seats or 0) + 1)]
        with store.transaction() as tx:
            added = perks.add(tx, shop, str(perk), codes)
        click.echo(f"{added} of {len(codes)} were new")
        return
    with store.read() as tx:
        found = [count for count in perks.counts(tx, shop) if perk in (None, count.perk)]
    if as_json:
        print_json([{"perk": each.perk, "coupons": each.coupons, "free": each.free} for each in found])
    else:
        print_table([(each.perk, str(each.coupons), str(each.free)) for each in found], ("perk", "coupons", "free"))


@loyalty.command("perks")
@_SHOP
@json_option
@click.pass_obj
def list_perks(app: App, shop: str, as_json: bool) -> None:
    """List what members of SHOP see before everybody else or are given, with how many were let in and what is left.

    Exit code 1 when there is nothing.

    \b
    Example:
      kiitos loyalty perks --shop acme-main
    """
    from connector.loyalty import perks_of

    _known(app, shop)
    heads = ("perk", "kind", "state", "begins", "until", "tiers", "tag", "let_in", "left")
    _list(perks_of(app.kiitos, shop), heads, as_json)


@loyalty.command("rewards")
@_SHOP
@json_option
@click.pass_obj
def rewards(app: App, shop: str, as_json: bool) -> None:
    """List what points of SHOP are exchanged for, and what became of the codes. Exit code 1 when there is nothing.

    \b
    Example:
      kiitos loyalty rewards --shop acme-main
    """
    from connector.loyalty import rewards_of

    _known(app, shop)
    _list(rewards_of(app.kiitos, shop), ("reward", "points", "worth", "made", "unused", "used", "back"), as_json)


@loyalty.command("void")
@click.argument("code")
@_SHOP
@click.option("--reason", required=True, help="Why it is taken back.")
@click.pass_obj
def void_code(app: App, code: str, shop: str, reason: str) -> None:
    """Take a code, gift card or store credit back that was given to a person of SHOP, in the shop too.

    The worker carries it out. Exit code 1 when it was used, or is not known.

    \b
    Example:
      kiitos loyalty void THANKS-AB12CD34EF56GH78 --shop acme-main --reason "given by mistake"
    """
    from connector.store import vouchers
    from flows.referring.reasons import voucher_text
    from flows.value.vouchers import void

    _known(app, shop)
    kiitos = app.kiitos
    with kiitos.store.work.transaction() as tx:
        voucher = vouchers.get(tx, shop, code)
        done = voucher is not None and void(tx, shop, voucher, reason, kiitos.clock.now())
    if voucher is None:
        click.echo(f"no code '{code}' was given to a person of {shop}", err=True)
    else:
        click.echo("it is taken back by the worker" if done else f"nothing to take back: {voucher_text(voucher)}")
    if not done:
        raise click.exceptions.Exit(1)


@loyalty.command("check")
@_SHOP
@click.pass_obj
def check(app: App, shop: str) -> None:
    """Check the books of SHOP: every account sums to nothing and is where its facts say. Exit code 1 when not."""
    from connector.loyalty import faults

    _known(app, shop)
    counted, found = faults(app.kiitos, shop)
    for fault in found:
        click.echo(fault, err=True)
    click.echo(f"{counted} accounts, {len(found)} faults")
    if found:
        raise click.exceptions.Exit(1)


@loyalty.command("backtest")
@click.argument("shop")
@click.option("--from", "since", type=_DAY, help="The first day; a year before the end if not given.")
@click.option("--to", "until", type=_DAY, help="The day after the last one; now if not given.")
@click.option("--worth", default="", help="What a point is worth when it is used; 0.01 of your currency if not given.")
@click.option("--redeemed", default="70%", show_default=True, help="The share of points that is used in the end.")
@click.option("--margin", default="40%", show_default=True, help="What is left of sales after the goods.")
@json_option
@click.pass_obj
def backtest(
    app: App,
    shop: str,
    since: datetime | None,
    until: datetime | None,
    worth: str,
    redeemed: str,
    margin: str,
    as_json: bool,
) -> None:
    """What SHOP's programme would have cost and returned over its past orders. Nothing is written.

    It is taken to have run before, too; only what the orders of the time earn is counted. Refunds since then count as
    taken back. Reviews, referrals and birthdays are not in orders and not counted; nor are points spent. "Sales with
    points" are those of people who had points to use: the most the programme could claim.

    \b
    Example:
      kiitos loyalty backtest acme-main --from 2026-01-01 --worth "0.02 EUR" --redeemed 60%
    """
    from connector.loyalty import look_back
    from flows.authoring.fields import read_money

    settings = app.whole_config.shop(shop)
    currency = settings.shop.currency
    end = until.replace(tzinfo=UTC) if until else app.kiitos.clock.now()
    begin = since.replace(tzinfo=UTC) if since else end - timedelta(days=365)
    if not settings.loyalty:
        click.echo(f"{shop} has no programme: write [loyalty] with rules into {app.path.name}", err=True)
        raise click.exceptions.Exit(1)
    point = read_money(worth or f"0.01 {currency}")
    costs = look_back(app.kiitos, shop, begin, end)
    share, profit = _share(redeemed), _share(margin)
    grows = costs.to_pay_for_itself(point, share, profit)
    told = {
        "from": to_text(begin),
        "to": to_text(end),
        "members": costs.members,
        "orders": costs.orders,
        "points": {
            "earned": str(costs.earned),
            "taken_back": str(costs.taken_back),
            "expired": str(costs.expired),
            "pending": str(costs.pending),
            "available": str(costs.available),
        },
        "tiers": costs.tiers,
        "badges": costs.badges,
        "sales": f"{costs.sales} {currency}",
        "sales_with_points": f"{costs.sales_with_points} {currency}",
        "liability": f"{costs.liability(point).amount} {currency}",
        "cost": f"{costs.cost(point, share).amount} {currency}",
        "pays_for_itself_when_sales_grow_by": None if grows is None else f"{grows * 100:.1f} %",
    }
    if as_json:
        print_json(told)
        return
    for name, value in told.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
        click.echo(f"{name.replace('_', ' ')}: {text or 'none'}")


def _lasting(text: str | None) -> timedelta | None:
    """`None` for what the programme says, no time at all for ever."""
    from connector.contracts.step import parse_span

    if text is None:
        return None
    try:
        return timedelta(0) if text == "never" else parse_span(text)
    except ValueError as error:
        raise click.UsageError(f"--expires: {error}") from None


def _known(app: App, shop: str) -> str:
    app.whole_config.shop(shop)
    return shop


def _list(found: Sequence[Mapping[str, Any]], heads: tuple[str, ...], as_json: bool) -> None:
    """Print rows; exit code 1 when there are none."""
    if as_json:
        print_json(found)
    else:
        print_table([tuple(str(row[head]) for head in heads) for row in found], heads)
    if not found:
        raise click.exceptions.Exit(1)


def _key(email: str) -> str:
    key = email_key(email)
    if key is None:
        raise click.UsageError("that is no e-mail address")
    return key


def _share(text: str) -> Decimal:
    try:
        share = Decimal(text.strip().removesuffix("%")) / 100
    except InvalidOperation:
        share = Decimal(-1)
    if not 0 <= share <= 1:
        raise click.UsageError(f"'{text}' is no share such as 60%")
    return share

"""`kiitos segments`: which groups of customers each shop has, who is in them, and why."""

from __future__ import annotations

from typing import Any

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.clock import to_text
from connector.errors import near
from connector.model import email_key


@click.group()
def segments() -> None:
    """Groups of customers, as [segments.NAME] in app.toml defines them."""


@segments.command("list")
@click.option("--shop", help="Only this shop.")
@json_option
@click.pass_obj
def list_segments(app: App, shop: str | None, as_json: bool) -> None:
    """Show the segments of every shop: how many are in, and what makes a member.

    \b
    Examples:
      kiitos segments list
      kiitos segments list --shop acme-main --json
    """
    from connector.store import standings

    if shop is not None:
        app.whole_config.shop(shop)
    kiitos = app.kiitos
    found: list[dict[str, Any]] = []
    with kiitos.store.work.read() as tx:
        for shop_id in [shop] if shop is not None else sorted(kiitos.config.shops):
            counts = standings.counts(tx, shop_id)
            for segment in kiitos.catalog.segments(shop_id):
                when = [guard.text for guard in segment.when]
                found.append(
                    {"shop": shop_id, "segment": segment.name, "members": counts.get(segment.name, 0), "when": when}
                )
    if as_json:
        print_json(found)
        return
    rows = [(row["shop"], row["segment"], str(row["members"]), "; ".join(row["when"])) for row in found]
    print_table(rows, ("shop", "segment", "members", "when"))


@segments.command("show")
@click.argument("name")
@click.option("--shop", required=True, help="The shop.")
@click.option("--limit", default=100, show_default=True, help="At most so many members.")
@json_option
@click.pass_obj
def show(app: App, name: str, shop: str, limit: int, as_json: bool) -> None:
    """Show who is in segment NAME of SHOP, and since when. Exit code 1 when nobody is.

    \b
    Example:
      kiitos segments show vip --shop acme-main
    """
    from connector.store import standings

    kiitos = app.kiitos
    _known(app, shop, name)
    with kiitos.store.work.read() as tx:
        members = standings.members(tx, shop, name, limit=limit)
    if as_json:
        print_json([{"who": member.name, "since": to_text(member.since)} for member in members])
    else:
        print_table([(member.name, to_text(member.since)) for member in members], ("who", "since"))
    if not members:
        raise click.exceptions.Exit(1)


@segments.command("who")
@click.argument("email")
@click.option("--shop", required=True, help="The shop.")
@json_option
@click.pass_obj
def who(app: App, email: str, shop: str, as_json: bool) -> None:
    """Tell which segments of SHOP the person EMAIL is in, and what each guard sees of them.

    \b
    Example:
      kiitos segments who aino@example.com --shop acme-main
    """
    from connector.store import standings
    from flows.facts import Facts
    from flows.knowing.acquaintance import known_as

    app.whole_config.shop(shop)
    kiitos = app.kiitos
    now, the_shop = kiitos.clock.now(), kiitos.catalog.settings(shop).shop
    found: list[dict[str, Any]] = []
    with kiitos.store.work.read() as tx:
        account, known = known_as(tx, the_shop, email, now)
        inside = standings.segments_of(tx, shop, email_key(email) or "")
        facts = Facts(now=now, shop=the_shop, customer=account, background=known)
        for segment in kiitos.catalog.segments(shop):
            results = [guard.evaluate(facts) for guard in segment.when]
            since = inside.get(segment.name)
            found.append(
                {
                    "segment": segment.name,
                    "since": to_text(since) if since else None,
                    "guards": [
                        {"guard": f"{r.path} {r.op} {r.wanted}", "saw": r.saw, "holds": r.passed} for r in results
                    ],
                }
            )
    if as_json:
        print_json(found)
        return
    rows = [
        (row["segment"], row["since"] or "-", "yes" if each["holds"] else "no", each["guard"], each["saw"])
        for row in found
        for each in row["guards"]
    ]
    print_table(rows, ("segment", "in since", "holds", "guard", "saw"))


def _known(app: App, shop: str, name: str) -> None:
    app.whole_config.shop(shop)
    known = [segment.name for segment in app.kiitos.catalog.segments(shop)]
    if name not in known:
        click.echo(f"{shop} has no segment '{name}'{near(name, known)}", err=True)
        raise click.exceptions.Exit(1)

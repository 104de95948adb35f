"""`kiitos cases`: returns and complaints, and what a person decides about them."""

from __future__ import annotations

import getpass
from typing import Any

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.clock import to_text
from connector.model.case import ACCEPT, ARRIVE, CLOSE, REFUND, REFUSE, possible
from connector.store import case_photos, entities
from connector.store import cases as store
from connector.store.cases import CaseRow
from connector.store.db import Tx
from connector.working.intake import again_if_moved
from flows.care import cases as acting
from flows.care.returning import ASKED, OPENED, REFUSED, InShop, ask_shop, standing


@click.group()
def cases() -> None:
    """Look at returns and complaints, answer them and decide.

    \b
    Examples:
      kiitos cases list
      kiitos cases show demo-aurora 7K3M9P2Q
      kiitos cases answer demo-aurora 7K3M9P2Q "Could you send us a picture?"
      kiitos cases accept demo-aurora 7K3M9P2Q
      kiitos cases refuse demo-aurora 7K3M9P2Q "It was worn for a month."
      kiitos cases open-return demo-aurora 7K3M9P2Q
    """


@cases.command("list")
@click.argument("shop", required=False)
@click.option("--all", "every", is_flag=True, help="Settled ones too.")
@click.option("--limit", default=100, show_default=True, help="At most so many of a shop, the oldest first.")
@json_option
@click.pass_obj
def list_cases(app: App, shop: str | None, every: bool, limit: int, as_json: bool) -> None:
    """What customers asked for and how it stands."""
    if shop:
        app.whole_config.shop(shop)
    with app.kiitos.store.work.read() as tx:
        shops = [shop] if shop else sorted(app.kiitos.config.shops)
        found = [_told(tx, row) for each in shops for row in store.of_shop(tx, each, every=every, limit=limit)]
    if as_json:
        print_json(found)
        return
    names = ("shop", "case", "about", "state", "order", "opened", "answered", "wish")
    print_table([tuple(row[name] for name in names) for row in found], names)


@cases.command()
@click.argument("shop")
@click.argument("case")
@json_option
@click.pass_obj
def show(app: App, shop: str, case: str, as_json: bool) -> None:
    """CASE with its lines, its words and its story."""
    app.whole_config.shop(shop)
    with app.kiitos.store.work.read() as tx:
        row = _find(tx, shop, case)
        told = _told(tx, row)
        story = store.story(tx, shop, row.case_id)
        stands, pictures = standing(tx, row), case_photos.of(tx, shop, row.case_id)
    told["photos"] = len(pictures)
    told["lines"] = [f"{line.quantity} x {line.title}" for line in row.lines]
    if stands is not None:
        told["in_shop"] = _in_shop(stands)
    told["can"] = list(possible(row.state))
    told["story"] = [{"at": to_text(one.at), "what": one.what, "by": one.by, "text": one.body} for one in story]
    if as_json:
        print_json(told)
        return
    for name in ("case", "about", "state", "order", "reason", "wish"):
        click.echo(f"{name}: {told[name]}")
    for line in told["lines"]:
        click.echo(f"  {line}")
    if pictures:
        click.echo(f"photos: {len(pictures)}; `kiitos cases page {shop} {row.case_id}` shows them")
    if stands is not None:
        click.echo(f"in the shop: {told['in_shop']}")
    for one in story:
        by = f" by {one.by}" if one.by else ""
        click.echo(f"{to_text(one.at)[:16].replace('T', ' ')}  {one.what}{by}: {' '.join(one.body.split())}")
    click.echo(f"can be: {', '.join(told['can']) or 'nothing more'}")


@cases.command()
@click.argument("shop")
@click.argument("case")
@click.argument("text")
@click.option("--by", help="Who answers; without it, your name on this machine.")
@click.pass_obj
def answer(app: App, shop: str, case: str, text: str, by: str | None) -> None:
    """Mail TEXT to the customer of CASE, without deciding."""
    _act(app, shop, case, "", by, text)


def _step(action: str, text_needed: bool, help_text: str) -> click.Command:
    """A command that takes one step."""

    @click.command(action, help=help_text)
    @click.argument("shop")
    @click.argument("case")
    @click.argument("text", required=text_needed, default=None if text_needed else "")
    @click.option("--by", help="Who decides; without it, your name on this machine.")
    @click.pass_obj
    def take(app: App, shop: str, case: str, text: str, by: str | None) -> None:
        _act(app, shop, case, action, by, text)

    return take


cases.add_command(_step(ACCEPT, False, "Approve CASE; TEXT goes to the customer beside your instructions."))
cases.add_command(_step(REFUSE, True, "Refuse CASE; TEXT is the reason, which the customer is mailed."))
cases.add_command(_step(ARRIVE, False, "The parcel of CASE has arrived."))
cases.add_command(_step(REFUND, False, "The money of CASE was returned. A refund the platform tells of does the same."))
cases.add_command(_step(CLOSE, False, "Close CASE; the customer hears of it where there is a TEXT."))


@cases.command("open-return")
@click.argument("shop")
@click.argument("case")
@click.pass_obj
def open_return(app: App, shop: str, case: str) -> None:
    """Ask the shop once more to open the return of CASE: after its refusal, or where approving did not ask it."""
    app.whole_config.shop(shop)
    kiitos = app.kiitos
    with kiitos.store.work.transaction() as tx:
        row = _find(tx, shop, case)
        if ask_shop(tx, kiitos.catalog.adapter(shop), row, kiitos.clock.now()):
            click.echo(f"{row.case_id}: the shop is asked; `kiitos cases show` tells what it says")
            return
        stands = standing(tx, row)
        if stands is not None and stands.state in (ASKED, OPENED):
            raise click.ClickException(f"{row.case_id}: {_in_shop(stands)}")
        raise click.ClickException(
            f"{row.case_id} is no approved return with pieces of the order, or its platform has no returns"
        )


@cases.command()
@click.argument("shop")
@click.argument("case")
@click.option("--who", default="support", show_default=True, help="For whom; the name stands in the story.")
@click.pass_obj
def page(app: App, shop: str, case: str, who: str) -> None:
    """Print the address of the page of CASE for one person of the merchant's."""
    app.whole_config.shop(shop)
    kiitos = app.kiitos
    with kiitos.store.work.transaction() as tx:
        row = _find(tx, shop, case)
        base = kiitos.config.app.base_url.rstrip("/")
        click.echo(acting.desk_link(tx, kiitos.salt, base, shop, row.case_id, who, kiitos.clock.now()))


@cases.command("form")
@click.argument("shop")
@click.pass_obj
def find_form(app: App, shop: str) -> None:
    """Print the address where customers of SHOP ask for the way to their order, to link from its help page."""
    from connector.pages.find import find_link

    app.whole_config.shop(shop)
    click.echo(find_link(app.kiitos, shop))


def _act(app: App, shop: str, case: str, action: str, by: str | None, text: str) -> None:
    app.whole_config.shop(shop)
    kiitos, who = app.kiitos, by or getpass.getuser()

    def work() -> str:
        with kiitos.store.work.transaction() as tx:
            row, now = _find(tx, shop, case), kiitos.clock.now()
            if not action:
                acting.answer(tx, kiitos.runner, row, who, text, now)
                return f"{row.case_id}: answered by {who}"
            moved = acting.act(tx, kiitos.runner, row, action, who, text, now)
            if moved is None:
                can = ", ".join(possible(row.state)) or "nothing more"
                raise click.ClickException(f"{row.case_id} is {row.state}; it can be: {can}")
            return f"{row.case_id}: {moved.state} by {who}"

    click.echo(again_if_moved(work))


def _in_shop(stands: InShop) -> str:
    words = {ASKED: "being asked", OPENED: "opened", REFUSED: "not opened"}
    return f"{words.get(stands.state, 'unclear whether it was opened')} {stands.told}".rstrip()


def _find(tx: Tx, shop: str, case: str) -> CaseRow:
    row = store.get(tx, shop, case.upper())
    if row is None:
        raise click.ClickException(f"{shop} has no case '{case}'; `kiitos cases list` shows those that are open")
    return row


def _told(tx: Tx, row: CaseRow) -> dict[str, Any]:
    order = entities.order(tx, row.shop_id, row.order_id)
    return {
        "shop": row.shop_id,
        "case": row.case_id,
        "about": row.kind,
        "state": row.state,
        "order": order.number if order else row.order_id,
        "opened": to_text(row.opened_at)[:16].replace("T", " "),
        "answered": to_text(row.answered_at)[:16].replace("T", " ") if row.answered_at else "-",
        "reason": row.reason,
        "wish": row.wish,
    }

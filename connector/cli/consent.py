"""`kiitos consent`: what people said, by whom it was heard, and the proof that nothing was sent without it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.clock import to_text
from connector.model import Channel, ConsentState, Purpose, email_key
from connector.store import consents

if TYPE_CHECKING:
    from connector.store.consents import ConsentRow

_CHANNELS = [str(each) for each in Channel if each is not Channel.OTHER]
_PURPOSES = [str(each) for each in Purpose if each.needs_consent and each is not Purpose.OTHER]


@click.group()
def consent() -> None:
    """The ledger of consents: look, record, import, export, and prove.

    \b
    Examples:
      kiitos consent show acme-main ada@example.com
      kiitos consent record acme-main ada@example.com --yes --source "paper form"
      kiitos consent prove
    """


@consent.command()
@click.argument("shop")
@click.argument("address")
@json_option
@click.pass_obj
def show(app: App, shop: str, address: str, as_json: bool) -> None:
    """Everything ADDRESS (an e-mail address or a number) ever said in SHOP. Exit code 1 when that is nothing."""
    app.kiitos.config.shop(shop)
    key = email_key(address) or "".join(address.split())
    with app.kiitos.store.work.read() as tx:
        found = consents.history(tx, shop, key)
    if as_json:
        print_json([_told(row) for row in found])
    elif found:
        names = ("at", "channel", "purpose", "state", "source", "text", "heard")
        print_table([tuple(_told(row)[name] for name in names) for row in found], names)
    if not found:
        click.echo(f"{shop} knows of no decision of this address", err=True)
        raise click.exceptions.Exit(1)


@consent.command()
@click.argument("shop")
@click.argument("address")
@click.option("--yes/--no", "yes", default=None, help="What they said.")
@click.option("--channel", type=click.Choice(_CHANNELS), default="email", show_default=True)
@click.option("--purpose", type=click.Choice(_PURPOSES), default="marketing", show_default=True)
@click.option("--source", required=True, help='Where they said it: "paper form", "telephone" ...')
@click.option("--text", default="", help="What they were shown or told.")
@click.option("--at", "said_at", type=click.DateTime(), help="When, in UTC; now where it is left out.")
@click.pass_obj
def record(
    app: App,
    shop: str,
    address: str,
    yes: bool | None,
    channel: str,
    purpose: str,
    source: str,
    text: str,
    said_at: datetime | None,
) -> None:
    """Write into the ledger what ADDRESS said to SHOP elsewhere; the platform is told where it has a place for it."""
    from flows.people.choices import Reachable, Said, decide

    app.kiitos.config.shop(shop)
    kiitos, on = app.kiitos, Channel.of(channel)
    key = email_key(address) if on is Channel.EMAIL else "".join(address.split())
    if yes is None:
        raise click.UsageError("say --yes or --no")
    if not key:
        raise click.BadParameter("this is no address", param_hint="ADDRESS")
    now = kiitos.clock.now()
    at = said_at.replace(tzinfo=UTC) if said_at is not None else now
    if at > now:
        raise click.BadParameter("is in the future", param_hint="--at")
    who = Reachable(shop_id=shop, channel=on, address_key=key)
    with kiitos.store.work.transaction() as tx:
        said = Said(source, "recorded by hand", text)
        decide(tx, kiitos.runner, who, {Purpose.of(purpose): yes}, said, now, kiitos.clock.new_id(), at)
    click.echo(f"{shop}: {'yes' if yes else 'no'} to {purpose} by {channel} is in the ledger")


@consent.command("import")
@click.argument("shop")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what is wrong with the file.")
@click.pass_obj
def import_(app: App, shop: str, file: Path, dry_run: bool) -> None:
    """Take a CSV FILE of decisions into SHOP's ledger: address and state; if known channel, purpose, at, source, text.

    Lines that cannot be used are named and left out (exit code 1); the same file twice changes nothing.
    """
    from connector.lists.consent_lists import BadRow, keep, read

    app.kiitos.config.shop(shop)
    now = app.kiitos.clock.now()
    with file.open(encoding="utf-8-sig", newline="") as source:
        found = read(source, file.name, now)
        if dry_run:
            rows = list(found)
            bad = [each for each in rows if isinstance(each, BadRow)]
            good = len(rows) - len(bad)
        else:
            good, bad = keep(app.kiitos.store, shop, found, now)
    click.echo(f"{shop}: {good} line(s) {'are good' if dry_run else 'taken in'}, {len(bad)} left out")
    for each in bad:
        click.echo(f"{file.name}, line {each.line}: {each.reason}", err=True)
    if bad:
        raise click.exceptions.Exit(1)


@consent.command()
@click.argument("shop")
@click.option(
    "--to", "target", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The CSV to write."
)
@click.pass_obj
def export(app: App, shop: str, target: Path) -> None:
    """Write SHOP's whole ledger to a CSV file. It is personal data."""
    from connector.lists.consent_lists import write

    app.kiitos.config.shop(shop)
    target.touch(mode=0o600)
    with target.open("w", encoding="utf-8", newline="") as out:
        total = write(app.kiitos.store, shop, out)
    click.echo(f"{target}: {total} entries. It is personal data: hand it on, then delete it.")


@consent.command()
@click.argument("shop")
@click.option("--lang", default="", help="The language of the form; the shop's where it is left out.")
@click.pass_obj
def link(app: App, shop: str, lang: str) -> None:
    """The address of SHOP's sign-up page, and a form for the shop's own pages that posts to it."""
    from connector.cli.signup import address_of, form_of

    click.echo(f"{address_of(app.kiitos, shop)}\n")
    click.echo(form_of(app.kiitos, shop, lang))


@consent.command()
@click.argument("shop", required=False)
@json_option
@click.pass_obj
def prove(app: App, shop: str | None, as_json: bool) -> None:
    """Ask the database for messages of the marketing class that went to somebody without a ground: none is the answer.

    A ground is the newest decision that was known when the message left, a yes; or that the person was never asked
    and the shop told its buyers at checkout (soft opt-in, as noted when it left). Exit code 1 when there are any.
    """
    if shop:
        app.kiitos.config.shop(shop)
    with app.kiitos.store.work.read() as tx:
        found, looked_at = consents.unfounded(tx, shop or ""), consents.sent(tx, shop or "")
    if as_json:
        print_json({"messages": looked_at, "without_ground": [vars_of(row) for row in found]})
    elif found:
        names = ("shop", "message", "flow", "purpose", "channel", "sent", "why")
        print_table([tuple(vars_of(row)[name] for name in names) for row in found], names)
    else:
        click.echo(f"{looked_at} message(s) that need a ground were sent; each had one")
    if found:
        click.echo(f"{len(found)} of {looked_at} message(s) were sent without a ground", err=True)
        raise click.exceptions.Exit(1)


def vars_of(row: consents.Unfounded) -> dict[str, str]:
    return {
        "shop": row.shop_id,
        "message": row.effect_id,
        "flow": row.flow_id,
        "purpose": row.purpose,
        "channel": row.channel,
        "sent": to_text(row.at),
        "why": row.why,
    }


def _told(row: ConsentRow) -> dict[str, Any]:
    state = ConsentState.of(row.state)
    return {
        "at": to_text(row.at),
        "channel": str(row.channel),
        "purpose": str(row.purpose),
        "state": str(state),
        "source": row.source,
        "text": row.evidence,
        "heard": to_text(row.recorded_at),
    }

"""`kiitos customers show`: a person's figures, segments and consents, as flows see them at this moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.clock import to_text
from connector.model import Channel, Customer, Money, Purpose, email_key
from flows.knowing.beyond import PURPOSES

if TYPE_CHECKING:
    from connector.store.db import Tx
    from flows.knowing.acquaintance import Acquaintance

_CHANNELS = (Channel.EMAIL, Channel.SMS, Channel.WHATSAPP, Channel.PUSH)


@click.command()
@click.argument("email")
@click.option("--shop", required=True, help="The shop whose customer they are.")
@json_option
@click.pass_obj
def show(app: App, email: str, shop: str, as_json: bool) -> None:
    """Show what SHOP knows of EMAIL: orders and what they come to, RFM class, segments, consents.

    Only purchases count: paid or sent, not cancelled, not refunded in full, no tests.

    \b
    Examples:
      kiitos customers show aino@example.com --shop acme-main
      kiitos customers show aino@example.com --shop acme-main --json
    """
    from flows.knowing.acquaintance import known_as

    app.whole_config.shop(shop)
    kiitos = app.kiitos
    now = kiitos.clock.now()
    with kiitos.store.work.read() as tx:
        account, known = known_as(tx, kiitos.catalog.settings(shop).shop, email, now)
        found = _gather(tx, shop, email, account, known)
    if found is None:
        click.echo(f"{shop} knows nobody called '{email}'", err=True)
        raise click.exceptions.Exit(1)
    if as_json:
        print_json(found)
        return
    for title, table in found.items():
        if isinstance(table, dict):
            click.secho(title, bold=True)
            print_table([(name, _shown(value)) for name, value in table.items()], ("what", "value"))
        else:
            click.echo(f"{title}: {_shown(table)}")


def _gather(tx: Tx, shop_id: str, email: str, account: Customer | None, known: Acquaintance) -> dict[str, Any] | None:
    from connector.store import standings, suppressions

    key = email_key(email)
    if key is None:
        return None
    lifetime = known.lifetime()
    said = dict(_consents(known))
    stopped = {f"{row.scope} ({row.reason})": row.at for row in suppressions.find(tx, shop_id, key, Channel.EMAIL)}
    segments = standings.segments_of(tx, shop_id, key)
    if account is None and not (lifetime.orders or said or stopped or segments):
        return None
    figures = {name: getattr(lifetime, name) for name in type(lifetime).__dataclass_fields__ if name != "products"}
    told = {
        "shop": shop_id,
        "account": account.id if account else None,
        "figures": figures,
        "segments": segments,
        "consents": said,
        "stopped": stopped,
    }
    return {name: _plain(value) for name, value in told.items()}


def _consents(known: Acquaintance) -> Iterator[tuple[str, str]]:
    """Every decision that is known; one that was made about marketing as a whole is told once."""
    for channel in _CHANNELS:
        whole = known.consent(channel, Purpose.MARKETING)
        for purpose in PURPOSES:
            said = known.consent(channel, Purpose.of(purpose))
            if said.at is not None and (purpose == "marketing" or said != whole):
                yield f"{channel} {purpose}", f"{said.state} on {said.at:%Y-%m-%d} ({said.source})"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, Money):
        return f"{value.amount} {value.currency}"
    if isinstance(value, datetime):
        return to_text(value)
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return value if value is None or isinstance(value, int | str) else str(value)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None or value == "" else str(value)

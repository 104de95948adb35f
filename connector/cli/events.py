"""`kiitos events`: events of the merchant's own, declared in app.toml and told here or over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from connector.app import Kiitos
from connector.cli.context import App, json_option, print_json, print_table
from connector.credentials import told_owner
from connector.errors import ConfigError, MalformedPayload, near
from connector.model import Event
from connector.store import entities, shops
from connector.telling import PLATFORM, TOLD_KINDS, Told, check_event, event_of
from connector.working.intake import again_if_moved
from flows.people.forgetting import without_forgotten
from flows.sending.addressing import derive_token

SECRET = "webhook_secret"  # noqa: S105 - the name it is kept under, not its value


@click.group()
def events() -> None:
    """Tell events of your own, and give out the key to tell them over HTTP."""


@events.command("list")
@json_option
@click.pass_obj
def list_events(app: App, as_json: bool) -> None:
    """Every kind that may be told, with its fields."""
    declared = app.config.events
    if as_json:
        print_json([{"kind": kind, "fields": dict(fields)} for kind, fields in declared.items()])
        return
    rows = [(kind, ", ".join(f"{name} ({of})" for name, of in fields.items())) for kind, fields in declared.items()]
    print_table([*rows, *((kind, "any") for kind in TOLD_KINDS)], ("kind", "fields"))


@events.command()
@click.argument("kind")
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option("--shop", required=True, help="The shop it happened in.")
@click.option("--id", "own_id", required=True, help="Your own id of the event: the same id again changes nothing.")
@click.option("--email", help="Whom it is about, by address.")
@click.option("--customer", help="Whom it is about, by the platform's id of the account.")
@click.option("--order", help="Which order it is about, by number or id.")
@click.option("--at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]), help="When, in UTC; now without it.")
@click.pass_obj
def send(
    app: App,
    kind: str,
    fields: tuple[str, ...],
    shop: str,
    own_id: str,
    email: str | None,
    customer: str | None,
    order: str | None,
    at: datetime | None,
) -> None:
    """Tell that KIND happened; flows see it at once.

    \b
    Example:
      kiitos events send points.changed --shop acme-main --id 17 --email a@example.com balance=120
    """
    app.config.shop(shop)
    kiitos = app.kiitos
    if order:
        order = _order_id(kiitos, shop, order)
    when = at.replace(tzinfo=UTC) if at else None
    told = Told(
        kind=kind, id=own_id, at=when, email=email, customer_id=customer, order_id=order, data=dict(map(_pair, fields))
    )
    try:
        event = check_event(event_of(told, kiitos.clock.now()), app.config.events)
    except MalformedPayload as error:
        raise ConfigError(error.message) from error
    new = again_if_moved(lambda: _ingest(kiitos, shop, event))
    click.echo("told" if new else f"{kind} {own_id} was told before, or is about somebody who was forgotten")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"'{text}': write FIELD=VALUE")
    return name, value


def _order_id(kiitos: Kiitos, shop: str, name: str) -> str:
    number = name.lstrip("#")
    with kiitos.store.work.read() as tx:
        found = (
            entities.order_by_number(tx, shop, number)
            or entities.order_by_number(tx, shop, f"#{number}")
            or entities.order(tx, shop, name)
        )
    if found is None:
        raise ConfigError(f"no order '{name}' of {shop} is known")
    return found.id


def _ingest(kiitos: Kiitos, shop: str, event: Event) -> bool:
    now = kiitos.clock.now()
    with kiitos.store.work.transaction() as tx:
        if without_forgotten(tx, kiitos.salt, shop, [event]) is None:
            return False
        return kiitos.runner.ingest(tx, shop, [event], now) > 0


@events.command()
@click.argument("shop")
@click.option("--new", is_flag=True, help="Make another one; the old one is refused at once.")
@json_option
@click.pass_obj
def key(app: App, shop: str, new: bool, as_json: bool) -> None:
    """The address and the key with which SHOP's own systems tell events."""
    if shop not in app.whole_config.shops:
        raise ConfigError(f"no shop '{shop}'{near(shop, app.whole_config.shops)}")
    kiitos = app.kiitos
    owner, endpoint = told_owner(shop), derive_token(kiitos.salt, PLATFORM, shop, length=32)
    now = kiitos.clock.now()
    with kiitos.store.work.transaction() as tx:
        secret = shops.secrets(tx, kiitos.vault, owner).get(SECRET)
        if secret is None or new:
            secret = kiitos.clock.token(24)
            shops.put_secret(tx, kiitos.vault, owner, SECRET, secret, now)
        shops.put_endpoint(tx, endpoint, PLATFORM, owner, shop, now)
    found = {"url": f"{kiitos.config.app.base_url}/events", "key": f"{endpoint}.{secret}"}
    if as_json:
        print_json(found)
        return
    click.echo(f"POST {found['url']}\nAuthorization: Bearer {found['key']}")

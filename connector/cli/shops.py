"""`kiitos shops`: connect stores, see how they stand, pause and remove them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.catching_up import backfill, completeness, webhooks
from connector.cli.context import App, json_option, print_json, print_table
from connector.errors import ConfigError, ConnectRefused, near
from connector.model import ShopStatus
from connector.standing import RECONNECT
from connector.store import notices as notice_store
from connector.store import renewals
from connector.store import shops as shop_store

if TYPE_CHECKING:
    from connector.app import Kiitos
    from connector.contracts import ConnectWay
    from connector.store.notices import Notice
    from connector.store.renewals import RenewalState

MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


@click.group()
def shops() -> None:
    """Connect stores, see how they stand, pause and remove them."""


@shops.command("list")
@json_option
@click.pass_obj
def list_shops(app: App, as_json: bool) -> None:
    """Each shop with its state, where it comes from, and the address its webhooks go to."""
    kiitos = app.kiitos
    with kiitos.store.work.read() as tx:
        states = {shop.id: str(shop.status) for shop in shop_store.all(tx)}
        told = {shop_id: notice_store.of_shop(tx, shop_id) for shop_id in states}
        refused = {shop_id: row for shop_id, row in renewals.all(tx).items() if row.refused_at is not None}
    notes = {shop_id: _note(state, refused.get(shop_id), told[shop_id]) for shop_id, state in states.items()}
    found = [
        (
            s.shop.id,
            s.shop.platform,
            states.get(s.shop.id, ""),
            app.path.name if s.declared else "connected",
            kiitos.hook_url(s),
            notes.get(s.shop.id, ""),
        )
        for s in kiitos.config.shops.values()
    ]
    found += [(shop_id, "", "left out", reason, "", "") for shop_id, reason in kiitos.config.left_out.items()]
    names = ("shop", "platform", "status", "from", "webhook_url", "note")
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in found])
        return
    print_table(found, ("shop", "platform", "status", "from", "webhook url", "note"))


def _note(status: str, refused: RenewalState | None, told: Sequence[Notice]) -> str:
    """What only the merchant can put right, since when, and whether they were told."""
    if status != ShopStatus.DISCONNECTED:
        return ""
    since = f" since {refused.refused_at:%Y-%m-%d %H:%M}" if refused is not None and refused.refused_at else ""
    sent = next((notice for notice in reversed(told) if notice.kind == RECONNECT), None)
    heard = {"sent": "the merchant was told", "failed": "the merchant could not be told"}
    return f"connect it again: credentials refused{since}; " + heard.get(sent.status if sent else "", "not told yet")


@shops.command()
@click.argument("platform", required=False)
@click.option("--client", help="The client the store joins; default connect.client, or the only one.")
@click.option("--shop", help="For a link: the known shop it connects again, and no other.")
@click.option("--locale", default="", help="For a link: the language of its pages, such as fi.")
@click.option("--way", help="How to connect; default the first that needs no browser.")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="A value that is no secret, such as url=...")
@click.option("--env", "from_env", multiple=True, metavar="NAME=VARIABLE", help="A secret, from the environment.")
@click.option("--file", "from_file", multiple=True, metavar="NAME=PATH", help="A secret, from a file.")
@click.pass_obj
def add(
    app: App,
    platform: str | None,
    client: str | None,
    shop: str | None,
    locale: str,
    way: str | None,
    given: tuple[str, ...],
    from_env: tuple[str, ...],
    from_file: tuple[str, ...],
) -> None:
    """Connect a store: print a link for the merchant's browser, or with PLATFORM connect by keys at once.

    The link connects one store, once, within three days. Secrets are never given on the command line: they come from
    --env, --file, or are asked for.

    \b
    Examples:
      kiitos shops add                          a link, to send to the merchant
      kiitos shops add --shop demo-metsa        a link that connects this shop again
    """
    kiitos = app.kiitos
    joins = _client(kiitos, client, shop)
    if platform is None:
        click.echo(_link(kiitos, joins, shop, locale))
        return
    from connector.connecting import Attempts, fill, sentences

    attempts = Attempts(kiitos)
    try:
        chosen = _way(platform, attempts.ways(platform), way)
        values = _values(chosen, given, from_env, from_file)
        shop_id = attempts.connect_now(joins, platform, chosen.name, values)
    except ConnectRefused as error:
        words = fill(sentences(kiitos, platform, "en"), f"error.{error.reason}", error.values)
        click.echo(f"not connected: {words} ({error.message})", err=True)
        raise click.exceptions.Exit(1) from error
    click.echo(f"{shop_id} is connected; its webhooks go to {kiitos.hook_url(kiitos.config.shop(shop_id))}")
    _print_findings(kiitos, shop_id, as_json=False)


def _client(kiitos: Kiitos, client: str | None, shop: str | None) -> str:
    """Which client the store joins. Raises `ConfigError` when nobody says so."""
    if shop is not None:
        return kiitos.config.shop(shop).shop.client_id
    joins = client or kiitos.config.connect.client
    if joins is None:
        raise ConfigError("several clients: say --client NAME, or write connect.client", where="connect.client")
    if joins not in kiitos.config.clients:
        raise ConfigError(f"no client '{joins}'{near(joins, kiitos.config.clients)}", where="clients")
    return joins


def _link(kiitos: Kiitos, client: str, shop: str | None, locale: str) -> str:
    from connector.connecting import Attempts

    if not kiitos.config.connect.enabled:
        raise ConfigError("connecting in the browser is switched off", where="connect.enabled")
    return Attempts(kiitos).invite(client, shop_id=shop, locale=locale)


def _way(platform: str, ways: list[ConnectWay], wanted: str | None) -> ConnectWay:
    fitting = [one for one in ways if not one.needs_browser and wanted in (None, one.name)]
    if not fitting:
        names = ", ".join(one.name for one in ways if not one.needs_browser) or "none; use the link"
        raise click.UsageError(f"{platform} has no such way without a browser; there is: {names}")
    return fitting[0]


def _values(
    way: ConnectWay, given: tuple[str, ...], from_env: tuple[str, ...], from_file: tuple[str, ...]
) -> dict[str, str]:
    kinds = {field.name: field for field in way.fields}
    values: dict[str, str] = {}
    for name, value in _pairs(given, kinds):
        if kinds[name].kind == "secret":
            raise click.UsageError(f"{name} is a secret: use --env {name}=VARIABLE or --file {name}=PATH")
        values[name] = value
    for name, variable in _pairs(from_env, kinds):
        values[name] = os.environ.get(variable, "")
        if not values[name]:
            raise click.UsageError(f"the environment variable {variable} is not set")
    for name, path in _pairs(from_file, kinds):
        try:
            values[name] = Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"{path} cannot be read ({type(error).__name__})") from error
    for field in way.fields:
        if field.required and not values.get(field.name):
            if not sys.stdin.isatty():
                raise click.UsageError(f"{field.name} is missing")
            values[field.name] = click.prompt(field.name, hide_input=field.kind == "secret")
    return values


def _pairs(entries: tuple[str, ...], known: Mapping[str, object]) -> list[tuple[str, str]]:
    found = []
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not equals or name not in known:
            raise click.UsageError(f"'{name}' is no field of this way{near(name, known)}")
        found.append((name, value))
    return found


@shops.command()
@click.argument("shop")
@json_option
@click.pass_obj
def check(app: App, shop: str, as_json: bool) -> None:
    """Ask SHOP's platform how the connection stands. Ends with 1 when something must be put right."""
    if _print_findings(app.kiitos, shop, as_json=as_json) == "fail":
        raise click.exceptions.Exit(1)


def _print_findings(kiitos: Kiitos, shop: str, *, as_json: bool) -> str:
    """Print what a check finds; return the worst verdict."""
    from connector import connecting

    findings = connecting.check(kiitos, shop)
    known = kiitos.config.shops.get(shop)
    words = connecting.sentences(kiitos, known.shop.platform if known else "", "en")
    rows = [
        {
            "code": one.code,
            "verdict": str(one.verdict),
            "text": connecting.fill(words, f"finding.{one.code}", one.values),
            "link": one.link,
        }
        for one in findings
    ]
    if as_json:
        print_json({"shop": shop, "verdict": str(connecting.worst(findings)), "findings": rows})
    else:
        for row in rows:
            click.echo(f"{MARKS[row['verdict']]}  {row['text']}" + (f"\n      {row['link']}" if row["link"] else ""))
    return str(connecting.worst(findings))


@shops.command()
@click.argument("shop")
@click.pass_obj
def pause(app: App, shop: str) -> None:
    """Hold everything that would be sent for SHOP; webhooks are still taken."""
    _set(app, shop, ShopStatus.PAUSED)


@shops.command()
@click.argument("shop")
@click.pass_obj
def resume(app: App, shop: str) -> None:
    """Let SHOP's messages go again, what waited included."""
    _set(app, shop, ShopStatus.ACTIVE)


shops.add_command(webhooks)
shops.add_command(backfill)
shops.add_command(completeness)


def _set(app: App, shop: str, status: ShopStatus) -> None:
    kiitos = app.kiitos
    kiitos.config.shop(shop)
    with kiitos.store.work.transaction() as tx:
        stored = shop_store.get(tx, shop)
        if stored is None:
            raise ConfigError(f"shop '{shop}' is not in the database")
        if stored.status is ShopStatus.UNINSTALLED:
            raise ConfigError(f"shop '{shop}' was removed; connect it again: kiitos shops add --shop {shop}")
        shop_store.set_status(tx, shop, status, kiitos.clock.now(), "by command")
    click.echo(f"{shop} is {status}")


@shops.command()
@click.argument("shop")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(app: App, shop: str, yes: bool) -> None:
    """Disconnect SHOP: sends stop at once, our webhooks there are deleted, its credentials are forgotten.

    Its people and history stay until they are erased. To use the shop again, connect it again.
    """
    from connector.connecting import leave

    kiitos = app.kiitos
    settings = kiitos.config.shop(shop)
    if not yes:
        click.confirm(f"Disconnect {shop} ({settings.shop.domain})?", abort=True)
    for line in leave(kiitos, settings):
        click.echo(line)
    if settings.declared:
        click.echo(f"{app.path.name} still names it: take it out there, too")

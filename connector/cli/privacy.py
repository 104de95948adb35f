"""`kiitos privacy`: show somebody what is known of them, forget them, and prove that it was done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.clock import to_text
from connector.errors import ConfigError
from connector.store import privacy as store

if TYPE_CHECKING:
    from connector.store.privacy import PrivacyRequest

WHO = (
    click.option("--email", help="By e-mail address."),
    click.option("--phone", help="By telephone number."),
    click.option("--customer", "customer_id", help="By the platform's customer id."),
    click.option("--order", "orders", help="Whoever placed this order (its id, or several by comma)."),
)


def who_options(command: Any) -> Any:
    for option in reversed(WHO):
        command = option(command)
    return command


@click.group()
def privacy() -> None:
    """Export or erase a customer's or a shop's data, and see what was asked.

    Shopify's compliance webhooks do the same without a command. WooCommerce has none: use these.
    """


@privacy.command("export")
@click.argument("shop")
@who_options
@click.option("--request", "request_id", help="Fetch what was gathered for this request (see `requests`).")
@click.option(
    "--to", "target", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The zip to write."
)
@click.pass_obj
def export(app: App, /, shop: str, request_id: str | None, target: Path, **who: str | None) -> None:
    """Write everything SHOP's Kiitos knows of a person to a zip of JSON and CSV.

    \b
    Examples:
      kiitos privacy export acme-main --email aino@example.com --to aino.zip
      kiitos privacy export acme-main --request 01JD... --to request.zip
    """
    found = _ask(app, shop, store.EXPORT, who).id if request_id is None else request_id
    kiitos = app.kiitos
    with kiitos.store.work.transaction() as tx:
        content = store.fetch_export(tx, shop, found, kiitos.clock.now(), "command")
    if content is None:
        click.echo(f"{shop} has nothing gathered under {found}: it expired, or nothing was asked", err=True)
        raise click.exceptions.Exit(1)
    target.touch(mode=0o600)
    target.write_bytes(content)
    click.echo(f"{target}: {len(content)} bytes. It is personal data: hand it on, then delete it.")


@privacy.command("erase")
@click.argument("shop")
@who_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def erase(app: App, /, shop: str, yes: bool, **who: str | None) -> None:
    """Forget a person: nothing more is sent, and everything SHOP's Kiitos knows of them is erased.

    What remains says how many messages of which kind were sent on which day, and a keyed hash that keeps their
    objection in force. It cannot be undone.

    \b
    Example:
      kiitos privacy erase acme-main --email aino@example.com
    """
    if not yes:
        click.confirm("This cannot be undone. Erase?", abort=True)
    _tell(_ask(app, shop, store.ERASE_CUSTOMER, who))


@privacy.command("erase-shop")
@click.argument("shop")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def erase_shop(app: App, shop: str, yes: bool) -> None:
    """Stop SHOP's messages and forget everything it ever sent, its credentials included."""
    if not yes:
        click.confirm(f"This erases everything of {shop} and cannot be undone. Erase?", abort=True)
    _tell(_ask(app, shop, store.ERASE_SHOP, {}))


@privacy.command("requests")
@click.option("--shop", help="Only this shop.")
@click.option("--limit", default=50, show_default=True, help="At most so many.")
@json_option
@click.pass_obj
def requests(app: App, shop: str | None, limit: int, as_json: bool) -> None:
    """What was asked and what became of it. Exit code 1 when a request has been open for more than a week."""
    kiitos = app.kiitos
    with kiitos.store.work.read() as tx:
        found = store.trail(tx, shop, limit)
    late = [r for r in found if r.status != store.DONE and r.received_at + store.ALARM < kiitos.clock.now()]
    if as_json:
        print_json([_shown(request) for request in found])
    else:
        rows = [(r.shop_id, r.id, r.kind, r.status, to_text(r.received_at), to_text(r.deadline), r.note) for r in found]
        print_table(rows, ("shop", "request", "kind", "status", "received", "deadline", "note"))
    if late:
        click.echo(f"{len(late)} request(s) open for more than {store.ALARM.days} days: see the log", err=True)
        raise click.exceptions.Exit(1)


def _ask(app: App, shop: str, kind: str, who: dict[str, str | None]) -> PrivacyRequest:
    """Keep the request and do it at once; what cannot be finished now is left to the worker."""
    from connector.privacy import COMMAND, Privacy

    subject = {name: value for name, value in who.items() if value}
    if kind != store.ERASE_SHOP and not subject:
        raise ConfigError("say who: --email, --phone, --customer or --order")
    kiitos = app.kiitos
    hands = Privacy(kiitos)
    asked = hands.ask(shop, kind, COMMAND, subject)
    if asked is None:
        click.echo(f"{shop} has nothing stored of such a person", err=True)
        raise click.exceptions.Exit(1)
    hands.work()
    with kiitos.store.work.read() as tx:
        found = store.get(tx, shop, asked.id)
    return found or asked


def _tell(request: PrivacyRequest) -> None:
    rows = ", ".join(f"{count} {table}" for table, count in sorted(request.counts.items())) or "no rows"
    if request.status == store.DONE:
        click.echo(f"done: {rows} (request {request.id})")
    else:
        click.echo(f"under way: {request.note or 'the worker goes on with it'} (request {request.id})")


def _shown(request: PrivacyRequest) -> dict[str, Any]:
    return {
        "shop": request.shop_id,
        "request": request.id,
        "kind": request.kind,
        "source": request.source,
        "status": request.status,
        "received_at": to_text(request.received_at),
        "deadline": to_text(request.deadline),
        "done_at": to_text(request.done_at) if request.done_at else None,
        "attempts": request.attempts,
        "counts": dict(request.counts),
        "note": request.note,
    }

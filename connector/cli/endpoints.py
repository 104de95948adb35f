"""`kiitos endpoints`: where flows call, the secrets their calls are signed with, and a trial."""

from __future__ import annotations

from collections.abc import Sequence

import click

from connector import codec
from connector.cli.context import App, json_option, print_json, print_table
from connector.clock import to_text
from connector.config import EndpointSettings
from connector.errors import KiitosError
from connector.working.calling import Call, finish, secrets_of
from connector.working.calling import rotate as rotate_secret

TRIAL = "kiitos.trial"


@click.group()
def endpoints() -> None:
    """Look after the servers that the step `call` speaks to.

    \b
    Examples:
      kiitos endpoints list
      kiitos endpoints secret crm            what the receiver verifies with
      kiitos endpoints rotate crm            a new one; both sign until the next line
      kiitos endpoints rotate crm --finish
      kiitos endpoints test crm              one signed call, and what came back
    """


@endpoints.command("list")
@json_option
@click.pass_obj
def list_endpoints(app: App, as_json: bool) -> None:
    """Every endpoint, the shops that have it, and where its secret is."""
    kiitos = app.kiitos
    rows = []
    with kiitos.store.work.read() as tx:
        for name, (endpoint, shops) in _all(app).items():
            kept = secrets_of(tx, kiitos.vault, endpoint)
            place = "the file" if endpoint.secrets else "the vault"
            state = f"{place}, changing" if len(kept) > 1 else place
            rows.append({"name": name, "url": endpoint.url, "shops": ", ".join(shops), "secret": state})
    if as_json:
        print_json(rows)
        return
    names = ("name", "url", "shops", "secret")
    print_table([tuple(row[key] for key in names) for row in rows], names)


@endpoints.command()
@click.argument("name")
@click.pass_obj
def secret(app: App, name: str) -> None:
    """Print the secret of NAME: enter it where the calls are received."""
    kiitos, endpoint = app.kiitos, _find(app, name)
    with kiitos.store.work.read() as tx:
        found = secrets_of(tx, kiitos.vault, endpoint)
    click.echo(found[0])


@endpoints.command()
@click.argument("name")
@click.option("--finish", "finishing", is_flag=True, help="The receiver knows the new one: sign with that alone.")
@click.pass_obj
def rotate(app: App, name: str, finishing: bool) -> None:
    """Make a new secret for NAME and print it. Calls carry both signatures until --finish."""
    kiitos, endpoint = app.kiitos, _find(app, name)
    with kiitos.store.work.transaction() as tx:
        if finishing:
            finish(tx, endpoint)
            click.echo(f"{name}: signed with the newest secret alone")
        else:
            click.echo(rotate_secret(tx, kiitos.vault, kiitos.clock, endpoint))


@endpoints.command()
@click.argument("name")
@click.pass_obj
def test(app: App, name: str) -> None:
    """Call NAME once with an event of the type kiitos.trial, and say what it answered."""
    kiitos, endpoint = app.kiitos, _find(app, name)
    now = kiitos.clock.now()
    body = codec.encode({"type": TRIAL, "timestamp": to_text(now), "data": {}})
    try:
        values = kiitos.caller.make(Call(endpoint, f"trial_{kiitos.clock.new_id()}", body))
    except KiitosError as error:
        click.echo(error.message, err=True)
        raise click.exceptions.Exit(1) from error
    click.echo(f"{name}: answered {values['status']}")


def _all(app: App) -> dict[str, tuple[EndpointSettings, Sequence[str]]]:
    """Endpoints by the name people type: with its layer, where it does not stand at the top of the file."""
    found: dict[str, tuple[EndpointSettings, list[str]]] = {}
    for shop_id, settings in app.kiitos.config.shops.items():
        for endpoint in settings.endpoints.values():
            name = endpoint.owner.removeprefix("endpoint:")
            found.setdefault(name, (endpoint, []))[1].append(shop_id)
    return {name: found[name] for name in sorted(found)}


def _find(app: App, name: str) -> EndpointSettings:
    known = _all(app)
    if name not in known:
        click.echo(f"there is no endpoint '{name}'; `kiitos endpoints list` shows them", err=True)
        raise click.exceptions.Exit(1)
    return known[name][0]

"""`kiitos init`: a first app.toml with a comment on each line, and what to do next."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

_BY_URL = "# smtps:// speaks TLS from the start, smtp:// asks for it (STARTTLS) unless the address ends with ?tls=none"
"""A `tls` here would be one more thing that must agree with an address that stands in the environment."""
_BESIDE = '# ledger = "/var/lib/kiitos-sent"      # what left, for a restore: beside the database unless named'
FORMS = {
    "laptop": {
        "@BASE_URL": "http://127.0.0.1:8321",
        "@LISTEN": "127.0.0.1:8321",
        "@DATABASE": '"sqlite:///var/kiitos.db"',
        "@MASTER_KEY": '{ file = "var/master.key", generate = true }',
        "@WORKER_LISTEN": "127.0.0.1:8322",
        "@SMTP": '"smtp://127.0.0.1:2525"',
        "@LEDGER": _BESIDE,
        "@TLS": 'tls = "none"                             # leave it out for any server that is not on this machine',
    },
    "server": {
        "@BASE_URL": "https://kiitos.your-domain.example",
        "@LISTEN": "127.0.0.1:8321",
        "@DATABASE": '"sqlite:///var/kiitos.db"',
        "@MASTER_KEY": '{ file = "var/master.key", generate = true }',
        "@WORKER_LISTEN": "127.0.0.1:8322",
        "@SMTP": '{ env = "KIITOS_SMTP" }',
        "@LEDGER": _BESIDE,
        "@TLS": _BY_URL,
    },
    "container": {
        "@BASE_URL": "http://127.0.0.1:8321",
        "@LISTEN": "0.0.0.0:8321",
        "@DATABASE": '{ env = "KIITOS_DATABASE" }',
        "@MASTER_KEY": '{ env = "KIITOS_MASTER_KEY" }',
        "@WORKER_LISTEN": "0.0.0.0:8322",
        "@SMTP": '{ env = "KIITOS_SMTP" }',
        "@LEDGER": 'ledger = "var/app-sent"                  # what left, for a restore: must outlive the worker',
        "@TLS": _BY_URL,
    },
}
"""What stands in the places of first_app.toml, by where it is to run."""


def first_app(form: str) -> str:
    """The text of a first app.toml."""
    text = files("connector").joinpath("cli", "first_app.toml").read_text("utf-8")
    for place, value in FORMS[form].items():
        text = text.replace(place, value)
    return text


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())
@click.option("--for", "form", type=click.Choice(sorted(FORMS)), default="laptop", show_default=True)
def init(folder: Path, form: str) -> None:
    """Write a first app.toml into FOLDER, with a comment on each line. One that is there stays as it is.

    \b
    Examples:
      kiitos init shop                       to try it here: SQLite, mail to a server on this machine
      kiitos init shop --for server          one server behind a proxy; secrets from the environment
      kiitos init shop --for container       PostgreSQL, everything secret from the environment
    """
    path = folder / "app.toml"
    if path.exists():
        click.echo(f"{path} is there already; nothing was changed", err=True)
        raise click.exceptions.Exit(1)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(first_app(form), "utf-8")
    click.echo(f"{path} is written. Next:")
    for command, why in (
        ("config check", "every fault at once"),
        ("shops add", "a link that connects your store in the browser"),
        ("serve", "webhooks and pages"),
        ("worker", "flows and messages"),
        ("doctor", "what is wrong, and what mends it"),
    ):
        click.echo(f"  kiitos {'-c ' + str(path) + ' ' if folder != Path() else ''}{command:<14}{why}")

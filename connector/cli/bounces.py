"""`kiitos bounces`: mail that came back, handed over by a mail server or fetched from a mailbox."""

from __future__ import annotations

import sys

import click

from connector.cli.context import App
from connector.errors import ConfigError, KiitosError, near
from connector.registry import CHANNEL_EVENTS
from connector.working.mailbox import LARGEST, Mailboxes, keep

TRY_AGAIN = 75
"""EX_TEMPFAIL of sysexits: the mail server keeps the mail and calls again. Any other fault of ours would lose it."""


@click.group()
def bounces() -> None:
    """Take in mail that came back to a channel that sends over SMTP.

    \b
    Examples:
      kiitos bounces read                    one mail from a mail server's pipe
      kiitos bounces fetch                   from the channel's mailbox, now
    """


@bounces.command()
@click.option("--channel", help="The channel whose mail it is; not needed while only one sends over SMTP.")
@click.pass_obj
def read(app: App, channel: str | None) -> None:
    """Keep one mail from standard input; the worker reads it. Exit code 75 asks the mail server to try again later.

    \b
    In postfix's master.cf, and its transport map for the domain:
      bounces unix - n n - - pipe user=kiitos argv=kiitos -c /etc/kiitos/app.toml bounces read
    """
    mail = sys.stdin.buffer.read(LARGEST + 1)
    try:
        kept = keep(app.kiitos, channel or _only_channel(app), mail)
    except KiitosError as error:
        click.echo(str(error), err=True)
        raise click.exceptions.Exit(TRY_AGAIN) from error
    if not kept:
        click.echo("nothing to keep: no mail, or one of more than 2 MiB", err=True)
        raise click.exceptions.Exit(1)
    click.echo("kept")


@bounces.command()
@click.pass_obj
def fetch(app: App) -> None:
    """Look into the mailboxes of app.toml now."""
    mailboxes = Mailboxes(app.kiitos)
    if not mailboxes.any():
        click.echo(
            'no channel has a mailbox: mailbox = { env = "..." } with imaps://user:password@host/INBOX', err=True
        )
        raise click.exceptions.Exit(1)
    click.echo(f"{mailboxes.work()} kept")


def _only_channel(app: App) -> str:
    readers = [name for name, table in app.kiitos.config.channels.items() if table.get("kind") == "smtp"]
    if len(readers) != 1:
        known = app.kiitos.registry.names(CHANNEL_EVENTS)
        raise ConfigError(f"say which channel with --channel{near('smtp', known) if not readers else ''}")
    return readers[0]

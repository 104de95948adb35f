"""`kiitos doctor`: what is wrong, why it matters, and the command that mends it."""

from __future__ import annotations

import os
from dataclasses import asdict

import click

from connector.cli.context import App, json_option, print_json
from connector.outside.sender_domain import Txt, system_txt


@click.command()
@click.option("--offline", is_flag=True, help="Do not ask the DNS about the senders' domains.")
@json_option
@click.pass_obj
@click.pass_context
def doctor(ctx: click.Context, app: App, offline: bool, as_json: bool) -> None:
    """Look at everything: configuration, disk, keys, workers, shops, channels. Nothing is changed.

    Ends with 0 when nothing is wrong or only worth knowing, 1 when something must be put right.

    \b
    Examples:
      kiitos doctor
      kiitos doctor --offline --json      for a script of your own
    """
    from connector.watching.doctor import examine
    from connector.watching.trouble import Level

    txt: Txt | None = None if offline else ctx.meta.get("kiitos.txt") or system_txt()
    found = examine(app.path, os.environ, txt=txt)
    serious = sum(trouble.level is Level.FAIL for trouble in found)
    if as_json:
        print_json([asdict(trouble) for trouble in found])
    else:
        for trouble in found:
            colour = "red" if trouble.level is Level.FAIL else "yellow"
            about = f" {trouble.subject}" if trouble.subject else ""
            click.echo(
                click.style(f"{trouble.level.upper():<5}", fg=colour) + f"{trouble.check}{about}: {trouble.what}"
            )
            click.echo(f"     {trouble.why}")
            click.echo(f"     mend it: {trouble.mend}")
        click.echo(f"{serious} to put right, {len(found) - serious} to know" if found else "nothing is wrong")
    if serious:
        raise click.exceptions.Exit(1)

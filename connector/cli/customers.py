"""`kiitos customers`: one person, as all shops of a client see them."""

from __future__ import annotations

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.cli.customer_figures import show
from connector.clock import to_text
from connector.model import email_key


@click.group()
def customers() -> None:
    """Look at one customer."""


@customers.command()
@click.argument("email")
@click.option("--shop", required=True, help="A shop of the client; those of the same client are looked at too.")
@json_option
@click.pass_obj
def calendar(app: App, email: str, shop: str, as_json: bool) -> None:
    """What was sent to EMAIL, what is due, and what was put off, held or dropped, and why.

    \b
    Example:
      kiitos customers calendar ada@example.com --shop acme-main
    """
    from connector.explaining.appointments import calendar_of

    app.config.shop(shop)
    key = email_key(email)
    if key is None:
        raise click.BadParameter(f"'{email}' is no address", param_hint="EMAIL")
    found = calendar_of(app.kiitos, shop, key)
    if as_json:
        print_json(
            {
                "shops": list(found.shop_ids),
                "free_from": {channel: to_text(at) for channel, at in found.free_from.items()},
                "appointments": [
                    {
                        "at": to_text(one.at),
                        "state": one.state,
                        "shop": one.shop_id,
                        "flow": one.flow,
                        "step": one.step,
                        "what": one.what,
                        "channel": one.channel,
                        "purpose": one.purpose,
                        "why": one.why,
                    }
                    for one in found.appointments
                ],
            }
        )
    else:
        rows = [
            (f"{one.at:%Y-%m-%d %H:%M}", one.state, one.shop_id, one.flow, one.what, one.channel, one.why)
            for one in found.appointments
        ]
        print_table(rows, ("UTC", "state", "shop", "flow", "message", "channel", "why"))
        for channel, at in found.free_from.items():
            click.echo(f"next marketing message by {channel}: not before {at:%Y-%m-%d %H:%M} UTC")
    if not found.appointments:
        click.echo(f"nothing is known of {email} in {', '.join(found.shop_ids)}", err=True)
        raise click.exceptions.Exit(1)


customers.add_command(show)

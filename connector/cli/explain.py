"""`kiitos explain`: for each message, sent or not, the rule, the value it saw, the flow's version, the times."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from connector.cli.context import App, json_option, print_json
from connector.cli.flow_views import read_since, show_funnel
from connector.codec import builtins
from connector.explaining.absence import of_flow
from connector.explaining.explain import Line, Story
from connector.explaining.explain import explain as tell


@click.command()
@click.argument("shop", required=False)
@click.argument("who", required=False)
@click.option("--email", help="The person, by address; without SHOP in every shop.")
@click.option(
    "--flow", "flow_id", help="Only this flow: why they heard of it, or why not. Without WHO: everybody, counted."
)
@click.option("--since", default="90d", show_default=True, callback=read_since, help="For everybody: how far back.")
@json_option
@click.pass_obj
def explain(
    app: App,
    shop: str | None,
    who: str | None,
    email: str | None,
    flow_id: str | None,
    since: timedelta,
    as_json: bool,
) -> None:
    """Tell why WHO (an order number, an order id or an e-mail address) of SHOP got each message, or did not: the rule,
    the value it saw, the flow's version, and the smallest change that would have made it otherwise.

    \b
    Examples:
      kiitos explain acme-main 1042
      kiitos explain acme-main aino@example.com --json
      kiitos explain --email aino@example.com --flow review-request
      kiitos explain acme-main --flow review-request
    """
    who = who or email
    if who is None and not (shop and flow_id):
        raise click.UsageError("say whom (SHOP WHO, or --email), or SHOP with --flow for everybody")
    if shop is not None:
        app.config.shop(shop)
    if who is None:
        show_funnel(app, str(shop), str(flow_id), since, as_json=as_json)
        return
    kiitos = app.kiitos
    shops = [shop] if shop else sorted(kiitos.config.shops)
    found = [story for each in shops if (story := tell(kiitos.store, each, who)) is not None]
    if flow_id is not None:
        now = kiitos.clock.now()
        found = [of_flow(kiitos.store, each, flow_id, kiitos.catalog.flows(each.shop_id), now) for each in found]
    if not found:
        click.echo(f"nobody and nothing called '{who}' in {shop or 'any shop'}", err=True)
        raise click.exceptions.Exit(1)
    if as_json:
        told = [_json(story) for story in found]
        print_json(told[0] if shop else told)
        return
    for story in found:
        print_story(story)


def _json(story: Story) -> dict[str, Any]:
    lines = [builtins(line) for line in story.lines]
    return {"shop": story.shop_id, "subject": story.subject, "note": story.note, "lines": lines}


def print_story(story: Story) -> None:
    """The timeline as text, colours where the terminal has them."""
    click.secho(f"{story.shop_id}: {story.subject}", bold=True)
    if story.note:
        click.secho(f"({story.note})", fg="yellow")
    for line in story.lines:
        click.echo(f"{line.at:%Y-%m-%d %H:%M:%S}  {_mark(line)} {line.text}{_flow(line)}")
        if line.flip:
            click.secho(f"{'':25}{line.flip}", dim=True)


def _mark(line: Line) -> str:
    word, colour = {
        "event": ("in  ", "cyan"),
        "delivery.failed": ("FAIL", "red"),
        "delivery.quarantined": ("kept", "yellow"),
        "effect.sent": ("SENT", "green"),
        "effect.skipped": ("not ", "yellow"),
        "effect.failed": ("FAIL", "red"),
        "effect.uncertain": ("????", "red"),
        "effect.pending": ("wait", "blue"),
        "effect.held": ("held", "yellow"),
        "never_started": ("not ", "yellow"),
        "planned": ("plan", "blue"),
        "taken_back": ("back", "yellow"),
    }.get(line.what, ("    ", "white"))
    return click.style(word, fg=colour)


def _flow(line: Line) -> str:
    return click.style(f"  [{line.flow} {line.version} {line.step}".rstrip() + "]", dim=True) if line.flow else ""

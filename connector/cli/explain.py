"""`kiitos explain`: for each message, sent or not, the rule, the value it saw, the flow's version, the times."""

from __future__ import annotations

import click

from connector.cli.context import App, json_option, print_json
from connector.codec import builtins
from connector.explain import Line, Story
from connector.explain import explain as tell


@click.command()
@click.argument("shop")
@click.argument("who")
@json_option
@click.pass_obj
def explain(app: App, shop: str, who: str, as_json: bool) -> None:
    """Tell why WHO (an order number, an order id or an e-mail address) of SHOP got each message, or did not.

    \b
    Examples:
      kiitos explain acme-main 1042
      kiitos explain acme-main aino@example.com --json
    """
    app.config.shop(shop)
    story = tell(app.kiitos.store, shop, who)
    if story is None:
        click.echo(f"nobody and nothing called '{who}' in {shop}", err=True)
        raise click.exceptions.Exit(1)
    if as_json:
        lines = [builtins(line) for line in story.lines]
        print_json({"shop": shop, "subject": story.subject, "note": story.note, "lines": lines})
        return
    print_story(story)


def print_story(story: Story) -> None:
    """The timeline as text, colours where the terminal has them."""
    click.secho(f"{story.shop_id}: {story.subject}", bold=True)
    if story.note:
        click.secho(f"({story.note})", fg="yellow")
    for line in story.lines:
        click.echo(f"{line.at:%Y-%m-%d %H:%M:%S}  {_mark(line)} {line.text}{_flow(line)}")


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
    }.get(line.what, ("    ", "white"))
    return click.style(word, fg=colour)


def _flow(line: Line) -> str:
    return click.style(f"  [{line.flow} {line.version} {line.step}".rstrip() + "]", dim=True) if line.flow else ""

"""`kiitos surveys`: what people answered, with how far luck can carry each figure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.cli.flow_views import read_since
from connector.clock import to_text
from flows.care.scoring import FEW, LEAST, Interval, Result
from flows.care.survey_results import GROUPS, Comment, report


@click.group()
def surveys() -> None:
    """Look at the answers to surveys (NPS, CSAT, CES).

    \b
    Examples:
      kiitos surveys results demo-aurora
      kiitos surveys results demo-aurora --by month --since 365d
      kiitos surveys page demo-aurora --life 30d
    """


@surveys.command()
@click.argument("shop")
@click.option("--by", type=click.Choice(GROUPS), default="stage", show_default=True, help="How to group them.")
@click.option("--since", default="90d", show_default=True, callback=read_since, help="Asked so long ago, or later.")
@json_option
@click.pass_obj
def results(app: App, shop: str, by: str, since: timedelta, as_json: bool) -> None:
    """Scores of SHOP with their 95 % intervals, how many answered, and what they wrote.

    NPS is in points (-100 to 100, adjusted Wald interval); CSAT (4 and 5 of five) and CES (5 to 7 of seven) are in
    percent (Wilson interval). docs/surveys.md tells how they are counted.
    """
    settings = app.whole_config.shop(shop)
    now = app.kiitos.clock.now()
    with app.kiitos.store.work.read() as tx:
        found = report(tx, settings.shop, by, now - since, now + timedelta(seconds=1))
    if as_json:
        print_json(
            {
                "shop": shop,
                "by": by,
                "since": to_text(now - since),
                "results": [_told(each) for each in found.results],
                "comments": [_comment(each) for each in found.comments],
            }
        )
        return
    if not found.results:
        click.echo(f"nobody of {shop} was asked anything in that time")
        return
    names = (by, "kind", "asked", "answered", "rate", "score", "95 %", "mean", "")
    print_table([_row(each) for each in found.results], names)
    for each in found.comments:
        order = f" (order {each.order})" if each.order else ""
        click.echo(f"\n{each.at:%Y-%m-%d} {each.survey} {each.score}{order}: {' '.join(each.text.split())}")


@surveys.command()
@click.argument("shop")
@click.option("--life", default="30d", show_default=True, callback=read_since, help="How long the address works.")
@click.pass_obj
def page(app: App, shop: str, life: timedelta) -> None:
    """Print the address of a page with the results of SHOP, for people of the merchant's. Who has it sees comments."""
    from connector.pages.survey_results import new_link

    app.whole_config.shop(shop)
    click.echo(new_link(app.kiitos, shop, life))


def _row(found: Result) -> tuple[str, ...]:
    score = found.score
    return (
        found.group,
        found.kind,
        str(found.asked),
        str(found.answered),
        f"{found.rate.value:.0f} %",
        f"{score.value:.0f}" if score else "-",
        f"{score.low:.0f} to {score.high:.0f}" if score else "-",
        f"{found.mean:.1f}" if found.mean is not None else "-",
        "" if not found.few else f"too few to say more (under {FEW})" if score else f"too few (under {LEAST})",
    )


def _told(found: Result) -> dict[str, Any]:
    return {
        "group": found.group,
        "kind": found.kind,
        "asked": found.asked,
        "answered": found.answered,
        "rate": _interval(found.rate),
        "score": _interval(found.score) if found.score else None,
        "mean": found.mean,
        "too_few": found.few,
        "counts": {str(score): count for score, count in found.counts.items()},
    }


def _interval(found: Interval) -> dict[str, float]:
    return {"value": round(found.value, 2), "low": round(found.low, 2), "high": round(found.high, 2)}


def _comment(each: Comment) -> dict[str, Any]:
    return {
        "at": to_text(each.at),
        "survey": each.survey,
        "kind": each.kind,
        "score": each.score,
        "band": each.band,
        "order": each.order,
        "text": each.text,
    }

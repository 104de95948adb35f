"""Commands about what limits hold back (`kiitos flows held` and its neighbours), and a person's word about it."""

from __future__ import annotations

from functools import partial

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.clock import to_text
from connector.errors import near
from connector.store import pace
from connector.working.intake import again_if_moved

BATCH = 100
"""Messages let go in one transaction: the worker goes on in between."""


@click.command()
@click.argument("shop", required=False)
@json_option
@click.pass_obj
def held(app: App, shop: str | None, as_json: bool) -> None:
    """What is held of each flow, and why: a budget of the day, a canary share, a pause. Exit code 1 when nothing is.

    \b
    Examples:
      kiitos flows held
      kiitos flows held acme-main --json
    """
    if shop:
        app.config.shop(shop)
    with app.kiitos.store.work.read() as tx:
        waiting = pace.held_counts(tx, shop or "")
        paused = pace.pauses(tx, shop or "")
    if as_json:
        print_json(
            {
                "held": [
                    {
                        "shop": one.shop_id,
                        "flow": one.flow_id,
                        "messages": one.total,
                        "since": to_text(one.since),
                        "why": one.reason,
                    }
                    for one in waiting
                ],
                "paused": [
                    {"shop": one.shop_id, "flow": one.flow_id, "since": to_text(one.at), "why": one.reason}
                    for one in paused
                ],
            }
        )
    else:
        rows = [
            (one.shop_id, one.flow_id, str(one.total), f"{one.since:%Y-%m-%d %H:%M}", one.reason) for one in waiting
        ]
        rows += [(one.shop_id, one.flow_id, "paused", f"{one.at:%Y-%m-%d %H:%M}", one.reason) for one in paused]
        print_table(rows, ("shop", "flow", "messages", "since (UTC)", "why"))
    if not waiting and not paused:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("shop")
@click.argument("flow")
@click.option("--limit", type=click.IntRange(min=1), help="So many at most, the oldest first.")
@click.option("--drop", is_flag=True, help="Drop them instead; each keeps the reason.")
@click.pass_obj
def release(app: App, shop: str, flow: str, limit: int | None, *, drop: bool) -> None:
    """Let go what is held of FLOW of SHOP, past its budget, canary share and pause.

    Consent, quiet hours, the distance between messages and the flow's own guards are asked once more before each is
    sent.

    \b
    Examples:
      kiitos flows release acme-main win-back --limit 200
      kiitos flows release acme-main win-back --drop
    """
    app.config.shop(shop)
    done = 0
    while limit is None or done < limit:
        size = min(BATCH, limit - done) if limit else BATCH
        count = again_if_moved(partial(_let_go, app, shop, flow, size, drop=drop))
        if not count:
            break
        done += count
    if not done:
        with app.kiitos.store.work.read() as tx:
            known = {one.flow_id for one in pace.held_counts(tx, shop)}
        click.echo(f"nothing of a flow '{flow}' is held in {shop}{near(flow, known)}", err=True)
        raise click.exceptions.Exit(1)
    click.echo(f"{done} messages of {flow} in {shop} {'dropped' if drop else 'released'}")


def _let_go(app: App, shop: str, flow: str, limit: int, *, drop: bool) -> int:
    kiitos = app.kiitos
    now = kiitos.clock.now()
    with kiitos.store.work.transaction() as tx:
        found = pace.held(tx, shop, flow, limit)
        for effect in found:
            if drop:
                kiitos.outbox.give_up(tx, effect, now, "not_released", "a person decided against it")
            else:
                pace.release(tx, shop, effect.id, now)
    return len(found)


@click.command()
@click.argument("shop")
@click.argument("flow")
@click.option("--reason", default="paused by hand", show_default=True, help="Shown with what is held meanwhile.")
@click.pass_obj
def pause(app: App, shop: str, flow: str, reason: str) -> None:
    """Hold the messages of FLOW of SHOP from now on. People stay where they are in it; order messages go on."""
    _known(app, shop, flow)
    with app.kiitos.store.work.transaction() as tx:
        fresh = pace.pause(tx, shop, flow, reason, app.kiitos.clock.now())
    click.echo(f"{flow} of {shop} is paused: {reason}" if fresh else f"{flow} of {shop} was paused already")


@click.command()
@click.argument("shop")
@click.argument("flow")
@click.pass_obj
def resume(app: App, shop: str, flow: str) -> None:
    """Let FLOW of SHOP go on. What was held meanwhile stays held until `kiitos flows release`."""
    app.config.shop(shop)
    with app.kiitos.store.work.transaction() as tx:
        lifted = pace.resume(tx, shop, flow)
        left = sum(one.total for one in pace.held_counts(tx, shop) if one.flow_id == flow)
    if not lifted:
        click.echo(f"{flow} of {shop} is not paused", err=True)
        raise click.exceptions.Exit(1)
    more = f"; {left} messages are held: kiitos flows release {shop} {flow}" if left else ""
    click.echo(f"{flow} of {shop} goes on{more}")


def _known(app: App, shop: str, flow: str) -> None:
    app.config.shop(shop)
    names = {each.id for each in app.catalog.flows(shop)}
    if flow not in names:
        raise click.BadParameter(f"{shop} has no flow '{flow}'{near(flow, names)}", param_hint="FLOW")

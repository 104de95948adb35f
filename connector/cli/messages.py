"""`kiitos messages`: what failed, came back or may not have arrived, and what a person decides about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.clock import to_text
from connector.model import Effect
from connector.store import channel_events, clicks, effects, entities, runs
from connector.store.channel_events import HeardRow
from connector.store.clicks import NEW, OPEN, PERSON, Click
from connector.store.db import Tx
from connector.working.intake import again_if_moved
from flows.sending import repair
from flows.sending.became import furthest
from flows.sending.telling import NOTIFY

_CAME_BACK = ("bounced", "failed", "complained", "replied")


@click.group()
def messages() -> None:
    """Look at messages and effects that failed or are uncertain; try them again, or settle them.

    \b
    Examples:
      kiitos messages list
      kiitos messages list demo-aurora --became bounced
      kiitos messages retry demo-aurora 01jd3k:confirm
      kiitos messages settle demo-aurora 01jd3k:ask --sent
    """


@messages.command("list")
@click.argument("shop", required=False)
@click.option("--status", type=click.Choice(["failed", "uncertain"]), help="Only these.")
@click.option("--became", type=click.Choice(_CAME_BACK), help="Of SHOP: what its provider told this of.")
@click.option("--limit", default=50, show_default=True, help="At most so many, newest first.")
@json_option
@click.pass_obj
def list_messages(
    app: App, shop: str | None, status: str | None, became: str | None, limit: int, as_json: bool
) -> None:
    """What waits for a person: each with its shop, order, kind, since when, why, and what became of it.

    With --became, what came back, was complained of or answered.
    """
    if shop:
        app.kiitos.config.shop(shop)
    elif became:
        raise click.UsageError("say of which shop")
    with app.kiitos.store.work.read() as tx:
        if became and shop:
            rows = channel_events.troubled(tx, shop, became, limit=limit)
            ids = dict.fromkeys(row.effect_id for row in rows)
            waiting = [effect for each in ids if (effect := effects.get(tx, shop, each)) is not None]
        else:
            waiting = effects.troubled(tx, shop or "", status or "", limit)
        found = [_told(tx, effect) for effect in waiting]
    if as_json:
        print_json(found)
        return
    names = ("shop", "id", "order", "kind", "status", "since", "became", "why")
    print_table([tuple(row[name] for name in names) for row in found], names)


@messages.command()
@click.argument("shop")
@click.argument("message")
@json_option
@click.pass_obj
def show(app: App, shop: str, message: str, as_json: bool) -> None:
    """Everything known of MESSAGE of SHOP: attempts, recipient, subject, and its flow's journal."""
    with app.kiitos.store.work.read() as tx:
        effect = _find(app, tx, shop, message)
        journal = runs.journal_of(tx, shop, effect.run_id) if effect.run_id else []
        followed = clicks.of_effect(tx, shop, message)
        heard = channel_events.of_effects(tx, shop, [effect.id]).get(effect.id, [])
        told = _told(tx, effect)
    told |= {
        "recipient": effect.recipient,
        "subject": effect.subject,
        "purpose": str(effect.purpose),
        "flow": effect.flow_id,
        "version": effect.version,
        "step": effect.step_id,
        "attempts": str(effect.attempts),
        "may_have_arrived": "yes" if effect.tainted else "no",
        "first_try": to_text(effect.first_try_at) if effect.first_try_at else "",
        "clicks": _followed(followed),
    }
    lines = [{"at": to_text(row.at), "step": row.step_id, "what": row.what, **row.detail} for row in journal]
    if as_json:
        visits = [{"at": to_text(one.at), "url": one.url, "verdict": one.verdict} for one in followed]
        print_json({**told, "clicks": visits, "journal": lines, "heard": [_heard(row) for row in heard]})
        return
    for name, value in told.items():
        click.echo(f"{name.replace('_', ' '):<17}{value}")
    for event in heard:
        said = ", ".join(f"{name} {value}" for name, value in _heard(event).items() if name != "at")
        click.echo(f"{event.at:%Y-%m-%d %H:%M:%S}  {said}")
    for row in journal:
        rest = ", ".join(f"{name} {value}" for name, value in row.detail.items())
        click.echo(f"{row.at:%Y-%m-%d %H:%M:%S}  {row.step_id or '-'}: {row.what} {rest}".rstrip())


@messages.command()
@click.argument("shop")
@click.argument("message")
@click.option("--force", is_flag=True, help="Repeat a marketing message that may have arrived.")
@click.pass_obj
def retry(app: App, shop: str, message: str, force: bool) -> None:
    """Try MESSAGE of SHOP again. Consent and the order's state are asked anew; lateness is forgiven.

    What is uncertain may arrive twice; if it is marketing it is refused without --force.
    """
    runner, now = app.kiitos.runner, app.kiitos.clock.now()
    _decide(app, shop, message, lambda tx, effect: repair.retry(tx, runner, effect, now, force=force))


@messages.command()
@click.argument("shop")
@click.argument("message")
@click.option("--sent", "outcome", flag_value="sent", help="It was carried out.")
@click.option("--not-sent", "outcome", flag_value="not-sent", help="It was not: `retry` may follow.")
@click.pass_obj
def settle(app: App, shop: str, message: str, outcome: str | None) -> None:
    """Say what became of MESSAGE of SHOP, as the mail server's log or the shop tells."""
    if outcome is None:
        raise click.UsageError("say --sent or --not-sent")
    now, sent = app.kiitos.clock.now(), outcome == "sent"
    _decide(app, shop, message, lambda tx, effect: repair.settle(tx, effect, now, sent=sent))


def _decide(app: App, shop: str, message: str, work: Callable[[Tx, Effect], repair.Answer]) -> None:
    def decide() -> repair.Answer:
        with app.kiitos.store.work.transaction() as tx:
            return work(tx, _find(app, tx, shop, message))

    answer = again_if_moved(decide)
    click.echo(f"{message}: {answer.text}", err=not answer.done)
    if not answer.done:
        raise click.exceptions.Exit(1)


def _find(app: App, tx: Tx, shop: str, message: str) -> Effect:
    app.config.shop(shop)
    effect = effects.get(tx, shop, message)
    if effect is None:
        click.echo(f"{shop} has no message '{message}'; `kiitos messages list` shows those that wait", err=True)
        raise click.exceptions.Exit(1)
    return effect


def _followed(found: Sequence[Click]) -> str:
    """How often links of a message were followed, and by whom as far as that can be told."""
    people = sum(one.verdict == PERSON for one in found)
    opened, waiting = sum(one.verdict == OPEN for one in found), sum(one.verdict == NEW for one in found)
    machines = len(found) - people - opened - waiting
    kinds = ((people, "by people"), (machines, "by machines"), (waiting, "not judged yet"), (opened, "perhaps opened"))
    return ", ".join(f"{count} {kind}" for count, kind in kinds if count)


def _heard(row: HeardRow) -> dict[str, str]:
    """What a provider told, in our word and in its own."""
    told = {
        "at": to_text(row.at),
        "heard": str(row.kind),
        "bounce": str(row.bounce or ""),
        "code": row.code,
        "from": row.channel,
        "their_word": row.raw_kind,
        "url": row.url,
        "by": "machine" if row.by_machine else "",
        "said": row.said,
    }
    return {name: value for name, value in told.items() if value}


def _told(tx: Tx, effect: Effect) -> dict[str, Any]:
    heard = channel_events.of_effects(tx, effect.shop_id, [effect.id]).get(effect.id, ())
    became, code = furthest(effect.status, heard)
    order = entities.order(tx, effect.shop_id, effect.order_id) if effect.order_id else None
    since = effect.done_at or effect.created_at
    return {
        "shop": effect.shop_id,
        "id": effect.id,
        "order": order.number if order else effect.order_id or "",
        "kind": str(effect.request.get("template") or effect.request.get("do") or effect.kind),
        "status": str(effect.status),
        "since": f"{since:%Y-%m-%d %H:%M}",
        "became": f"{became} {code}".strip() if effect.kind in ("message", NOTIFY) else "",
        "why": effect.reason,
    }

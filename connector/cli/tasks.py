"""`kiitos tasks`: what flows ask people of the merchant's to approve, and low scores that wait for somebody."""

from __future__ import annotations

import getpass
from typing import Any

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.clock import to_text
from connector.store import entities
from connector.store.db import Tx
from connector.working.intake import again_if_moved
from flows.care.tasks import LONGEST_NOTE, OpenTask, decide, open_scores, open_tasks
from flows.steps.task import APPROVED, REFUSED


@click.group()
def tasks() -> None:
    """Decide what a flow waits for: it goes on at once, and who decided stays in its journal.

    \b
    Examples:
      kiitos tasks list
      kiitos tasks approve demo-aurora 01jd3k:goodwill
      kiitos tasks refuse demo-aurora 01jd3k:goodwill --note "ordered twice by mistake"
    """


@tasks.command("list")
@click.argument("shop", required=False)
@click.option("--limit", default=100, show_default=True, help="At most so many, the most pressing first.")
@json_option
@click.pass_obj
def list_tasks(app: App, shop: str | None, limit: int, as_json: bool) -> None:
    """What is to be decided: who was asked, until when, and what it counts as without an answer.

    A low score of a survey (survey/...) waits for anybody; either answer says that somebody has taken care of it.
    """
    if shop:
        app.config.shop(shop)
    kiitos = app.kiitos
    with kiitos.store.work.read() as tx:
        waiting = open_tasks(tx, kiitos.runner, shop or "", limit)
        for each in [shop] if shop else kiitos.config.shops:
            waiting += open_scores(tx, kiitos.runner, each, kiitos.clock.now(), limit)
        found = [_told(tx, task) for task in sorted(waiting, key=lambda task: task.due)[:limit]]
    if as_json:
        print_json(found)
        return
    names = ("shop", "id", "flow", "order", "to", "until", "otherwise", "question")
    print_table([tuple(row[name] for name in names) for row in found], names)


@tasks.command()
@click.argument("shop")
@click.argument("message", metavar="TASK")
@click.option("--by", help="Who decides; without it, your name on this machine.")
@click.option("--note", default="", help=f"Why, for the journal ({LONGEST_NOTE} characters at most).")
@click.pass_obj
def approve(app: App, shop: str, message: str, by: str | None, note: str) -> None:
    """Let the flow of TASK go on with what it asked for."""
    _decide(app, shop, message, APPROVED, by, note)


@tasks.command()
@click.argument("shop")
@click.argument("message", metavar="TASK")
@click.option("--by", help="Who decides; without it, your name on this machine.")
@click.option("--note", default="", help=f"Why, for the journal ({LONGEST_NOTE} characters at most).")
@click.pass_obj
def refuse(app: App, shop: str, message: str, by: str | None, note: str) -> None:
    """Refuse what the flow of TASK asked for."""
    _decide(app, shop, message, REFUSED, by, note)


def _decide(app: App, shop: str, task_id: str, answer: str, by: str | None, note: str) -> None:
    app.config.shop(shop)
    kiitos = app.kiitos
    who = by or getpass.getuser()

    def work() -> bool:
        with kiitos.store.work.transaction() as tx:
            now = kiitos.clock.now()
            return decide(tx, kiitos.runner, shop, task_id, now, answer=answer, by=who, via="command", note=note)

    if not again_if_moved(work):
        click.echo(f"{shop} has no open task '{task_id}'; `kiitos tasks list` shows those that wait", err=True)
        raise click.exceptions.Exit(1)
    click.echo(f"{task_id}: {answer} by {who}")


def _told(tx: Tx, task: OpenTask) -> dict[str, Any]:
    order = entities.order(tx, task.shop_id, task.order_id) if task.order_id else None
    return {
        "shop": task.shop_id,
        "id": task.id,
        "flow": task.flow_id,
        "order": order.number if order else task.order_id or "",
        "to": task.to,
        "until": to_text(task.due)[:16].replace("T", " "),
        "otherwise": task.otherwise,
        "question": " ".join(task.text.split()),
    }

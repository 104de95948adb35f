"""`kiitos status`: how the installation stands, on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.clock import to_text

if TYPE_CHECKING:
    from datetime import datetime

    from connector.app import Kiitos
    from connector.watching.figures import Figures


@click.command()
@json_option
@click.pass_obj
def status(app: App, as_json: bool) -> None:
    """What waits and for how long, what waits for a person, who works, when each shop was last heard of.

    Ends with 1 when something is late or no worker is there; `kiitos doctor` says what to do.

    \b
    Examples:
      kiitos status
      kiitos status --json
    """
    from connector.watching.doctor import examine_running
    from connector.watching.figures import look
    from connector.watching.trouble import Level

    kiitos = app.kiitos
    figures = look(kiitos.store, kiitos.clock.now(), kiitos.config)
    serious = sum(one.level is Level.FAIL for one in examine_running(kiitos, slow=False))
    if as_json:
        print_json(_told(kiitos, figures, serious))
    else:
        _show(kiitos, figures)
        click.echo()
        click.echo(f"{serious} things must be put right: kiitos doctor" if serious else "all is well")
    if serious:
        raise click.exceptions.Exit(1)


def _told(kiitos: Kiitos, figures: Figures, serious: int) -> dict[str, Any]:
    """For programs: plain numbers and times."""
    return {
        "at": to_text(figures.at),
        "well": not serious,
        "workers": _processes(figures, "worker"),
        "executors": _processes(figures, "steps"),
        "oldest_due_seconds": figures.lateness.total_seconds(),
        "backlog": [{"shop": pile.shop_id, "kind": pile.kind, "items": pile.total} for pile in figures.backlog],
        **_counts(figures),
        "providers_left_alone": [{"provider": one.provider, "shop": one.shop_id} for one in figures.blocked],
        "database_bytes": figures.size,
        "backup_at": to_text(figures.backup_at) if figures.backup_at else None,
        "stream_behind_seconds": figures.behind() if figures.copied is not None else None,
        "held": str(figures.held_still.why) if figures.held_still else None,
        "shops": _shops(kiitos, figures),
    }


def _processes(figures: Figures, role: str) -> list[dict[str, str]]:
    return [
        {"host": one.host, "version": one.version, "since": to_text(one.started_at), "seen": to_text(one.seen_at)}
        for one in figures.processes
        if one.role == role
    ]


def _counts(figures: Figures) -> dict[str, int]:
    return {
        "uncertain": figures.total(figures.troubled, "uncertain"),
        "failed": figures.total(figures.troubled, "failed"),
        "dead_letters": figures.total(figures.dead, "failed"),
        "quarantined": figures.total(figures.dead, "quarantined"),
        "held": figures.total(figures.held),
        "paused_flows": len(figures.pauses),
        "suppressed": sum(figures.suppressed.values()),
    }


def _shops(kiitos: Kiitos, figures: Figures) -> list[dict[str, Any]]:
    heard = figures.last_webhooks()
    waiting: dict[str, int] = {}
    for pile in figures.backlog:
        waiting[pile.shop_id] = waiting.get(pile.shop_id, 0) + pile.total
    return [
        {
            "shop": shop.id,
            "status": str(shop.status),
            "due": waiting.get(shop.id, 0),
            "last_webhook": to_text(heard[shop.id]) if shop.id in heard else None,
        }
        for shop in figures.shops
        if shop.id in kiitos.config.shops
    ]


def _show(kiitos: Kiitos, figures: Figures) -> None:
    workers = [one for one in figures.processes if one.role == "worker"]
    seen = max((one.seen_at for one in workers), default=None)
    due = figures.total(figures.backlog)
    lines = {
        "workers": f"{len(workers)}, heard of {_ago(figures, seen)}" if workers else "none",
        **_executors(kiitos, figures),
        "due now": f"{due}, the oldest for {_span(figures.lateness.total_seconds())}" if due else "nothing",
        **{name.replace("_", " "): str(count) for name, count in _counts(figures).items()},
        "providers left alone": ", ".join(one.provider for one in figures.blocked) or "none",
        "database": f"{figures.size / 1e6:.1f} MB",
        "last backup": _ago(figures, figures.backup_at),
    }
    if figures.copied is not None:
        lines["litestream"] = _copy(figures)
    if figures.held_still:
        lines["held"] = f"{figures.held_still.why}: nothing is sent"
    for name, text in lines.items():
        click.echo(f"{name:<22}{text}")
    rows = [
        (row["shop"], row["status"], str(row["due"]), _ago(figures, figures.last_webhooks().get(row["shop"])))
        for row in _shops(kiitos, figures)
    ]
    click.echo()
    print_table(rows, ("shop", "status", "due", "last webhook"))


def _copy(figures: Figures) -> str:
    """How far Litestream's copy is behind, the part that is farthest."""
    behind = figures.behind().values()
    if not behind:
        return "does not run: nothing is copied"
    late = [seconds for seconds in behind if seconds is not None]
    return f"{_span(max(late))} behind" if len(late) == len(behind) else "has not copied everything yet"


def _executors(kiitos: Kiitos, figures: Figures) -> dict[str, str]:
    """Where steps are handed out: who does them."""
    seen = [one.seen_at for one in figures.processes if one.role == "steps"]
    if kiitos.config.app.dispatcher.kind == "inline" and not seen:
        return {}
    return {"executors": f"{len(seen)}, heard of {_ago(figures, max(seen))}" if seen else "none"}


def _ago(figures: Figures, at: datetime | None) -> str:
    return f"{_span(max((figures.at - at).total_seconds(), 0))} ago" if at else "never"


def _span(seconds: float) -> str:
    from connector.watching.trouble import span_text

    return span_text(seconds)

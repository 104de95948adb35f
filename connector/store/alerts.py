"""What is wrong with the installation, since when, and whether the operator knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.clock import from_text, to_text
from connector.store.db import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One finding. `told_at` is when the operator was told of it last, `solved_at` since when it is well again."""

    check: str
    subject: str
    since: datetime
    told_at: datetime | None = None
    solved_at: datetime | None = None


def all(tx: Tx) -> list[Alert]:  # noqa: A001 - read as alerts.all(tx)
    """The oldest first."""
    return [
        Alert(
            check=row["check_name"],
            subject=row["subject"],
            since=from_text(row["since"]),
            told_at=_time(row["told_at"]),
            solved_at=_time(row["solved_at"]),
        )
        for row in tx.all("alert_all")
    ]


def put(tx: Tx, alert: Alert) -> None:
    tx.run(
        "alert_put",
        check_name=alert.check,
        subject=alert.subject,
        since=to_text(alert.since),
        told_at=to_text(alert.told_at) if alert.told_at else None,
        solved_at=to_text(alert.solved_at) if alert.solved_at else None,
    )


def drop(tx: Tx, alert: Alert) -> None:
    tx.run("alert_drop", check_name=alert.check, subject=alert.subject)


def _time(text: str | None) -> datetime | None:
    return from_text(text) if text else None

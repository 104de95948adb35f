"""How many came how far in a flow, counted by the database: what `connector.explaining.funnel` tells of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connector import codec
from connector.clock import from_text, to_text
from connector.model import EffectStatus, RunStatus
from connector.store.db import Tx


@dataclass(frozen=True, slots=True)
class Standing:
    """Runs of one version at one step (its index), in one status for one reason. `example` is one of them."""

    version: str
    step: int
    status: RunStatus
    reason: str
    total: int
    example: str


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """Runs in which a guard said no: `what` is skipped (a step) or not_started (the flow)."""

    step_id: str
    what: str
    detail: Mapping[str, str]
    total: int
    example: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Fate:
    """Effects of one step in one status for one reason."""

    step_id: str
    status: EffectStatus
    reason: str
    total: int
    example: str
    effect_id: str


def standing(tx: Tx, shop_id: str, flow_id: str, since: datetime) -> list[Standing]:
    rows = tx.all("funnel_runs", shop_id=shop_id, flow_id=flow_id, since=to_text(since))
    return [
        Standing(row["version"], row["step"], RunStatus.of(row["status"]), row["reason"], row["total"], row["example"])
        for row in rows
    ]


def reached(tx: Tx, shop_id: str, flow_id: str, since: datetime) -> dict[str, int]:
    """Runs that came to each step, by its id."""
    rows = tx.all("funnel_reached", shop_id=shop_id, flow_id=flow_id, since=to_text(since))
    return {row["step_id"]: row["total"] for row in rows}


def turned_away(tx: Tx, shop_id: str, flow_id: str, since: datetime) -> list[TurnedAway]:
    rows = tx.all("funnel_turned_away", shop_id=shop_id, flow_id=flow_id, since=to_text(since))
    return [
        TurnedAway(
            row["step_id"],
            row["what"],
            codec.decode(row["detail"], dict[str, str]),
            row["total"],
            row["example"],
            from_text(row["at"]),
        )
        for row in rows
    ]


def fates(tx: Tx, shop_id: str, flow_id: str, since: datetime) -> list[Fate]:
    rows = tx.all("funnel_effects", shop_id=shop_id, flow_id=flow_id, since=to_text(since))
    return [
        Fate(
            row["step_id"],
            EffectStatus.of(row["status"]),
            row["reason"],
            row["total"],
            row["example"],
            row["effect_id"],
        )
        for row in rows
    ]

"""How many runs, and how many people, stand where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.model import RunStatus
from connector.store.db import Tx
from connector.store.sql import id_list


@dataclass(frozen=True, slots=True)
class UnderWay:
    """How many runs of a flow have not ended, and how many people (by address) they are about."""

    shop_id: str
    flow_id: str
    runs: int
    people: int


def under_way(tx: Tx) -> list[UnderWay]:
    """Every flow that has runs under way, of all shops."""
    return [UnderWay(row["shop_id"], row["flow_id"], row["runs"], row["people"]) for row in tx.all("run_under_way")]


@dataclass(frozen=True, slots=True)
class Standing:
    """How many runs of a flow's version stand at one step (its index) in one status, and how many people they are."""

    flow_id: str
    version: str
    step: int
    status: RunStatus
    runs: int
    people: int


def positions(tx: Tx, shop_id: str, but: Sequence[str] = ()) -> list[Standing]:
    """Where the shop's people in flight stand, those on versions of `but` left out: of a million only who has to move
    is worth counting people of. A version is a hash of its flow, so no two flows share one."""
    return [
        Standing(row["flow_id"], row["version"], row["step"], RunStatus.of(row["status"]), row["runs"], row["people"])
        for row in tx.all("run_positions", shop_id=shop_id, but=id_list(but))
    ]

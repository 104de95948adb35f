"""The `surveys` table of app.toml, layered like all settings: what is asked at which stage, and how rarely.

    [defaults.surveys]
    share = "50%"
    stages.delivery = { kind = "csat", low = 2 }
    stages.delivery.question = { en = "How was {shop}?", fi = "Miten {shop} onnistui?" }

A stage is named by the `survey` of a flow's `send` step. Nobody is asked twice within `apart`, whatever the stage, the
flow and the shop of the client; a quarter is the least.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector.config.layering import Layered
from connector.config.shapes import Check, one_of, span_fault, texts_fault, whole
from connector.config.tables import entries, key_faults, named_faults, table_faults
from connector.contracts.step import parse_span
from connector.model.survey import BANDS, CES, CSAT, NPS, SCALES, Scale

QUARTER = timedelta(days=91)
LONGEST_TEXT = 300
_SHARE = re.compile(r"\d{1,3}(\.\d+)?%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One question. `question` and the `follow_ups` of each band are by language; where a language is missing the
    product's own words are used. `{shop}` stands for the shop's name."""

    name: str
    scale: Scale
    question: Mapping[str, str] = field(default_factory=dict)
    follow_ups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


SHIPPED: Mapping[str, str] = {"order": CES, "delivery": CSAT, "sixty_days": NPS, "return": CSAT, "case": CSAT}
"""The stages that are there without a word, and their kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveys:
    """`apart`: the least time between two questions to a person; `edit_for`: how long an answer may be changed;
    `pause`: how long a low score keeps advertising away at most; `share`: the share of people who are asked at all,
    always the same ones."""

    apart: timedelta = QUARTER
    edit_for: timedelta = timedelta(days=14)
    pause: timedelta = timedelta(days=30)
    share: float = 1.0
    stages: Mapping[str, Stage] = field(
        default_factory=lambda: {name: Stage(name=name, scale=SCALES[kind]) for name, kind in SHIPPED.items()}
    )


def _quarter(value: Any) -> str:
    return span_fault(value) or (
        "" if parse_span(value) >= QUARTER else "nobody is asked more than once a quarter: write 91d or more"
    )


def _share(value: Any) -> str:
    fits = isinstance(value, str) and _SHARE.fullmatch(value) and float(value[:-1]) <= 100
    return "" if fits else 'should be a share such as "50%"'


def _score(value: Any) -> str:
    return "" if whole(value, 0, 10) else "should be a score of the scale"


def _question(value: Any) -> str:
    return texts_fault(value, LONGEST_TEXT)


_KEYS: dict[str, Check] = {"apart": _quarter, "edit_for": span_fault, "pause": span_fault, "share": _share}
_STAGE: dict[str, Check] = {"kind": one_of(*SCALES), "low": _score, "high": _score, "question": _question}


def surveys_faults(where: str, value: Any) -> list[str]:
    """All faults of one layer's table, each as `where.key: what is wrong`."""

    def of_key(place: str, key: str, item: Any) -> list[str]:
        if key == "stages":
            return named_faults(place, item, _stage_faults)
        return key_faults(place, key, item, _KEYS, ("stages",))

    return entries(where, value, of_key)


def _stage_faults(where: str, value: Any) -> list[str]:
    bands = dict.fromkeys(BANDS, _question)

    def of_key(place: str, key: str, item: Any) -> list[str]:
        if key == "follow_up":
            return table_faults(place, item, bands)
        return key_faults(place, key, item, _STAGE, ("follow_up",))

    return entries(where, value, of_key)


def read_surveys(layered: Layered, where: str, faults: list[str]) -> Surveys:
    """The checked and merged table. What only the whole can tell is noted in `faults`, with its layer's place."""
    get, shipped = layered.get, Surveys()
    if get("surveys") is None:
        return shipped

    def span(key: str, otherwise: timedelta) -> timedelta:
        return parse_span(get(f"surveys.{key}")) if get(f"surveys.{key}") else otherwise

    stages = dict(shipped.stages)
    for name, table in get("surveys.stages", {}).items():
        layer = layered.layer_of(f"surveys.stages.{name}") or where
        place = f"{'' if layer == 'app' else layer + '.'}surveys.stages.{name}"
        found = _stage(name, table, stages.get(name), place, faults)
        if found is not None:
            stages[name] = found
    return Surveys(
        apart=span("apart", shipped.apart),
        edit_for=span("edit_for", shipped.edit_for),
        pause=span("pause", shipped.pause),
        share=float(get("surveys.share", "100%")[:-1]) / 100,
        stages=stages,
    )


def _stage(name: str, table: Mapping[str, Any], before: Stage | None, place: str, faults: list[str]) -> Stage | None:
    kind = table.get("kind") or (before.scale.kind if before else "")
    if not kind:
        faults.append(f'{place}: needs kind = "csat" or another of {", ".join(SCALES)}')
        return None
    usual = SCALES[kind]
    low, high = table.get("low", usual.low), table.get("high", usual.high)
    if not usual.least <= low < high <= usual.most:
        faults.append(f"{place}: needs {usual.least} <= low < high <= {usual.most}, not low {low} and high {high}")
    return Stage(
        name=name,
        scale=Scale(kind, usual.least, usual.most, low, high),
        question=table.get("question", {}),
        follow_ups=table.get("follow_up", {}),
    )

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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector.config.layering import Layered
from connector.contracts.step import parse_span
from connector.errors import near
from connector.model.survey import BANDS, CES, CSAT, NPS, SCALES, Scale

QUARTER = timedelta(days=91)
LONGEST_TEXT = 300
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_SHARE = re.compile(r"\d{1,3}(\.\d+)?%")

Check = Callable[[Any], str]


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


def _span(value: Any) -> str:
    try:
        parse_span(value if isinstance(value, str) else "")
    except ValueError as error:
        return str(error)
    return ""


def _quarter(value: Any) -> str:
    return _span(value) or (
        "" if parse_span(value) >= QUARTER else "nobody is asked more than once a quarter: write 91d or more"
    )


def _share(value: Any) -> str:
    fits = isinstance(value, str) and _SHARE.fullmatch(value) and float(value[:-1]) <= 100
    return "" if fits else 'should be a share such as "50%"'


def _kind(value: Any) -> str:
    return "" if value in SCALES else f"should be one of {', '.join(SCALES)}{near(str(value), SCALES)}"


def _score(value: Any) -> str:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10
    return "" if fits else "should be a score of the scale"


def texts_fault(value: Any, longest: int) -> str:
    """What is wrong with a table of texts by language; empty when nothing is."""
    if not isinstance(value, Mapping) or not value:
        return 'should be a table of texts by language such as { en = "...", fi = "..." }'
    for language, text in value.items():
        if not _LANGUAGE.fullmatch(language):
            return f"'{language}' is no language; write a code such as en"
        if not isinstance(text, str) or not 0 < len(text.strip()) <= longest:
            return f"{language}: should be a text of at most {longest} letters"
    return ""


def _question(value: Any) -> str:
    return texts_fault(value, LONGEST_TEXT)


_KEYS: dict[str, Check] = {"apart": _quarter, "edit_for": _span, "pause": _span, "share": _share}
_STAGE: dict[str, Check] = {"kind": _kind, "low": _score, "high": _score, "question": _question}


def surveys_faults(where: str, value: Any) -> list[str]:
    """All faults of one layer's table, each as `where.key: what is wrong`."""
    if not isinstance(value, Mapping):
        return [f"{where}: should be a table"]
    faults: list[str] = []
    for key, item in value.items():
        if key != "stages":
            faults += _fault(f"{where}.{key}", key, item, _KEYS, ("stages",))
        elif not isinstance(item, Mapping):
            faults.append(f"{where}.stages: should be a table")
        else:
            for name, stage in item.items():
                faults += _stage_faults(f"{where}.stages.{name}", name, stage)
    return faults


def _stage_faults(where: str, name: str, value: Any) -> list[str]:
    if not _NAME.fullmatch(name):
        return [f"{where}: names are lower-case letters, digits, - and _"]
    if not isinstance(value, Mapping):
        return [f"{where}: should be a table"]
    faults: list[str] = []
    for key, item in value.items():
        if key != "follow_up":
            faults += _fault(f"{where}.{key}", key, item, _STAGE, ("follow_up",))
        elif not isinstance(item, Mapping):
            faults.append(f"{where}.follow_up: should be a table")
        else:
            bands = dict.fromkeys(BANDS, _question)
            for band, texts in item.items():
                faults += _fault(f"{where}.follow_up.{band}", band, texts, bands)
    return faults


def _fault(where: str, key: str, value: Any, keys: Mapping[str, Check], others: tuple[str, ...] = ()) -> list[str]:
    if key not in keys:
        return [f"{where}: unknown key{near(key, [*keys, *others])}"]
    fault = keys[key](value)
    return [f"{where}: {fault}"] if fault else []


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

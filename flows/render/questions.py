"""The question of a survey as a template shows it: the words, the ends of the scale, an address for each score."""

from __future__ import annotations

from connector.config.surveys import SHIPPED, Stage
from connector.model import Shop
from flows.render.cleaning import clean
from flows.render.strings import Strings


def question_table(stage: Stage, language: str, strings: Strings, shop: Shop, url: str | None) -> dict[str, object]:
    """`question` in the template's language, else the shipped words for the stage, else for its kind. Each of `scores`
    has `value` and `url`: the address prefills the score and stores nothing."""
    kind = stage.scale.kind
    name = clean(shop.name) or shop.domain
    return {
        "name": stage.name,
        "kind": kind,
        "question": (stage.question.get(language) or _shipped(stage, strings)).replace("{shop}", name),
        "scale": strings.text(f"survey.scale.{kind}"),
        "scores": [
            {"value": str(score), "url": f"{url}?score={score}" if url else None} for score in stage.scale.scores
        ],
        "most": str(stage.scale.most),
    }


def _shipped(stage: Stage, strings: Strings) -> str:
    """The words for the stage where it still asks what it was written for."""
    kind = stage.scale.kind
    fits = SHIPPED.get(stage.name) == kind
    return strings.text(f"survey.asks.{stage.name if fits else kind}")

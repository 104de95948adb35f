"""The question of a survey as a template shows it: the words, the ends of the scale, an address for each score."""

from __future__ import annotations

from contextlib import suppress

from connector.config.surveys import SHIPPED, Stage
from connector.errors import TemplateError
from connector.model import Shop
from flows.render.cleaning import clean
from flows.render.strings import Strings


def question_table(stage: Stage, language: str, strings: Strings, shop: Shop, url: str | None) -> dict[str, object]:
    """`question` in the template's language, else the shipped words for the stage, else for its kind. Each of `scores`
    has `value` and `url`: the address prefills the score and stores nothing."""
    kind = stage.scale.kind
    name = clean(shop.name) or shop.domain
    words: dict[str, object] = {}
    # A language of the shop's own may have no words for surveys: templates that ask nothing still render, and one that
    # does is told that there is no question.
    with suppress(TemplateError):
        words["question"] = (stage.question.get(language) or _shipped(stage, strings)).replace("{shop}", name)
        words["scale"] = strings.text(f"survey.scale.{kind}")
    return words | {
        "name": stage.name,
        "kind": kind,
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

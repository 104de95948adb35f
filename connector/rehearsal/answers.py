"""Answers to surveys as a rehearsal gives them: what `flows.care.surveys` would say of the same score."""

from __future__ import annotations

from collections.abc import Sequence

from connector.config.surveys import SHIPPED
from connector.errors import ConfigError
from connector.model.survey import CSAT, LOW, SCALES

AGAIN = "again"


def answered(rest: str, before: Sequence[dict[str, str]]) -> dict[str, str]:
    """The data of an answer from `[again] [nps|csat|ces] SCORE [words]`; without a scale it is one to five.

    Raises `ConfigError` for a score that is not on the scale.
    """
    words = rest.split()
    again = words[:1] == [AGAIN]
    words = words[1:] if again else words
    last = before[-1] if again and before else None
    kind = words.pop(0) if words and words[0] in SCALES else last["scale"] if last else CSAT
    score = words.pop(0) if words else str(SCALES[kind].most)
    if score not in map(str, SCALES[kind].scores):
        scale = SCALES[kind]
        raise ConfigError(f"'{score}' is no score of {kind}: write a number from {scale.least} to {scale.most}")
    band = SCALES[kind].band(int(score))
    return {
        "score": score,
        "scale": kind,
        "survey": "delivery" if kind == CSAT else next(name for name, each in SHIPPED.items() if each == kind),
        "band": band,
        "comment": " ".join(words),
        "revised": "true" if last else "false",
        "calls": "true" if band == LOW and not (last and last["band"] == LOW) else "false",
        "hold": "",
    }

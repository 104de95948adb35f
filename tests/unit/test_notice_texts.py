"""What merchants are told: each notice whole in six languages."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from connector.working.notices import LANGUAGES, texts

SCRIPT = {"ar": "\u0600-\u06ff", "ja": "\u3040-\u30ff\u4e00-\u9fff"}


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_says_everything(language: str) -> None:
    english = texts("en")
    assert texts(language).keys() == english.keys()
    for kind, parts in texts(language).items():
        assert len(parts) == len(english[kind]), kind
        for part, other in zip(parts, english[kind], strict=True):
            assert names(part) - {"app"} == names(other) - {"app"} or kind == "flow_held", (kind, part)
            # Commands are typed as they are.
            assert set(re.findall("`[^`]+`", part)) == set(re.findall("`[^`]+`", other)), (kind, part)
        assert "{shop}" in parts[0]
        assert len(parts[0]) < 90


@pytest.mark.parametrize("language", ["ar", "ja"])
def test_no_sentence_is_left_in_another_script(language: str) -> None:
    for kind, parts in texts(language).items():
        for part in parts:
            words = re.sub(r"\{\w+\}|`[^`]+`", "", part)
            assert not words.strip() or re.search(f"[{SCRIPT[language]}]", words), (kind, part)
            assert not re.search("[A-Za-z]{3,}", words), (kind, part)

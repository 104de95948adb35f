"""Parts of an SMS against a second, slower count, and what folding may and may not change."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.model import Money
from flows.render.sms import GSM, UCS2, fold, segments

LETTERS = st.text(st.sampled_from("aÅñ€[}^~|\\ş😀あ\n@Δ \u00a0"), max_size=400)
PLAIN = st.text(st.sampled_from("aÅñ€[}^~|\\\n@Δ"), max_size=500)


def parts_of(text: str, encoding: str) -> list[str]:
    """The text cut as a phone would get it: greedily, characters whole."""
    single, joined = {GSM: (160, 153), UCS2: (70, 67)}[encoding]

    def weight(piece: str) -> int:
        if encoding == UCS2:
            return len(piece.encode("utf-16-be")) // 2
        return sum(2 if each in "\f^{}\\[~]|€" else 1 for each in piece)

    if weight(text) <= single:
        return [text] if text else []
    found = [""]
    for each in text:
        if weight(found[-1] + each) > joined:
            found.append("")
        found[-1] += each
    return found


@settings(max_examples=200)
@given(LETTERS | PLAIN)
def test_the_count_agrees_with_cutting_it_up(text: str) -> None:
    found = segments(text)
    assert (found.encoding == GSM) == (not set(text) & set("ş😀あ\u00a0"))
    assert found.parts == len(parts_of(text, found.encoding))
    assert "".join(parts_of(text, found.encoding)) == text


@pytest.mark.parametrize(
    ("text", "encoding", "parts"),
    [
        ("x" * 160, GSM, 1),
        ("x" * 161, GSM, 2),
        ("x" * 306, GSM, 2),
        ("x" * 307, GSM, 3),
        ("€" * 80, GSM, 1),
        ("x" * 152 + "€" + "x" * 152, GSM, 3),  # the euro sign goes whole into the second part
        ("あ" * 70, UCS2, 1),
        ("あ" * 71, UCS2, 2),
        ("あ" * 134, UCS2, 2),
        ("😀" * 35, UCS2, 1),
        ("あ" * 66 + "😀" + "あ" * 66, UCS2, 3),
        ("á", UCS2, 1),
        ("åäöéñü", GSM, 1),
    ],
)
def test_where_the_borders_are(text: str, encoding: str, parts: int) -> None:
    found = segments(text)
    assert (found.encoding, found.parts) == (encoding, parts)


def test_a_no_break_space_alone_makes_it_dear_and_folding_cheap_again() -> None:
    written = "Tilauksesi 1\u00a0234,50\u00a0€ \u2013 \u201dkiitos\u201d" + "a" * 80
    assert (segments(written).parts, segments(fold(written)).parts) == (2, 1)
    assert segments(written).dear == "\u00a0\u2013\u201d"


def test_what_stays_in_another_script_keeps_its_typography() -> None:
    assert fold("ご注文 \u201c1\u201d…") == "ご注文 \u201c1\u201d…"
    assert fold("سعر\u00a0\u200f10") == "سعر \u200f10", "marks of direction matter there"


@settings(max_examples=200)
@given(LETTERS)
def test_folding_never_makes_it_dearer_and_is_done_once(text: str) -> None:
    folded = fold(text)
    assert segments(folded).parts <= segments(text).parts
    assert fold(folded) == folded


def test_cost() -> None:
    assert segments("x" * 161).cost(Money(Decimal("0.07"), "EUR")) == Money(Decimal("0.14"), "EUR")
    assert segments("x").cost(None) is None

"""What keeps a review back: its words. Never its stars, whichever way a rule might come to see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.config.reviews import ReviewSettings, review_faults
from flows.reviews import moderation
from flows.reviews.moderation import Words, reasons_to_hold, video_fault

RULES = ReviewSettings(words={"fi": ("kasino*", "huijaus"), "ja": ("詐欺",), "any": ("bitcoin",)})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Katso https://example.com/x", "link"),
        ("www.example.test on parempi", "link"),
        ("halvemmalla: kauppa-x.com/alennus", "link"),
        ("Soita 040 123 4567", "personal"),
        ("ring +46 70 123 45 67", "personal"),
        ("liisa.k@example.com vastaa", "personal"),
        ("liisa(at)example.com", "personal"),
        ("FI21 1234 5600 0007 85", "personal"),
        ("4111 1111 1111 1111", "personal"),
        ("Tämä on HUIJAUS.", "word"),
        ("kasinolla näin parempia", "word"),
        ("ＢＩＴＣＯＩＮ", "word"),
        ("bit\u200bcoin", "word"),
    ],
)
def test_what_a_person_should_look_at(text: str, reason: str) -> None:
    assert reasons_to_hold(Words(text=text, language="fi-FI"), RULES) == (reason,)


@pytest.mark.parametrize(
    "text",
    [
        "Hyvä.Mutta kallis, 12.50 € ja 3,5/5.",
        "Kesti 2.5.2024-4.6.2024, koko 42, malli 1001.",
        "Tilaus 1234567890 tuli ajoissa.",
        "Maksoi 1 299,00 euroa, 180x200 cm.",
        "huijauskin on eri sana, ja kasi noteerattu",
        "FI21 1234 5600 0007 86 ei ole tilinumero",
        "1234 5678 9012 3456",
        "",
    ],
)
def test_what_nobody_needs_to_look_at(text: str) -> None:
    assert reasons_to_hold(Words(text=text, language="fi"), RULES) == ()


def test_words_belong_to_a_language_and_are_found_where_it_has_no_spaces() -> None:
    assert reasons_to_hold(Words(text="これは詐欺です", language="ja"), RULES) == ("word",)
    assert reasons_to_hold(Words(text="これは詐欺です", language="fi"), RULES) == ()
    assert reasons_to_hold(Words(text="huijaus", language="sv"), RULES) == ()


def test_each_rule_can_be_switched_off() -> None:
    off = ReviewSettings(hold_links=False, hold_personal=False, hold_repeated=False)
    said = Words(text="https://example.com 040 123 4567", repeated=True)
    assert reasons_to_hold(said, RULES) == ("link", "personal", "repeated")
    assert reasons_to_hold(said, off) == ()


def seen_by_stars(judge: Callable[[str, int], tuple[str, ...]], text: str) -> set[tuple[str, ...]]:
    return {judge(text, rating) for rating in (1, 2, 3, 4, 5)}


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_the_verdict_is_the_same_whatever_the_stars(text: str) -> None:
    def judge(words: str, rating: int) -> tuple[str, ...]:
        del rating  # there is no way to hand it over
        return reasons_to_hold(Words(text=words), RULES)

    assert len(seen_by_stars(judge, text)) == 1
    assert not {"rating", "stars"} & set(Words.__dataclass_fields__), "a rule could see the stars"


def test_a_rule_by_stars_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: somebody smuggles the stars into the words and adds a rule that reads them there."""
    planted = {**moderation.RULES, "unhappy": lambda words, _: words.title.startswith(("1/5", "2/5"))}
    monkeypatch.setattr(moderation, "RULES", planted)

    def judge(words: str, rating: int) -> tuple[str, ...]:
        return reasons_to_hold(Words(text=words, title=f"{rating}/5"), RULES)

    assert len(seen_by_stars(judge, "Hyvä.")) == 2


@pytest.mark.parametrize("key", ["min_rating", "hold_below_stars", "publish_from_score", "rating", "hold_rating"])
def test_no_setting_holds_reviews_for_their_stars(key: str) -> None:
    assert review_faults("reviews", {key: 3}) == [
        f"reviews.{key}: reviews are never held back for their stars; remove this line"
    ]


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"again_after": "4000d"}, "reviews.again_after: should be at most 3650d"),
        ({"publish_after": "30d"}, "reviews.publish_after: should be at most 14d: what nobody sees helps nobody"),
        ({"publish_after": 5}, "reviews.publish_after: empty span"),
        ({"photos": 5}, "reviews.photos: should be a whole number from 0 to 4"),
        ({"hold_link": True}, "reviews.hold_link: unknown key; did you mean 'hold_links'?"),
        ({"in_shop": "draft"}, "reviews.in_shop: should be one of published, held"),
        ({"words": {"fi": "kasino"}}, "reviews.words: fi should be a list of words"),
        ({"words": {"suomi1": []}}, 'reviews.words: "suomi1" is no language; write en = [...], or any = [...] for all'),
        ({"video_hosts": ["https://youtu.be"]}, "reviews.video_hosts: should be a list of host names such as"),
        ("all", "reviews: should be a table"),
    ],
)
def test_faults_name_the_place(table: Any, fault: str) -> None:
    (found,) = review_faults("reviews", table)
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("https://youtu.be/abc", ""),
        ("https://YouTu.be/abc", ""),
        ("http://youtu.be/abc", "https"),
        ("javascript:alert(1)", "https"),
        ("https://youtu.be@evil.example/abc", "https"),
        ("https://youtu.be:8443/", "https"),
        ("https://evil.example/youtu.be", "host"),
        ("https://youtu.be.evil.example/", "host"),
        ("https://[", "https"),
        ("//youtu.be/x", "https"),
    ],
)
def test_videos_are_links_to_hosts_that_are_allowed(address: str, fault: str) -> None:
    assert video_fault(address, ReviewSettings()) == fault

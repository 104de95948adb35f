"""Six languages: each core template whole in each, by the rules of the language, with every kind of order."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

from connector.model import Customer
from flows.render import mjml
from flows.render.check import MAX_HTML, purpose_of
from flows.render.context import template_context
from flows.render.locales import direction
from flows.render.renderer import Renderer
from flows.render.samples import five_lines, samples

RENDERER = Renderer()
SHIPPED = ("ar", "de", "en", "fi", "ja", "sv")
NEW = ("ar", "de", "ja", "sv")
CARE = ("case_", "survey_", "loyalty_survey", "loyalty_perk")
CORE = [
    name
    for name in RENDERER.names()
    if name.startswith(("order_", "shipment_", "payment_", "review_", "referral_", "return_", *CARE))
]
KINDS = ("five_lines", "guest", "nameless", "fifty_lines", "refunded", "arabic", "japanese", "hostile", "two_parcels")
EACH = pytest.mark.parametrize("name", CORE)
BOTH = pytest.mark.parametrize("language", NEW)
SCRIPT = {"ar": "\u0600-\u06ff", "ja": "\u3040-\u30ff\u4e00-\u9fff"}


def view(sample: str, name: str, language: str):
    return replace(samples()[sample], locale=language, purpose=purpose_of(name))


def test_every_core_template_is_written_in_six_languages():
    assert tuple(RENDERER.languages()) == SHIPPED
    assert len(CORE) == 26
    assert {
        (name, language) for name in CORE for language in SHIPPED if RENDERER.language(name, language) != language
    } == set()


@EACH
@BOTH
def test_each_is_fit_fast_and_right_for_every_kind_of_order(name, language):
    """Rendered once, looked at in many ways."""
    prepared = RENDERER.prepared(name, language)
    assert prepared.compiled
    for kind in KINDS:
        context = template_context(view(kind, name, language), language, prepared.strings)
        parts = prepared.render(context)
        assert mjml.normalised(parts.html) == mjml.normalised(prepared.html_by_rule(context)), kind
        assert len(parts.html.encode()) < MAX_HTML, kind
        assert parts.subject, kind
        assert kind == "hostile" or not re.search(
            r"None|Liquid error|kq7x|\{[{%]|\\u\{", parts.subject + parts.html + parts.text
        ), kind
        assert "<script" not in parts.html, kind
        for href in re.findall(r'href="([^"]*)"', parts.html):
            assert unescape(href).removeprefix("mailto:") in parts.text, (kind, href)
            assert href.startswith(("https://", "mailto:")), (kind, href)
        assert f'lang="{language}"' in parts.html
        assert f'dir="{direction(language)}"' in parts.html


@EACH
@pytest.mark.parametrize("language", ["ar", "ja"])
def test_no_sentence_is_left_in_another_script(name, language):
    texts = RENDERER.texts(name, language)
    assert texts
    for key, text in texts.items():
        words = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", "", text)
        bare = words.strip() == "" and "{{" in text  # the question of a survey, which has words of its own
        assert bare or re.search(f"[{SCRIPT[language]}]", words), key
        assert not re.search("[A-Za-z]{3,}", words), (key, words)


def test_german_is_formal():
    for name in CORE:
        for key, text in RENDERER.texts(name, "de").items():
            assert not re.search(r"\b([Dd]u|[Dd]ein\w*|[Dd]ir|[Dd]ich)\b", text), (name, key)
    parts = RENDERER.parts("order_confirmation", view("five_lines", "order_confirmation", "de"))
    assert "Vielen Dank für Ihre Bestellung, <bdi>Aino Mäkinen</bdi>!" in parts.html


def test_japanese_greets_by_family_name():
    parts = RENDERER.parts("order_confirmation", view("japanese", "order_confirmation", "ja"))
    assert "<bdi>山田</bdi>様、ご注文ありがとうございます" in parts.html
    assert "花子様" not in parts.text
    assert "￥" in parts.text or "¥" in parts.text
    guest = RENDERER.parts("order_confirmation", view("guest", "order_confirmation", "ja"))
    assert "様、ご注文" not in guest.text


def test_arabic_runs_from_the_right_and_keeps_numbers_apart():
    parts = RENDERER.parts("order_confirmation", view("five_lines", "order_confirmation", "ar"))
    assert "<bdi>#1042</bdi>" in parts.html
    assert "text-align:right" in parts.html
    assert 'align="left"' in parts.html  # prices stand on the other side
    assert "padding-right:12px" in parts.html
    assert "direction:ltr" not in parts.html  # columns are mirrored: the price stands left of the name


def test_arabic_vowel_signs_reach_a_screen_reader():
    """mjml-python alone writes them as `\\u{64f}` into the label."""
    prepared = RENDERER.prepared("order_cancelled", "ar")
    context = template_context(view("five_lines", "order_cancelled", "ar"), "ar", prepared.strings)
    prepared.render(context)
    assert 'aria-label="أُلغي طلبكم #1042"' in prepared.html_by_rule(context)


@pytest.mark.parametrize(
    ("language", "name"), [("de", "Aino Mäkinen"), ("ja", "Mäkinen"), ("fi", "Aino"), ("sv", "Aino"), ("ar", "Aino")]
)
def test_how_a_person_is_addressed(language, name):
    strings = RENDERER.prepared("order_confirmation", language).strings
    order = five_lines().order
    assert template_context(five_lines(), language, strings)["greeting_name"] == name
    nobody = replace(five_lines(), order=None, customer=None, recipient_name="Aino")
    assert template_context(nobody, language, strings)["greeting_name"] == "Aino"
    assert order is not None
    unnamed = replace(five_lines(), customer=Customer(id="c9"), order=replace(order, customer=None))
    assert template_context(unnamed, language, strings)["greeting_name"] == name  # the parcel's


def test_plurals_follow_the_language():
    strings = RENDERER.prepared("order_confirmation", "ar").strings
    told = [strings.text("order.count", {"count": count}) for count in (0, 1, 2, 3, 11, 100)]
    assert len(set(told)) == 6

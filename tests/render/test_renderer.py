"""The renderer as the rest of the product uses it: languages, headers, merchants' own templates and their faults."""

from __future__ import annotations

import email
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.errors import TemplateError
from connector.model import Purpose
from flows.render.headers import headers_for
from flows.render.locales import choose_locale, direction, format_locale, locale_chain
from flows.render.renderer import Renderer
from flows.render.samples import samples

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
VIEW = samples()["five_lines"]
TOP = "---\nsubject: {{ order.number }}\npreheader: hi\n---\n"
OPEN, CLOSE = "<mjml><mj-body><mj-section><mj-column>", "</mj-column></mj-section></mj-body></mjml>"
MJML = f"{OPEN}<mj-text>%s</mj-text>{CLOSE}"


def render(renderer: Renderer, view=VIEW, template="order_confirmation", **more):
    headers = headers_for(view.purpose, view.shop, view.links.get("unsubscribe"), template=template)
    options = {
        "key": "k1", "sender": "Aamu <kauppa@aamu.example.com>", "reply_to": None, "recipient": "aino@example.com",
        "recipient_name": "Aino Mäkinen", "headers": headers, "at": AT, **more,
    }  # fmt: skip
    return renderer.render(template, view, **options)


def own(tmp_path: Path, body: str, *, text: str | None = None, name: str = "own", front: str = TOP) -> Renderer:
    folder = tmp_path / "en"
    folder.mkdir(exist_ok=True)
    (folder / "strings.json").write_text('{"a": "A"}', "utf-8")
    (folder / f"{name}.mjml.liquid").write_text(front + body, "utf-8")
    if text is not None:
        (folder / f"{name}.txt.liquid").write_text(text, "utf-8")
    return Renderer(tmp_path)


def test_the_bytes_hold_what_was_rendered():
    rendered = render(Renderer())
    message = email.message_from_bytes(rendered.mime_bytes)
    plain, rich = message.get_payload()
    assert plain.get_payload(decode=True).decode() == rendered.text
    assert rich.get_payload(decode=True).decode() == rendered.html
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"] is None
    assert message["Feedback-ID"] == "order_confirmation:demo:transactional:kiitos"
    assert render(Renderer()).mime_bytes == rendered.mime_bytes


def test_marketing_can_be_left_with_one_click():
    view = replace(VIEW, purpose=Purpose.REVIEW)
    message = email.message_from_bytes(render(Renderer(), view, "review_request").mime_bytes)
    assert message["List-Unsubscribe"].replace("\r\n", "").strip() == "<https://mail.example.com/unsubscribe/t0ken>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Id"] == "<review.aamu.example.com>"
    assert message["Precedence"] == "bulk"
    assert message["Auto-Submitted"] is None


def test_headers_and_purpose_must_agree():
    view = replace(VIEW, purpose=Purpose.REVIEW)
    marketing = headers_for(Purpose.REVIEW, VIEW.shop, "https://mail.example.com/u/1")
    with pytest.raises(TemplateError, match="never carries"):
        render(Renderer(), headers=marketing)
    with pytest.raises(TemplateError, match="List-Unsubscribe only"):
        render(Renderer(), view, "review_request", headers={})
    with pytest.raises(TemplateError):
        headers_for(Purpose.MARKETING, VIEW.shop, "javascript:alert(1)")
    plain = headers_for(Purpose.MARKETING, VIEW.shop, "http://mail.example.com/u")
    assert "List-Unsubscribe-Post" not in plain  # RFC 8058 wants https
    local = headers_for(Purpose.MARKETING, VIEW.shop, "http://127.0.0.1:5000/u")
    assert "List-Unsubscribe-Post" in local
    thread = headers_for(Purpose.TRANSACTIONAL, VIEW.shop, thread="<k0@aamu.example.com>")
    assert thread["References"] == thread["In-Reply-To"] == "<k0@aamu.example.com>"


def test_a_message_that_needs_consent_is_not_made_without_its_link(tmp_path):
    view = replace(VIEW, purpose=Purpose.MARKETING)
    with pytest.raises(TemplateError, match=r"links[.]unsubscribe"):
        Renderer().parts("review_request", replace(view, links={"review": "https://x.example/r"}))
    with pytest.raises(TemplateError, match=r"links[.]unsubscribe"):
        own(tmp_path, MJML % "no link here").parts("own", view)


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (("fi-FI", "en"), "fi-FI"), (("FI_fi",), "fi-FI"), (("en-GB",), "en-GB"), (("ar", None, "fi"), "fi"),
        (("zh-TW", "en_US.UTF-8"), "en-US"), ((None, "", "nonsense!"), "en"), (("tlh", "fi"), "fi"), ((), "en"),
    ],
)  # fmt: skip
def test_the_first_source_whose_language_we_have_decides(sources, expected):
    assert choose_locale(*sources) == expected


def test_locale_names_of_both_platforms():
    assert locale_chain("zh-TW")[0] == "zh-Hant-TW"
    assert locale_chain("iw")[-1] == "he"
    assert locale_chain("de_DE_formal")[-1] == "de"
    assert locale_chain("no")[-1] == "nb"
    assert locale_chain("x\r\ny") == []
    assert choose_locale("nb-NO", available=("nb",)) == "nb-NO"
    assert (direction("ar"), direction("fi"), direction("he")) == ("rtl", "ltr", "rtl")
    assert format_locale("en-GB", "en") == "en_GB"
    assert format_locale("ar", "en") == "en"


def test_a_missing_language_falls_back_whole():
    view = replace(samples()["arabic"], purpose=Purpose.LOYALTY)
    parts = Renderer().parts("loyalty_welcome", view)
    assert parts.subject.startswith("Tervetuloa")  # the shop's language
    assert 'dir="ltr"' in parts.html
    assert "<bdi>ليلى</bdi>" in parts.html
    assert not re.search("[\u0600-\u06ff]", parts.html.replace("ليلى", "").replace("حداد", ""))
    english = replace(view, shop=replace(view.shop, locale="xx"))
    assert Renderer().parts("loyalty_welcome", english).subject.startswith("Welcome")


def test_a_right_to_left_language_turns_the_page_round(tmp_path):
    folder = tmp_path / "ar"
    folder.mkdir()
    (folder / "strings.json").write_text("{}", "utf-8")
    body = MJML.replace("<mj-text>", '<mj-text align="{{ align }}">').replace("<mjml>", '<mjml dir="{{ dir }}">')
    (folder / "own.mjml.liquid").write_text(TOP + body % "{{ order.number | bdi }} {{ align_end }}", "utf-8")
    parts = Renderer(tmp_path).parts("own", samples()["arabic"])
    assert 'dir="rtl"' in parts.html
    assert "text-align:right" in parts.html
    assert "</bdi> left" in parts.html


def test_a_merchants_template_without_a_text_twin(tmp_path):
    body = MJML % "<p>Hei {{ first_name }}</p><a href='{{ links.shop }}'>Shop</a>{{ 'a' | t }}"
    renderer = own(tmp_path, body)
    assert renderer.check_template("own", "en") == []
    parts = renderer.parts("own", VIEW)
    assert "Hei Aino" in parts.text
    assert "Shop <https://aamu.example.com>" in parts.text
    assert "<p>" not in parts.text


def test_what_cannot_be_compiled_first_is_rendered_by_the_rule(tmp_path):
    # MJML adds styles to the head when there is an mj-image: not the same with and without a logo.
    image = '{% if shop.logo_url %}<mj-image src="{{ shop.logo_url }}" />{% endif %}'
    renderer = own(tmp_path, f"{OPEN}{image}<mj-text>{{{{ order.number }}}}</mj-text>{CLOSE}")
    assert not renderer.prepared("own", "en").precompiled
    assert "#1042" in renderer.parts("own", VIEW).html
    assert "mj-full-width-mobile" not in renderer.parts("own", VIEW).html
    assert "mj-full-width-mobile" in renderer.parts("own", samples()["with_logo"]).html


@pytest.mark.parametrize(
    ("body", "fault", "line"),
    [
        ("{{ order.nmae }}", "'order' has no 'nmae'; did you mean", 5),
        ("{% if ordr %}{% endif %}", "no variable 'ordr'; did you mean 'order'?", 5),
        ("\n{% if order.shiping_address %}x{% endif %}", "'order' has no 'shiping_address'", 6),
        ("{{ order.number | monye }}", "unknown filter 'monye'", 5),
        ("{% if order %}", "endif", 0),
        ("{{ 'b' | t }}", "no text 'b'", 0),
        ("{{ shipment.carrier | date: 'x' | money }}", "expected money", 5),
        ("<mj-txt>x</mj-txt>", "MJML has no element <mj-txt>; did you mean 'mj-text'?", 0),
        ("<br>", "write elements closed, as <br/>", 0),
        ("{% include 'shared/x' %}", "no piece", 0),
    ],
)
def test_a_fault_is_found_when_the_template_is_saved(tmp_path, body, fault, line):
    errors = own(tmp_path, MJML % body).check_template("own", "en")
    assert any(fault in str(error) for error in errors) or "include" in body
    assert errors
    if line:
        assert {(error.where, error.line) for error in errors} == {("en/own.mjml.liquid", line)}


def test_a_fault_in_a_piece_names_the_piece(tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "piece.mjml.liquid").write_text("<mj-text>\n{{ nope }}\n</mj-text>\n", "utf-8")
    body = OPEN + "\n{% include 'shared/piece' %}\n" + CLOSE
    errors = own(tmp_path, body).check_template("own", "en")
    assert {(error.where, error.line) for error in errors} == {("shared/piece.mjml.liquid", 2)}


def test_too_much_html_no_subject_and_no_unsubscribe_are_faults(tmp_path):
    big = own(tmp_path, MJML % ("x" * 60_000 + "{{ shop.name }}" + "y" * 3000)).check_template("own", "en")
    assert big == []
    huge = MJML % ("{% for line in order.lines %}" + "x" * 3000 + "{% endfor %}")
    assert any("KB of HTML" in str(error) for error in own(tmp_path, huge).check_template("own", "en"))
    empty = own(tmp_path, MJML % "x", front="---\nsubject: {{ order.note }}\n---\n").check_template("own", "en")
    assert any("subject is empty" in str(error) for error in empty)
    review = own(tmp_path, MJML % "x", name="review_own").check_template("review_own", "en")
    assert any("links.unsubscribe" in str(error) for error in review)


@pytest.mark.parametrize(
    ("name", "fault"), [("nope", "no such template"), ("../../etc/passwd", "a template's name"), ("", "name")]
)
def test_a_name_that_is_none(name, fault):
    with pytest.raises(TemplateError, match=fault):
        Renderer().parts(name, VIEW)


@pytest.mark.parametrize("front", ["", "---\nsubjet: x\n---\n", "---\npreheader: x\n---\n"])
def test_front_matter_is_required_and_checked(tmp_path, front):
    assert own(tmp_path, MJML % "x", front=front).check_template("own", "en")


def test_mjml_that_would_crash_the_compiler_never_reaches_it():
    from flows.render import mjml

    for source in (
        "<mj-a>" * 50_000,
        "<mjml><mj-body>" + "<div>" * 200 + "</div>" * 200 + "</mj-body></mjml>",
        "<mjml>" + "x" * 600_000 + "</mjml>",
        '<!DOCTYPE x [<!ENTITY a "aaaa">]><mjml>&a;</mjml>',
        "<mjml><mj-body><mj-include path='/etc/hostname' /></mj-body></mjml>",
    ):
        with pytest.raises(TemplateError):
            mjml.to_html(source, "t")
    assert "&nbsp;" in mjml.to_html(MJML % "a&nbsp;b", "t") or "\u00a0" in mjml.to_html(MJML % "a&nbsp;b", "t")


def test_a_receipt_goes_out_without_a_misspelt_name_and_says_so(tmp_path):
    renderer = own(tmp_path, MJML % "A{{ order.nmae }}B", text="A{{ order.nmae }}B {{ links.unsubscribe }}")
    rendered = render(renderer, template="own")
    assert "AB" in rendered.html
    assert "AB" in rendered.text
    assert rendered.fault.startswith("en/own.mjml.liquid:5:")
    with pytest.raises(TemplateError, match="nmae"):
        render(renderer, replace(VIEW, purpose=Purpose.MARKETING), "own")
    assert render(Renderer()).fault == ""


def test_a_receipt_with_another_fault_is_not_sent(tmp_path):
    with pytest.raises(TemplateError, match="expected money"):
        render(own(tmp_path, MJML % "{{ order.number | money }}"), template="own")

"""One table re-brands every template; what cannot be read is refused; a shop's own folders go before ours."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from connector.config.brands import read_brand, read_folders
from connector.errors import TemplateError
from connector.model import Brand, Palette
from flows.render.check import purpose_of
from flows.render.context import template_context
from flows.render.inspection import inspect
from flows.render.renderer import Renderer
from flows.render.samples import samples
from flows.render.sources import SHIPPED, Sources

BRAND = {
    "logo_url": "https://aamu.example.com/logo.png",
    "logo_width": 180,
    "accent": "#FFD60A",
    "font": "Georgia,'Times New Roman',serif",
    "corners": 0,
    "light": {"page": "#fdf6e3", "card": "#fffdf5"},
    "dark": {"card": "#101418"},
    "signature": {"fi": "Terveisin\nAamun väki", "en": "Yours,\nthe people of Aamu"},
    "note": "A shop of the Aamu family.",
    "legal": ["Aamu & Ilta Oy", "Business id 0000000-0"],
    "social": {"Instagram": "https://social.example.com/aamu"},
    "voice": {"en": {"order_confirmation.title": "Yay{% if first_name %}, {{ first_name | bdi }}{% endif %}!"}},
}


def read(table: object, faults: list[str] | None = None) -> Brand:
    noted: list[str] = [] if faults is None else faults
    brand = read_brand({"brands": {"aamu": table}}, Path("/nowhere"), "aamu", "clients.x", noted)
    assert noted == [] or faults is not None
    return brand


def parts(brand: Brand, name: str = "order_confirmation", language: str = "en"):
    renderer = Renderer().under((), brand)
    view = replace(samples()["five_lines"], locale=language, purpose=purpose_of(name), brand=brand)
    return renderer.parts(name, view)


def test_one_table_changes_the_look_and_the_words_of_a_message():
    made = parts(read(BRAND))
    for there in ("logo.png", "width:180px", "#ffd60a", "Georgia", "#fdf6e3", "#fffdf5", "#101418",
                  "Yay, <bdi>Aino</bdi>!", "the people of Aamu", "A shop of the Aamu family.", "Business id",
                  "social.example.com/aamu"):  # fmt: skip
        assert there in made.html, there
    for gone in ("#f2f2f7;", "border-radius:12px", "Segoe", "Esimerkkikatu 1", "Thank you for your order", "theme."):
        assert gone not in made.html, gone
    for there in ("the people of Aamu", "Business id", "Instagram: https://social.example.com/aamu", "Yay, Aino!"):
        assert there in made.text, there
    assert "Aamun väki" not in made.html  # the Finnish signature is not an English one


@pytest.mark.parametrize("name", ["order_confirmation", "review_request", "shipment_shipped", "loyalty_survey"])
def test_a_branded_message_is_as_fast_readable_and_right_as_ours(name):
    brand = read({key: value for key, value in BRAND.items() if key != "voice"})
    renderer = Renderer().under((), brand)
    prepared = renderer.prepared(name, "en")
    assert prepared.compiled
    view = replace(samples()["five_lines"], locale="en", purpose=purpose_of(name), brand=brand)
    context = template_context(view, "en", prepared.strings)
    made = prepared.render(context)
    assert made.html.split() == prepared.html_by_rule(context).split() or len(made.html) > 5000
    assert [finding.message for finding in inspect(made) if finding.serious] == []


def test_buttons_stay_readable_on_any_colour():
    for accent, ink in (("#ffd60a", "#000000"), ("#1f5c4d", "#ffffff"), ("#777777", "#000000")):
        made = parts(read({"accent": accent}))
        button = re.search(r'<a href="[^"]*order_status[^"]*"[^>]*style="([^"]*)"', made.html)
        assert button
        assert f"color:{ink}" in button[1]
        assert accent in button[1]


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"accent": "red"}, "brands.aamu.accent: should be a colour"),
        ({"acent": "#ffffff"}, "brands.aamu.acent: unknown key; did you mean 'accent'?"),
        ({"font": "x;}</style><script>"}, "brands.aamu.font: should be a font stack"),
        ({"logo_url": "javascript:alert(1)"}, "brands.aamu.logo_url: should be a whole address"),
        ({"light": {"muted": "#cccccc"}}, "brands.aamu.light.muted: cannot be read on card"),
        ({"dark": {"text": "#222222"}}, "brands.aamu.dark.text: cannot be read on card"),
        ({"light": {"papre": "#cccccc"}}, "brands.aamu.light.papre: unknown key"),
        ({"voice": {"en": {"title": "x"}}}, "brands.aamu.voice.en: should be texts by name"),
        ({"social": {"X": "ftp://x"}}, "brands.aamu.social.X: should be a whole address"),
        ({"corners": 400}, "brands.aamu.corners: should be a whole number of pixels from 0 to 40"),
        ("red", "brands.aamu: should be a table"),
    ],
)
def test_a_brand_that_would_break_messages_is_refused(table, fault):
    faults: list[str] = []
    read(table, faults)
    assert any(found.startswith(fault) for found in faults), faults


def test_a_brand_of_its_own_file(tmp_path):
    (tmp_path / "brands").mkdir()
    (tmp_path / "brands" / "ilta.toml").write_text('accent = "#112233"\n', "utf-8")
    faults: list[str] = []
    assert read_brand({}, tmp_path, "ilta", "defaults", faults).accent == "#112233"
    assert faults == []
    read_brand({}, tmp_path, "iltaa", "defaults", faults)
    read_brand({}, tmp_path, "../ilta", "defaults", faults)
    assert "did you mean 'ilta'?" in faults[0]
    assert len(faults) == 2


def test_an_unknown_colour_of_the_theme_is_named(tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "top.mjml.liquid").write_text("<mjml>\n{{ theme.crad }}", "utf-8")
    with pytest.raises(TemplateError, match=r"shared/top.mjml.liquid:2:1: no theme.crad; did you mean 'card'"):
        Sources(own=(tmp_path,)).load("order_confirmation", "en")


def test_shops_with_the_same_look_share_what_was_prepared():
    renderer = Renderer()
    assert renderer.under((), Brand()) is renderer
    first, again = renderer.under((), read(BRAND)), renderer.under((), read(dict(BRAND)))
    assert first is again
    assert renderer.under((), read({"accent": "#000000"})) is not first


OWN = "---\nsubject: Own {{ order.number }}\npreheader: p\n---\n"
MJML = OWN + "<mjml><mj-body><mj-section><mj-column>\n%s\n</mj-column></mj-section></mj-body></mjml>"


def own(folder: Path, where: str, text: str) -> Path:
    path = folder / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_the_first_folder_that_has_a_file_wins(tmp_path):
    shop, house = tmp_path / "shop", tmp_path / "house"
    own(shop, "en/order_confirmation.mjml.liquid", MJML % "<mj-text>shop's</mj-text>")
    own(house, "order_confirmation.mjml.liquid", MJML % "<mj-text>house's</mj-text>")
    own(house, "fi/texts.json", json.dumps({"order_refunded": {"title": "Rahat tulevat"}}))
    renderer = Renderer(own=(shop, house))
    view = samples()["five_lines"]
    assert "shop's" in renderer.parts("order_confirmation", replace(view, locale="en")).html
    assert "house's" in renderer.parts("order_confirmation", replace(view, locale="fi")).html
    refund = renderer.parts("order_refunded", replace(view, locale="fi"))
    assert "Rahat tulevat" in refund.html
    assert "Rahat tulevat" in refund.text
    assert "Olemme tehneet palautuksen" in refund.html  # the other texts are ours
    assert renderer.sources.own_names() == {"order_confirmation"}
    assert not renderer.shipped("order_refunded", "fi")
    assert Sources(own=(shop,)).folders == (shop, SHIPPED)


def test_an_own_template_never_gets_our_plain_text(tmp_path):
    own(
        tmp_path,
        "en/order_confirmation.mjml.liquid",
        MJML % "<mj-text>Only <a href='{{ links.shop }}'>this</a></mj-text>",
    )
    made = Renderer(own=(tmp_path,)).parts("order_confirmation", replace(samples()["five_lines"], locale="en"))
    assert made.text == "Only this <https://aamu.example.com>\n"


def test_pieces_are_put_in_by_render_and_can_be_replaced(tmp_path):
    own(
        tmp_path,
        "shared/hello.mjml.liquid",
        "<mj-text>Hi {{ first_name }}, {% text 'order_confirmation.button' %}</mj-text>",
    )
    own(tmp_path, "en/mine.mjml.liquid", MJML % "{% render 'hello' %}")
    renderer = Renderer(own=(tmp_path,))
    assert "Hi Aino, View your order" in renderer.parts("mine", replace(samples()["five_lines"], locale="en")).html
    own(tmp_path, "en/mine.mjml.liquid", MJML % "{% render 'hello', name: 'x' %}")
    with pytest.raises(TemplateError, match=r"en/mine.mjml.liquid:6:1: a piece stands on a line of its own"):
        renderer.sources.load("mine", "en")
    own(tmp_path, "en/mine.mjml.liquid", MJML % "{% render 'helo' %}")
    with pytest.raises(TemplateError, match="there is no piece 'helo'"):
        renderer.sources.load("mine", "en")


def test_a_text_cannot_bring_markup(tmp_path):
    texts = {"order_refunded": {"title": "<script>x</script> & <b>bold</b><br>line {{ order.number }}"}}
    own(tmp_path, "en/texts.json", json.dumps(texts))
    made = Renderer(own=(tmp_path,)).parts("order_refunded", replace(samples()["five_lines"], locale="en"))
    assert "&lt;script&gt;x&lt;/script&gt; &amp; <b>bold</b><br" in made.html
    assert "<script>x</script> & bold line #1042" in made.text


def test_folders_that_are_not_there_are_named(tmp_path):
    (tmp_path / "house").mkdir()
    faults: list[str] = []
    assert read_folders(tmp_path, ["house"], "defaults", faults) == ((tmp_path / "house").resolve(),)
    assert read_folders(tmp_path, "huose", "defaults", faults) == ()
    assert faults == ["defaults.templates: no folder 'huose'; did you mean 'house'?"]


def test_colours_that_cannot_be_read_are_found_in_a_message():
    """The planted bug: a palette nobody checked."""
    bad = Brand(key="bad", light=Palette(muted="#d0d0d0"))
    found = [finding.message for finding in inspect(parts(bad))]
    assert any("is #d0d0d0 on #ffffff" in message for message in found), found
    dark = Brand(
        key="bad2", dark=Palette(text="#1c1c1e", card="#1c1c1e", muted="#aeaeb2", page="#000000", rule="#3a3a3c")
    )
    assert any("in dark mode" in finding.message for finding in inspect(parts(dark)))

"""The shipped templates with every sample, in both languages: what they show, how big they are, and that the fast way
is the right way."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from connector.model import Money, Purpose
from flows.render import mjml
from flows.render.check import MAX_HTML, purpose_of
from flows.render.context import template_context
from flows.render.renderer import Renderer
from flows.render.samples import five_lines, samples

RENDERER = Renderer()
CORE = [
    "order_confirmation", "shipment_shipped", "shipment_out_for_delivery", "shipment_ready_for_pickup",
    "shipment_delivered", "shipment_delayed",
    "shipment_failed", "review_request", "review_reminder", "review_thanks", "referral_invite", "referral_reward",
]  # fmt: skip
LANGUAGES = ["en", "fi"]
PLAYBOOK = [name for name in RENDERER.names() if name not in CORE]
ODD = ["five_lines", "guest", "nameless", "fifty_lines", "arabic", "hostile"]
"""The samples the templates of the playbook are shown with one by one; all are tried when a template is prepared."""
EACH = pytest.mark.parametrize("name", [*CORE, *PLAYBOOK])
BOTH = pytest.mark.parametrize("language", LANGUAGES)


class Links(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.pictures: list[str] = []
        self.attributes: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.attributes |= values.keys()
        if tag == "a":
            self.found.append(values.get("href") or "")
        if tag == "img":
            self.pictures.append(values.get("src") or "")


def view(sample: str, name: str, language: str):
    return replace(samples()[sample], locale=language, purpose=purpose_of(name))


@BOTH
def test_every_core_template_exists_whole(language):
    assert set(CORE) <= set(RENDERER.names())
    assert language in RENDERER.languages()
    for name in CORE:
        assert RENDERER.language(name, language) == language


@EACH
@BOTH
def test_a_template_is_fit_and_compiled(name, language):
    assert [str(error) for error in RENDERER.check_template(name, language)] == []
    prepared = RENDERER.prepared(name, language)
    assert prepared.precompiled
    assert prepared.compiled


@BOTH
def test_the_playbook_is_written_whole(language):
    assert len(PLAYBOOK) >= 40
    for name in PLAYBOOK:
        assert RENDERER.language(name, language) == language


@BOTH
@pytest.mark.parametrize(
    ("name", "sample"),
    [(name, sample) for name in CORE for sample in samples()] + [(name, sample) for name in PLAYBOOK for sample in ODD],
)
def test_the_fast_way_is_the_right_way(name, language, sample):
    prepared = RENDERER.prepared(name, language)
    context = template_context(view(sample, name, language), language, prepared.strings)
    parts = prepared.render(context)
    assert mjml.normalised(parts.html) == mjml.normalised(prepared.html_by_rule(context))
    assert parts.subject
    assert "\n" not in parts.subject
    assert len(parts.html.encode()) < MAX_HTML
    assert "kq7x" not in parts.html
    assert "Liquid error" not in parts.html + parts.text


@EACH
@BOTH
def test_the_fast_way_steps_aside_for_no_sample(name, language):
    prepared = RENDERER.prepared(name, language)
    pieces = [prepared._subject, prepared._preheader, prepared._html, prepared._text]
    for sample in samples():
        context = template_context(view(sample, name, language), language, prepared.strings)
        context |= {"subject": "s", "preheader": "p"}
        assert all(piece.fast(context) is not None for piece in pieces), sample


@EACH
@BOTH
def test_every_link_of_the_html_is_in_the_text(name, language):
    parts = RENDERER.parts(name, view("five_lines", name, language))
    found = Links(parts.html).found
    assert found
    for href in found:
        assert href.removeprefix("mailto:") in parts.text
        assert re.match(r"https?://|mailto:", href)


@EACH
@BOTH
def test_hostile_data_stays_data(name, language):
    parts = RENDERER.parts(name, view("hostile", name, language))
    assert "<script" not in parts.html
    assert "javascript:" not in parts.html
    assert "\u202e" not in parts.html + parts.text + parts.subject
    links = Links(parts.html)
    assert not {name for name in links.attributes if name.startswith("on")}
    assert all(link.startswith(("https://", "mailto:")) for link in links.found)
    assert all(picture.startswith("https://") for picture in links.pictures)


@EACH
@BOTH
def test_only_marketing_can_be_unsubscribed_from(name, language):
    parts = RENDERER.parts(name, view("five_lines", name, language))
    url = samples()["five_lines"].links["unsubscribe"]
    wanted = purpose_of(name).needs_consent
    assert (url in parts.html) is wanted
    assert (url in parts.text) is wanted


@EACH
@BOTH
def test_dark_mode_preheader_and_contact_details(name, language):
    parts = RENDERER.parts(name, view("five_lines", name, language))
    assert 'name="color-scheme" content="light dark"' in parts.html
    assert "prefers-color-scheme: dark" in parts.html
    assert parts.preheader in unescape(parts.html)
    for part in (unescape(parts.html), parts.text):
        assert "asiakaspalvelu@aamu.example.com" in part
        assert "Esimerkkikatu 1" in part
    assert f'lang="{language}"' in parts.html


@BOTH
def test_an_order_confirmation_shows_the_whole_order(language):
    order = five_lines().order
    assert order is not None
    parts = RENDERER.parts("order_confirmation", view("five_lines", "order_confirmation", language))
    locale = {"fi": "fi", "en": "en"}[language]
    for part in (unescape(parts.html), parts.text):
        for line in order.lines:
            assert line.title in part
            assert money(line.total, locale) in part
        assert money(order.total, locale) in part
        assert money(order.discount, locale) in part
        assert money(order.tax, locale) in part
        assert "Koivukuja 5 B 12" in part
        assert "A & O" in part
        assert "_id" not in part
    assert "width=128" in parts.html
    assert "#1042" in parts.subject


def money(value: Money | None, locale: str) -> str:
    from flows.render.formats import money_text

    assert value is not None
    return money_text(value.amount, value.currency, locale)


@BOTH
@pytest.mark.parametrize("name", ["review_request", "review_reminder"])
def test_each_product_has_five_stars_of_its_own(name, language):
    """A gift card has none; in the text part too; a picture says of what it is."""
    parts = RENDERER.parts(name, view("five_lines", name, language))
    form = "https://mail.example.com/review/t0ken"
    wanted = [f"{form}?product={product}&rating={n}" for product in ("p1", "p2", "p3", "p5") for n in range(1, 6)]
    assert [link for link in Links(parts.html).found if "rating=" in link] == wanted
    assert [link for link in re.findall(r"https://\S+", parts.text) if "rating=" in link] == wanted
    assert 'aria-label="Pellavapyyhe: 4/5"' in parts.html
    assert 'alt="Pellavapyyhe"' in parts.html
    assert parts.text.index("Pellavapyyhe") < parts.text.index("product=p2") < parts.text.index("Villasukat")


def test_a_products_id_cannot_end_its_address():
    shown = view("five_lines", "review_request", "en")
    odd = replace(shown.order.lines[0], product_id='7&rating=5"><b>/ä')
    parts = RENDERER.parts("review_request", replace(shown, order=replace(shown.order, lines=(odd, odd))))
    form = "https://mail.example.com/review/t0ken?product=7%26rating%3D5%22%3E%3Cb%3E%2F%C3%A4"
    assert [link for link in Links(parts.html).found if "rating=" in link] == [
        f"{form}&rating={n}" for n in range(1, 6)
    ]


def test_no_mail_has_stars_for_more_products_than_the_form_shows():
    shown = view("five_lines", "review_request", "en")
    many = tuple(replace(shown.order.lines[0], id=f"l{n}", product_id=f"q{n}") for n in range(100))
    parts = RENDERER.parts("review_request", replace(shown, order=replace(shown.order, lines=many)))
    assert len({link for link in Links(parts.html).found if "rating=" in link}) == 5 * 8


def test_without_a_product_the_stars_are_the_orders():
    shown = view("five_lines", "review_request", "en")
    bare = replace(shown, order=replace(shown.order, lines=()))
    parts = RENDERER.parts("review_request", bare)
    stars = [link for link in Links(parts.html).found if "rating=" in link]
    assert stars == [f"https://mail.example.com/review/t0ken?rating={n}" for n in range(1, 6)]


@pytest.mark.parametrize("language", ["ar", "de", "en", "fi", "ja", "sv"])
@pytest.mark.parametrize("name", ["review_request", "review_reminder"])
def test_who_is_asked_is_told_of_a_reward_where_there_is_one(name, language):
    """In both parts, in the same words whatever the stars; without a reward nobody is promised one."""
    shown = view("five_lines", name, language)
    told = RENDERER.prepared(name, language).strings.text("review.rewarded")
    assert len(told) > 20
    for rewarded in (True, False):
        parts = RENDERER.parts(name, replace(shown, rewarded=rewarded))
        assert (told in parts.text, told in unescape(parts.html)) == (rewarded, rewarded)


def test_a_reward_shows_its_code():
    parts = RENDERER.parts("referral_reward", view("five_lines", "referral_reward", "fi"))
    assert "KIITOS-7F3K9" in parts.html
    assert "KIITOS-7F3K9" in parts.text


def test_a_guest_is_greeted_without_a_name():
    parts = RENDERER.parts("order_confirmation", view("guest", "order_confirmation", "fi"))
    assert "Kiitos tilauksestasi!" in parts.html
    assert "None" not in parts.html + parts.text


TOLD = {
    "loyalty_good_choice": "Poltettu kahdesti.",
    "guide_product": "Huuhtele.",
    "loyalty_maintenance": "Pese käsin.",
    "loyalty_tip_2": "Ennen ensimmäistä käyttöä.",
}


@BOTH
def test_the_guides_of_what_was_bought_are_told(language):
    for name, words in TOLD.items():
        parts = RENDERER.parts(name, view("five_lines", name, language))
        for part in (unescape(parts.html), parts.text):
            assert words in part, name
            assert "Muki, savenvärinen" in part, name


@BOTH
def test_a_survey_has_five_scores(language):
    parts = RENDERER.parts("loyalty_survey", view("five_lines", "loyalty_survey", language))
    scores = [link for link in Links(parts.html).found if "score=" in link]
    assert scores == [f"https://mail.example.com/survey/t0ken?score={n}" for n in range(1, 6)]


@BOTH
@pytest.mark.parametrize("name", PLAYBOOK)
def test_a_guest_of_the_playbook_is_greeted_without_a_name(name, language):
    parts = RENDERER.parts(name, view("guest", name, language))
    for part in (parts.subject, parts.preheader, parts.text):
        assert not re.search(r"None| ,|,[!?.]| [!?]|  ", part.replace("\n", "|")), part


def test_purpose_decides_not_the_template():
    confirmation = RENDERER.parts("order_confirmation", view("five_lines", "order_confirmation", "fi"))
    as_marketing = RENDERER.parts(
        "order_confirmation", replace(view("five_lines", "order_confirmation", "fi"), purpose=Purpose.MARKETING)
    )
    assert "unsubscribe" not in confirmation.html
    assert "unsubscribe" in as_marketing.html


OF_PEOPLE = [name for name in PLAYBOOK if name.startswith(("loyalty_", "winback_", "marketing_"))]


@BOTH
@pytest.mark.parametrize("name", ["referral_reward", "referral_invite", "review_thanks", "review_request", *OF_PEOPLE])
def test_a_message_about_no_order_of_the_readers_shows_none(name, language):
    bare = replace(view("five_lines", name, language), order=None, customer=None, shipment=None, products={})
    parts = RENDERER.parts(name, bare)
    assert "#1042" not in parts.html + parts.text + parts.subject
    assert "Aino Mäkinen" in parts.html or name == "referral_reward" or name in OF_PEOPLE


@BOTH
@pytest.mark.parametrize("name", [name for name in CORE if name.startswith("shipment_")])
def test_a_delivery_update_without_a_parcel_is_still_a_message(name, language):
    parts = RENDERER.parts(name, replace(view("five_lines", name, language), shipment=None, progress=None))
    assert "#1042" in parts.html
    assert "None" not in parts.html + parts.text

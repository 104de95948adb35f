"""Money, dates, texts, addresses and names as people of different places write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from babel.numbers import format_currency
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from connector.errors import TemplateError
from flows.render import liquid
from flows.render.filters import SETTINGS, Settings
from flows.render.formats import money_text
from flows.render.links import safe_url
from flows.render.strings import Strings

NBSP = "\u00a0"
AT = "2026-11-20T09:30:00.000000Z"


def run(source: str, locale: str = "fi_FI", *, html: bool = False, direction: str = "ltr", **variables: object) -> str:
    table = {"a": {"b": "Hei {name}"}, "n": {"one": "{count} x", "two": "{count} xx", "other": "{count} xs"}}
    chosen = Settings(locale, "Europe/Helsinki", locale[:2], direction, Strings(locale[:2], table))
    environment = liquid.HTML if html else liquid.TEXT
    return liquid.render(liquid.parse(source, environment, "t"), {SETTINGS: chosen, **variables}, "t")


def euros(text: str, currency: str = "EUR") -> dict[str, object]:
    return {"amount": Decimal(text), "currency": currency}


@pytest.mark.parametrize(
    ("locale", "name", "money", "expected"),
    [
        ("fi_FI", "money", euros("1234.5"), f"1{NBSP}234,50{NBSP}€"),
        ("en_US", "money", euros("1234.5", "USD"), "$1,234.50"),
        ("ja", "money", euros("1234", "JPY"), "￥1,234"),
        ("en_US", "money", euros("1.5", "KWD"), "KWD1.500"),
        ("en_IN", "money", euros("1234567", "INR"), "₹12,34,567.00"),
        ("en_US", "money", euros("-5", "USD"), "-$5.00"),
        ("en_US", "money_with_currency", euros("5", "USD"), "$5.00 USD"),
        ("fi_FI", "money_without_currency", euros("5.5"), "5,50"),
        ("fi_FI", "money_without_trailing_zeros", euros("5.00"), f"5{NBSP}€"),
        ("fi_FI", "money_without_trailing_zeros", euros("5.50"), f"5,50{NBSP}€"),
        ("fi_FI", "money", None, ""),
    ],
)
def test_money(locale, name, money, expected):
    assert run("{{ m | " + name + " }}", locale, m=money) == expected


@limits(max_examples=200, deadline=None)
@given(
    st.decimals(min_value=-(10**8), max_value=10**8, places=3),
    st.sampled_from(["EUR", "USD", "JPY", "KWD", "SEK", "AED", "INR"]),
    st.sampled_from(["fi_FI", "sv_SE", "en_US", "de_DE", "ja", "ar_AE", "es_ES", "hi_IN", "pt_PT", "fr_CH"]),
)
def test_the_quick_way_writes_what_babel_writes(amount, currency, locale):
    assert money_text(amount, currency, locale) == format_currency(amount, currency, locale=locale)


@pytest.mark.parametrize("value", ["12.50", 5, {"amount": 5, "currency": "EUR"}])
def test_money_of_something_else_is_an_error(value):
    with pytest.raises(TemplateError):
        run("{{ m | money }}", m=value)


@pytest.mark.parametrize(
    ("locale", "form", "expected"),
    [
        ("fi_FI", "'date'", "20. marraskuuta 2026"),
        ("en_GB", "'date'", "20 November 2026"),
        ("fi_FI", "'%d.%m.%Y %H:%M'", "20.11.2026 11:30"),
        ("fi_FI", "'%A %e. %B'", "perjantaina 20. marraskuuta"),
        ("en_US", "format: 'time'", "11:30\u202fAM"),
        ("en_GB", "'short'", "20/11/2026"),
        ("en_GB", '"o\'clock 100%%"', "o'clock 100%"),
    ],
)
def test_dates_in_the_locale_and_the_shops_zone(locale, form, expected):
    assert run("{{ at | date: " + form + " }}", locale, at=AT) == expected


def test_a_date_that_is_none_stays_and_an_unknown_format_is_an_error():
    assert run("{{ x | date: 'date' }}", x="soon") == "soon"
    assert run("{{ x | date: 'date' }}", x=None) == ""
    for form in ("'nonsense'", "'%Q'"):
        with pytest.raises(TemplateError):
            run("{{ at | date: " + form + " }}", at=AT)


def test_texts_and_plurals():
    assert run("{{ 'a.b' | t: name: 'Aino' }}") == "Hei Aino"
    assert run("{{ 'n' | t: count: 1 }}, {{ 'n' | t: count: 2 }}", "fi_FI") == "1 x, 2 xs"
    assert run("{{ 'n' | t: count: 2 }}", "ar_AE") == "2 xx"
    assert run("{{ 2 | pluralize: 'item', 'items' }} {{ 1 | pluralize: 'item', 'items' }}") == "items item"
    with pytest.raises(TemplateError, match=r"did you mean 'a[.]b'"):
        run("{{ 'a.c' | t }}")


def test_addresses_pictures_handles_and_json():
    address = {"display": ["A & B", "00100 Helsinki"]}
    assert run("{{ a | format_address }}", html=True, a=address) == "A &amp; B<br />00100 Helsinki"
    assert run("{{ a | format_address }}", a=address) == "A & B\n00100 Helsinki"
    cdn = "https://cdn.shopify.com/s/files/a.jpg?v=1"
    assert run("{{ u | image_url: width: 64 }}", u=cdn) == cdn + "&width=64"
    assert run("{{ u | img_url: '64x32' }}", u=cdn) == cdn + "&width=64&height=32"
    assert run("{{ u | image_url: width: 64 }}", u="https://shop.example/a.jpg") == "https://shop.example/a.jpg"
    assert run("{{ 'Kesä 2026!' | handleize }}") == "kesa-2026"
    assert run("{{ x | json }}", html=True, x={"a": "</script>&"}) == '{"a": "\\u003c/script\\u003e\\u0026"}'


def test_names_do_not_disturb_the_direction():
    assert run("{{ x | bdi }}", html=True, x="<ليلى>") == "<bdi>&lt;ليلى&gt;</bdi>"
    assert run("{{ x | bdi }}", x="ليلى") == "\u2068ليلى\u2069"
    assert run("{{ x | bdi }}", x="Aino Mäkinen") == "Aino Mäkinen"
    assert run("{{ x | bdi }}", direction="rtl", x="#1042 A") == "\u2068#1042 A\u2069"
    assert run("{{ x | bdi }}", html=True, x="\u202eevil\u2068") == "<bdi>\u202eevil\u2068</bdi>".replace(
        "\u202e", ""
    ).replace("\u2068", "")


@pytest.mark.parametrize(
    "url",
    [
        "",
        None,
        "http://",
        "//x.example",
        "https://a b",
        'https://x/"',
        "ftp://x.example",
        "https://x/\ny",
        "https://" + "x" * 3000,
    ],
)
def test_addresses_that_are_none(url):
    assert safe_url(url) is None

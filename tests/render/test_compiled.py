"""Compiled templates say what the interpreter says, or step aside."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from connector.errors import TemplateError
from flows.render import liquid
from flows.render.compiled import FAULTS, compile_template
from flows.render.filters import SETTINGS, Settings
from flows.render.strings import Strings

SOURCE = """{% assign n = o.lines | map: 'title' | compact | size %}{% if n > 0 %}[{{ n }}]{% endif %}
{% for line in o.lines %}{{ forloop.index }}{% if line.title %}<{{ line.title | upcase }}>{% else %}-{% endif %}
{% unless forloop.last %}, {% endunless %}{% for p in line.props %}{{ p }};{% endfor %}{% else %}none{% endfor %}
{% if o.a and o.b or o.c == 'x' %}1{% elsif o.a > 2 %}2{% elsif o.b != nil %}3{% else %}4{% endif %}
{% if o.c == blank %}b{% endif %}{% if o.c != empty %}e{% endif %}{% if o.lines.size > 1 %}many{% endif %}
{{ o.a }}{{ o.b | default: 'd' }}{{ o.nope | default: 'n' }}{{ 'k' | t }}{% comment %}{{ nope }}{% endcomment %}
{% if o.flag == true %} {% endif %}{% if o.d.e.f %}deep{% endif %}{{ o.c | append: '<' | bdi }}"""
TEXTS = st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["x", "<b>", "", " "]))
LINES = st.lists(
    st.fixed_dictionaries({"title": TEXTS, "props": st.lists(st.text(max_size=3), max_size=2)}), max_size=4
)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.decimals(-5, 5, places=2), TEXTS)
ORDERS = st.fixed_dictionaries(
    {"lines": st.one_of(LINES, st.none()), "a": VALUES, "b": VALUES, "c": TEXTS, "flag": st.booleans(),
     "d": st.one_of(st.none(), st.just({}), st.just({"e": {"f": 0}}), st.just("text"))}
)  # fmt: skip


def context(**variables: object) -> dict[object, object]:
    chosen = Settings("fi_FI", "UTC", "fi", "ltr", Strings("fi", {"k": "teksti & <"}))
    return {SETTINGS: chosen, **variables}


def outcome(source: str, environment: liquid.BoundedEnvironment, variables: dict[object, object]) -> tuple[str, str]:
    template = liquid.parse(source, environment, "t")
    compiled = compile_template(template)
    assert compiled is not None
    try:
        slow = template.render(variables)
    except FAULTS:
        slow = "error"
    try:
        fast = compiled(variables)
    except FAULTS:
        fast = "stepped aside"
    return slow, fast


@limits(max_examples=200, deadline=None)
@given(ORDERS, st.booleans())
def test_it_agrees_or_steps_aside(order, html):
    slow, fast = outcome(SOURCE, liquid.HTML if html else liquid.TEXT, context(o=order))
    assert fast in (slow, "stepped aside")


def test_it_does_the_ordinary_case_itself():
    order = {"lines": [{"title": "a", "props": ["p"]}, {"title": None, "props": []}], "a": 3, "b": Decimal("1.5"),
             "c": "x", "flag": True, "d": None}  # fmt: skip
    slow, fast = outcome(SOURCE, liquid.HTML, context(o=order))
    assert fast == slow
    assert "teksti &amp; &lt;" in fast


@pytest.mark.parametrize(
    "source",
    ["{{ nope }}", "{{ o.nope }}", "{% for x in o %}{% endfor %}", "{{ o }}", "{{ o.lines }}",
     "{% if o > 1 %}{% endif %}", "{% for a in o.many %}x{% endfor %}"],
)  # fmt: skip
def test_it_steps_aside_for_what_it_does_not_know(source):
    compiled = compile_template(liquid.parse(source, liquid.HTML, "t"))
    assert compiled is not None
    with pytest.raises(FAULTS):
        compiled(context(o={"lines": [1], "many": list(range(1001))}))


@pytest.mark.parametrize(
    "source",
    ["{% case x %}{% when 1 %}{% endcase %}", "{% for a in b limit: 2 %}{% endfor %}", "{{ (1..3) }}", "{{ a.first }}",
     "{{ forloop.index }}", "{% capture x %}{% endcapture %}", "{{ a[b] }}", "{{ 'k' | t: a-b: 1 }}"],
)  # fmt: skip
def test_it_does_not_translate_what_it_cannot(source):
    assert compile_template(liquid.parse(source, liquid.HTML, "t")) is None


def test_no_text_of_a_template_becomes_code():
    source = (
        "{{ o['a\"]; import os #'] | default: \"'''\" }}\\\"\"\" {% if o['b'] == '\\n' %}{% endif %}{{ o[\"'b\"] }}\\"
    )
    slow, fast = outcome(source, liquid.TEXT, context(o={"b": 1, "'b": "found"}))
    assert "found" in slow
    assert fast == slow


def test_texts_known_beforehand_are_those_of_the_very_language():
    source = "[{{ 'k' | t }}]-{{ o }}"
    texts = Strings("fi", {"k": "teksti & <"})
    compiled = compile_template(liquid.parse(source, liquid.HTML, "t"), texts)
    assert compiled is not None
    assert compiled({SETTINGS: Settings("fi_FI", "UTC", "fi", "ltr", texts), "o": 1}) == "[teksti &amp; &lt;]-1"
    with pytest.raises(FAULTS):
        compiled(context(o=1))


def test_a_text_that_does_not_exist_is_an_error_of_the_message_and_not_of_the_template():
    texts = Strings("fi", {})
    compiled = compile_template(liquid.parse("{{ 'nope' | t }}", liquid.HTML, "t"), texts)
    assert compiled is not None
    with pytest.raises(TemplateError, match="no text 'nope'"):
        compiled({SETTINGS: Settings("fi_FI", "UTC", "fi", "ltr", texts)})

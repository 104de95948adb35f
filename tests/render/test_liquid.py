"""The limits of templates, the escaping, and errors that name their place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from connector.errors import TemplateError
from flows.render import liquid
from flows.render.filters import SETTINGS, Settings
from flows.render.strings import Strings

from .bombs import BOMBS, HARMLESS

ROOT = Path(__file__).parents[2]
SCRIPT = "<script>alert(1)</script>"


def settings(locale: str = "fi_FI", language: str = "fi", direction: str = "ltr") -> Settings:
    table = {"one_text": "<b> {name}", "count": {"one": "{count} tuote", "other": "{count} tuotetta"}}
    return Settings(locale, "Europe/Helsinki", language, direction, Strings(language, table))


def run(source: str, *, html: bool = True, **variables: object) -> str:
    environment = liquid.HTML if html else liquid.TEXT
    context = {SETTINGS: settings(), **variables}
    return liquid.render(liquid.parse(source, environment, "test"), context, "test")


@pytest.fixture(scope="module")
def exploded() -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.render.bombs"], cwd=ROOT, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-500:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_with_a_short_message(exploded, name):
    assert isinstance(exploded[name], str), "it was rendered"
    assert exploded[name].startswith("bomb")
    assert len(exploded[name]) < 250


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_dangerous_is_rendered(exploded, name):
    assert isinstance(exploded[name], int)


@pytest.mark.parametrize(
    "source",
    ["{{ x }}", "{{ x | upcase }}", "{{ x | append: x }}", "{{ x | url_decode }}", "{{ x | truncate: 500 }}",
     "{% capture y %}{{ x }}{% endcapture %}{{ y }}", "{{ x | split: ',' }}", "{{ x | replace: 'x', '<i>' }}",
     "{{ x | bdi }}", "{{ 'one_text' | t: name: x }}", "{{ x | link_to: 'https://example.com' }}", "{{ x | json }}",
     "{{ x | newline_to_br }}", "{{ x | default: 'y' }}", "{{ x | date: '%Y' }}", "{{ a | format_address }}",
     "{{ x | link_to: x }}", "{{ x | squish }}", "{{ x | prepend: x }}", "{{ x | strip }}"],
)  # fmt: skip
def test_no_filter_lets_markup_through(source):
    out = run(source, x=SCRIPT, a={"display": [SCRIPT]})
    assert "<script" not in out.lower()
    assert "alert" in out.lower()


def test_the_control_is_not_escaped_in_text():
    assert run("{{ x }}", html=False, x=SCRIPT) == SCRIPT


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "JAVASCRIPT:x", "data:text/html,x", "vbscript:x", " java\nscript:x"]
)
def test_only_plain_addresses_become_links(url):
    assert "href" not in run("{{ 'a' | link_to: u }}", u=url)
    assert run("{{ u | image_url }}", u=url) == ""
    assert "href" in run("{{ 'a' | link_to: u }}", u="https://example.com/a")


def test_data_is_never_a_template():
    assert run("{{ x }}", x="{{ shop.name }}{% if %}") == "{{ shop.name }}{% if %}"


def test_python_objects_are_out_of_reach():
    class Secret:
        password = "hunter2"

        def delete(self) -> str:
            raise AssertionError("called")

    for source in ("{{ o.password }}", "{{ o.delete }}", "{{ o.__class__ }}", "{{ s.upper }}", "{{ d.items }}"):
        with pytest.raises(TemplateError):
            run(source, o=Secret(), s="text", d={})


def test_an_error_has_line_and_column_and_no_long_quotation():
    with pytest.raises(TemplateError) as error:
        run("a\nbb {{ order.nmae }}\n" + "x" * 1000, order={"name": "x"})
    assert (error.value.where, error.value.line, error.value.column) == ("test", 2, 7)
    assert len(str(error.value)) < 200


def test_an_absent_name_is_false_in_conditions_and_has_a_default():
    assert run("{% if nope %}1{% else %}2{% endif %}{{ nope | default: '3' }}") == "23"

"""Templates that want to eat the machine. Run as a script (by test_liquid.py) under limits of memory and time."""

from __future__ import annotations

import json
import resource
import sys

from connector.errors import TemplateError
from flows.render import liquid

GROW = "{% assign x = 'aaaaaaaaaa' %}{% for i in (1..900) %}"
BOMBS = {
    "range join": "{% assign x = (1..100000000) | join: ',' %}{{ x | size }}",
    "range reverse": "{{ (1..30000000) | reverse }}",
    "range contains": "{% assign r = (1..1000000000) %}{% if r contains 'a' %}1{% endif %}",
    "range from a variable": "{% assign n = 999999999 %}{% assign r = (1..n) %}{% if r contains 'a' %}1{% endif %}",
    "range in for": "{% for i in (1..1000000000) limit: 1 %}x{% endfor %}",
    "range in tablerow": "{% tablerow i in (1..100000) %}x{% endtablerow %}",
    "range as argument": "{% assign x = 'a' | where: (1..100000000) %}{{ x }}",
    "replace chain": "{{ 'aaaaaaaaaa'" + " | replace: 'a','aaaaaaaaaa'" * 8 + " | size }}",
    "replace nothing": "{{ 'aaaaaaaaaa'" + " | replace: '','aaaaaaaaaa'" * 8 + " | size }}",
    "append": GROW + "{% assign x = x | append: x %}{% endfor %}",
    "capture": GROW + "{% capture x %}{{ x }}{{ x }}{% endcapture %}{% endfor %}",
    "concat": "{% assign x = 'a,b,c,d' | split: ',' %}{% for i in (1..900) %}"
    "{% assign x = x | concat: x %}{% endfor %}",
    "nested loops": "{% for a in (1..900) %}{% for b in (1..900) %}x{% endfor %}{% endfor %}",
    "many conditions": "{% for i in (1..999) %}" + "{% if a == b %}{% endif %}" * 2000 + "{% endfor %}",
    "many literal conditions": "{% for i in (1..999) %}" + "{% if 1 %}{% endif %}" * 2900 + "{% endfor %}",
    "many literal outputs": "{% for i in (1..999) %}" + "{{ 1 }}" * 8000 + "{% endfor %}",
    "long output": "{% for i in (1..999) %}" + "x" * 2000 + "{% endfor %}",
    "deep conditions": "{% if 1 %}" * 300 + "{% endif %}" * 300,
    "deep brackets": "{{ " + "a[" * 3000 + "1" + "]" * 3000 + " }}",
    "long condition": "{% if 1" + " and 1" * 9000 + " %}x{% endif %}",
    "long source": "x" * 70_000,
    "split and join": "{% assign x = 'a' %}{% for i in (1..16) %}{% assign x = x | append: x %}{% endfor %}"
    "{{ x | split: '' | join: 'aaaaaaaa' | split: '' | join: 'aaaaaaaaa' | size }}",
    "url_encode": "{% assign x = '<' %}{% for i in (1..15) %}{% assign x = x | append: x %}{% endfor %}"
    "{% for i in (1..900) %}{% assign y = x | escape | url_encode | url_encode %}{% endfor %}",
    "include": "{% include 'x' %}",
    "render": "{% render 'x' %}",
    "safe": "{{ '<b>' | safe }}",
    "unclosed tag": "{% if x %}",
    "unclosed output": "{{ x",
    "division by zero": "{{ 1 | divided_by: 0 }}",
    "missing name": "{{ nope.nope }}",
}  # fmt: skip
HARMLESS = {
    "big product": "{{ 99999999999" + " | times: 99999999999" * 2000 + " | size }}",
    "strip_html": "{% assign x = '<script' %}{% for i in (1..13) %}{% assign x = x | append: x %}{% endfor %}"
    "{{ x | strip_html | size }}",
    "cycle": "{% for i in (1..999) %}{% cycle 'a','b' %}{% endfor %}",
    "round": "{{ 1.5 | round: 100000000 }}",
}  # fmt: skip


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
    found = {}
    for name, source in {**BOMBS, **HARMLESS}.items():
        try:
            found[name] = len(liquid.render(liquid.parse(source, liquid.HTML, "bomb"), {}, "bomb"))
        except TemplateError as error:
            found[name] = str(error)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()

"""Merchants' own templates: raw HTML, filters we lack, bombs, and what a message is inspected for."""

from __future__ import annotations

import resource
import time
from dataclasses import replace
from pathlib import Path

import pytest

from connector.errors import TemplateError
from connector.model import Brand
from flows.render import rawhtml
from flows.render.cage import MEMORY, SECONDS, Trial, try_out
from flows.render.inspection import inspect
from flows.render.prepared import Parts
from flows.render.renderer import Renderer
from flows.render.samples import samples

FRONT = "---\nsubject: Own {{ order.number }}\npreheader: p\n---\n"
MJML = FRONT + "<mjml><mj-body><mj-section><mj-column>%s</mj-column></mj-section></mj-body></mjml>"
VIEW = replace(samples()["five_lines"], locale="en")
STYLE = "<style>td{color:#333333}@media (prefers-color-scheme: dark){td{color:#eeeeee}}</style>"


def own(folder: Path, body: str, kind: str = "html") -> Renderer:
    (folder / "en").mkdir(exist_ok=True)
    (folder / "en" / f"own.{kind}.liquid").write_text(body if body.startswith("---") else FRONT + body, "utf-8")
    return Renderer(own=(folder,))


def test_raw_html_keeps_its_dark_mode_and_gets_its_styles_in(tmp_path):
    body = f"<html><head>{STYLE}</head><body><table><tbody>{{% for line in order.lines %}}<tr><td>{{{{ line.title }}}}"
    body += "</td></tr>{% endfor %}</tbody></table></body></html>"
    renderer = own(tmp_path, body)
    assert renderer.check_template("own", "en") == []
    assert renderer.prepared("own", "en").compiled  # inlined once a template, not once a message
    made = renderer.parts("own", VIEW)
    assert made.html.count('<td style="color: #333333;">') == 5
    assert "@media (prefers-color-scheme: dark)" in made.html
    assert "&lt;pehmeät&gt;" in made.html
    assert "Muki, savenvärinen" in made.text


def test_raw_html_that_cannot_be_inlined_first_is_done_by_the_rule(tmp_path):
    body = f"{STYLE}<table>{{% for line in order.lines %}}<tr><td>{{{{ line.title }}}}</td></tr>{{% endfor %}}</table>"
    renderer = own(tmp_path, body)
    assert not renderer.prepared("own", "en").precompiled  # the parser puts a tbody inside the loop
    assert renderer.parts("own", VIEW).html.count('<td style="color: #333333;">') == 5


def test_a_remote_style_sheet_is_not_fetched():
    """css-inline would: the address answers nothing, and nobody asks it."""
    html = '<link rel="stylesheet" href="http://127.0.0.1:9/x.css"><style>p{color:red}</style><p>x</p>'
    assert 'style="color: red;"' in rawhtml.to_html(html, "own")


def test_depth_never_reaches_the_parsers():
    with pytest.raises(TemplateError, match="nested deeper than 250"):
        rawhtml.to_html("<style>p{}</style>" + "<div>" * 100_000, "own")
    with pytest.raises(TemplateError, match="more than 512 KB"):
        rawhtml.to_html("x" * 600_000, "own")
    flat = "<style>p{color:red}</style>" + "<p>never closed" * 5000 + "<ul>" + "<li>x" * 5000
    assert rawhtml.to_html(flat, "own").count("color: red") == 5000


@pytest.mark.parametrize(
    ("piece", "told"),
    [
        ("{{ order.total | mony }}", "no filter 'mony'; did you mean 'money'?"),
        ("{{ 'x.css' | asset_url }}", "the filter 'asset_url' is not supported in messages: a message has no theme"),
        ("{{ order | payment_type_svg_tag }}", "is not supported in messages"),
        ("{% if false %}{{ order.nmber }}{% endif %}", "'order' has no 'nmber'; did you mean 'number'?"),
        ("{{ custmer.name }}", "no variable 'custmer'; did you mean 'customer'?"),
    ],
)
def test_slips_are_named_with_their_place(tmp_path, piece, told):
    faults = [str(fault) for fault in own(tmp_path, f"<p>\n{piece}</p>").check_template("own", "en")]
    assert any(told in fault and fault.startswith("en/own.html.liquid:6:") for fault in faults), faults


def test_a_slip_in_the_subject_is_named(tmp_path):
    body = "---\nsubject: Hi {{ order.nmber }}\npreheader: {{ shop.nme }}\n---\n<p>x</p>"
    faults = [str(fault) for fault in own(tmp_path, body).check_template("own", "en")]
    assert any(fault.startswith("en/own.html.liquid:2:") and "'number'" in fault for fault in faults), faults
    assert any(fault.startswith("en/own.html.liquid:3:") and "'name'" in fault for fault in faults), faults


FILTERS = {
    "{{ order.placed_at | time_tag }}": '<time datetime="2026-11-20T09:30:00.000000Z">',
    "{{ 1250 | weight_with_unit }}": "1.25\u00a0kg",
    "{{ 1250 | weight_with_unit: 'g' }}": "1,250\u00a0g",
    "{{ 'x' | weight_with_unit }}|": "|",
    "{{ 'https://cdn.shopify.com/a.jpg' | product_img_url: '100x' }}": "https://cdn.shopify.com/a.jpg?width=100",
}


@pytest.mark.parametrize(("piece", "shown"), FILTERS.items())
def test_filters_merchants_know(tmp_path, piece, shown):
    assert shown in own(tmp_path, f"<p>{piece}</p>").parts("own", VIEW).html


BOMBS = {
    "deep": MJML % ("<mj-text>" + "<b>" * 9000 + "</b>" * 9000 + "</mj-text>"),
    "wide": MJML % "{% for i in (1..999) %}<mj-text>{{ i }}</mj-text>{% endfor %}",
    "grown": MJML % "<mj-text>{% for i in (1..999) %}{% for j in (1..999) %}<b>x</b>{% endfor %}{% endfor %}</mj-text>",
    "entities": MJML.replace("<mjml>", '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><mjml>') % "&b;",
    "literal": MJML % ("{% for i in (1..999) %}" + "{% if 1 %}{% endif %}" * 2500 + "{% endfor %}"),
    "include": MJML % '<mj-include path="/etc/hostname"></mj-include>',
}


def test_bombs_end_in_a_clear_fault_in_a_process_of_their_own(tmp_path):
    (tmp_path / "en").mkdir()
    for name, body in BOMBS.items():
        (tmp_path / "en" / f"{name}.mjml.liquid").write_text(body, "utf-8")
    began = time.process_time()
    wanted = (*((name, "en") for name in BOMBS), ("order_refunded", "en"))
    faults = try_out(Trial(folders=(tmp_path,), brand=Brand(), wanted=wanted))
    assert time.process_time() - began < 2  # of this process: the work is the other's
    assert {fault.template for fault in faults if fault.serious} == set(BOMBS)
    told = {fault.template: fault.message for fault in faults}
    assert "nested deeper than 100" in told["deep"]
    assert "mj-include" in told["include"]


def bomb(style: str) -> str:
    """Raw HTML that no limit of the language stops: the cost arises in css-inline, where nothing counts."""
    body = "{% for i in (1..999) %}" + "<b>x</b>" * 50 + "{% endfor %}"
    return f"---\nsubject: s\npreheader: p\n---\n<html><head><style>{style}</style></head><body>{body}</body></html>"


SLOW = bomb("".join(f"b:nth-child({n}n+1) b,i{n} b{{color:#00{n % 90 + 10}00}}" for n in range(900)))
FAT = bomb("b{" + ";".join(f"--v{n}:{'y' * 6000}" for n in range(6)) + "}")


def test_real_bombs_are_killed_by_time_and_by_memory_and_the_rest_is_tried(tmp_path):
    assert (SECONDS, MEMORY) == (3, 256 << 20)
    (tmp_path / "en").mkdir()
    for name, body in {"slow": SLOW, "fat": FAT}.items():
        (tmp_path / "en" / f"{name}.html.liquid").write_text(body, "utf-8")
    wanted = tuple((name, "en") for name in ("order_cancelled", "slow", "fat", "order_refunded"))
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        faults = try_out(Trial(folders=(tmp_path,), brand=Brand(), wanted=wanted))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        slow, fat = [(fault.template, fault.kind, fault.message) for fault in faults]
        # Beside others that want the same core even processor time is short: the fat one may not get to its size, for
        # which a core of its own takes a second.
        if "memory" in fat[2]:
            break
    assert slow == ("slow", "limits", "takes more than 3 s of processor time")
    assert fat == ("fat", "limits", "takes more than 256 MB of memory")
    assert after.ru_utime - before.ru_utime < 25  # CPU of all three processes, which a loaded machine leaves as it is


def test_the_same_templates_with_few_elements_are_let_through(tmp_path):
    """The control: they are killed for what they cost, and not for a mistake."""
    (tmp_path / "en").mkdir()
    for name, body in {"slow": SLOW, "fat": FAT}.items():
        (tmp_path / "en" / f"{name}.html.liquid").write_text(body.replace("(1..999)", "(1..2)"), "utf-8")
    faults = try_out(Trial(folders=(tmp_path,), brand=Brand(), wanted=(("slow", "en"), ("fat", "en"))))
    assert [fault for fault in faults if fault.kind == "limits"] == []


def test_what_a_message_is_inspected_for():
    html = (
        '<body style="background:#ffffff"><a href="javascript:x">a</a><a href="https://x.example/only-here">b</a>'
        '<img src="data:image/png;base64,x"><form></form><script></script><div style="position:absolute">c</div>'
        '<p style="color:#aaaaaa">grey</p><p style="color:#aaaaaa;background:#000000">fine</p>' + "x" * 110_000
    )
    found = inspect(Parts("s", "p", html, "text"))
    kinds = {(finding.kind, finding.serious) for finding in found}
    assert kinds >= {("size", True), ("links", True), ("text", True), ("support", True), ("support", False)}
    assert [finding.message for finding in found if finding.kind == "contrast"] == [
        "'grey' is #aaaaaa on #ffffff: a contrast of 2.3, and text needs 4.5"
    ]
    assert inspect(Renderer().parts("order_confirmation", VIEW)) == []

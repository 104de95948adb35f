"""A template is checked with what the flow that sends it has to give, in every language there is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from connector.registry import Registry
from flows.catalog import LIBRARY, library_names
from flows.definition import Flow, load_flow
from flows.render.renderer import Renderer
from flows.render.sources import Sources
from flows.render.supply import template_faults

STEPS = Registry().steps
LANGUAGES = Sources().languages()
RENDERER = Renderer()


def library(name: str) -> Flow:
    return load_flow(LIBRARY.joinpath(f"{name}.toml").read_text("utf-8"), where=name, registry_steps=STEPS)


def flow(text: str) -> Flow:
    return load_flow(text, where="ours.toml", registry_steps=STEPS)


OURS = """
id = "ours"
title = "Ours"
trigger = "order.delivered"
purpose = "{purpose}"
subject = "order"
reentry = "once"
{params}
{code}
[[steps]]
id = "mail"
do = "send"
template = "{template}"
"""
CODE = """
[[steps]]
id = "gift"
do = "create_discount"
value = "10 %"
prefix = "HI"
title = "Hi"
"""
PARAMS = """
[params]
friend_reward = "10 %"
reward = "10 %"
"""


@pytest.mark.parametrize("name", library_names())
def test_the_library_gives_its_templates_what_they_need(name: str) -> None:
    assert template_faults(RENDERER, [library(name)], LANGUAGES) == []


def templates(folder: Path, addition: str) -> tuple[Renderer, Sources]:
    """The shipped templates, with something added to the text of the confirmation."""
    directory = folder / "templates"
    shutil.copytree(Sources().directory, directory)
    text = directory / "order_confirmation.txt.liquid"
    text.write_text(text.read_text("utf-8") + addition, "utf-8")
    return Renderer(directory), Sources(directory)


@pytest.mark.parametrize(
    ("addition", "purpose", "params", "code", "missing"),
    [
        ("{{ params.reward }}", "transactional", "", "", "reward"),
        ("{{ params.reward }}", "transactional", PARAMS, "", ""),
        ("{% if params.reward %}{{ params.reward }}{% endif %}", "transactional", "", "", ""),
        ("{{ steps.gift.code }}", "transactional", "", "", "gift"),
        ("{{ steps.gift.code }}", "transactional", "", CODE, ""),
        ("{{ steps.code.code }}", "transactional", "", CODE, ""),
        ("{{ links.unsubscribe }}{{ links.review }}", "review", "", "", ""),
    ],
)
def test_what_a_flow_does_not_have_is_found(
    tmp_path: Path, addition: str, purpose: str, params: str, code: str, missing: str
) -> None:
    renderer, sources = templates(tmp_path, addition)
    told = flow(OURS.format(purpose=purpose, template="order_confirmation", params=params, code=code))
    found = template_faults(renderer, [told], sources.languages())
    mine = [fault for fault in found if fault.startswith("flow ours: steps.mail: ")]
    assert len(mine) == (1 if missing else 0), found  # the structure is all languages', and so is its fault
    assert all(missing in fault for fault in mine)


def test_a_mistake_in_one_language_is_found(tmp_path: Path) -> None:
    renderer, sources = templates(tmp_path, "")
    broken = tmp_path / "templates" / "fi" / "texts.json"
    table = json.loads(broken.read_text("utf-8"))
    table["order_confirmation"]["text_1"] += "{{ order.nmber }}"
    broken.write_text(json.dumps(table), "utf-8")
    faults = template_faults(renderer, [library("order_confirmation")], sources.languages())
    assert faults
    assert all("fi/texts.json order_confirmation.text_1: " in fault for fault in faults), faults
    assert any("did you mean 'number'?" in fault for fault in faults)


def test_a_language_without_the_template_is_no_mistake(tmp_path: Path) -> None:
    renderer, sources = templates(tmp_path, "")
    texts = tmp_path / "templates" / "fi" / "texts.json"
    table = json.loads(texts.read_text("utf-8"))
    del table["order_confirmation"]["title"]
    texts.write_text(json.dumps(table), "utf-8")
    assert template_faults(renderer, [library("order_confirmation")], sources.languages()) == []
    assert renderer.language("order_confirmation", "fi") == "en"


def test_forms_for_other_media_are_tried_too(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    shutil.copytree(Sources().directory, folder)
    (folder / "en" / "order_confirmation.sms.liquid").write_text("Hi {{ params.wiat }}\n", "utf-8")
    text = OURS.format(purpose="transactional", params="", code="", template="order_confirmation")
    by_text, by_mail = text + 'channels = ["sms", "email"]\n', text
    (fault,) = template_faults(Renderer(folder), [flow(by_text)], ["en"])
    assert fault.startswith("flow ours: steps.mail: en/order_confirmation.sms.liquid:1:")
    assert template_faults(Renderer(folder), [flow(by_mail)], ["en"]) == []
    assert template_faults(RENDERER, [flow(by_text)], ["en", "fi"]) == []


def test_a_letter_needs_a_form_for_print() -> None:
    text = OURS.format(purpose="transactional", params="", code="", template="order_confirmation")
    (fault,) = template_faults(RENDERER, [flow(text + 'channel = "print"\n')], ["en"])
    assert "write order_confirmation.print.liquid" in fault
    assert template_faults(RENDERER, [flow(text + 'channels = ["print", "email"]\n')], ["en"]) == []

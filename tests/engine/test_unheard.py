"""A code is made only for somebody who may hear of it; what needs no telling is given all the same."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from connector.rehearsal import Outcome, Stage, read_tests

GIFT = """
id = "gift"
title = "A gift"
trigger = "order.paid"
purpose = "{purpose}"
subject = "order"
[[steps]]
id = "code"
do = "create_discount"
value = "10 %"
{steps}
[[tests]]
name = "who said no"
given = ["0d consent {said}", "1h order"]
expect = {expect}
"""
TOLD = """
[[steps]]
id = "tell"
do = "send"
template = "loyalty_thanks"
when = ["steps.code.outcome == 'done'"]
"""
WITHOUT_CONDITION = TOLD.replace("when = [\"steps.code.outcome == 'done'\"]", "")
TRANSACTIONAL = TOLD + 'purpose = "transactional"\n'
ADVISED = '[[steps]]\nid = "tag"\ndo = "tag_order"\ntag = "gift"\nwhen = ["steps.code.outcome == \'done\'"]\n'
MADE = ["1h create_discount"]


def rehearse(folder: Path, steps: str, said: str, expect: list[str], purpose: str = "loyalty") -> Outcome:
    text = GIFT.format(steps=steps, said=said, expect=expect, purpose=purpose)
    (folder / "gift.toml").write_text(text, "utf-8")
    stage = Stage("./gift.toml", "gift", folder)
    try:
        return stage.run(read_tests(tomllib.loads(text), "gift.toml")[0])
    finally:
        stage.close()


@pytest.mark.parametrize(
    ("steps", "said", "expect"),
    [
        (TOLD, "withdrawn", []),
        (TOLD, "given", [*MADE, "1h loyalty_thanks"]),
        (WITHOUT_CONDITION, "withdrawn", MADE),
        (ADVISED, "withdrawn", [*MADE, "1h tag_order"]),
        ("", "withdrawn", MADE),
        (TRANSACTIONAL, "withdrawn", [*MADE, "1h loyalty_thanks"]),
    ],
    ids=["told", "told-and-welcome", "message-without-it", "not-a-message", "not-told", "lawful-message"],
)
def test_codes_and_who_hears_of_them(tmp_path: Path, steps: str, said: str, expect: list[str]) -> None:
    outcome = rehearse(tmp_path, steps, said, expect)
    assert outcome.faults == (), (outcome.deeds, outcome.silences)


def test_the_reason_names_the_message(tmp_path: Path) -> None:
    outcome = rehearse(tmp_path, TOLD, "withdrawn", [])
    assert any("consent_withdrawn" in str(one) and "nobody would hear of it" in str(one) for one in outcome.silences)


def test_in_a_transactional_flow_a_code_is_made_whatever_they_said(tmp_path: Path) -> None:
    outcome = rehearse(tmp_path, TOLD, "withdrawn", [*MADE, "1h loyalty_thanks"], purpose="transactional")
    assert outcome.faults == (), (outcome.deeds, outcome.silences)

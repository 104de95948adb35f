"""docs/flows.md names every kind of event, word of a test, step, subject and re-entry; its flow does as it says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from connector.model import EventKind
from connector.registry import Registry
from connector.rehearsal import VOCABULARY, Stage, read_tests
from flows.knowing.subjects import REENTRY, SUBJECTS
from tests.docs.documents import ROOT, blocks

PAGE = (ROOT / "docs" / "flows.md").read_text("utf-8")
FILES = [block for block in blocks(PAGE, "docs/flows.md") if "[[tests]]" in block.text]
# Kinds a flow does not begin with: wake-ups have forms of their own, the others are between the platform and us.
_UNTOLD = {"date.reached", "calendar.reached", "customer.silent", "resource.recheck", "other"}
_OURS = ("shop.", "app.", "compliance.", "discount.")


def words(section: str) -> set[str]:
    """Everything in back quotes below a heading, up to the next of its level or above; blocks left out."""
    level = section.partition(" ")[0]
    part = PAGE.partition(f"\n{section}\n")[2]
    part = re.split(rf"\n#{{1,{len(level)}}} ", part)[0]
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", part, flags=re.MULTILINE | re.DOTALL)))


def test_every_kind_of_event_is_named() -> None:
    known = {str(kind) for kind in EventKind} - _UNTOLD
    assert {kind for kind in known if not kind.startswith(_OURS)} <= words("## Triggers")


def test_nothing_is_named_that_is_no_kind() -> None:
    table = PAGE.partition("\n| family | kinds |\n")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([a-z]+\.[a-z_]+)`", table))
    assert len(named) > 40
    assert named <= {str(kind) for kind in EventKind}


def test_every_word_of_a_test_is_named() -> None:
    assert set(VOCABULARY) <= words("## Tests")


def test_every_subject_and_re_entry_is_named() -> None:
    assert set(SUBJECTS) <= words("## Subjects")
    assert set(REENTRY) <= words("## Re-entry")


def test_every_step_is_described() -> None:
    acting = (ROOT / "docs" / "acting.md").read_text("utf-8")
    assert {name for name in Registry().steps if f"`{name}`" not in PAGE + acting} == set()


@pytest.mark.parametrize("block", FILES, ids=lambda block: block.place)
def test_the_tests_of_the_flow_it_shows_hold(block: object, tmp_path: Path) -> None:
    text = block.text
    (tmp_path / "shown.toml").write_text(text, "utf-8")
    document = tomllib.loads(text)
    stage = Stage("./shown.toml", document["id"], tmp_path)
    try:
        for test in read_tests(document, "shown.toml"):
            assert stage.run(test).faults == ()
    finally:
        stage.close()


def test_there_is_a_flow_to_try() -> None:
    assert FILES

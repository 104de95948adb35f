"""What mail clients do not show: the table of Can I email, and what is told of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connector.config.brands import MAIL_CLIENTS, MAIL_PLATFORMS, read_brand
from flows.render.inspection import Finding, inspect
from flows.render.prepared import Parts
from flows.render.support import FAMILIES, FEW, GRACEFUL, known_clients, lack
from scripts.client_support import lacking, name_of, stats_of

ROOT = Path(__file__).parents[2]
TABLE = json.loads((ROOT / "flows/render/client_support.json").read_text("utf-8"))


def test_a_finding_names_clients_and_the_versions_that_were_tested() -> None:
    found = lack("position")
    assert found is not None
    assert "Gmail Android 2021-05" in found.clients
    assert found.share is None
    flex = lack("display:flex", {"outlook windows": 0.2})
    assert flex is not None
    assert flex.clients == "Outlook Windows 2007 to 2019"
    assert flex.share == pytest.approx(0.2)


def test_a_family_counts_by_how_many_of_its_clients_are_without() -> None:
    outlook = [client for client in TABLE["clients"] if client.startswith("outlook ")]
    without = [client for client in TABLE["features"]["position"] if client.startswith("outlook ")]
    found = lack("position", {"outlook": 0.5})
    assert found is not None
    assert found.share == pytest.approx(0.5 * len(without) / len(outlook))
    assert 0 < found.share < 0.5


@pytest.mark.parametrize(
    ("feature", "readers"),
    [
        ("position", {"apple-mail": 1.0}),  # they show it
        ("display:flex", {"outlook windows": FEW / 2}),  # hardly anybody
        ("border-radius", None),  # less pretty, and no more
        ("no-such-property", None),
    ],
)
def test_what_concerns_nobody_is_not_told(feature: str, readers: dict[str, float] | None) -> None:
    assert lack(feature, readers) is None


def html(body: str) -> Parts:
    return Parts("s", "p", f'<body style="background:#ffffff">{body}</body>', "text")


def test_the_check_tells_it_with_what_to_do_instead() -> None:
    found = inspect(html('<svg></svg><div style="display:flex;border-radius:4px">x</div>'), {"gmail": 0.4, "gmx": 0.1})
    assert [(each.kind, each.serious) for each in found] == [("support", False)] * 2
    svg, flex = (each.message for each in found)
    assert svg.startswith("<svg>: not shown by Gmail")
    assert svg.endswith("readers); use a PNG")
    assert "(about 47% of the readers)" in svg, "all of Gmail, and two of GMX's three"
    assert flex.startswith("display:flex: not shown by GMX in a browser 2022-06 (about ")
    assert inspect(html("<p>plain</p>")) == []


def test_scripts_and_frames_are_serious_whatever_the_table_says() -> None:
    (found,) = inspect(html("<script></script>"), {"apple-mail": 1.0})
    assert found == Finding("support", "<script>: mail clients remove it, and many then show the message as dangerous")


def test_readers_are_read_with_the_brand() -> None:
    faults: list[str] = []
    readers = {"gmail": 0.5, "outlook windows": 0.25}
    brand = read_brand({"brands": {"b": {"readers": readers}}}, ROOT, "b", "shop", faults)
    assert (dict(brand.readers), faults) == (readers, [])


@pytest.mark.parametrize(
    ("readers", "sentence"),
    [
        ({"gmial": 0.5}, "no mail client 'gmial'; did you mean 'gmail'?"),
        ({"outlook window": 0.5}, "no platform 'window'; did you mean 'windows'?"),
        ({"gmail": 40}, "should be a share above 0 and up to 1"),
        ({"gmail": 0.7, "outlook": 0.7}, "1.40 together"),
        ("gmail", "should be shares by mail client"),
    ],
)
def test_wrong_readers_are_named(readers: object, sentence: str) -> None:
    faults: list[str] = []
    read_brand({"brands": {"b": {"readers": readers}}}, ROOT, "b", "shop", faults)
    assert any(sentence in fault and "brands.b.readers" in fault for fault in faults), faults


def test_the_table_and_what_the_configuration_knows_are_of_one_kind() -> None:
    families = {client.partition(" ")[0] for client in TABLE["clients"]}
    assert families == set(MAIL_CLIENTS)
    assert {client.partition(" ")[2] for client in TABLE["clients"]} == set(MAIL_PLATFORMS)
    assert set(FAMILIES) <= families <= known_clients()
    assert {client for marks in TABLE["features"].values() for client in marks} <= set(TABLE["clients"])
    lacking_nothing = [name for name in GRACEFUL if name not in TABLE["features"]]
    assert len(lacking_nothing) < len(GRACEFUL), "the list of what does no harm is about features of the table"
    assert "hteumeuleu/caniemail" in TABLE["source"]
    assert "MIT" in TABLE["licence"]
    notice = (ROOT / "NOTICE").read_text("utf-8")
    assert "Rémi Parmentier" in notice
    assert "Permission is hereby granted" in notice


# The file's form, with its missing commas and its spare ones; the words are invented.
FEATURE = """---
title: "invented"
stats: {
  gmail: {
    ios: { "2019-02": "n", "2024-01": "y #1", },
    android: { "2019-02":"y"
      "2024-01":"n #2" }
  },
  outlook: { windows: { "2007":"n", "2016": "a #1", "2019":"n" } }
}
notes_by_num: { "1": "n" }
---
"""


def test_the_table_is_made_of_the_newest_tests_and_of_every_outlook_for_windows() -> None:
    assert lacking(stats_of(FEATURE)) == {"gmail android": "2024-01", "outlook windows": "2007 2019"}
    assert [name_of(stem) for stem in ("css-display-flex", "css-position", "html-svg", "html-input-text")] == [
        "display:flex",
        "position",
        "<svg>",
        "<input>",
    ]
    assert name_of("css-pseudo-class-hover") is name_of("html-aria-label") is name_of("image-webp") is None

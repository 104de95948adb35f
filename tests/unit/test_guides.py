"""A merchant's product texts: read whole or refused with their place, found by what was bought, in one language."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.config import parse_config
from connector.config.guides import read_guide, read_guides
from connector.errors import ConfigError
from connector.model import Guide, GuideText, LineItem, Money
from flows.goods.guides import MOST, fitting, guide_facts
from flows.render.guides import guide_table

MOKA = """
skus = ["MOKA-*"]
care_after = "180d"

[en]
name = "Moka pot"
facts = ["Cast in one piece.", "Made to be repaired."]
steps = ["Rinse it."]
care = ["Change the seal."]
url = "https://shop.example/moka"
tips = [{ title = "Warm water", text = "Begin with warm water." }]

[fi]
name = "Mutteripannu"
facts = ["Valettu yhtenä kappaleena."]
"""
AT = datetime(2026, 3, 2, tzinfo=UTC)


def guide(text: str = MOKA) -> tuple[Guide | None, list[str]]:
    faults: list[str] = []
    return read_guide(tomllib.loads(text), "moka", "guides/moka.toml", faults), faults


def line(product_id: str | None = "p1", sku: str | None = None, title: str = "Cup") -> LineItem:
    price = Money.parse("1.00", "EUR")
    return LineItem(id="l", title=title, quantity=1, unit_price=price, total=price, product_id=product_id, sku=sku)


def about(guide_id: str, **fits: tuple[str, ...]) -> Guide:
    return Guide(id=guide_id, texts=(GuideText(language="en", name=guide_id),), **fits)


def test_a_whole_guide_is_read() -> None:
    found, faults = guide()
    assert faults == []
    assert found is not None
    assert found.care_after == timedelta(days=180)
    assert [text.language for text in found.texts] == ["en", "fi"]
    assert found.texts[0].tips[0].title == "Warm water"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('skus = ["MOKA-*"]', "", "say what the guide is about"),
        ('skus = ["MOKA-*"]', 'sku = ["MOKA-*"]', "sku: unknown key; did you mean 'skus'?"),
        ('skus = ["MOKA-*"]', 'skus = "MOKA-*"', "skus: should be a list of texts"),
        ("[en]", "[english]", "english: is no language"),
        ('name = "Moka pot"', 'nam = "Moka pot"', "en.nam: unknown key; did you mean 'name'?"),
        ('name = "Moka pot"', "", "en.name: missing"),
        ('facts = ["Cast', 'fact = ["Cast', "en.fact: unknown key; did you mean 'facts'?"),
        ('care_after = "180d"', 'care_after = "half a year"', "care_after: "),
        ("https://shop.example/moka", "javascript:alert(1)", "en.url: should be a whole address"),
        (', text = "Begin with warm water."', "", "en.tips[0]: a tip has a title and a text"),
        ("tips = [{ title", "tips = [{ titel", "en.tips[0].titel: unknown key; did you mean 'title'?"),
    ],
)
def test_a_slip_is_named_with_its_place(old: str, new: str, fault: str) -> None:
    assert old in MOKA
    found, faults = guide(MOKA.replace(old, new, 1))
    assert found is None
    assert any(line.startswith("guides/moka.toml: ") and fault in line for line in faults), faults


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.toml").write_text(MOKA, "utf-8")
    (tmp_path / "note.txt").write_text("no guide", "utf-8")
    (tmp_path / "c.toml").write_text("= broken", "utf-8")
    faults: list[str] = []
    assert [found.id for found in read_guides(tmp_path, faults)] == ["a", "b"]
    assert len(faults) == 1
    assert "c.toml: cannot be read" in faults[0]
    assert read_guides(tmp_path / "nothing", faults) == ()


def config(folder: Path, **settings: str) -> object:
    shop = {"platform": "shopify", "domain": "a.myshopify.com", "sender": "A <a@a.example>", **settings}
    document = {
        "schema": 1,
        "app": {"master_key": {"env": "KEY"}},
        "channels": {"mail": {"kind": "memory"}},
        "clients": {"acme": {"shops": {"a": shop}}},
    }
    return parse_config(document, folder / "app.toml", {"KEY": "k1=" + "A" * 43 + "="}).shop("acme-a").guides


def test_a_shop_has_the_guides_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "guides").mkdir()
    (tmp_path / "guides" / "moka.toml").write_text(MOKA, "utf-8")
    (tmp_path / "acme").mkdir()
    assert [found.id for found in config(tmp_path)] == ["moka"]  # type: ignore[attr-defined]
    assert config(tmp_path, guides="acme") == ()
    with pytest.raises(ConfigError, match="no folder 'guide'; did you mean 'guides'"):
        config(tmp_path, guides="guide")


def test_a_faulty_guide_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "guides").mkdir()
    (tmp_path / "guides" / "moka.toml").write_text(MOKA.replace("skus", "sku"), "utf-8")
    with pytest.raises(ConfigError, match=r"guides/moka\.toml: sku: unknown key"):
        config(tmp_path)


@pytest.mark.parametrize(
    ("fits", "bought", "found"),
    [
        ({"products": ("p1",)}, line("p1"), True),
        ({"products": ("p1",)}, line("p12"), False),
        ({"products": ("p1",)}, line(None), False),
        ({"skus": ("MOKA-*",)}, line(sku="moka-3"), True),
        ({"skus": ("MOKA-*",)}, line(sku=None), False),
        ({"titles": ("*moka*",)}, line(title="A Moka pot"), True),
        ({"titles": ("moka",)}, line(title="A Moka pot"), False),
        ({"tags": ("Coffee",)}, line(), True),
        ({"tags": ("tea",)}, line(), False),
    ],
)
def test_what_a_guide_fits(fits: dict[str, tuple[str, ...]], bought: LineItem, found: bool) -> None:
    assert (fitting([about("g", **fits)], [bought], {"p1": ["coffee"], "p2": ["tea"]}) != ()) is found


def test_each_guide_once_and_not_a_book() -> None:
    many = [about(f"g{number}", products=(f"p{number}",)) for number in range(MOST + 3)]
    lines = [line(f"p{number}") for number in reversed(range(MOST + 3))]
    found = fitting(many, [*lines, *lines])
    assert len(found) == MOST
    assert found[0].id == f"g{MOST + 2}", "in the order of the lines"


def test_what_flows_may_ask() -> None:
    found, _ = guide()
    assert found is not None
    facts = guide_facts([found], AT)
    assert (facts.count, facts.facts, facts.steps, facts.tips, facts.care) == (1, 2, 1, 1, 1)
    assert facts.care_at == AT + timedelta(days=180)
    assert guide_facts([found], None).care_at is None
    assert guide_facts([], AT).care_at is None


@pytest.mark.parametrize(
    ("language", "shop", "name"),
    [("fi", "en", "Mutteripannu"), ("en", "fi", "Moka pot"), ("sv", "fi", "Mutteripannu"), ("sv", "de", "Moka pot")],
)
def test_a_guide_is_told_in_one_language(language: str, shop: str, name: str) -> None:
    found, _ = guide()
    assert found is not None
    assert guide_table(found, language, shop)["name"] == name


def test_a_guide_in_a_foreign_language_only_is_told_in_that() -> None:
    found, _ = guide(MOKA.split("[fi]")[0].replace("[en]", "[de]"))
    assert found is not None
    table = guide_table(found, "fi", "fi")
    assert table["name"] == "Moka pot"
    assert table["tip_1"] == {"title": "Warm water", "text": "Begin with warm water.", "url": None}
    assert table["tip_2"] is None

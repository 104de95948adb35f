"""A brand's look on its pages: what a merchant chooses is shown where it can be read, and nothing else gets through."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.config.brands import LARGEST_LOGO, read_brand
from connector.model import Brand, Palette
from connector.pages.colour import contrast
from connector.pages.theme import theme_of

STYLE = Path(__file__).parents[2] / "connector/pages/templates/style.css"
PNG = b"\x89PNG\r\n\x1a\n"
COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


def properties(text: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): ([^;]+)", text))


@given(COLOURS, COLOURS)
def test_every_role_can_be_seen_on_any_card_its_text_can_be_read_on(accent: str, card: str) -> None:
    text = "#ffffff" if contrast("#ffffff", card) >= 4.5 else "#000000"
    palette = Palette(page=card, card=card, text=text, muted=text, rule=card)
    theme = theme_of(None, Brand(name="b", accent=accent, light=palette, dark=palette))
    for found in (properties(theme.light), {**properties(theme.light), **properties(theme.dark)}):
        for role, least in (("mark", 4.5), ("bad", 4.5), ("warn", 4.5), ("ink", 4.5), ("quiet", 4.5), ("line", 3.0)):
            assert contrast(found[role], card) >= least, role
        assert contrast(found["on-accent"], found["accent"]) >= 4.5


def test_a_shop_without_a_brand_has_our_look() -> None:
    plain = theme_of(None, None)
    assert properties(theme_of(None, Brand()).light) == properties(plain.light)
    assert plain.logo is None
    sheet = STYLE.read_text("utf-8")
    used, own = set(re.findall(r"var\(--([a-z0-9-]+)\)", sheet)), set(re.findall(r"--([a-z0-9-]+):", sheet))
    assert used - own <= properties(plain.light).keys()


def read(folder: Path, logo: str) -> tuple[Brand, list[str]]:
    faults: list[str] = []
    return read_brand({"brands": {"b": {"page_logo": logo}}}, folder, "b", "x", faults), faults


def test_a_logo_becomes_part_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(PNG + b"x")
    brand, faults = read(tmp_path, "logo.png")
    assert (faults, str(brand.page_logo)[:22]) == ([], "data:image/png;base64,")
    (tmp_path / "logo.png").write_bytes(PNG + b"y")
    assert read(tmp_path, "logo.png")[0].key != brand.key, "another picture of the same name is another brand"


@pytest.mark.parametrize("logo", ["none.png", "../logo.png", "page.svg", "large.png", "/etc/passwd", "."])
def test_what_is_no_logo_is_refused(tmp_path: Path, logo: str) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    (tmp_path / "logo.png").write_bytes(PNG)
    (folder / "page.svg").write_text("<svg onload='alert(1)'/>")
    (folder / "large.png").write_bytes(PNG + bytes(LARGEST_LOGO))
    brand, faults = read(folder, logo)
    assert brand.page_logo is None
    assert [fault.partition(":")[0] for fault in faults] == ["brands.b.page_logo"]


def test_the_style_sheet_loads_nothing_and_turns_with_the_language() -> None:
    text = STYLE.read_text("utf-8")
    assert not re.search(r"url\(|@import|@font-face|!important", text)
    sides = r"(?:margin|padding|border)-(?:left|right)|(?<![-a-z])(?:left|right):|text-align: (?:left|right)"
    assert not re.search(sides, text)

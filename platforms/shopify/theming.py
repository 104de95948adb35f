"""The block of a theme that shows a product's reviews: files of a theme app extension, in `theme` beside this module.

The layout is that of Shopify CLI 4.8 (https://shopify.dev/docs/apps/build/online-store/theme-app-extensions/configuration):
`shopify.extension.toml`, `blocks/`, `locales/`. Such an extension is the only accepted way into themes
(facts/shopify.md section 3.2), and in its Liquid `$app` stands for the app it is deployed with.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable


def block() -> dict[str, str]:
    """Each file's path in the extension, and its text."""
    return dict(sorted(_texts(files("platforms.shopify").joinpath("theme"), "")))


def _texts(folder: Traversable, before: str) -> Iterator[tuple[str, str]]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _texts(each, f"{before}{each.name}/")
        else:
            yield before + each.name, each.read_text(encoding="utf-8")

"""Where the real Admin schema lies, and what to say when it does not.

The schema is Shopify's and is not in this repository: `scripts/shopify_schema.py` fetches it through npm into .cache.
"""

from __future__ import annotations

import gzip
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphql import GraphQLSchema

API_VERSION = "2026-10"
FILE_NAME = f"admin_schema_{API_VERSION}.graphql.gz"
VARIABLE = "KIITOS_SHOPIFY_SCHEMA"


class FakeUnavailable(RuntimeError):
    """The fake cannot be honest here: the schema or graphql-core is missing. One line, fit for a skip."""


def candidates() -> list[Path]:
    """The places looked at, best first: the variable, ../shared/data, .cache of the checkout or working directory."""
    places = [Path(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else []
    for root in dict.fromkeys((Path(__file__).resolve().parents[4], Path.cwd())):
        places.append(root.parent / "shared" / "data" / "shopify" / FILE_NAME)
        places.append(root / ".cache" / "shopify" / FILE_NAME)
    return places


def find_schema() -> Path | None:
    """The SDL file (gzip or plain), or `None`."""
    return next((path for path in candidates() if path.is_file()), None)


def load_schema(path: Path | None = None) -> GraphQLSchema:
    """The schema, parsed once a process (2 s). Raises `FakeUnavailable` with one line saying what to do."""
    found = path or find_schema()
    if found is None or not found.is_file():
        raise FakeUnavailable(f"no Shopify Admin schema {API_VERSION}: run scripts/shopify_schema.py (needs npm) once")
    return _parse(found)


@lru_cache(maxsize=2)
def _parse(path: Path) -> GraphQLSchema:
    try:
        from graphql import build_schema
    except ImportError:
        raise FakeUnavailable("the fake Shopify executes GraphQL with graphql-core: install kiitos[dev]") from None
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
    # Shopify deprecates interface fields its types still require, which graphql-core 3.3 calls an invalid schema.
    return build_schema(text, assume_valid=True)

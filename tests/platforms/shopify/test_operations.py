"""Every GraphQL document for Shopify in the tree, checked against the real Admin schema of our API version.

`make test` fetches the schema once where it may (scripts/shopify_schema.py); without it these tests are skipped.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import parse, validate

from connector.testing.fakes.shopify.schema import API_VERSION, find_schema, load_schema
from platforms.shopify import client

ROOT = Path(__file__).parents[3]
# Other platforms speak GraphQL of their own.
PRODUCT = ("connector", "flows", "platforms/shopify", "webhooks", "bench", "scripts")
FILES = sorted(path for top in PRODUCT for path in (ROOT / top).rglob("*.graphql"))
# A text that begins as an operation does: `query Name(`, `mutation {`.
_DOCUMENT = re.compile(r"\s*(query|mutation|subscription)\b\s*\w*\s*(\([^{}]*\))?\s*\{")

pytestmark = pytest.mark.skipif(find_schema() is None, reason="the Admin schema is not on this machine")


def texts_in(path: Path) -> Iterator[str]:
    """GraphQL documents written inside a Python module, docstrings aside."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _DOCUMENT.match(node.value):
            yield node.value


def faults(text: str) -> list[str]:
    return [error.message for error in validate(load_schema(), parse(text))]


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_an_operation_is_valid_and_uses_nothing_unknown(path: Path) -> None:
    assert faults(path.read_text("utf-8")) == []


def test_documents_inside_modules_are_valid_too() -> None:
    modules = [path for top in PRODUCT for path in (ROOT / top).rglob("*.py")]
    assert len(modules) > 100
    wrong = {str(path): found for path in modules for text in texts_in(path) if (found := faults(text))}
    assert wrong == {}


def test_the_check_would_find_a_fault(tmp_path: Path) -> None:
    assert faults("query { order(id: 1) { nonsense } }")
    module = tmp_path / "m.py"
    module.write_text('ASKED = """\nquery Shop { shop { nonsense } }\n"""\nNOT = "query the shop {kindly}"\n')
    (found,) = texts_in(module)
    assert faults(found)


def test_all_that_we_send_is_looked_at() -> None:
    ours = {path for path in FILES if path.parts[-2] == "operations"}
    assert len(ours) >= 41
    assert {client.operation(path.stem) for path in ours} == {path.read_text("utf-8") for path in ours}
    assert client.API_VERSION == API_VERSION

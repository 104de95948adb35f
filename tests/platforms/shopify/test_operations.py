"""Every GraphQL operation we send, checked against the real Admin schema of our API version."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from platforms.shopify import client

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT.parent / "shared" / "data" / "shopify" / f"admin_schema_{client.API_VERSION}.graphql.gz"
OPERATIONS = sorted((ROOT / "platforms" / "shopify" / "operations").glob("*.graphql"))

pytestmark = pytest.mark.skipif(not SCHEMA.exists(), reason="the Admin schema is not on this machine")


@cache
def schema() -> GraphQLSchema:
    # graphql-core 3.3 finds fault with Shopify's own deprecations; the schema is taken as it is
    return build_schema(gzip.decompress(SCHEMA.read_bytes()).decode(), assume_valid=True)


@pytest.mark.parametrize("path", OPERATIONS, ids=[path.stem for path in OPERATIONS])
def test_an_operation_is_valid_and_uses_nothing_deprecated(path: Path) -> None:
    document = parse(client.operation(path.stem))
    assert [error.message for error in validate(schema(), document)] == []


def test_the_check_would_find_a_fault() -> None:
    document = parse("query { order(id: 1) { nonsense } }")
    assert validate(schema(), document)


def test_there_are_operations() -> None:
    assert len(OPERATIONS) == 40

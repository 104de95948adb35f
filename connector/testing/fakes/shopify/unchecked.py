"""GraphQL without the schema: for the demo on a machine where Shopify's Admin schema is not at hand.

The same resolvers answer, but nothing checks the query, its cost or the types of its variables. Tests use the real
schema (`execution`) and skip without it; one of them holds that both give the same answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)
from graphql.utilities import value_from_ast_untyped

from connector.testing.fakes.shopify import scopes
from connector.testing.fakes.shopify.execution import snake
from connector.testing.fakes.shopify.roots import roots
from connector.testing.fakes.shopify.state import Json
from connector.testing.fakes.shopify.views import View

if TYPE_CHECKING:
    from connector.testing.fakes.shopify.shop import FakeShopify


class UncheckedEndpoint:
    """Walks the selections of a request over the fake's views."""

    def __init__(self, shop: FakeShopify) -> None:
        self._shop = shop

    def answer(self, body: bytes) -> tuple[int, Json]:
        """The HTTP status and the JSON for a request body."""
        request = json.loads(body)
        document = parse(request["query"])
        operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
        fragments = {n.name.value: n for n in document.definitions if isinstance(n, FragmentDefinitionNode)}
        walk = _Walk(self._shop, request.get("variables") or {}, fragments)
        with self._shop.lock:
            try:
                return 200, {"data": walk.root(operation.selection_set)}
            except GraphQLError as error:
                return 200, {"data": None, "errors": [dict(error.formatted)]}

    def inner(self, text: str) -> Json:
        """The data of a query of the shop's own."""
        document = parse(text)
        operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
        fragments = {n.name.value: n for n in document.definitions if isinstance(n, FragmentDefinitionNode)}
        return _Walk(self._shop, {}, fragments).root(operation.selection_set)


class _Walk:
    def __init__(self, shop: FakeShopify, variables: Json, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._shop = shop
        self._variables = variables
        self._fragments = fragments

    def root(self, selections: SelectionSetNode) -> Json:
        known = roots(self._shop)
        found: Json = {}
        for field in self._fields(selections, None):
            needed = scopes.ROOT_FIELDS.get(field.name.value)
            if needed:
                self._shop.require_scope(needed, field.name.value)
            value = known[snake(field.name.value)](self._shop, **self._arguments(field))
            found[_key(field)] = self._complete(field, value)
        return found

    def _complete(self, field: FieldNode, value: Any) -> Any:
        if value is None or field.selection_set is None:
            return value
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [self._complete(field, item) for item in value]
        chosen = self._fields(field.selection_set, value)
        return {_key(inner): self._complete(inner, self._member(value, inner)) for inner in chosen}

    def _member(self, source: Any, field: FieldNode) -> Any:
        if field.name.value == "__typename":
            return _typename(source)
        name = snake(field.name.value)
        if isinstance(source, Mapping):
            return source[name]
        method = getattr(source, name, None)
        if callable(method):
            return method(**self._arguments(field))
        assert isinstance(source, View)
        return source.row[name]

    def _fields(self, selections: SelectionSetNode, source: Any) -> Iterator[FieldNode]:
        """The fields to answer, fragments opened where their type fits."""
        for node in selections.selections:
            if isinstance(node, FieldNode):
                yield node
                continue
            if isinstance(node, FragmentSpreadNode):
                fragment: FragmentDefinitionNode | InlineFragmentNode = self._fragments[node.name.value]
            else:
                assert isinstance(node, InlineFragmentNode)
                fragment = node
            wanted, is_a = fragment.type_condition, _typename(source)
            if wanted is None or is_a is None or wanted.name.value == is_a:
                yield from self._fields(fragment.selection_set, source)

    def _arguments(self, field: FieldNode) -> Json:
        return {snake(a.name.value): value_from_ast_untyped(a.value, self._variables) for a in field.arguments or ()}


def _key(field: FieldNode) -> str:
    return field.alias.value if field.alias else field.name.value


def _typename(source: Any) -> str | None:
    if isinstance(source, Mapping):
        found = source.get("__typename")
        return str(found) if found else None
    return getattr(source, "typename", None)

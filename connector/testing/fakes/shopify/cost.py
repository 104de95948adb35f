"""What a query costs, before (worst case) and after (what came back).

Scalar 0, object or plain list of objects 1, mutation 10, connection 2 plus its nodes, sized by `first` (the table of
shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits; the 2 is from Shopify's article on the cost model). The page
adds that only running a query tells its true cost, and costs others measured for big pages are lower (602 by this sum,
112 measured, in microsoft/BCApps pull 5926): what passes here passes there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_composite_type,
)

from connector.clock import Clock

MUTATION = 10
CONNECTION = 2
UNSIZED = 10


class Bucket:
    """Points that refill: `size` at most, `rate` a second, by the clock (shopify.md §3, standard plan)."""

    def __init__(self, clock: Clock, size: float = 2000.0, rate: float = 100.0) -> None:
        self._clock = clock
        self.size = size
        self.rate = rate
        self._level = size
        self._read_at = clock.monotonic()

    def level(self) -> float:
        """Points there now."""
        now = self._clock.monotonic()
        self._level = min(self.size, self._level + max(0.0, now - self._read_at) * self.rate)
        self._read_at = now
        return self._level

    def spend(self, points: float) -> None:
        """Take points out (or put them back, when negative)."""
        self._level = min(self.size, self.level() - points)

    def status(self) -> dict[str, float]:
        return {
            "maximumAvailable": self.size,
            "currentlyAvailable": int(max(0.0, self.level())),
            "restoreRate": self.rate,
        }


class Price:
    """The cost of one operation of a validated document."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._operation = operation
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self._variables: Mapping[str, Any] = {}

    def requested(self, variables: Mapping[str, Any]) -> int:
        """The worst case: every connection as full as `first` allows."""
        self._variables = variables
        return self._root(None)

    def actual(self, data: Mapping[str, Any]) -> int:
        """What came back."""
        return self._root(data)

    def _root(self, data: Mapping[str, Any] | None) -> int:
        kind = self._operation.operation
        root = self._schema.get_root_type(kind)
        if root is None:
            return 0
        total = 0
        for field, _ in self._fields(self._operation.selection_set, root):
            if kind is OperationType.MUTATION:
                total += MUTATION
            else:
                total += self._field(field, root, data)
        return total

    def _fields(
        self, selection: SelectionSetNode | None, parent: GraphQLCompositeType
    ) -> list[tuple[FieldNode, GraphQLCompositeType]]:
        """The fields of a selection, fragments opened, each with the type that holds it."""
        found: list[tuple[FieldNode, GraphQLCompositeType]] = []
        for node in selection.selections if selection else ():
            if isinstance(node, FieldNode):
                found.append((node, parent))
                continue
            fragment = self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            if isinstance(fragment, (FragmentDefinitionNode, InlineFragmentNode)):
                on = fragment.type_condition
                inner = self._schema.get_type(on.name.value) if on else parent
                if inner is not None and is_composite_type(inner):
                    found += self._fields(fragment.selection_set, inner)
        return found

    def _field(self, node: FieldNode, parent: GraphQLCompositeType, data: Any) -> int:
        """One field; `data` is the object that holds it, or `None` for the worst case."""
        definition = getattr(parent, "fields", {}).get(node.name.value)
        if definition is None:
            return 0
        kind = get_named_type(definition.type)
        if not is_composite_type(kind):
            return 0
        key = node.alias.value if node.alias else node.name.value
        value = data.get(key) if isinstance(data, Mapping) else None
        if data is not None and value is None:
            return 0
        if kind.name.endswith("Connection"):
            return CONNECTION + self._nodes(node, kind, value)
        if isinstance(value, list):
            return 1 + max((self._inside(node, kind, item) for item in value if item is not None), default=0)
        return 1 + self._inside(node, kind, value)

    def _inside(self, node: FieldNode, kind: GraphQLCompositeType, value: Any) -> int:
        return sum(self._field(inner, holder, value) for inner, holder in self._fields(node.selection_set, kind))

    def _nodes(self, node: FieldNode, kind: GraphQLCompositeType, value: Any) -> int:
        """The nodes of a connection, through `nodes` or `edges { node }`."""
        total = 0
        for inner, holder in self._fields(node.selection_set, kind):
            if inner.name.value not in ("nodes", "edges"):
                continue
            listed = get_named_type(getattr(holder, "fields")[inner.name.value].type)  # noqa: B009
            assert is_composite_type(listed)
            key = inner.alias.value if inner.alias else inner.name.value
            rows = value.get(key) if isinstance(value, Mapping) else [None] * self._size(node)
            for row in rows or []:
                if inner.name.value == "edges":
                    total += self._inside(inner, listed, row)
                else:
                    total += 1 + self._inside(inner, listed, row)
        return total

    def _size(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value in ("first", "last"):
                variable = getattr(argument.value, "name", None)
                value = self._variables.get(variable.value) if variable else getattr(argument.value, "value", None)
                return int(value) if value is not None else UNSIZED
        return UNSIZED

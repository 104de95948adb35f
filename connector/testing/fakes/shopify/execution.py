"""Running a GraphQL request against the real schema, with Shopify's errors, scopes, cost and throttling."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    execute_sync,
    get_named_type,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values

from connector.testing.fakes.shopify import scopes
from connector.testing.fakes.shopify.cost import Price
from connector.testing.fakes.shopify.roots import roots
from connector.testing.fakes.shopify.state import Json
from connector.testing.fakes.shopify.views import View

if TYPE_CHECKING:
    from connector.testing.fakes.shopify.shop import FakeShopify

MAX_QUERY_COST = 1000
DOCUMENTATION = "https://shopify.dev/api/usage/"

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_UNDEFINED = re.compile(r"Cannot query field '(\w+)' on type '(\w+)'")
_ARGUMENT = re.compile(r"Unknown argument '(\w+)' on field '(\w+)\.(\w+)'")


def snake(name: str) -> str:
    """The Python name of a GraphQL field.

    >>> snake("countryCodeV2"), snake("legacyResourceId"), snake("address1")
    ('country_code_v2', 'legacy_resource_id', 'address1')
    """
    return _HUMP.sub("_", name).lower()


class GraphqlEndpoint:
    """The endpoint of one shop."""

    def __init__(self, shop: FakeShopify, schema: GraphQLSchema) -> None:
        self._shop = shop
        self._schema = schema
        self._documents: dict[str, DocumentNode | list[Json]] = {}

    def answer(self, body: bytes) -> tuple[int, Json]:
        """The HTTP status and the JSON for a request body."""
        try:
            request = json.loads(body)
            text, variables = request["query"], request.get("variables") or {}
        except (ValueError, KeyError, TypeError, AttributeError):
            return 400, {"errors": {"query": "Required parameter missing or invalid"}}
        if not isinstance(text, str) or not isinstance(variables, dict):
            return 400, {"errors": {"query": "Required parameter missing or invalid"}}
        document = self._document(text)
        if isinstance(document, list):
            return 200, {"errors": document}
        operation = _operation(document, request.get("operationName"))
        if operation is None:
            return 200, {"errors": [{"message": "An operation name is required"}]}
        return 200, self._run(document, operation, variables)

    def inner(self, text: str) -> Json:
        """The data of a query that a bulk operation runs. Raises `GraphQLError` with the first fault."""
        document = self._document(text)
        if isinstance(document, list):
            raise GraphQLError(str(document[0].get("message")))
        operation = _operation(document, None)
        assert operation is not None
        result = self._execute(document, operation, {})
        if result.errors:
            raise result.errors[0]
        return dict(result.data or {})

    def _document(self, text: str) -> DocumentNode | list[Json]:
        """The parsed and validated document, or the errors; kept, since our client sends the same few."""
        if text not in self._documents:
            try:
                document = parse(text)
                faults = validate(self._schema, document)
                self._documents[text] = [_validation_error(fault) for fault in faults] or document
            except GraphQLSyntaxError as error:
                self._documents[text] = [dict(error.formatted)]
        return self._documents[text]

    def _run(self, document: DocumentNode, operation: OperationDefinitionNode, variables: Json) -> Json:
        faults = self._variable_errors(operation, variables)
        if faults:
            return {"errors": faults}
        price = Price(self._schema, document, operation)
        requested = price.requested(variables)
        if requested > MAX_QUERY_COST:
            return {"errors": [_too_dear(requested)]}
        bucket = self._shop.bucket
        if bucket.level() < requested:
            extensions = {"code": "THROTTLED", "documentation": DOCUMENTATION + "rate-limits"}
            return {
                "errors": [{"message": "Throttled", "extensions": extensions}],
                "extensions": {"cost": self._cost(requested, None)},
            }
        result = self._execute(document, operation, variables)
        actual = price.actual(result.data) if result.data else min(requested, 1)
        bucket.spend(actual)
        answer: Json = {"data": result.data, "extensions": {"cost": self._cost(requested, actual)}}
        if result.errors:
            answer["errors"] = [dict(error.formatted) for error in result.errors]
            self._shop.gaps += [error.message for error in result.errors if _is_gap(error)]
        return answer

    def _cost(self, requested: int, actual: int | None) -> Json:
        return {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": self._shop.bucket.status(),
        }

    def _variable_errors(self, operation: OperationDefinitionNode, variables: Json) -> list[Json]:
        found = get_variable_values(self._schema, operation.variable_definitions or (), variables)
        if not isinstance(found, list):
            return []
        return [{**error.formatted, "extensions": {"code": "INVALID_VARIABLE"}} for error in found]

    def _execute(self, document: DocumentNode, operation: OperationDefinitionNode, variables: Json) -> ExecutionResult:
        with self._shop.lock:
            return execute_sync(
                self._schema,
                document,
                variable_values=variables,
                operation_name=operation.name.value if operation.name else None,
                field_resolver=self._resolve,
                type_resolver=_type_of,
            )

    def _resolve(self, source: Any, info: GraphQLResolveInfo[Any], **args: Any) -> Any:
        """One field: scope first, then the root function, the view's method or the plain value."""
        self._check_scope(info)
        name = snake(info.field_name)
        given = {snake(key): value for key, value in args.items()}
        if info.parent_type in (self._schema.query_type, self._schema.mutation_type):
            root = roots(self._shop).get(name)
            return root(self._shop, **given) if root else _gap(info)
        if isinstance(source, Mapping):
            return source[name] if name in source else _gap(info)
        method = getattr(source, name, None) if not name.startswith("_") else None
        if callable(method):
            return method(**given)
        return source.row[name] if isinstance(source, View) and name in source.plain else _gap(info)

    def _check_scope(self, info: GraphQLResolveInfo[Any]) -> None:
        if info.parent_type in (self._schema.query_type, self._schema.mutation_type):
            needed = scopes.ROOT_FIELDS.get(info.field_name)
            if needed:
                self._shop.require_scope(needed, info.field_name)
        kind = get_named_type(info.return_type).name.removesuffix("Connection").removesuffix("Edge")
        needed = scopes.TYPES.get(kind)
        if needed:
            self._shop.require_scope(needed, info.field_name)


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode | None:
    found = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name is not None:
        found = [node for node in found if node.name and node.name.value == name]
    return found[0] if len(found) == 1 else None


def _type_of(value: Any, *_: Any) -> str:
    return str(value["__typename"] if isinstance(value, Mapping) else value.typename)


def _is_gap(error: GraphQLError) -> bool:
    """Whether the fake, not the request, is to blame: no answer, or a fault in a resolver of ours."""
    fault = error.original_error
    return (error.extensions or {}).get("code") == "FAKE_GAP" or not isinstance(fault, (GraphQLError, type(None)))


def _gap(info: GraphQLResolveInfo[Any]) -> Any:
    where = f"{info.parent_type.name}.{info.field_name}"
    raise GraphQLError(f"the fake Shopify has no answer for {where}", extensions={"code": "FAKE_GAP"})


def _validation_error(error: GraphQLError) -> Json:
    """A validation error in the words of Shopify's own (Ruby) implementation, where they are known."""
    row: Json = dict(error.formatted)
    undefined, argument = _UNDEFINED.search(error.message), _ARGUMENT.search(error.message)
    if undefined:
        field, kind = undefined.groups()
        row["message"] = f"Field '{field}' doesn't exist on type '{kind}'"
        row["extensions"] = {"code": "undefinedField", "typeName": kind, "fieldName": field}
    elif argument:
        name, _, field = argument.groups()
        row["message"] = f"Field '{field}' doesn't accept argument '{name}'"
        row["extensions"] = {"code": "argumentNotAccepted", "name": field, "argumentName": name, "typeName": "Field"}
    return row


def _too_dear(cost: int) -> Json:
    message = (
        f"Query cost is {cost}, which exceeds the single query max cost limit ({MAX_QUERY_COST}).\n\n"
        f"See {DOCUMENTATION}rate-limits for more information on how the cost of a query is calculated."
    )
    extensions = {"code": "MAX_COST_EXCEEDED", "cost": cost, "maxCost": MAX_QUERY_COST}
    return {"message": message, "extensions": {**extensions, "documentation": DOCUMENTATION + "rate-limits"}}

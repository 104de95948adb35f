"""A Shopify shop over HTTP: OAuth, the Admin GraphQL API, and troubles on demand."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector.clock import Clock
from connector.testing.fakes.shopify import scopes as scope_rules
from connector.testing.fakes.shopify.bulk import BULK_PATH, Bulk
from connector.testing.fakes.shopify.life import ShopLife
from connector.testing.fakes.shopify.oauth import AUTHORIZE_PATH, TOKEN_PATH, OAuth
from connector.testing.fakes.shopify.schema import API_VERSION, find_schema, load_schema
from connector.testing.fakes.shopify.state import Json
from connector.testing.fakes.weather import Weather
from connector.testing.fakes.web import Call, LoopbackServer, Request, Response, Trouble, as_json

if TYPE_CHECKING:
    from connector.testing.fakes.shopify.cost import Bucket
    from connector.testing.fakes.shopify.execution import GraphqlEndpoint
    from connector.testing.fakes.shopify.unchecked import UncheckedEndpoint

CDN_PATH = "/cdn"
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR42mOQj/HFihiGlgQAfmUyAZYgoJIAAAAASUVORK5CYII="
)
"""What each product looks like: a green square."""
GRAPHQL_PATH = f"/admin/api/{API_VERSION}/graphql.json"
_OPERATION = re.compile(r"(?:\s*#[^\n]*\n)*\s*(?:query|mutation)\s+(\w+)")
UNAUTHORISED = "[API] Invalid API key or access token (unrecognized login or wrong password)"
# What the reviews of this product are kept in; other types must be declared, as at Shopify.
REVIEW_FIELDS = frozenset(
    {
        *("rating", "title", "body", "author", "product", "order", "submitted_at", "key", "text"),
        *("disclosure", "answer", "verified", "photos"),
    }
)


class FakeShopify(ShopLife):
    """One shop and one custom app in it. Use in a `with` statement; `url` is then where it listens.

    `scopes` are what the app was granted. `schema_path` replaces the search for the schema. Further keyword arguments
    (`name`, `currency`, `timezone`, `locale`, `tax_rate`, `email`, `country`) describe the shop. Without schema or
    graphql-core `start` raises `FakeUnavailable`, unless `graphql=False`: then webhooks work and GraphQL answers 501.
    `unchecked=True` answers without the schema where it is missing (`checked` is then false): for the demo only.
    """

    def __init__(
        self,
        clock: Clock,
        domain: str,
        client_id: str,
        client_secret: str,
        scopes: Collection[str],
        schema_path: Path | None = None,
        *,
        graphql: bool = True,
        unchecked: bool = False,
        port: int = 0,
        **settings: Any,
    ) -> None:
        super().__init__(clock, domain, client_secret, **settings)
        self.client_id = client_id
        self.client_secret = client_secret
        self.scopes = set(scopes)
        self.metaobject_types: dict[str, frozenset[str]] = {"$app:review": REVIEW_FIELDS}
        self.declared_lists = {("Product", "reviews")}
        """Metafields of the app that refer to metaobjects; others must be declared, as at Shopify."""
        self.calls: list[Call] = []
        self.gaps: list[str] = []
        self.troubles: list[Trouble] = []
        self.weather = Weather(clock=clock, seed=3)
        self.outbox.loses, self.outbox.reaches = self.weather.loses, self.weather.reaches
        self.bulk = Bulk(self)
        self.oauth = OAuth(clock, domain, client_id, client_secret)
        self._schema_path = schema_path
        self._graphql = graphql
        self._unchecked = unchecked
        self.checked = graphql
        self._endpoint: GraphqlEndpoint | UncheckedEndpoint | None = None
        self._server = LoopbackServer(self._answer, port)
        self.bucket: Bucket

    # --- running ---

    def start(self) -> None:
        """Load the schema and listen on 127.0.0.1. Raises `FakeUnavailable` with one line."""
        if self._graphql and self._unchecked and self._schema_path is None and find_schema() is None:
            from connector.testing.fakes.shopify.unchecked import UncheckedEndpoint

            self.checked = False
            self._endpoint = UncheckedEndpoint(self)
        elif self._graphql:
            schema = load_schema(self._schema_path)
            from connector.testing.fakes.shopify.cost import Bucket
            from connector.testing.fakes.shopify.execution import GraphqlEndpoint

            self.bucket = Bucket(self.clock)
            self._endpoint = GraphqlEndpoint(self, schema)
        self._server.start()
        self.cdn = f"{self.url}{CDN_PATH}"

    def stop(self) -> None:
        self._server.stop()

    def __enter__(self) -> FakeShopify:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """What stands for `https://<domain>`: the base of every address of the API."""
        return self._server.url

    @property
    def api_url(self) -> str:
        """The same as `url`, named for what goes into the setting `api_url` of a shop."""
        return self._server.url

    # --- knobs ---

    def trouble(self, *troubles: Trouble) -> None:
        """Let the next requests to the API go wrong, one each."""
        self.troubles.extend(troubles)

    def revoke_tokens(self) -> None:
        """As after a rotation of the secret or an uninstall: every token issued so far answers 401."""
        self.oauth.revoke()

    def issue_token(self) -> str:
        """A token for tests that do not want to ask for one."""
        return self.oauth.issue()

    # --- used by the resolvers ---

    def require_scope(self, needed: tuple[str, ...], field: str) -> None:
        """Raise Shopify's ACCESS_DENIED unless one of the scopes was granted."""
        from graphql import GraphQLError

        if scope_rules.granted(self.scopes, needed):
            return
        words = scope_rules.wording(needed)
        documentation = "https://shopify.dev/api/usage/access-scopes"
        raise GraphQLError(
            f"Access denied for {field} field. Required access: {words}",
            extensions={"code": "ACCESS_DENIED", "documentation": documentation, "requiredAccess": words},
        )

    def metaobject_by_handle(self, kind: str, handle: str) -> Json | None:
        return next(
            (m for m in self.metaobjects.values() if kind in (m["type"], m["short_type"]) and m["handle"] == handle),
            None,
        )

    def topic_named(self, enum: str) -> str:
        """The header's spelling of a WebhookSubscriptionTopic; the enum does not tell `/` from `.` or `_`."""
        from connector.testing.fakes.shopify.topics import TOPICS

        return TOPICS.get(enum, enum.lower())

    # --- HTTP ---

    def _answer(self, request: Request) -> Response:
        with self.lock:
            trouble = self.troubles.pop(0) if self.troubles else self.weather.trouble()
        if trouble.status:
            headers = [("Retry-After", trouble.retry_after)] if trouble.retry_after else []
            response = as_json(trouble.status, {"errors": "trouble on demand"}, headers)
        else:
            response = self._route(request)
        with self.lock:
            operation = _operation_name(request.body) if request.path == GRAPHQL_PATH else ""
            self.calls.append(Call(request.method, request.path, response.status, self.clock.now(), operation))
        if trouble.drop:
            return Response(response.status, drop=True)
        return response

    def inner(self, text: str) -> Json:
        """The data of a query run by the shop itself, without cost and page sizes. Raises `GraphQLError`."""
        if self._endpoint is None:
            raise RuntimeError("this fake was started without GraphQL")
        return self._endpoint.inner(text)

    def _route(self, request: Request) -> Response:
        if request.method == "GET" and request.path.startswith(CDN_PATH):
            return Response(200, PICTURE, "image/png")
        if request.method == "GET" and request.path.startswith(BULK_PATH):
            return self.bulk.serve(request)
        if request.path == AUTHORIZE_PATH and request.method in ("GET", "POST"):
            with self.lock:
                return self.oauth.authorize(request, self.scopes)
        if request.method != "POST" or request.path not in (TOKEN_PATH, GRAPHQL_PATH):
            return as_json(404, {"errors": "Not Found"})
        if request.path == TOKEN_PATH:
            with self.lock:
                return self.oauth.answer(request, self.scopes)
        if not self.oauth.accepts(request.headers.get("x-shopify-access-token", "")):
            return as_json(401, {"errors": UNAUTHORISED})
        if self._endpoint is None:
            return as_json(501, {"errors": "this fake was started without GraphQL"})
        status, answer = self._endpoint.answer(request.body)
        return as_json(status, answer, [("X-Shopify-API-Version", API_VERSION)])


def _operation_name(body: bytes) -> str:
    """The first operation's name in a GraphQL request, for the list of calls."""
    try:
        found = _OPERATION.match(json.loads(body)["query"])
    except (ValueError, KeyError, TypeError):
        return ""
    return found[1] if found else ""

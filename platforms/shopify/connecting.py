"""Connecting a Shopify store: the merchant's own app, an approval in the store's admin, or an install from Shopify.

| way | how | what comes of it |
| --- | --- | --- |
| `own_app` | the id and secret of an app made in the Dev Dashboard are entered | client credentials, 24 h tokens |
| `approve` | the browser goes to the store's admin and comes back with a code | expiring offline token |
| (arrive) | Shopify's admin loads the app with an ID token | expiring offline token by token exchange |

The last two need the operator's own app under `[connect.apps.shopify]`. A grant counts only after it has read the
store it is for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar

from connector.contracts import (
    Access,
    Begun,
    ChecksConnection,
    Connected,
    ConnectField,
    ConnectRequest,
    ConnectReturn,
    ConnectsStores,
    ConnectWay,
    FieldKind,
    Finding,
    Redirect,
)
from connector.errors import ConnectRefused
from platforms.shopify.calls import Calls
from platforms.shopify.identity import refusal, verify_id_token, verify_query
from platforms.shopify.install import authorize_url, typed_domain, verify_return, wanted_scopes

OWN_APP, APPROVE = "own_app", "approve"
_SHOP = ConnectField(name="shop", example="your-store.myshopify.com")
_APP = ("client_id", "client_secret")
_LANGUAGES = ("en", "fi")


class Connecting(Calls, ConnectsStores, ChecksConnection):
    """What the platform `shopify` tells the connect pages and `kiitos shops`."""

    ticket_in: ClassVar[str] = "state"
    app_settings: ClassVar[Sequence[ConnectField]] = (
        ConnectField(name="client_id"),
        ConnectField(name="client_secret", kind=FieldKind.SECRET),
        ConnectField(name="client_secret_previous", kind=FieldKind.SECRET, required=False),
        ConnectField(name="name", required=False, example="Kiitos"),
        ConnectField(name="handle", required=False, example="kiitos"),
        ConnectField(name="scopes", required=False, example="write_orders,write_customers"),
        ConnectField(name="proxy_subpath", required=False, example="kiitos"),
        ConnectField(name="api_url", kind=FieldKind.URL, required=False),
    )
    credential_names: ClassVar[Sequence[str]] = ("grant", "access_token", "client_id", "client_secret")

    def ways(self) -> Sequence[ConnectWay]:
        return (
            ConnectWay(name=APPROVE, fields=(_SHOP,), needs_browser=True, needs_app=_APP),
            ConnectWay(
                name=OWN_APP,
                fields=(
                    _SHOP,
                    ConnectField(name="client_id"),
                    ConnectField(name="client_secret", kind=FieldKind.SECRET),
                ),
            ),
        )

    def wording(self, language: str) -> Mapping[str, str]:
        return _wording(language)

    def begin(self, request: ConnectRequest) -> Begun:
        """Ask for a token with the merchant's own app, or send the browser to where the merchant says yes."""
        domain = typed_domain(request.values.get("shop", ""))
        if request.way == OWN_APP:
            from platforms.shopify import standing  # requests: only a connection needs it

            client_id, secret = (request.values.get(name, "").strip() for name in _APP)
            return standing.connect_own_app(request, domain, client_id, secret)
        return self._to_approval(request, domain)

    def arrive(self, request: ConnectRequest, pairs: Sequence[tuple[str, str]]) -> Begun:
        """The admin opens the app (with an ID token), or an install begins (without: the merchant is asked).

        Raises `ConnectRefused`, `Transient`, `AuthExpired`.
        """
        client_id, secrets = _app(request)
        now = request.clock.now()
        domain = verify_query(pairs, secrets, now)
        id_token = dict(pairs).get("id_token")
        if id_token is None:
            return self._to_approval(request, domain)
        if verify_id_token(id_token, client_id, secrets, now).shop != domain:
            raise refusal("other_shop")
        from platforms.shopify import standing

        return standing.connect_by_id_token(request, domain, id_token)

    def framed_by(self, domain: str) -> Sequence[str]:
        """shopify.dev/docs/apps/build/security/set-up-iframe-protection: the store and the admin, nobody else."""
        return (f"https://{domain}", "https://admin.shopify.com")

    def finish(self, returned: ConnectReturn) -> Connected:
        """Trade the code for a token. The code works once: after a lost answer the merchant begins anew."""
        from platforms.shopify import standing

        request = returned.request
        domain = returned.keep.get("shop", "")
        _, secrets = _app(request)
        code = verify_return(returned.pairs, secrets, request.ticket, domain, request.clock.now())
        return standing.connect_by_code(request, domain, code)

    def check(self, access: Access) -> Sequence[Finding]:
        from platforms.shopify import standing

        return standing.check(self._client, access)

    def _to_approval(self, request: ConnectRequest, domain: str) -> Redirect:
        client_id, _ = _app(request)
        base = request.api_url or f"https://{domain}"
        url = authorize_url(base, client_id, wanted_scopes(request.app), request.return_url, request.ticket)
        return Redirect(url=url, keep={"shop": domain})


def _app(request: ConnectRequest) -> tuple[str, tuple[str, ...]]:
    """The operator's app: its id, and the secrets Shopify may have signed with. Raises `ConnectRefused`."""
    client_id = request.app.get("client_id", "")
    secrets = tuple(s for name in ("client_secret", "client_secret_previous") if (s := request.app.get(name)))
    if not client_id or not secrets:
        raise ConnectRefused("no_app", "set client_id and client_secret under [connect.apps.shopify]")
    return client_id, secrets


@cache
def _wording(language: str) -> Mapping[str, str]:
    folder = files("platforms.shopify").joinpath("strings")
    source = folder.joinpath(f"{language if language in _LANGUAGES else 'en'}.json")
    loaded: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    return loaded

"""Answers of ours inside the shop's own site, over the platform's signed proxy (Shopify: app proxy).

`/p/proxy/<key>/rating?product=ID` tells a product's rating, `/p/proxy/<key>/friend` the code that the logged-in
customer may share, as JSON for a theme's script. `/p/proxy/<key>/reviews?product=ID` is a product's reviews as a page;
`points`, `share` and `orders` are pages of the logged-in customer for the theme (`embedded`).
GET only, and nothing is changed. `<key>` is that of the shop's hook address, or of the operator's app for all its
shops. Cookies do not pass the proxy: who is logged in is what the platform signed, and nothing else is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal

from flask import Response, jsonify, request

from connector.contracts import Endpoint, PlatformAdapter, ProxyVisit, VerifiesProxy
from connector.credentials import app_owner
from connector.errors import WebhookRejected
from connector.log import get_log
from connector.model import Shop
from connector.pages import embedded, shown_reviews
from connector.pages.frame import application
from connector.store import entities, referrals, reviews, shops
from connector.store.db import Tx
from connector.store.shops import EndpointRow

SIGNING = ("client_secret", "client_secret_previous", "webhook_secret", "webhook_secret_previous")
log = get_log("proxy")


def answer(key: str, what: str) -> Response:
    """Verify, then tell. 404 for what is not there, 401 for what the platform did not sign just now."""
    app, tell, page = application(), _ANSWERS.get(what), what in embedded.PAGES
    with app.store.work.read() as tx:
        row = shops.endpoint(tx, key)
        shop = _shop(tx, row) if row is not None else None
        if not (tell or page) or row is None or shop is None or not app.runner.catalog.knows(shop.id):
            return _json({"error": "not found"}, 404)
        adapter: PlatformAdapter = app.runner.catalog.adapter(shop.id)
        # A shop that came through the operator's app has no secret of its own: the app's signs for it.
        found = shops.secrets(tx, app.vault, row.owner_id)
        if not any(found.get(name) for name in SIGNING):
            found = shops.secrets(tx, app.vault, app_owner(shop.platform))
        secrets = [found[name].encode() for name in SIGNING if found.get(name)]
        if not isinstance(adapter, VerifiesProxy):
            return _json({"error": "not found"}, 404)
        endpoint = Endpoint(key=key, platform=shop.platform, secrets=secrets, shop=shop)
        pairs = list(request.args.items(multi=True))
        try:
            visit = adapter.verify_proxy(pairs, endpoint, app.clock.now())
        except WebhookRejected as rejected:
            log.warning("proxy_rejected", shop_id=shop.id, reason=rejected.reason)
            return _json({"error": "unsigned"}, 401)
        if what == "reviews":
            return _reviews(tx, shop)
        return _json(tell(tx, shop, visit)) if tell is not None else embedded.show(tx, shop, visit, what)


def _reviews(tx: Tx, shop: Shop) -> Response:
    """A page, not JSON: what the shop's site shows of a product's reviews."""
    product = request.args.get("product", "")
    return shown_reviews.answer(shop, shown_reviews.look(tx, shop, product, application().clock.now()), product=product)


def _shop(tx: Tx, row: EndpointRow) -> Shop | None:
    """The key's shop. An app's key serves all its shops: the one the query names, which must then be the signed one."""
    if row.shop_id:
        return shops.get(tx, row.shop_id)
    return shops.by_domain(tx, row.platform, request.args.get("shop", ""))


def _rating(tx: Tx, shop: Shop, visit: ProxyVisit) -> Mapping[str, object]:  # noqa: ARG001 - anybody may know it
    count, stars = reviews.rating_of(tx, shop.id, request.args.get("product", ""), application().clock.now())
    mean = (Decimal(stars) / count).quantize(Decimal("0.1"), ROUND_HALF_UP) if count else None
    return {"count": count, "average": str(mean) if mean is not None else None}


def _friend(tx: Tx, shop: Shop, visit: ProxyVisit) -> Mapping[str, object]:
    """The newest code of whoever is logged in. A code is theirs to share: it is told to nobody else."""
    owner = entities.customer(tx, shop.id, visit.customer_id) if visit.customer_id else None
    code = referrals.code_of(tx, shop.id, owner.email_key) if owner is not None and owner.email_key else None
    return {"code": code.code_key if code is not None else None}


def _json(body: Mapping[str, object], status: int = 200) -> Response:
    response = jsonify(body)
    response.status_code = status
    return response


_ANSWERS: Mapping[str, Callable[[Tx, Shop, ProxyVisit], Mapping[str, object]]] = {
    "rating": _rating,
    "friend": _friend,
    "reviews": _rating,
}

"""The page a friend lands on: the code, and the way to the shop with the code already applied where it can be.

The way to the shop is a button: pressing it, and not looking, notes the visit, so that the order can be known by it
(`flows.referring.finding`). The friend may leave an address, which is kept for that alone; nobody is written to.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flask import Response, request

from connector.config.referrals import ReferralTerms
from connector.contracts import FREE_DELIVERY
from connector.model import Shop, email_key
from connector.pages.frame import application, find_link, gone, page, transact
from connector.pages.typed import PACE, read_address
from connector.store import referral_visits, shops, signups
from connector.store.db import Tx
from connector.store.links import LinkRow
from connector.store.referral_visits import Visit
from flows.referring.finding import REFERENCE
from flows.referring.marking import DEVICE, friend_hash, place_of
from flows.render.links import safe_url

OF_ONE, OF_ALL = 30, 2000
"""Visits that one place, and all of a shop, may make in ten minutes."""
DEVICE_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a link leads to. `target` is the shop's address, empty where nobody knows it; `terms` of a shop that is in
    the operator's file no longer are none, and nothing is noted there."""

    shop: Shop
    terms: ReferralTerms | None
    link: LinkRow
    target: str

    @property
    def code(self) -> str:
        return self.link.data["code"]


def show(token: str) -> Response:
    with application().store.work.read() as tx:
        sight = _sight(tx, token)
    return gone() if sight is None else _page(sight)


def act(token: str) -> Response:
    """Note the visit and show the way on."""
    typed = request.form.get("email", "").strip()
    address = read_address(typed) if typed else None
    app = application()
    device = request.cookies.get(DEVICE, "")[:64] or app.clock.token()

    def note(tx: Tx) -> tuple[Sight | None, str]:
        sight = _sight(tx, token)
        if sight is None or sight.terms is None or (typed and address is None):
            return sight, ""
        now, shop_id = app.clock.now(), sight.shop.id
        place = place_of(app.salt, shop_id, request.remote_addr)
        if not signups.take(tx, shop_id, {"friend": OF_ALL, place: OF_ONE}, PACE, now):
            return sight, ""  # the way on stays open; only nothing is noted
        visit = Visit(
            id=app.clock.token(),
            code=sight.code,
            friend_hash=friend_hash(app.salt, shop_id, address) if address else "",
            place=place,
            device=device if sight.terms.does("same_device") != "off" else "",
            at=now,
        )
        referral_visits.put(tx, shop_id, visit, email_key(address))
        return sight, visit.id

    sight, visit = transact(note)
    if sight is None:
        return gone()
    if sight.terms is None:
        return _page(sight)
    if typed and address is None:
        return _page(sight, 422, problem="referral.address", typed=typed[:254])
    answer = _page(sight, onward=_onward(sight.target, visit))
    if visit and sight.terms.does("same_device") != "off":
        mark_device(answer, device)
    return answer


def mark_device(answer: Response, device: str) -> None:
    """Know the browser again for a while: two friends on one device are looked at by a person. Only an answer to a
    button that was pressed marks it."""
    secure = application().config.app.base_url.startswith("https:")
    answer.set_cookie(
        DEVICE, device, max_age=DEVICE_DAYS * 86_400, path="/p/", secure=secure, httponly=True, samesite="Lax"
    )


def _sight(tx: Tx, token: str) -> Sight | None:
    link = find_link(tx, token, "referral")
    shop = shops.get(tx, link.shop_id) if link is not None else None
    if link is None or shop is None:
        return None
    runner = application().runner
    terms = runner.programmes.referring.terms(shop.id) if runner.catalog.knows(shop.id) else None
    target = safe_url(link.data.get("url")) or safe_url(shop.url or f"https://{shop.domain}") or ""
    return Sight(shop=shop, terms=terms, link=link, target=target)


def _onward(target: str, visit: str) -> str:
    """The shop's address with the reference of the visit. Shopify's `/discount/CODE` passes on what `redirect` says."""
    parts = urlsplit(target)
    if not target or not visit:
        return target
    if parts.path.startswith("/discount/"):
        pairs = [*parse_qsl(parts.query), ("redirect", f"/?{urlencode({REFERENCE: visit})}")]
    else:
        named = {"utm_source": "kiitos", "utm_medium": "referral", "utm_campaign": "friend", REFERENCE: visit}
        pairs = [*parse_qsl(parts.query), *named.items()]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(pairs), ""))


def _page(sight: Sight, status: int = 200, *, onward: str = "", problem: str = "", typed: str = "") -> Response:
    terms = sight.terms
    return page(
        "referral.html",
        sight.shop,
        sight.link.data.get("locale"),
        status,
        code=sight.code,
        target=sight.target,
        asks=terms is not None,
        benefit=terms.friend if terms is not None and terms.friend != FREE_DELIVERY else "",
        delivery=terms is not None and terms.friend == FREE_DELIVERY,
        minimum=f"{terms.minimum.amount:f} {terms.minimum.currency}" if terms is not None and terms.minimum else "",
        applied="/discount/" in sight.target,
        onward=onward,
        problem=problem,
        typed=typed,
    )

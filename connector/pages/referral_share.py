"""An advocate's own page, without an account: the link and code to share, and what came of them.

Behind the unguessable link of a mail. We write to no friend; friends are never named here, and nobody learns more of
why an order did not count than that it did not.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from babel.dates import format_date
from flask import Response, request

from connector.config.referrals import ReferralTerms
from connector.contracts import FREE_DELIVERY
from connector.model import Shop
from connector.pages.frame import (
    PREFIX,
    application,
    find_link,
    gone,
    language_of,
    let_script,
    page,
    strings,
    transact,
)
from connector.pages.push import script_of
from connector.pages.referral_leaders import token_of
from connector.store import entities, links, referrals, shops
from connector.store.db import Tx
from connector.store.links import LinkRow
from connector.store.referrals import CodeRow, ReferralRow
from flows.limits.daytime import zone_of
from flows.referring.promises import ADVOCATE, reward_of
from flows.sending.addressing import derive_token

SHOWN = 50
COPIER = f"{PREFIX}/copy.js"
"""Our script that makes buttons which copy; without it what is to be copied is selected by one tap."""
_WORDS = {"review": "waits", "held": "waits", "rewarded": "rewarded", "refused": "refused", "reversed": "reversed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a link leads to. `friend` is the address of the page for friends, empty where there is none."""

    shop: Shop
    terms: ReferralTerms
    link: LinkRow
    code: CodeRow
    friend: str
    rows: list[ReferralRow]
    name: str
    shown_as: str


def show(token: str) -> Response:
    with application().store.work.read() as tx:
        sight = _sight(tx, token)
    return gone() if sight is None else _page(sight)


def act(token: str) -> Response:
    """Let the leaderboard show the first name and an initial, or no longer."""
    agreed = request.form.get("show") == "1"

    def note(tx: Tx) -> Sight | None:
        sight = _sight(tx, token)
        if sight is None or not sight.terms.leaderboard:
            return sight
        now = application().clock.now()
        referrals.show_name(tx, sight.shop.id, sight.code.advocate_email_key, sight.name if agreed else "", now)
        return _sight(tx, token)

    sight = transact(note)
    return gone() if sight is None else _page(sight, said=bool(sight.terms.leaderboard))


def copier() -> Response:
    return script_of("copy.js")


def _sight(tx: Tx, token: str) -> Sight | None:
    link = find_link(tx, token, "share")
    shop = shops.get(tx, link.shop_id) if link is not None else None
    code = referrals.code(tx, link.shop_id, link.data["code"]) if link is not None else None
    runner = application().runner
    if link is None or shop is None or code is None or not runner.catalog.knows(shop.id):
        return None
    rows = referrals.of_advocate(tx, shop.id, code.advocate_email_key)
    return Sight(
        shop=shop,
        terms=runner.programmes.referring.terms(shop.id),
        link=link,
        code=code,
        friend=friend_page(tx, shop, code.code_key),
        rows=rows[-SHOWN:][::-1],
        name=_name(tx, shop, code.advocate_email_key),
        shown_as=referrals.name_shown(tx, shop.id, code.advocate_email_key),
    )


def friend_page(tx: Tx, shop: Shop, code: str) -> str:
    """The page that was made with the code; shops write codes in their own case."""
    app = application()
    for spelled in (code, code.lower()):
        token = derive_token(app.salt, "link", shop.id, "referral", spelled)
        if links.get(tx, token) is not None:
            return f"{app.config.app.base_url.rstrip('/')}{PREFIX}/friend/{token}"
    return ""


def _name(tx: Tx, shop: Shop, email_key: str) -> str:
    """First name and the initial of the surname, as the leaderboard would show them."""
    orders = entities.orders_of(tx, shop.id, email_key, limit=1)
    people = (orders[0].customer, orders[0].billing_address, orders[0].shipping_address) if orders else ()
    known = next((person for person in people if person is not None and person.first_name), None)
    if known is None:
        return ""
    return " ".join(filter(None, (known.first_name, f"{known.last_name[0]}." if known.last_name else "")))[:60]


def _page(sight: Sight, *, said: bool = False) -> Response:
    language = language_of(sight.link.data.get("locale"), sight.shop.locale)
    text = strings(language)["share.text"].format(shop=sight.shop.name, link=sight.friend, code=sight.code.code_key)
    subject = strings(language)["share.subject"].format(shop=sight.shop.name)
    let_script()
    return page(
        "referral_share.html",
        sight.shop,
        sight.link.data.get("locale"),
        code=sight.code.code_key,
        friend=sight.friend,
        copier=COPIER,
        whatsapp=f"https://wa.me/?text={quote(text, safe='')}",
        mailto=f"mailto:?subject={quote(subject, safe='')}&body={quote(text, safe='')}",
        benefit=sight.terms.friend,
        delivery=sight.terms.friend == FREE_DELIVERY,
        reward=_reward(sight.terms.rewards[0]) if sight.terms.rewards else ("", ""),
        rows=[_row(sight.shop, row, language) for row in sight.rows],
        leaderboard=sight.terms.leaderboard and bool(sight.name),
        name=sight.name,
        shown_as=sight.shown_as,
        said=said,
        board=_board(sight),
    )


def _board(sight: Sight) -> str:
    app = application()
    base = f"{app.config.app.base_url.rstrip('/')}{PREFIX}/leaders/"
    return base + token_of(app, sight.shop.id) if sight.terms.leaderboard else ""


def _row(shop: Shop, row: ReferralRow, language: str) -> dict[str, str]:
    zone = zone_of(shop.timezone)
    reward = reward_of(row.reward, ADVOCATE)
    kind, worth = _reward(reward)
    return {
        "when": format_date(row.created_at.astimezone(zone), "long", locale=language),
        "state": f"share.{_WORDS.get(row.state, 'refused')}",
        "until": format_date(row.opens_at.astimezone(zone), "long", locale=language) if row.opens_at else "",
        "kind": kind,
        "worth": worth,
    }


def _reward(reward: object) -> tuple[str, str]:
    kind, worth = getattr(reward, "kind", ""), getattr(reward, "worth", "")
    if worth == FREE_DELIVERY:
        return ("share.kind_delivery", "")
    return (f"share.kind_{kind}", worth) if kind else ("", "")

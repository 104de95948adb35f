"""The leaderboard: who brought the most friends, by first name and initial, and only those who let themselves be shown.

Off unless the shop's `referrals.leaderboard` says otherwise; linked from the advocates' own pages.
"""

from __future__ import annotations

from flask import Response

from connector.config import ShopSettings
from connector.pages.frame import Application, application, gone, page
from connector.store import referrals
from flows.sending.addressing import derive_token

SHOWN = 20


def token_of(app: Application, shop_id: str) -> str:
    """What stands in the address of a shop's leaderboard."""
    return derive_token(app.salt, "leaders", shop_id)


def show(token: str) -> Response:
    settings = _settings(token)
    if settings is None:
        return gone()
    with application().store.work.read() as tx:
        leaders = referrals.leaders(tx, settings.shop.id, SHOWN)
    return page("referral_leaders.html", settings.shop, None, leaders=leaders)


def _settings(token: str) -> ShopSettings | None:
    app = application()
    for settings in app.config.shops.values():
        if settings.referrals.leaderboard and token_of(app, settings.shop.id) == token:
            return settings
    return None

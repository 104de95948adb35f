"""Where short links lead: to the address that was stored for them, and nowhere else.

A click is kept before the visitor goes on; whether a person clicked is judged later (`connector.working.judging`). When
it cannot be kept the visitor goes on all the same.
"""

from __future__ import annotations

import base64
import re
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.wrappers import Response as BaseResponse

from connector.config import Config, ShopSettings
from connector.errors import StoreUnavailable
from connector.log import get_log
from connector.model import Effect
from connector.pages.frame import application, gone
from connector.store import clicks
from connector.store.clicks import NEW, OPEN, Click, ShortLink
from flows.sending.short_links import OPENED, PATH, Followed, read_token

SOON = 10.0
"""Seconds after a message left within which no person has read it (facts/messaging.md section 5.3)."""
_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_AHEAD = ("Purpose", "Sec-Purpose", "X-Purpose", "X-Moz")
# Link scanners of mail gateways, unfurlers of chats, crawlers, libraries: what says what it is. The others are known
# by their haste.
_AGENTS = re.compile(
    r"bot\b|bot/|crawl|spider|scan|preview|prefetch|fetch|monitor|headless|phantom|validator|barracuda|proofpoint|"
    r"mimecast|symantec|messagelabs|trendmicro|fireeye|forcepoint|ironport|safelinks|url ?defense|google-?safety|"
    r"googleimageproxy|facebookexternalhit|whatsapp|telegram|slack|discord|skypeuri|linkedin|embedly|pinterest|"
    r"curl|wget|python|java/|okhttp|go-http|libwww|perl|ruby|axios|node-fetch|httpclient|apache-http",
    re.IGNORECASE,
)
log = get_log("clicks")


def register(app: Flask) -> None:
    app.add_url_rule(f"{PATH}<token>", "follow", follow, methods=["GET"], provide_automatic_options=False)
    app.before_request(_keep_to_links)


def follow(token: str) -> BaseResponse:
    app = application()
    followed = read_token(app.salt, token)
    if followed is None:
        return gone()
    with app.store.work.read() as tx:
        link = clicks.find(tx, followed.url_id) if followed.url_id != OPENED else None
        effect = clicks.message_of(tx, followed.message)
    settings = _settings(link, effect)
    if settings is None or not _is_ours(settings):
        return gone()
    if effect is not None and effect.shop_id == settings.shop.id:
        _note(followed, effect, settings)
    if link is None:
        if followed.url_id != OPENED:
            return gone()
        return Response(_PIXEL, content_type="image/gif")
    # Not werkzeug's redirect: it writes the address into a page, and there is nobody to read that.
    return Response(status=302, headers={"Location": link.url}, content_type="text/plain")


def _settings(link: ShortLink | None, effect: Effect | None) -> ShopSettings | None:
    shop_id = link.shop_id if link is not None else effect.shop_id if effect is not None else ""
    return application().config.shops.get(shop_id)


def _note(followed: Followed, effect: Effect, settings: ShopSettings) -> None:
    app = application()
    opened, tracking = followed.url_id == OPENED, settings.tracking
    wanted = tracking.opens and effect.purpose.needs_consent if opened else tracking.follows(effect.purpose)
    if not wanted:
        return
    click = Click(
        shop_id=effect.shop_id,
        id=app.clock.new_id(),
        effect_id=effect.id,
        url_id=followed.url_id,
        at=app.clock.now(),
        verdict=OPEN if opened else _machine(effect) or NEW,
    )
    try:
        with app.store.work.transaction() as tx:
            clicks.put(tx, click)
    except StoreUnavailable as error:
        log.warning("click_not_kept", shop_id=effect.shop_id, reason=error.message)


def _machine(effect: Effect) -> str:
    """What gives a machine away at once; empty where nothing does."""
    if request.method == "HEAD":
        return "head"
    if any("pre" in request.headers.get(name, "").lower() for name in _AHEAD):
        return "prefetch"
    agent = request.headers.get("User-Agent", "")
    if not agent or _AGENTS.search(agent):
        return "agent"
    left = effect.done_at or effect.first_try_at
    if left is None or (application().clock.now() - left).total_seconds() < SOON:
        return "too_soon"
    return ""


def _is_ours(settings: ShopSettings) -> bool:
    """Whether the visitor came by a name of this shop: links of one brand do not work under another's."""
    config = application().config
    return request.host in {*_own(config), _host(settings.tracking.url)}


def _keep_to_links() -> Response | None:
    """A brand's name for its links serves those and nothing else."""
    config = application().config
    if request.path.startswith(PATH) or request.host in _own(config):
        return None
    names = {_host(settings.tracking.url) for settings in config.shops.values() if settings.tracking.url}
    return gone() if request.host in names else None


def _own(config: Config) -> tuple[str, str]:
    """The application's own names: as the world knows it, and as a proxy in front may."""
    return _host(config.app.base_url), f"{config.app.host}:{config.app.port}"


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()

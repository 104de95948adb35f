"""Reviews of a product as everybody may read them: a page and a piece of one, without scripts or third parties.

`/p/reviews/<key>/<product>` is for a shop's own site (a plain link, a frame, or fetched by its server with `?part=1`);
the same comes through Shopify's app proxy as `reviews?product=ID`. The key tells the shop and nothing else. Only
published reviews, and of their authors only the names they chose.

Links of a part lead to the shop's page it stands in: they ask for `kiitos_sort` and `kiitos_page`, which that page's
server hands on as `sort` and `page`, and carry what that page was asked for besides (`keep`, a query of its own).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from babel.dates import format_date
from flask import Response, request
from markupsafe import Markup

from connector.model import Shop
from connector.pages.frame import (
    PREFIX,
    Application,
    application,
    find_link,
    gone,
    let_cache,
    let_frame,
    let_pictures,
    page,
    visitor_language,
)
from connector.store import entities, links, review_photos, reviews, shops
from connector.store.db import Tx
from connector.store.review_photos import Photo
from connector.store.reviews import FORM, ReviewRow
from flows.sending.addressing import derive_token

KIND = "reviews"
"""The kind of the key in the page's address."""
PER_PAGE = 10
SORTS = ("newest", "best", "worst")
FRESH = 300
"""Seconds others may keep the page."""
_MOST_PAGE = 10_000
_MOST_KEPT = 500
"""Characters of the other page's own query."""
_OURS = "kiitos_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is shown of a product: one page of its reviews, and what all of them come to."""

    product_id: str
    title: str
    rows: Sequence[ReviewRow]
    photos: Mapping[str, Sequence[Photo]]
    stars: Mapping[int, int]
    number: int
    sort: str

    @property
    def count(self) -> int:
        return sum(self.stars.values())

    @property
    def average(self) -> str:
        """One decimal, as it is told everywhere."""
        total = sum(each * count for each, count in self.stars.items())
        return str((Decimal(total) / max(self.count, 1)).quantize(Decimal("0.1"), ROUND_HALF_UP))

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // PER_PAGE))


def show(key: str, product: str) -> Response:
    with application().store.work.read() as tx:
        link = find_link(tx, key, KIND)
        shop = shops.get(tx, link.shop_id) if link is not None else None
        if shop is None:
            return gone()
        sight = look(tx, shop, product, application().clock.now())
    let_frame(origins_of(shop))
    return answer(shop, sight)


def look(tx: Tx, shop: Shop, product_id: str, now: datetime) -> Sight:
    """A page of a product's reviews, as the query asks: `page`, `sort`."""
    asked = request.args.get("page", "1")
    number = min(max(int(asked), 1), _MOST_PAGE) if asked.isdigit() and len(asked) < 6 else 1
    sort = request.args.get("sort", "") if request.args.get("sort") in SORTS else SORTS[0]
    stars = reviews.stars_of(tx, shop.id, product_id, now)
    number = min(number, max(1, -(-sum(stars.values()) // PER_PAGE)))
    rows = reviews.shown(tx, shop.id, product_id, now, sort=sort, limit=PER_PAGE, skip=(number - 1) * PER_PAGE)
    known = entities.products(tx, shop.id, [product_id]).get(product_id)
    return Sight(
        product_id=product_id,
        title=known.title if known is not None else next((row.product_title for row in rows if row.product_title), ""),
        rows=rows,
        photos=review_photos.of(tx, shop.id, [row.id for row in rows]),
        stars=stars,
        number=number,
        sort=sort,
    )


def answer(shop: Shop, sight: Sight, **query: str) -> Response:
    """The page, or with `?part=1` what a shop's own page takes in. `query` is what links of the page must carry on."""
    part = "part" in request.args
    kept = _kept() if part else list(query.items())
    language = visitor_language(None, shop)
    let_pictures()
    let_cache(FRESH)
    base = application().config.app.base_url.rstrip("/")
    found = page(
        "reviews_part.html" if part else "reviews.html",
        shop,
        None,
        sight=sight,
        part=part,
        sorts=SORTS,
        to=_links(kept, _OURS, "#kiitos-reviews") if part else _links(kept),
        structured=structured(shop, sight, base),
        picture=lambda photo, **how: f"{base}{PREFIX}/photo/{photo.id}{'?small=1' if how else ''}",
        day=lambda at: format_date(at, "medium", locale=language),
        imported=lambda row: row.source != FORM,
    )
    # Of what is shown, and not of the bytes: they carry a nonce.
    state = [(row.id, row.revision) for row in sight.rows]
    told = (shop.id, shop.name, shop.accent_color, sight.product_id, sight.title, state, dict(sight.stars))
    seen = repr((*told, sight.number, sight.sort, language, part, kept))
    found.set_etag(hashlib.sha256(seen.encode()).hexdigest()[:32])
    found.make_conditional(request)
    return found


def _kept() -> list[tuple[str, str]]:
    """What the shop's page is asked for besides our own: where addresses are plain, its product."""
    asked = parse_qsl(request.args.get("keep", "")[:_MOST_KEPT], max_num_fields=_MOST_KEPT)
    return [(name, value) for name, value in asked if not name.startswith(_OURS)]


def _links(kept: Sequence[tuple[str, str]], before: str = "", place: str = "") -> Callable[..., str]:
    """Makes the address of another order or page, of the page that is open: a query alone leads nowhere else."""

    def to(sort: str, number: int = 1) -> str:
        pages = [(f"{before}page", str(number))] if number > 1 else []
        return f"?{urlencode([*kept, (f'{before}sort', sort), *pages])}{place}"

    return to


def structured(shop: Shop, sight: Sight, base: str) -> Markup:
    """JSON-LD for search engines (https://schema.org/Product, AggregateRating, Review); nothing where nobody said
    anything: a rating of nobody is a lie. Nothing in it can end the element it stands in."""
    if not sight.count:
        return Markup("")
    told: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": sight.title or shop.name,
        "aggregateRating": {
            "@type": "AggregateRating",
            "ratingValue": sight.average,
            "reviewCount": sight.count,
            "bestRating": 5,
            "worstRating": 1,
        },
        "review": [_structured(row, sight.photos.get(row.id, ()), base) for row in sight.rows],
    }
    text = json.dumps(told, ensure_ascii=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # noqa: S704 - every letter that could end the element is written as its number


def _structured(row: ReviewRow, photos: Sequence[Photo], base: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "@type": "Review",
        "author": {"@type": "Person", "name": row.author or "-"},
        "datePublished": f"{row.at:%Y-%m-%d}",
        "reviewRating": {"@type": "Rating", "ratingValue": row.rating, "bestRating": 5, "worstRating": 1},
    }
    if row.title:
        found["name"] = row.title
    if row.text:
        found["reviewBody"] = row.text
    if photos:
        found["image"] = [f"{base}{PREFIX}/photo/{photo.id}" for photo in photos]
    return found


def origins_of(shop: Shop) -> list[str]:
    """The shop's own pages, which may show ours in a frame."""
    named = {urlsplit(address).netloc for address in (shop.url or "", f"https://{shop.domain}") if address}
    return sorted(f"https://{host}" for host in named if host)


def key_of(app: Application, shop_id: str) -> str:
    """The key in the addresses of a shop's pages; it stays the same."""
    key = derive_token(app.salt, "link", shop_id, KIND)
    with app.store.work.transaction() as tx:
        links.put(tx, shop_id, key, KIND, {}, app.clock.now())
    return key


def snippet(app: Application, shop: Shop) -> str:
    """What a merchant pastes, and where: for any site, and what there is for the shop's platform (`embeds`)."""
    reviews_at = f"{app.config.app.base_url.rstrip('/')}{PREFIX}/reviews/{key_of(app, shop.id)}"
    address = f"{reviews_at}/PRODUCT_ID"
    own = [
        each.read_text(encoding="utf-8").replace("KIITOS_REVIEWS", reviews_at).rstrip()
        for each in files("connector.pages").joinpath("embeds").iterdir()
        if each.name.partition(".")[0] == shop.platform
    ]
    return "\n\n".join((_ANYWHERE.format(address=address), *own))


_ANYWHERE = """The reviews of a product, for everybody (put its id in the place of PRODUCT_ID):
  {address}

In a page of the shop, as a frame:
  <iframe src="{address}" title="Reviews" loading="lazy" style="border:0;width:100%;height:40rem"></iframe>

In a page that the shop's server makes (best for search engines), fetched there and put in as it is; what the reader
chose comes back to that page as kiitos_sort and kiitos_page, and is handed on as sort and page:
  {address}?part=1&sort=newest&page=1"""

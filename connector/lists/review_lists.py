"""Reviews as CSV files, in the columns of the apps that shops come from and go to.

Read by the names of the columns, whatever their order, of Judge.me, Loox, Yotpo, Okendo and Shopify's own former
Product Reviews (exports; https://support.okendo.io/en/articles/2057320 for Okendo's template). A review that was hidden
there is kept hidden here. "Verified" is what our own orders show and never what a file says; nothing is
given for an imported review. Columns that an app has no name for (`reply_date` of Loox and others) stand behind its
own: apps pass over what they do not know, and we read them again.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TextIO

from connector.clock import to_text
from connector.errors import ConfigError
from connector.lists.spreadsheet import guard, unguard
from connector.model import email_key
from connector.store import entities, past, review_photos, reviews
from connector.store.db import Tx
from connector.store.reviews import ReviewRow, ReviewState
from flows.reviews.publication import NEVER

LONGEST_TEXT = 8000
_BATCH = 200
_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("productid", "productexternalid", "externalproductid"), "product_id"),
    **dict.fromkeys(("producthandle", "handle"), "handle"),
    **dict.fromkeys(("producturl", "url"), "product_url"),
    **dict.fromkeys(("producttitle", "productname"), "product_title"),
    **dict.fromkeys(("rating", "reviewscore", "reviewrating", "score", "stars"), "rating"),
    **dict.fromkeys(("title", "reviewtitle"), "title"),
    **dict.fromkeys(("body", "review", "reviewcontent", "reviewbody", "reviewmessage", "content", "text"), "text"),
    **dict.fromkeys(("reviewername", "author", "displayname", "nickname", "name", "username"), "author"),
    "fullname": "full_name",
    **dict.fromkeys(("revieweremail", "email", "useremail", "authoremail"), "email"),
    **dict.fromkeys(("reviewdate", "createdat", "date", "datecreated", "reviewcreationdate"), "at"),
    **dict.fromkeys(("reply", "reviewreply", "comment", "commentcontent", "replybody"), "answer"),
    **dict.fromkeys(("replydate", "repliedat", "replycreatedat"), "answered_at"),
    **dict.fromkeys(("pictureurls", "img", "imageurls", "photourl", "photourls", "images"), "pictures"),
    **dict.fromkeys(("curated", "state", "status", "published", "reviewstatus"), "status"),
}
"""A column's name in small letters and digits alone, and what it means."""
_NEEDED = ("rating", "text")
_HIDDEN = frozenset(
    ("spam", "unpublished", "hidden", "rejected", "archived", "pending", "not_yet", "no", "false", "0", "disabled")
)
_NUMBER = re.compile(r"([1-5])(?:[.,]0+)?")
_DATES = ("%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S %z", "%Y/%m/%d", "%d.%m.%Y")


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was left out, and why. The reason names no person."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line that can be kept. `handle` is the product's: its id is another in another shop, or is not told.
    `pictures`: how many it names; they are not fetched."""

    line: int
    row: ReviewRow
    handle: str = ""
    pictures: int = 0


def read(source: TextIO, name: str, now: datetime) -> Iterator[Line | BadLine]:
    """Every line. Raises `ConfigError` for a file whose header is none of a list of reviews: nothing of it is taken."""
    head = source.readline()
    if not head.strip():
        raise ConfigError("the file is empty", where=f"{name}, line 1")
    mark = max(",;\t", key=head.count)
    named = next(csv.reader([head], delimiter=mark))
    columns = [_NAMES.get(re.sub(r"[^a-z0-9]", "", column.lower()), "") for column in named]
    missing = [f"the column '{column}' is missing" for column in _NEEDED if column not in columns]
    if not {"product_id", "handle", "product_url"} & set(columns):
        missing.append("no column says which product a review is about (product_id, product_handle)")
    if missing:
        raise ConfigError("; ".join(missing), where=f"{name}, line 1")
    reader = csv.reader(source, delimiter=mark)
    for cells in reader:
        number = reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        told = {key: unguard(cell.strip()) for key, cell in zip(columns, cells, strict=False) if key and cell.strip()}
        try:
            yield _line(told, number, name, now)
        except ValueError as error:
            yield BadLine(number, str(error))


def _line(told: Mapping[str, str], number: int, name: str, now: datetime) -> Line:
    found = _NUMBER.fullmatch(told.get("rating", ""))
    if found is None:
        raise ValueError("rating is no whole number from 1 to 5")
    product = told.get("product_id", "").rpartition("/")[2]
    handle = told.get("handle") or told.get("product_url", "").partition("?")[0].rstrip("/").rpartition("/")[2]
    if not product and not handle:
        raise ValueError("it does not say which product it is about")
    at = _time(told.get("at", ""), now)
    if at > now:
        raise ValueError("the date is in the future")
    text = _plain(told.get("text", ""))[:LONGEST_TEXT]
    author = told.get("author") or told.get("full_name", "")
    address = email_key(told.get("email"))
    key = "\n".join((product or handle, address or author, to_text(at), text))
    answer = _plain(told.get("answer", ""))
    hidden = told.get("status", "").lower() in _HIDDEN
    row = ReviewRow(
        id=f"import-{hashlib.sha256(key.encode()).hexdigest()[:24]}",
        product_id=product,
        product_title=told.get("product_title", ""),
        rating=int(found[1]),
        title=_plain(told.get("title", ""))[:200],
        text=text,
        author=_shown_name(author),
        email_key=address,
        at=at,
        state=ReviewState.HIDDEN if hidden else ReviewState.PUBLISHED,
        reasons=("hidden_before",) if hidden else (),
        source=f"import/{name}",
        answer=answer,
        answered_at=_time(told.get("answered_at", ""), at) if answer else None,
    )
    pictures = len([each for each in told.get("pictures", "").split(",") if each.strip()])
    return Line(number, row, handle.lower(), pictures)


def _time(text: str, otherwise: datetime) -> datetime:
    if not text:
        return otherwise
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = next((found for shape in _DATES if (found := _parsed(text, shape)) is not None), None)  # type: ignore[assignment]
    if at is None:
        raise ValueError("the date is not like 2025-03-02 or 2025-03-02 10:12:00 UTC")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _parsed(text: str, shape: str) -> datetime | None:
    try:
        return datetime.strptime(text, shape)  # noqa: DTZ007 - the caller gives it a zone
    except ValueError:
        return None


def _plain(text: str) -> str:
    """Words only: exports keep the line breaks and the entities of a page."""
    import html

    import nh3  # here and not above: only whoever imports needs it

    broken = re.sub(r"(?i)<br\s*/?>|</p>", "\n", text)
    return html.unescape(nh3.clean(broken, tags=set())).strip()


def _shown_name(author: str) -> str:
    """What others may read: an address shows nothing, a whole name its first word and an initial."""
    if "@" in author:
        return ""
    words = author.split()
    return f"{words[0]} {words[-1][:1]}."[:80] if len(words) > 1 and len(words[-1].rstrip(".")) > 1 else author[:80]


@dataclass(slots=True)
class Kept:
    """What became of a file's lines."""

    kept: int = 0
    there: int = 0
    verified: int = 0
    products: dict[str, ReviewRow] | None = None


def keep(tx: Tx, shop_id: str, lines: Sequence[Line], now: datetime, *, publish: bool) -> tuple[Kept, list[BadLine]]:
    """Take lines in. Those that are there change nothing; those about products nobody knows are named."""
    known = {product.id: product for product in past.products(tx, shop_id)}
    handles = {product.handle.lower(): product for product in known.values() if product.handle}
    done, bad = Kept(products={}), []
    for line in lines:
        row = line.row
        product = known.get(row.product_id) or handles.get(line.handle)
        if product is not None:
            row = replace(row, product_id=product.id, product_title=row.product_title or product.title)
        elif not row.product_id:
            bad.append(BadLine(line.line, f"no product of the shop has the handle '{line.handle}'"))
            continue
        row = replace(row, proof=_proof(tx, shop_id, row), pushed=0 if publish else NEVER)
        if reviews.save(tx, shop_id, row, now):
            done.kept += 1
            done.verified += row.verified
            assert done.products is not None
            done.products[row.id if publish else row.product_id] = row
        else:
            done.there += 1
    return done, bad


def _proof(tx: Tx, shop_id: str, row: ReviewRow) -> Mapping[str, str]:
    """The order that shows that the author bought it: what a file claims is no proof."""
    for order in entities.orders_of(tx, shop_id, row.email_key) if row.email_key else ():
        line = next((line for line in order.lines if line.product_id == row.product_id), None)
        if line is not None and order.placed_at <= row.at:
            return {"order": order.number or order.id, "line": line.id, "placed_at": to_text(order.placed_at)}
    return {}


# -- out ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A review with what else a line tells: the product's handle and address, and where its pictures are."""

    row: ReviewRow
    handle: str
    url: str
    pictures: Sequence[str]


Cell = Callable[[Outgoing], str]


def _seconds(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _said(word: str, otherwise: str) -> Cell:
    return lambda told: word if told.row.state is ReviewState.PUBLISHED else otherwise


def _nothing(told: Outgoing) -> str:
    del told
    return ""


def _verified(yes: str, no: str) -> Cell:
    return lambda told: yes if told.row.verified else no


_COMMON: dict[str, Cell] = {
    "id": lambda told: told.row.id,
    "source": lambda told: told.row.source,
    "title": lambda told: told.row.title,
    "text": lambda told: told.row.text,
    "rating": lambda told: str(told.row.rating),
    "author": lambda told: told.row.author,
    "email": lambda told: told.row.email_key or "",
    "product": lambda told: told.row.product_id,
    "name": lambda told: told.row.product_title,
    "handle": lambda told: told.handle,
    "url": lambda told: told.url,
    "pictures": lambda told: ",".join(told.pictures),
    "at": lambda told: to_text(told.row.at),
    "at_seconds": lambda told: _seconds(told.row.at),
    "answer": lambda told: told.row.answer,
    "answered": lambda told: _seconds(told.row.answered_at) if told.row.answer and told.row.answered_at else "",
}


def _columns(**cells: Cell | str) -> dict[str, Cell]:
    return {name.replace("__", " "): _COMMON[cell] if isinstance(cell, str) else cell for name, cell in cells.items()}


FORMATS: Mapping[str, Mapping[str, Cell]] = {
    "judgeme": _columns(
        title="title", body="text", rating="rating", review_date="at_seconds", source="source",
        curated=_said("ok", "not_yet"), reviewer_name="author", reviewer_email="email", product_id="product",
        product_handle="handle", reply="answer", reply_date="answered", picture_urls="pictures", ip_address=_nothing,
        location=_nothing,
    ),
    "loox": _columns(
        id="id", status=_said("Active", "Hidden"), rating="rating", email="email", nickname="author",
        full_name="author", review="text", date="at", productId="product", handle="handle", img="pictures",
        variant=_nothing, verified_purchase=_verified("true", "false"), title="title", reply="answer",
        reply_date="answered",
    ),
    "yotpo": _columns(
        Review__Title="title", Review__Content="text", Review__Score="rating", Date="at_seconds", Product__ID="product",
        Product__Title="name", Product__URL="url", Display__Name="author", Email="email",
        Verified__Purchase=_verified("Yes", "No"), Status=_said("Published", "Hidden"), Reply="answer",
        Reply__Date="answered", Product__Handle="handle", Image__URLs="pictures",
    ),
    "okendo": _columns(
        name="author", body="text", handle="handle", productId="product", rating="rating", sku=_nothing,
        dateCreated="at", email="email", imageUrls="pictures", title="title", status=_said("approved", "hidden"),
        reply="answer", replyDate="answered",
    ),
    "shopify": _columns(
        product_handle="handle", state=_said("published", "unpublished"), rating="rating", title="title",
        author="author", email="email", location=_nothing, body="text", reply="answer", created_at="at",
        replied_at="answered", product_id="product", picture_urls="pictures",
    ),
}  # fmt: skip
"""The columns each app knows, in its order, and behind them what we tell besides."""


def write(tx: Tx, shop_id: str, target: TextIO, form: str, base_url: str, now: datetime) -> int:
    """All reviews that were not withdrawn; how many. Cells are guarded: no spreadsheet runs what a customer wrote.

    Pictures are named by their public addresses under `base_url`, which need no token and work as long as the review is
    shown. Those of a review that is not shown are left out: nobody without a link may see them.
    """
    columns = FORMATS[form]
    writer = csv.writer(target)
    writer.writerow(columns)
    count = 0
    for told in _outgoing(tx, shop_id, base_url, now):
        writer.writerow([guard(cell(told)) for cell in columns.values()])
        count += 1
    return count


def _outgoing(tx: Tx, shop_id: str, base_url: str, now: datetime) -> Iterator[Outgoing]:
    every = (row for row in reviews.every(tx, shop_id) if row.state is not ReviewState.WITHDRAWN and not row.is_story)
    while rows := list(islice(every, _BATCH)):
        products = entities.products(tx, shop_id, list({row.product_id for row in rows}))
        photos = review_photos.of(tx, shop_id, [row.id for row in rows if row.shown(now)])
        for row in rows:
            product = products.get(row.product_id)
            yield Outgoing(
                row,
                (product.handle if product is not None else None) or "",
                (product.url if product is not None else None) or "",
                [f"{base_url.rstrip('/')}/p/photo/{photo.id}" for photo in photos.get(row.id, ())],
            )

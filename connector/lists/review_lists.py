"""Reviews as CSV files, in the columns of the apps that shops come from and go to.

Read by the names of the columns, whatever their order, of Judge.me, Loox, Yotpo, Okendo and Shopify's own former
Product Reviews (exports; https://support.okendo.io/en/articles/2057320 for Okendo's template). A review that was hidden
there is kept hidden here. "Verified" is what our own orders show and never what a file says; nothing is
given for an imported review.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TextIO

from connector.clock import to_text
from connector.errors import ConfigError
from connector.lists.spreadsheet import guard, unguard
from connector.model import email_key
from connector.store import entities, past, reviews
from connector.store.db import Tx
from connector.store.reviews import ReviewRow, ReviewState
from flows.reviews.publication import NEVER

LONGEST_TEXT = 8000
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
    """A line that can be kept. `handle` is the product's where its id is not told."""

    line: int
    row: ReviewRow
    handle: str = ""


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
    return Line(number, row, "" if product else handle.lower())


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
    handles = {product.handle.lower(): product for product in past.products(tx, shop_id) if product.handle}
    done, bad = Kept(products={}), []
    for line in lines:
        row = line.row
        if not row.product_id:
            product = handles.get(line.handle)
            if product is None:
                bad.append(BadLine(line.line, f"no product of the shop has the handle '{line.handle}'"))
                continue
            row = replace(row, product_id=product.id, product_title=row.product_title or product.title)
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

Cell = Callable[[ReviewRow], str]


def _at(row: ReviewRow) -> str:
    return f"{row.at:%Y-%m-%d %H:%M:%S} UTC"


def _answered(row: ReviewRow) -> str:
    return f"{row.answered_at:%Y-%m-%d %H:%M:%S} UTC" if row.answer and row.answered_at else ""


def _said(word: str, otherwise: str) -> Cell:
    return lambda row: word if row.state is ReviewState.PUBLISHED else otherwise


def _nothing(row: ReviewRow) -> str:
    del row
    return ""


def _verified(yes: str, no: str) -> Cell:
    return lambda row: yes if row.verified else no


_COMMON: dict[str, Cell] = {
    "title": lambda row: row.title,
    "text": lambda row: row.text,
    "rating": lambda row: str(row.rating),
    "author": lambda row: row.author,
    "email": lambda row: row.email_key or "",
    "product": lambda row: row.product_id,
    "name": lambda row: row.product_title,
    "answer": lambda row: row.answer,
}


def _columns(**cells: Cell | str) -> dict[str, Cell]:
    return {name.replace("__", " "): _COMMON[cell] if isinstance(cell, str) else cell for name, cell in cells.items()}


FORMATS: Mapping[str, Mapping[str, Cell]] = {
    "judgeme": _columns(
        title="title", body="text", rating="rating", review_date=_at, source=lambda row: row.source,
        curated=_said("ok", "not_yet"), reviewer_name="author", reviewer_email="email", product_id="product",
        product_handle=_nothing, reply="answer", reply_date=_answered, picture_urls=_nothing, ip_address=_nothing,
        location=_nothing,
    ),
    "loox": _columns(
        id=lambda row: row.id, status=_said("Active", "Hidden"), rating="rating", email="email", nickname="author",
        full_name="author", review="text", date=lambda row: to_text(row.at), productId="product", handle=_nothing,
        img=_nothing, variant=_nothing, verified_purchase=_verified("true", "false"),
    ),
    "yotpo": _columns(
        Review__Title="title", Review__Content="text", Review__Score="rating", Date=_at, Product__ID="product",
        Product__Title="name", Product__URL=_nothing, Display__Name="author", Email="email",
        Verified__Purchase=_verified("Yes", "No"), Status=_said("Published", "Hidden"), Reply="answer",
    ),
    "okendo": _columns(
        name="author", body="text", handle=_nothing, productId="product", rating="rating", sku=_nothing,
        dateCreated=lambda row: to_text(row.at), email="email", imageUrls=_nothing, title="title",
        status=_said("approved", "hidden"), reply="answer",
    ),
    "shopify": _columns(
        product_handle=_nothing, state=_said("published", "unpublished"), rating="rating", title="title",
        author="author", email="email", location=_nothing, body="text", reply="answer",
        created_at=lambda row: to_text(row.at), replied_at=_answered, product_id="product",
    ),
}  # fmt: skip
"""The columns each app knows, in its order."""


def write(tx: Tx, shop_id: str, target: TextIO, form: str) -> int:
    """All reviews that were not withdrawn; how many. Cells are guarded: no spreadsheet runs what a customer wrote."""
    columns = FORMATS[form]
    writer = csv.writer(target)
    writer.writerow(columns)
    count = 0
    for row in reviews.every(tx, shop_id):
        if row.is_story or row.state is ReviewState.WITHDRAWN:
            continue
        writer.writerow([guard(cell(row)) for cell in columns.values()])
        count += 1
    return count

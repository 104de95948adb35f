"""Lists of other review apps: what they call things, what is wrong with a line, and out again without formulas."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from connector.errors import ConfigError
from connector.lists.review_lists import FORMATS, BadLine, Line, keep, read, write
from connector.lists.spreadsheet import guard, unguard
from connector.model import Event, EventKind, Product, Ref
from connector.store import Store, entities, review_photos, reviews
from connector.store.review_photos import Photo
from connector.store.reviews import ReviewRow, ReviewState
from flows.reviews.publication import NEVER
from tests.store.examples import NOW, SHOP

JUDGEME = (
    "title,body,rating,review_date,source,curated,reviewer_name,reviewer_email,product_id,product_handle,reply,"
    "reply_date,picture_urls,ip_address,location\n"
    'Warm,"Keeps warm, for ""hours"".",5,2025-03-02 10:12:00 UTC,web,ok,Ada Example,Ada@example.com,1001,mug,'
    "Thank you!,2025-03-03 08:00:00 UTC,https://cdn.example.com/a.jpg,192.0.2.1,FI\n"
    "Spam,Buy watches,5,2025-01-10,web,spam,Bot,bot@example.com,1001,mug,,,,,\n"
)
LOOX = """id,status,rating,email,nickname,full_name,review,date,productId,handle,img,variant,verified_purchase
1,Active,4,ben@example.com,Ben,Ben Builder,Good<br>mug &amp; lid,2024-11-05T08:00:00.000Z,1001,mug,,M,true
"""
YOTPO = (
    "\ufeffReview Title;Review Content;Review Score;Date;Product ID;Product Title;Product URL;Display Name;Email;"
    "Verified Purchase\n"
    'Fine;"Works; daily";3;2025-03-15;1001;Mug;https://shop.example/products/mug?variant=1;Cleo Q;'
    "cleo@example.com;Yes\n"
)
OKENDO = """name,body,handle,productId,rating,sku,dateCreated,email,imageUrls
Dana,Nice,mug,,5,,2025-02-01,dana@example.com,
"""
SHOPIFY = """product_handle,state,rating,title,author,email,location,body,reply,created_at,replied_at
mug,unpublished,1,Broken,Eve E.,eve@example.com,,It broke.,Sorry!,2023-06-02T10:00:00-04:00,
"""


def lines(text: str, name: str = "list.csv") -> list[Line | BadLine]:
    return list(read(io.StringIO(text.lstrip("\ufeff")), name, NOW))


def only(text: str) -> Line:
    (found,) = lines(text)
    assert isinstance(found, Line), found
    return found


def test_judgeme() -> None:
    first, spam = lines(JUDGEME)
    assert isinstance(first, Line)
    assert isinstance(spam, Line)
    row = first.row
    assert (row.title, row.text, row.rating, row.author) == ("Warm", 'Keeps warm, for "hours".', 5, "Ada E.")
    assert (row.email_key, row.product_id, row.answer) == ("ada@example.com", "1001", "Thank you!")
    assert row.at == datetime(2025, 3, 2, 10, 12, tzinfo=UTC)
    assert (row.state, spam.row.state, spam.row.reasons) == ("published", "hidden", ("hidden_before",))


def test_loox_yotpo_okendo_and_shopify() -> None:
    assert only(LOOX).row.text == "Good\nmug & lid"
    yotpo = only(YOTPO).row
    assert (yotpo.title, yotpo.text, yotpo.rating, yotpo.author) == ("Fine", "Works; daily", 3, "Cleo Q")
    okendo = only(OKENDO)
    assert (okendo.row.product_id, okendo.handle) == ("", "mug")
    assert only(SHOPIFY).row.state is ReviewState.HIDDEN


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("0,Text,2025-01-01,1001", "rating is no whole number from 1 to 5"),
        ("4.5,Text,2025-01-01,1001", "rating is no whole number from 1 to 5"),
        ("6,Text,2025-01-01,1001", "rating is no whole number from 1 to 5"),
        ("5,Text,yesterday,1001", "the date is not like 2025-03-02 or 2025-03-02 10:12:00 UTC"),
        ("5,Text,2999-01-01,1001", "the date is in the future"),
        ("5,Text,2025-01-01,", "it does not say which product it is about"),
    ],
)
def test_what_is_wrong_with_a_line(cells: str, reason: str) -> None:
    good = "5,Fine,2025-01-01,1001"
    found = lines(f"rating,body,created_at,product_id\n{good}\n{cells}\n\n{good}\n")
    assert [each for each in found if isinstance(each, BadLine)] == [BadLine(3, reason)]
    assert len(found) == 3, "the others are taken"


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ("email,first_name", "the column 'rating' is missing"),
        ("rating,body", "no column says which product"),
        ("", "the file is empty"),
    ],
)
def test_a_file_that_is_no_list_of_reviews(head: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        lines(head + "\n")


def put_mug(store: Store) -> None:
    with store.work.transaction() as tx:
        mug = Product(id="1001", title="Mug", handle="mug")
        event = Event(kind=EventKind.PRODUCT_UPDATED, key="p", subject=Ref("product", "1001"), at=NOW, product=mug)
        entities.apply(tx, SHOP, event, NOW)


def taken(store: Store, text: str) -> tuple[int, int, list[BadLine]]:
    found = [line for line in lines(text) if isinstance(line, Line)]
    with store.work.transaction() as tx:
        done, bad = keep(tx, SHOP, found, NOW, publish=False)
    return done.kept, done.there, bad


def test_the_same_file_twice_changes_nothing(store: Store) -> None:
    put_mug(store)
    for text in (JUDGEME, LOOX, YOTPO, OKENDO, SHOPIFY):
        first = taken(store, text)
        assert first[0] > 0
        assert taken(store, text) == (0, first[0], [])
    with store.work.read() as tx:
        kept = list(reviews.every(tx, SHOP))
        shown = reviews.shown(tx, SHOP, "1001", NOW)
        assert reviews.rating_of(tx, SHOP, "1001", NOW) == (4, 17), "hidden ones do not count"
    assert {row.product_id for row in kept} == {"1001"}
    assert not any(row.verified for row in kept), "what a file claims is no proof"
    assert {row.pushed for row in kept} == {NEVER}
    assert len(shown) == 4


def test_a_product_nobody_knows_is_named(store: Store) -> None:
    assert taken(store, OKENDO) == (0, 0, [BadLine(2, "no product of the shop has the handle 'mug'")])


BASE = "https://kiitos.example"
HOSTILE = ("=HYPERLINK(1)", "+1", "-1", "@x", "\tx", "\rx", 'a"b', "a,b\nc", "<script>")


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_out_and_in_again(store: Store, form: str) -> None:
    put_mug(store)
    with store.work.transaction() as tx:
        for number, text in enumerate(HOSTILE):
            row = ReviewRow(
                id=f"o{number}-1001",
                order_id=f"o{number}",
                product_id="1001",
                rating=1 + number % 5,
                text=text,
                author="=cmd",
                at=NOW,
            )
            reviews.save(tx, SHOP, row, NOW)
        gone = ReviewRow(id="w-1001", product_id="1001", rating=1, at=NOW, state=ReviewState.WITHDRAWN)
        reviews.save(tx, SHOP, gone, NOW)
    target = io.StringIO()
    with store.work.read() as tx:
        assert write(tx, SHOP, target, form, BASE, NOW) == len(HOSTILE), "what was withdrawn stays with us"
    cells = [cell for row in list(csv.reader(io.StringIO(target.getvalue())))[1:] for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    again = [line.row for line in lines(target.getvalue()) if isinstance(line, Line)]
    assert [row.rating for row in again] == [1 + number % 5 for number in range(len(HOSTILE))]
    assert [row.text for row in again][:4] == list(HOSTILE[:4])
    assert "<" not in again[-1].text


OTHER = "shop-other"
WRITTEN = (
    ReviewRow(
        id="o1-1001", order_id="o1", product_id="1001", product_title="Mug", rating=5, title='Warm, "hot"',
        author="Liisa K.", text="Two\nlines, one; and 1 < 2 & 3.", email_key="liisa@example.com",
        at=NOW - timedelta(days=3), answer="Thank you!", answered_by="Sanna", answered_at=NOW - timedelta(days=1),
    ),
    ReviewRow(
        id="o2-1001", order_id="o2", product_id="1001", product_title="Mug", rating=1, text="'=1+1 is 2",
        author="teapot", email_key="t@example.com", at=NOW - timedelta(days=2), state=ReviewState.HIDDEN,
    ),
    ReviewRow(id="o3-1001", order_id="o3", product_id="1001", product_title="Mug", rating=3, text="Käy 👍", at=NOW),
)  # fmt: skip


def told(row: ReviewRow) -> dict[str, object]:
    """What a list tells of a review: all but what it is called and what was decided here."""
    names = ("rating", "title", "text", "author", "email_key", "at", "state", "answer", "answered_at", "product_title")
    return {name: getattr(row, name) for name in names}


def put_written(store: Store) -> None:
    put_mug(store)
    with store.work.transaction() as tx:
        mug = Product(id="9", title="Mug", handle="Mug")
        event = Event(kind=EventKind.PRODUCT_UPDATED, key="p", subject=Ref("product", "9"), at=NOW, product=mug)
        entities.apply(tx, OTHER, event, NOW)
        for row in WRITTEN:
            reviews.save(tx, SHOP, row, NOW)
            for position in range(2):
                name = f"{position}{row.order_id}".ljust(20, "x")
                photo = Photo(id=name, width=8, height=8, picture=b"p", small=b"s")
                review_photos.add(tx, SHOP, row.id, position, photo, NOW)


def moved(store: Store, form: str, **lost: str) -> list[dict[str, object]]:
    """What another shop has of the reviews once their list was taken in there; `lost`: columns that are left empty."""
    target = io.StringIO()
    with store.work.read() as tx:
        write(tx, SHOP, target, form, BASE, NOW)
    if lost:
        rows = list(csv.DictReader(io.StringIO(target.getvalue())))
        target = io.StringIO()
        writer = csv.DictWriter(target, list(FORMATS[form]))
        writer.writeheader()
        writer.writerows({**row, **lost} for row in rows)
    found = [line for line in lines(target.getvalue()) if isinstance(line, Line)]
    with store.work.transaction() as tx:
        keep(tx, OTHER, found, NOW, publish=False)
    with store.work.read() as tx:
        there = sorted(reviews.every(tx, OTHER), key=lambda row: row.at)
        assert {row.product_id for row in there} <= {"9"}, "by its handle, and not by the other shop's id"
    return [told(row) for row in there]


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_nothing_is_lost_between_two_shops(store: Store, form: str) -> None:
    put_written(store)
    assert moved(store, form) == [told(row) for row in WRITTEN]


@pytest.mark.parametrize(
    ("form", "column"), [("loox", "reply"), ("okendo", "replyDate"), ("judgeme", "product_handle")]
)
def test_the_comparison_sees_what_is_lost(store: Store, form: str, column: str) -> None:
    """Control: a list without its answers or their days, and one that names its products by their ids alone."""
    put_written(store)
    with pytest.raises(AssertionError):
        assert moved(store, form, **{column: ""}) == [told(row) for row in WRITTEN]


PLACES = {
    "judgeme": ("product_handle", "picture_urls"),
    "loox": ("handle", "img"),
    "yotpo": ("Product Handle", "Image URLs"),
    "okendo": ("handle", "imageUrls"),
    "shopify": ("product_handle", "picture_urls"),
}


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_products_are_named_by_handle_and_pictures_by_public_addresses(store: Store, form: str) -> None:
    put_written(store)
    target = io.StringIO()
    with store.work.read() as tx:
        write(tx, SHOP, target, form, f"{BASE}/", NOW)
    handle, pictures = PLACES[form]
    rows = list(csv.DictReader(io.StringIO(target.getvalue())))
    assert [row[handle] for row in rows] == ["mug"] * 3
    assert [row[pictures].split(",") for row in rows] == [
        [f"{BASE}/p/photo/0o1{'x' * 17}", f"{BASE}/p/photo/1o1{'x' * 17}"],
        [""],  # hidden: nobody without a link may see its pictures
        [f"{BASE}/p/photo/0o3{'x' * 17}", f"{BASE}/p/photo/1o3{'x' * 17}"],
    ]
    assert [line.pictures for line in lines(target.getvalue()) if isinstance(line, Line)] == [2, 0, 2]


@pytest.mark.parametrize("text", ["=1", "'=1", "''=1", "'tis", "'", "", "''-x", "1'=2"])
def test_a_guarded_cell_is_what_was_written(text: str) -> None:
    assert unguard(guard(text)) == text
    assert not guard(text).startswith(("=", "+", "-", "@"))

"""Years pass, and nothing is kept longer than it is to be; what explains a message that is still under way stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from connector.app import Kiitos
from connector.explaining.explain import explain
from connector.store import effects, review_asks, shops
from connector.store.review_asks import AskRow
from connector.watching.retention import Retention
from tests.watching.conftest import SHOP, House

LIMITS = {
    "inbox": ("inbox", "SELECT COUNT(*) FROM inbox WHERE received_at < ?", timedelta(days=30)),
    "messages": (
        "work",
        (
            "SELECT COUNT(*) FROM effect_contents c JOIN effects e USING (shop_id, effect_id)"
            " WHERE e.done_at < ? AND LENGTH(c.content) <> 71"
        ),
        timedelta(days=90),
    ),
    "subjects": ("work", "SELECT COUNT(*) FROM effects WHERE subject <> '' AND done_at < ?", timedelta(days=90)),
    "events": ("work", "SELECT COUNT(*) FROM events WHERE recorded_at < ?", timedelta(days=760)),
}


def beyond(kiitos: Kiitos) -> dict[str, int]:
    """Rows older than they may be."""
    found = {}
    for name, (database, sql, limit) in LIMITS.items():
        with getattr(kiitos.store, database).read() as tx:
            before = (kiitos.clock.now() - limit).isoformat(timespec="microseconds").replace("+00:00", "Z")
            found[name] = tx._cursor.execute(sql, (before,)).fetchone()[0]
    return found


def count(kiitos: Kiitos, table: str) -> int:
    with (kiitos.store.inbox if table == "inbox" else kiitos.store.work).read() as tx:
        return int(tx._cursor.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


def passes(retention: Retention) -> None:
    while retention.work():
        pass


def live(house: House, kiitos: Kiitos, days: int) -> None:
    house.order(kiitos, "a")
    house.until(kiitos, days=days)


def test_nothing_is_kept_longer_than_it_is_to_be(house: House) -> None:
    kiitos = house.open()
    live(house, kiitos, 20)
    retention = Retention(kiitos)
    passes(retention)
    assert (count(kiitos, "inbox"), count(kiitos, "events") > 0) == (1, True)
    assert house.mails.messages
    for days in (11, 65, 700):
        house.clock.advance(timedelta(days=days))
        assert any(beyond(kiitos).values())
        passes(retention)
        assert beyond(kiitos) == dict.fromkeys(LIMITS, 0)
    assert (count(kiitos, "inbox"), count(kiitos, "events"), count(kiitos, "event_days") > 0) == (0, 0, True)


def test_what_explains_stays(house: House) -> None:
    """After a year the story of the order is the same, without the bytes of its message."""
    kiitos = house.open()
    live(house, kiitos, 20)
    number = _number(kiitos)
    before = explain(kiitos.store, SHOP, number)
    house.clock.advance(timedelta(days=365))
    passes(Retention(kiitos))
    after = explain(kiitos.store, SHOP, number)
    assert before is not None
    assert after is not None
    said = [(line.detail.get("subject", ""), line.text) for line in before.lines]
    assert any(text.endswith(f": {subject}") for subject, text in said)
    assert [line.text for line in after.lines] == [text.removesuffix(f": {subject}") for subject, text in said]
    told = [line for line in after.lines if line.what == "effect.sent"]
    assert told
    assert not any("subject" in line.detail for line in told), "it may name somebody as the body does"
    assert len(before.lines) > 5


def _number(kiitos: Kiitos) -> str:
    with kiitos.store.work.read() as tx:
        found = tx._cursor.execute("SELECT number FROM orders").fetchone()
    return str(found[0])


def test_for_ever_is_for_ever(house: House) -> None:
    house.app = '[app.retention]\nwebhooks = "forever"\nmessages = "forever"\nevents = "10d"'
    kiitos = house.open()
    live(house, kiitos, 20)
    house.clock.advance(timedelta(days=3000))
    passes(Retention(kiitos))
    assert (count(kiitos, "inbox"), count(kiitos, "events")) == (1, 0)
    with kiitos.store.work.read() as tx:
        rows = tx._cursor.execute("SELECT effect_id FROM effect_contents").fetchall()
        kept = [effects.get(tx, SHOP, row[0]) for row in rows]
    assert kept
    assert all(effect is not None and b"sha256" not in (effect.content or b"sha256") for effect in kept)


def test_a_pass_is_begun_once_a_day(house: House) -> None:
    kiitos = house.open()
    first, second = Retention(kiitos), Retention(kiitos)
    assert first._is_due() is True
    assert second._is_due() is False
    house.clock.advance(timedelta(hours=21))
    assert second._is_due() is True


def asks(kiitos: Kiitos, shop_id: str, number: int) -> None:
    """So many questions about two products each, asked now."""
    with kiitos.store.work.transaction() as tx:
        for each in range(number):
            row = AskRow(
                ask_id=f"{kiitos.clock.now():%Y%m%d}-{each:03}",
                order_id=str(each),
                email_key="aino@example.test",
                customer_id="",
                products=("p1", "p2"),
                asked_at=kiitos.clock.now(),
            )
            review_asks.ask(tx, shop_id, row)


def test_what_somebody_was_asked_to_review_goes_with_the_events(house: House) -> None:
    """Over pages; what is younger stays, and a shop whose table left the file does not stop the others."""
    kiitos = house.open()
    asks(kiitos, SHOP, 300)
    with kiitos.store.work.transaction() as tx:
        known = shops.get(tx, SHOP)
        assert known is not None
        shops.save(tx, replace(known, id="acme-gone", domain="gone.myshopify.com"), house.clock.now())
    asks(kiitos, "acme-gone", 2)
    house.clock.advance(timedelta(days=500))
    asks(kiitos, SHOP, 1)
    passes(Retention(kiitos))
    assert count(kiitos, "review_asks") == 606
    house.clock.advance(timedelta(days=261))
    passes(Retention(kiitos))
    assert count(kiitos, "review_asks") == 2, "the two products of the young one"


def test_a_longer_rest_is_kept_as_long(house: House) -> None:
    house.defaults = 'reviews = { again_after = "1000d" }'
    kiitos = house.open()
    asks(kiitos, SHOP, 1)
    for days, left in ((900, 2), (101, 0)):
        house.clock.advance(timedelta(days=days))
        passes(Retention(kiitos))
        assert count(kiitos, "review_asks") == left

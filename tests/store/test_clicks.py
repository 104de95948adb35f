"""Short links, clicks and preferences as rows, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta

from connector.model import EffectStatus
from connector.store import Store, clicks, effects, preferences
from connector.store.clicks import NEW, PERSON, Click
from connector.store.effects import Beginning
from connector.store.preferences import NONE, Preference
from tests.store.examples import NOW, SHOP, at, effect

KEY = "0123456789abcdefghjkmnpq"


def click(number: int, when: datetime = NOW, verdict: str = NEW) -> Click:
    return Click(SHOP, f"c{number:03}", "r1:ask", "url0000000", when, verdict)


def test_an_address_is_kept_once(store: Store) -> None:
    with store.work.transaction() as tx:
        for url in ("https://shop.example/a", "https://shop.example/other"):
            clicks.keep(tx, SHOP, "url0000000", url, "", NOW)
    with store.work.transaction() as tx:
        clicks.keep(tx, SHOP, "url0000000", "https://shop.example/third", "", at(1))
        clicks.keep(tx, SHOP, "url0000001", "https://shop.example/b", "aino@example.test", NOW)
    with store.work.read() as tx:
        first, second = clicks.find(tx, "url0000000"), clicks.find(tx, "url0000001")
        assert first is not None
        assert second is not None
        assert (first.shop_id, first.url, second.url) == (SHOP, "https://shop.example/a", "https://shop.example/b")
        assert clicks.find(tx, "url0000002") is None


def test_a_message_is_found_by_the_beginning_of_its_key(store: Store) -> None:
    with store.work.transaction() as tx:
        for number, key in enumerate((KEY, KEY[:12] + "z" * 12, "z" * 24)):
            effects.put(tx, effect(f"e{number}", status=EffectStatus.PENDING))
            effects.begin_many(tx, [Beginning(SHOP, f"e{number}", NOW, at(1), message_key=key)])
    with store.work.read() as tx:
        assert [found.id for begun in (KEY[:13], "z" * 12) if (found := clicks.message_of(tx, begun))] == ["e0", "e2"]
        assert clicks.message_of(tx, KEY[:12]) is None, "of two nobody knows which"
        assert clicks.message_of(tx, "y" * 12) is None


def test_clicks_are_judged_once_and_there_is_an_end_of_them(store: Store) -> None:
    with store.work.transaction() as tx:
        for number in range(clicks.MOST + 3):
            clicks.put(tx, click(number, NOW + timedelta(seconds=number)))
    with store.work.transaction() as tx:
        assert clicks.next_at(tx) == NOW
        waiting = clicks.unjudged(tx, NOW + timedelta(seconds=1), 10)
        assert [each.id for each in waiting] == ["c000", "c001"]
        clicks.judge(tx, waiting[0], PERSON)
        clicks.judge(tx, waiting[0], "burst")
    with store.work.read() as tx:
        found = clicks.of_effect(tx, SHOP, "r1:ask")
        assert len(found) == clicks.MOST
        assert [each.verdict for each in found[:2]] == [PERSON, NEW]
        assert clicks.next_at(tx) == NOW + timedelta(seconds=1)


def test_what_somebody_chose(store: Store) -> None:
    with store.work.transaction() as tx:
        assert preferences.get(tx, SHOP, "aino@example.test") == NONE
        assert not preferences.anybody(tx, SHOP)
        preferences.put(tx, SHOP, "aino@example.test", Preference("fi", at(3)), NOW)
        assert preferences.get(tx, SHOP, "aino@example.test") == Preference("fi", at(3)), "also in the same transaction"
    with store.work.transaction() as tx:
        preferences.put(tx, SHOP, "aino@example.test", Preference("fi"), at(1))
    with store.work.read() as tx:
        preferences.foresee(tx, SHOP, ["aino@example.test", "nora@example.test"])
        assert preferences.get(tx, SHOP, "aino@example.test") == Preference("fi")
        assert preferences.get(tx, SHOP, "nora@example.test") == preferences.get(tx, "other", "x") == NONE
        assert preferences.get(tx, SHOP, None) == NONE

"""Two workers look at one person at once: the change of a segment is told once. And what we set ourselves is news."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.app import build
from connector.config import parse_config
from connector.store import Store, standings
from connector.working.bookkeeping import Bookkeeping
from tests.store.test_concurrency import together
from tests.store.trade import KEY, SHOP, START, Trade, document

ONE = {"when": ["customer.lifetime.orders >= 1"]}


def meet(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Each has read who is in which segment when the other has, as far as the database lets both."""
    both, asked = threading.Barrier(2), getattr(standings, name)

    def ask_and_wait(*args: Any) -> Any:
        found = asked(*args)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        return found

    monkeypatch.setattr(standings, name, ask_and_wait)


def raced(store: Store, another: Store, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    shop = Trade(store, folder, {"buyers": ONE})
    shop.live(timedelta())
    shop.order()
    config = parse_config(document({"buyers": ONE}), folder / "app.toml", {"KEY": KEY})
    second = build(config, clock=shop.clock, store=another)
    books = [Bookkeeping(shop.kiitos), Bookkeeping(second)]
    with monkeypatch.context() as patch:
        meet(patch, name)
        assert together(2, lambda index: books[index].work()) == []
    shop.live(timedelta(days=1))
    assert shop.members("buyers") == ["aino@example.test"]
    return shop.said()


@pytest.mark.parametrize("moment", ["due", "segments_of"])
def test_the_change_is_told_once(
    open_store: Callable[[], Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    assert raced(open_store(), open_store(), tmp_path, monkeypatch, moment) == ["0d segment.entered buyers"]


def test_of_two_who_enter_somebody_one_has_the_news(open_store: Callable[[], Store]) -> None:
    """A sweep of everybody and a look at one person meet without a row that both would lock."""
    stores, entered = [open_store(), open_store()], []

    def enter(index: int) -> None:
        with stores[index].work.transaction() as tx:
            entered.append(standings.enter(tx, SHOP, "buyers", "aino@example.test", START))

    assert together(2, enter) == []
    assert sorted(entered) == [False, True]


FIELD = """
id = "size-told"
trigger = "order.created"
purpose = "transactional"
subject = "order"
[[steps]]
id = "keep"
do = "set"
field = "size"
value = "XL"
"""


def test_a_field_of_ours_is_news_for_segments(store: Store, tmp_path: Path) -> None:
    (tmp_path / "size.toml").write_text(FIELD, "utf-8")
    tall = {"when": ["customer.fields.size == 'XL'"]}
    shop = Trade(store, tmp_path, {"tall": tall}, {"size-told": {"file": "./size.toml"}})
    shop.live(timedelta())
    shop.order()
    shop.live(timedelta(hours=1))
    assert shop.members("tall") == ["aino@example.test"]
    assert shop.said() == ["0d segment.entered tall"]

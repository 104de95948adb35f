"""How SQLite goes about every named query: none but those that mean to may walk through a shop's rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.store import Store
from connector.store.sqlite import Sqlite
from connector.store.statistics import figures_of, keep_statistics

LARGE = frozenset(
    {
        *("orders", "events", "delivery_progress", "runs", "journal", "effects", "effect_contents", "effect_ways"),
        *("customers", "shipments", "shipment_events", "refunds", "returns", "consents", "wakeups", "links"),
        *(
            "checkouts",
            "reviews",
            "review_asks",
            "referral_codes",
            "referrals",
            "channel_events",
            "segment_members",
            "points",
        ),
        *("customer_fields", "engagements", "clicks", "short_links", "inbox"),
    }
)
"""Tables that have a row, or several, for each order or customer."""
WHOLE = {
    "counted on demand": (
        "consent_sent", "effect_counts", "progress_counts", "progress_status", "member_counts", "run_under_way",
    ),
    "a look over a shop's past": (
        "past_referrals", "past_buyers", "past_carts", "run_positions", "run_of_shop", "effect_results_since",
        "funnel_effects", "funnel_reached", "funnel_turned_away", "people_page", "review_counts", "review_rating",
    ),
    "removing a person or a shop, seldom and complete": (
        "person_orders", "person_referral_codes", "person_reviews", "person_review_asks", "person_short_links",
        "person_standings", "progress_erased", "person_events", "person_referrals", "person_customers",
    ),
    "removing what is kept no longer, once a day where there is any": ("keep_applied_running",),
    "joining two accounts, seldom": ("merge_orders",),
    "by an index that holds only what is open or failed": ("progress_failed", "progress_open", "progress_replay_code"),
}  # fmt: skip


def walked(store: Store) -> dict[str, str]:
    """Queries of the work database that read a large table by nothing, or by its shop alone, with SQLite's words."""
    found = {}
    with store.work.read() as tx:
        for name, query in store.work.queries.items():
            if name.startswith(("inbox_", "wipe_", "erase_")):
                continue
            values = query.bind(dict.fromkeys(query.names, "[]"))
            for step in tx._cursor.execute(f"EXPLAIN QUERY PLAN {query.sql}", values).fetchall():
                text = str(step[3])
                all_of_it = re.match(r"(?:SCAN|SEARCH) (\w+)(?: USING .*\(shop_id=\?\))?(?: LEFT-JOIN)?$", text)
                alias = all_of_it and (all_of_it[1] if all_of_it[1] in LARGE else _aliased(query.sql, all_of_it[1]))
                if alias in LARGE and " LIMIT " not in query.sql.replace("\n", " "):
                    found[name] = text
    return found


def _aliased(sql: str, alias: str) -> str:
    table = re.search(rf"\b(?:FROM|JOIN) (\w+) (?:AS )?{alias}\b", sql)
    return table[1] if table else alias


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path}/work.db")
    yield opened
    opened.close()


def test_no_query_walks_through_a_shop_unless_it_means_to(store: Store) -> None:
    allowed = {name for names in WHOLE.values() for name in names}
    assert {name: text for name, text in walked(store).items() if name not in allowed} == {}


def test_without_the_figures_an_orders_parcels_are_looked_for_in_the_whole_shop(store: Store) -> None:
    with store.work.transaction() as tx:
        tx.script("DELETE FROM sqlite_stat1")
        tx.script("ANALYZE sqlite_schema")
    assert "shipment_of_order" in walked(store)


def test_every_index_has_its_figures_and_they_are_written_once(store: Store) -> None:
    assert isinstance(store.work, Sqlite)
    with store.work.read() as tx:
        indexes = {name for (name,) in tx.fetch("SELECT name FROM sqlite_master WHERE type = 'index'")}
        known = {name for (name,) in tx.fetch("SELECT idx FROM sqlite_stat1")}
    assert indexes <= known
    assert keep_statistics(store.work) is False


def test_a_new_index_gets_its_figures_and_those_of_an_analyze_stay(store: Store) -> None:
    assert isinstance(store.work, Sqlite)
    with store.work.transaction() as tx:
        tx.script("UPDATE sqlite_stat1 SET stat = '7 1' WHERE idx = 'runs_by_order'")
        tx.script("CREATE INDEX runs_later ON runs (shop_id, updated_at) WHERE status = 'failed'")
    assert keep_statistics(store.work) is True
    with store.work.read() as tx:
        found = dict(tx.fetch("SELECT idx, stat FROM sqlite_stat1 WHERE tbl = 'runs'"))
    assert found["runs_by_order"] == "7 1"
    assert found["runs_later"] == "1000 250 4"


def test_no_sample_of_anybodys_rows_is_kept(store: Store) -> None:
    with store.work.read() as tx:
        assert all(
            not tx.fetch(f"SELECT * FROM {name}")
            for (name,) in tx.fetch("SELECT name FROM sqlite_master WHERE name = 'sqlite_stat4'")
        )


@pytest.mark.parametrize(
    ("columns", "unique", "stat"),
    [
        (["shop_id", "order_id"], False, "1000000 250000 4"),
        (["shop_id", "order_id"], True, "1000000 250000 1"),
        (["shop_id", "flow_id", "entry_key"], True, "1000000 250000 25000 1"),
        (["wake_at"], False, "1000000 4"),
    ],
)
def test_figures_fall_column_by_column(columns: list[str], unique: bool, stat: str) -> None:
    assert figures_of(columns, is_unique=unique) == stat

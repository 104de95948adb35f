"""Keys begin with the shop, and queries keep to one: what lets the schema be distributed by shop (docs/scaling.md)."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
import pytest

from connector.store import Store
from connector.store.sql import QUERIES, named_parts
from tests.store.shop_bound import unbound

CLAIMS = {
    "progress_lease": "deliveries that are due, whoever's",
    "progress_lease_tried": "the same of those that were tried before",
    "progress_beyond": "whether more deliveries are due than a batch holds",
    "inbox_newcomer": "SQLite's log: whether somebody came behind a burst",
    "progress_due_shops": "which shops have due deliveries: their turn comes by this",
    "progress_next_due": "when a worker must look again",
    "run_due": "runs that wake, whoever's",
    "run_due_shops": "which shops have runs to wake",
    "run_due_in": "runs that wake of flows with news of orders, whoever's: in a crowd these go first",
    "run_next_wake": "when a worker must look again",
    "value_members_due": "members whose standing time may have changed, whoever's",
    "value_members_next": "when a worker must look again",
    "effect_due": "effects that are due, whoever's",
    "effect_due_shops": "which shops have due effects",
    "effect_expired": "what a dead worker left, whoever's",
    "effect_next_due": "when a worker must look again",
    "effect_next_expiry": "when a worker must look again",
    "wakeup_due": "dates that have come, whoever's",
    "wakeup_next_due": "when a worker must look again",
    "arming_open": "a flow whose dates are being set, whoever's",
    "standing_due": "people to be looked at, whoever's",
    "standing_next_due": "when a worker must look again",
    "figures_due": "a shop to be counted",
    "figures_next_due": "when a worker must look again",
    "job_claim": "a job that is due, of a shop nobody works for",
    "job_next_due": "when a worker must look again",
    "renewal_due": "tokens to be renewed, whoever's",
    "renewal_next": "when a worker must look again",
    "notice_due": "notices to be sent, whoever's",
    "notice_next": "when a worker must look again",
    "privacy_request_due": "requests to be carried out, whoever's",
    "privacy_request_next": "when a worker must look again",
    "click_new": "clicks to be judged, whoever's",
    "click_next": "when a worker must look again",
    "sent_before_any": "whether anything is known of before a restore: the first row there is, once a batch",
    "inbox_heads": "SQLite's log, read by its one worker in the order it was written",
}
"""What a worker asks before it knows for whom: on a distributed database each asks every part, and gets little."""
BY_SECRET = {
    "endpoint_get": "the address of a webhook says whose it is",
    "link_get": "an unguessable link says whose it is",
    "short_link_get": "an unguessable link says whose it is",
    "click_message": "the key in a short link says whose it is",
    "review_photo_get": "the unguessable id in a picture's address says whose it is",
    "effect_by_message": "our key, which a provider gives back, says whose it is",
    "shop_by_domain": "an app's webhook names its shop by domain",
    "invite_open": "a one-time link to connect a store that is none of ours yet",
    "invite_use": "the same, used up",
    "attempt_of": "a browser that is connecting a store that is none of ours yet",
    "attempt_by_callback": "a platform that answers such an attempt",
    "attempt_receive": "what it brought",
    "attempt_take": "the same, taken by one",
    "attempt_release": "the same, given back",
    "inbox_by_ids": "bodies of deliveries that were claimed, of many shops at once",
}
"""The shop is what is looked for, or there is none yet."""
OF_A_CLIENT = {
    "pace_reached": "a limit over the shops of one client: bound to a list of shops",
    "pace_sign": "the same",
    "pace_rivals": "the same",
}
OF_ALL = {
    "applied_newest": "each process reads what runs in every shop when it starts",
    "connected_all": "the same of connected stores",
    "shop_all": "lists of shops",
    "endpoint_all": "lists of addresses",
    "arming_all": "each process reads which flows wait for dates when it starts",
    "job_shops": "shops that lack a job are found by those that have it",
    "renewal_all": "lists of tokens",
    "push_sealed": "a change of the master key seals everything anew",
    "attempt_all": "a change of the master key seals everything anew",
    "attempt_reseal": "a change of the master key seals everything anew",
    "invite_sweep": "what has expired, of no shop",
    "attempt_sweep": "what has expired, of no shop",
    "privacy_export_expire": "what has expired, of every shop",
    "restored_leases_end": "once, in a copy that no worker has seen yet",
    "sent_before_prune": "what has been kept long enough, of every shop",
    "sent_before_counts": "the operator's count",
    "inbox_forget": "what has been kept long enough, of every shop",
    "consent_sent": "the operator's proof over all shops, or of one",
    "progress_failed": "the operator's list over all shops",
    "progress_open": "the operator's count",
    "progress_counts": "the operator's count",
    "progress_status": "tests and tools ask by id",
    "effect_troubled": "the operator's list, over all shops or of one",
    "effect_counts": "the operator's count",
    "held_counts": "the operator's list, over all shops or of one",
    "pause_all": "the operator's list",
    "run_under_way": "the operator's count",
    "run_tasks": "the operator's list, over all shops or of one",
    "privacy_request_all": "the operator's audit trail",
    "privacy_request_open": "the operator's count",
    "provider_breakers_all": "the operator's list",
    "inbox_after": "tests and tools read the log on",
    "inbox_last_id": "tools",
    "inbox_count": "tools",
    "inbox_count_after": "SQLite's backlog",
    "arrival_all": "the operator's figures",
    "inbox_waiting": "the operator's figures",
    "inbox_received": "the operator's figures",
    "inbox_topics": "the operator's figures",
}
"""An operator's look over the installation; none of these is asked while an order is worked on."""
WATCHED = {
    "watch_deliveries": "how much is due in each shop, counted for metrics, `kiitos status` and `kiitos doctor`",
    "watch_effects": "the same of effects",
    "watch_runs": "the same of runs",
    "watch_wakeups": "the same of dates",
    "watch_leases": "what was begun and whose lease ended, a check of the doctor's",
    "watch_troubled": "what waits for a person, by shop",
    "watch_held": "what limits hold, by shop and flow",
    "watch_dead": "dead letters, by shop",
    "watch_breakers": "providers that fail for a shop just now",
    "watch_jobs": "what failed the last time it was done for a shop",
    "watch_suppressed": "addresses nobody writes to, counted by shop",
    "watch_people": "people, counted by shop",
    "watch_privacy": "requests that are late, a check of the doctor's",
    "watch_recovered": "orders no webhook told of, counted by shop",
}
"""The operator's figures (queries/watch.sql): of all shops at once, asked by the metrics' thread and by commands."""
KNOWN = {**CLAIMS, **BY_SECRET, **OF_A_CLIENT, **OF_ALL, **WATCHED}

REFERENCE = {
    "meta": "a handful of the installation's own values",
    "schema_ledger": "which migrations ran",
    "inbox_cursor": "one row, and none on PostgreSQL",
    "provider_accounts": "a provider's account and its rate are shared by all shops that use it",
    "credentials": "keyed by their owner: a shop's id, or an app's",
    "processes": "what runs, of no shop",
    "alerts": "what the operator was told, of no shop",
    "endpoints": "the address of a webhook, before anybody knows whose",
    "connect_invites": "of stores that are none of ours yet",
    "connect_attempts": "of stores that are none of ours yet",
}
"""Small, or asked for before the shop is known: on Citus these are reference tables, copied to every machine."""


def sharded(store: Store) -> dict[str, list[str]]:
    """The tables that have a shop, with their columns."""
    found: dict[str, list[str]] = {}
    for database in (store.work, store.inbox):
        with database.transaction() as tx:
            names = tx._cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (name,) in names:
                columns = [row[1] for row in tx._cursor.execute(f"PRAGMA table_info({name})").fetchall()]
                if "shop_id" in columns:
                    found[name] = columns
    return found


@pytest.fixture(scope="module")
def tables() -> Mapping[str, list[str]]:
    store = Store.open("sqlite://:memory:")
    found = sharded(store)
    store.close()
    assert len(found) > 40
    return found


def texts() -> dict[tuple[str, str], str]:
    return {
        (dialect, name): text
        for dialect in ("sqlite", "postgres")
        for path in sorted(QUERIES.glob("*.sql"))
        for name, text in named_parts(path.read_text("utf-8"), dialect)
    }


def test_every_query_is_bound_to_one_shop_or_says_why_not(tables: Mapping[str, list[str]]) -> None:
    every = texts()
    assert len(every) > 1_000
    loose = {name for (_, name), text in every.items() if unbound(text, tables)}
    assert loose - KNOWN.keys() == set(), "bind these to a shop, or say why not"
    assert KNOWN.keys() - loose == set(), "these are bound to a shop after all, or are gone"


PLANTED = {
    "run_get": "shop_id = :shop_id AND ",
    "effect_of_run": "e.shop_id = :shop_id AND ",
    "effect_get": "c.shop_id = e.shop_id AND ",
    "effect_told_of_subject": "e.shop_id = r.shop_id AND ",
    "effect_retry": "shop_id = :shop_id AND ",
    "order_get": "shop_id = :shop_id AND ",
    "progress_lease_of": "shop_id = :shop_id AND ",
    "wakeup_drop_flow": "shop_id = :shop_id AND ",
}


@pytest.mark.parametrize("name", PLANTED)
def test_control_a_query_that_forgets_its_shop_is_found(name: str, tables: Mapping[str, list[str]]) -> None:
    text = texts()["postgres", name]
    assert PLANTED[name] in text
    assert unbound(text, tables) == []
    for start in (i for i in range(len(text)) if text.startswith(PLANTED[name], i)):
        assert unbound(text[:start] + text[start + len(PLANTED[name]) :], tables), text


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM runs WHERE run_id = :run_id",
        "SELECT * FROM runs WHERE :shop_id = '' OR shop_id = :shop_id",
        "SELECT * FROM runs r JOIN effects e ON e.run_id = r.run_id WHERE r.shop_id = :shop_id",
        "SELECT 1 FROM runs WHERE shop_id = :shop_id AND EXISTS (SELECT 1 FROM effects WHERE run_id = runs.run_id)",
        "DELETE FROM journal WHERE seq < :seq -- shop_id = :shop_id",
        "UPDATE effects SET reason = 'shop_id = :shop_id' WHERE effect_id = :effect_id",
        "SELECT 1 FROM runs WHERE shop_id = :shop_id UNION SELECT 1 FROM effects",
        "INSERT INTO journal (run_id) VALUES (:run_id)",
    ],
)
def test_control_what_reaches_beyond_a_shop(text: str, tables: Mapping[str, list[str]]) -> None:
    assert unbound(text, tables)


@pytest.mark.postgres
def test_every_key_begins_with_the_shop(schema_dsn: str) -> None:
    """As Citus asks: primary keys and unique indexes hold the column by which a table is distributed."""
    store = Store.open(schema_dsn)
    store.close()
    with psycopg.connect(schema_dsn) as connection:
        keys = connection.execute(
            "SELECT c.relname, i.indisprimary, array_agg(a.attname::text ORDER BY k.place) FROM pg_index i"
            " JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
            " CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum"
            " WHERE n.nspname = current_schema() AND i.indisunique GROUP BY c.relname, i.indexrelid, i.indisprimary"
        ).fetchall()
        every = connection.execute(
            "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = current_schema() AND relkind = 'r'"
        ).fetchall()
    assert {name for name, primary, _ in keys if primary} == {name for (name,) in every}, "each table has a key"
    other = {name for name, primary, columns in keys if primary and columns[0] != "shop_id"}
    assert other == REFERENCE.keys()
    unique = {(name, tuple(columns)) for name, _, columns in keys if name not in REFERENCE and "shop_id" not in columns}
    assert unique == {("shops", ("platform", "domain"))}, "a shop is itself; Citus asks for a reference table here too"

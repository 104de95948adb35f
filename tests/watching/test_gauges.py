"""What Prometheus scrapes: each metric of the document exists, counts what it says, and names few shops."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from connector.app import create_app
from connector.contracts import Accepted, Rejected, Retry, Unknown
from connector.errors import AuthExpired, StoreUnavailable
from connector.model import Effect, Purpose
from connector.store import meta, watch
from connector.store.watch import Pile
from connector.watching.figures import Figures, Looking
from connector.watching.gauges import MOST, OTHER, families, register
from connector.watching.tallies import Tallies
from connector.worker import Worker
from tests.store import examples
from tests.watching.conftest import SHOP, House

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def scraped(registry: CollectorRegistry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_backlog_and_its_age_are_told(house: House) -> None:
    kiitos = house.open()
    house.order(kiitos, "a")
    house.arrive(kiitos, "b", b'{"id": "no order"}')
    house.clock.advance(timedelta(minutes=5))
    registry = CollectorRegistry()
    looking = Looking(kiitos.store, kiitos.clock)
    register(registry, looking)
    found = scraped(registry)
    assert found["kiitos_backlog", (("kind", "delivery"), ("shop", SHOP))] == 2
    assert found["kiitos_oldest_due_seconds", ()] == 300
    assert found["kiitos_webhook_age_seconds", (("topic", "orders/create"),)] == 300
    assert found["kiitos_database_up", ()] == 1
    assert ("kiitos_backup_age_seconds", ()) not in found
    Worker(kiitos).drain()
    with kiitos.store.work.transaction() as tx:
        meta.put(tx, watch.BACKUP_AT, "2026-11-23T08:00:00.000000Z", kiitos.clock.now())
    house.clock.advance(timedelta(minutes=1))
    after = scraped(registry)
    assert after["kiitos_oldest_due_seconds", ()] == 0
    assert after["kiitos_dead_letters", (("shop", SHOP),)] == 1
    assert after["kiitos_backup_age_seconds", ()] == 3600 + 360


def test_a_scrape_costs_one_look_for_a_while(house: House) -> None:
    kiitos = house.open()
    looking = Looking(kiitos.store, kiitos.clock)
    first = looking.figures()
    assert looking.figures() is first
    house.clock.advance(timedelta(seconds=11))
    assert looking.figures() is not first


def test_a_database_that_does_not_answer_is_told_and_nothing_else_is(house: House) -> None:
    kiitos = house.open()

    class Away(Looking):
        def figures(self) -> Figures:
            raise StoreUnavailable("gone")

    registry = CollectorRegistry()
    register(registry, Away(kiitos.store, kiitos.clock))
    assert scraped(registry) == {("kiitos_database_up", ()): 0}


def test_many_shops_do_not_grow_the_metrics() -> None:
    piles = [Pile(f"shop-{number}", "delivery", number, NOW) for number in range(1, 500)]
    families_ = {one.name: one for one in families(Figures(at=NOW, backlog=piles))}
    samples = families_["kiitos_backlog"].samples
    assert len(samples) == MOST + 1
    assert sum(sample.value for sample in samples) == sum(pile.total for pile in piles)
    assert {sample.labels["shop"] for sample in samples} >= {"shop-499", OTHER}


def effect(flow: str, due: datetime, purpose: Purpose = Purpose.TRANSACTIONAL) -> Effect:
    return examples.effect(flow_id=flow, due_at=due, purpose=purpose)


def test_what_a_worker_counted_is_told() -> None:
    tallies = Tallies()
    confirmation = effect("order-confirmation", NOW)
    tallies.begun(
        [confirmation, effect("review", NOW - timedelta(hours=1), Purpose.REVIEW)], NOW + timedelta(seconds=2)
    )
    outcomes = (
        Accepted(key="k"),
        Rejected(key="k", code="550", text=""),
        Retry(key="k", text=""),
        Unknown(key="k", text=""),
    )
    tallies.sent([(confirmation, outcome) for outcome in outcomes], "mail")
    tallies.performed(confirmation, "shopify", None)
    tallies.performed(confirmation, "shopify", AuthExpired("no"))
    registry = CollectorRegistry()

    class Silent(Looking):
        def __init__(self) -> None:
            pass

        def figures(self) -> Figures:
            return Figures(at=NOW)

    register(registry, Silent(), tallies)
    found = scraped(registry)
    sends = {labels[1][1]: value for (name, labels), value in found.items() if name == "kiitos_sends_total"}
    assert sends == {"accepted": 2, "rejected": 1, "retry": 1, "unknown": 1, "error": 1}
    errors = {
        (dict(labels)["provider"], dict(labels)["class"]): value
        for (name, labels), value in found.items()
        if name == "kiitos_provider_errors_total"
    }
    assert errors == {
        ("mail", "rejected"): 1,
        ("mail", "retry"): 1,
        ("mail", "unknown"): 1,
        ("shopify", AuthExpired.code.lower()): 1,
    }
    assert found["kiitos_lateness_seconds_bucket", (("le", "2.5"), ("priority", "transactional"))] == 1
    assert found["kiitos_lateness_seconds_bucket", (("le", "1800.0"), ("priority", "other"))] == 0
    assert found["kiitos_lateness_seconds_count", (("priority", "other"),)] == 1


def test_the_worker_counts_what_it_sends(house: House) -> None:
    kiitos = house.open()
    house.order(kiitos, "a")
    worker = Worker(kiitos)
    worker.drain()
    assert worker.carrier.tallies.sends == {("order-confirmation", "accepted"): 1}
    assert list(worker.carrier.tallies.late) == ["transactional"]


def test_the_server_tells_the_same(house: House) -> None:
    kiitos = house.open()
    house.order(kiitos, "a")
    client = create_app(kiitos).test_client()
    text = client.get("/metrics").get_data(as_text=True)
    assert f'kiitos_backlog{{kind="delivery",shop="{SHOP}"}} 1.0' in text
    assert "kiitos_inbox_queue_rows" in text

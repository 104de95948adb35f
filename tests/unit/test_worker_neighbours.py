"""What one shop, run or effect cannot do to the others: the worker goes on with its neighbours."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.clock import ManualClock
from connector.model import EffectStatus, Purpose, Run, RunStatus
from connector.store import effects, runs
from connector.store.store import Store
from connector.testing.demo.scenario import MONDAY
from connector.testing.world import SHOPIFY
from connector.worker import Worker
from flows.channels.memory import Memory
from tests.journeys.bare import OBLIGING, build_bare


def sleeper(shop_id: str, run_id: str, flow_id: str = "order-confirmation") -> Run:
    return Run(
        shop_id=shop_id,
        id=run_id,
        flow_id=flow_id,
        version="0" * 12,
        subject_kind="order",
        subject_id=run_id,
        entry_key=f"order/{run_id}",
        status=RunStatus.SLEEPING,
        step=0,
        created_at=MONDAY,
        updated_at=MONDAY,
        order_id=run_id,
        wake_at=MONDAY,
    )


@pytest.mark.parametrize("shop_id", ["gone-shop", SHOPIFY])
def test_a_run_that_cannot_go_on_does_not_stop_the_worker(shop_id: str) -> None:
    """Its shop was taken out of app.toml, or its flow's version is lost: the others still wake."""
    clock, store = ManualClock(MONDAY + timedelta(hours=1)), Store.open("sqlite://:memory:")
    kiitos = build_bare(clock, store, registry=OBLIGING)
    kiitos.use_channel("mail", Memory())
    flow = kiitos.catalog.flows(SHOPIFY)[0]
    good = sleeper(SHOPIFY, "good", flow.id)
    good = Run(**{**{name: getattr(good, name) for name in good.__dataclass_fields__}, "version": flow.version})
    with store.work.transaction() as tx:
        assert runs.start(tx, sleeper(shop_id, "bad"))
        assert runs.start(tx, good)
    Worker(kiitos).drain(50)
    with store.work.read() as tx:
        moved = runs.get(tx, SHOPIFY, "good")
    assert moved is not None
    assert moved.status is not RunStatus.SLEEPING
    kiitos.close()


def test_an_effect_of_a_shop_that_is_gone_does_not_stop_the_worker() -> None:
    from connector.model import Effect

    clock, store = ManualClock(MONDAY), Store.open("sqlite://:memory:")
    kiitos = build_bare(clock, store, registry=OBLIGING)
    effect = Effect(
        shop_id="gone-shop",
        id="e1",
        run_id="r1",
        flow_id="f",
        version="0" * 12,
        step_id="s",
        kind="message",
        purpose=Purpose.TRANSACTIONAL,
        request={"template": "order_confirmation"},
        status=EffectStatus.PENDING,
        due_at=MONDAY,
        created_at=MONDAY,
    )
    with store.work.transaction() as tx:
        assert runs.start(tx, sleeper("gone-shop", "r1"))
        effects.put(tx, effect)
    Worker(kiitos).drain(50)
    with store.work.read() as tx:
        kept = effects.get(tx, "gone-shop", "e1")
    assert kept is not None
    assert kept.status is not EffectStatus.SENDING
    kiitos.close()

"""Subscriptions are compared with what we need, and put right; those of others are left alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.contracts import HookTarget
from connector.store import jobs
from connector.testing.world import SHOPIFY, WOO
from platforms.shopify.adapter import TOPICS as SHOPIFY_TOPICS
from platforms.shopify.subscriptions import COMPLIANCE, scope_of
from platforms.woocommerce.subscriptions import TOPICS as WOO_TOPICS
from tests.reconciliation.conftest import Town


def repair(town: Town, shop: str) -> dict[str, Any]:
    reconciler = town.worker.reconciler
    assert reconciler is not None
    assert reconciler.run_now(shop, "webhooks")
    return town.reports(shop, "webhooks")[0]


def told(faults: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(fault["topic"], fault["fault"]) for fault in faults}


def test_at_install_everything_needed_is_there(town: Town) -> None:
    granted = {scope.replace("write_", "read_") for scope in town.shopify.scopes} | {""}
    wanted = {topic for topic in SHOPIFY_TOPICS if topic not in COMPLIANCE and scope_of(topic) in granted}
    assert {row.topic for row in town.shopify.subscriptions.values()} == wanted
    assert {row.uri for row in town.shopify.subscriptions.values()} == {town.hook_url(SHOPIFY)}
    assert sorted(hook.topic for hook in town.woo.queue.hooks.values()) == sorted(WOO_TOPICS)
    first = town.reports(SHOPIFY, "webhooks")[-1]
    assert {fault["fault"] for fault in first["faults"]} == {"no_scope"}
    assert len(first["repaired"]) == len(wanted)


def test_a_second_look_changes_nothing(town: Town) -> None:
    for shop, count in ((SHOPIFY, len(town.shopify.subscriptions)), (WOO, len(town.woo.queue.hooks))):
        found = repair(town, shop)
        assert (found["present"], found["repaired"]) == (count, [])


def test_a_removed_shopify_subscription_comes_back(town: Town) -> None:
    number = next(n for n, row in town.shopify.subscriptions.items() if row.topic == "orders/create")
    del town.shopify.subscriptions[number]
    assert told(repair(town, SHOPIFY)["repaired"]) == {("orders/create", "missing")}
    assert "orders/create" in {row.topic for row in town.shopify.subscriptions.values()}


def test_what_was_altered_moved_doubled_or_of_another_version_is_put_right(town: Town) -> None:
    rows = {row.topic: row for row in town.shopify.subscriptions.values()}
    rows["orders/paid"].uri = rows["orders/paid"].uri.replace("127.0.0.1", "127.0.0.2")
    rows["orders/updated"].include_fields = ("id",)
    rows["orders/cancelled"].api_version = "2025-10"
    foreign = town.shopify.next_id("WebhookSubscription")
    town.shopify.subscriptions[foreign] = type(rows["orders/paid"])(
        id=foreign,
        topic="orders/paid",
        uri="https://erp.example/in",
        created_at=town.clock.now(),
        updated_at=town.clock.now(),
    )
    found = repair(town, SHOPIFY)
    assert told(found["repaired"]) == {
        ("orders/paid", "moved"),
        ("orders/updated", "altered"),
        ("orders/cancelled", "version"),
    }
    assert found["foreign"] == 1
    assert town.shopify.subscriptions[foreign].uri == "https://erp.example/in"
    ours = [row for row in town.shopify.subscriptions.values() if row.id != foreign]
    assert {row.uri for row in ours} == {town.hook_url(SHOPIFY)}
    assert all(not row.include_fields and row.api_version == "2026-10" for row in ours)


def test_a_disabled_woocommerce_webhook_is_deleted_and_made_anew(town: Town) -> None:
    hook = next(hook for hook in town.woo.queue.hooks.values() if hook.topic == "order.updated")
    hook.status, hook.failures = "disabled", 6
    assert told(repair(town, WOO)["repaired"]) == {("order.updated", "disabled")}
    assert hook.id not in town.woo.queue.hooks
    anew = next(each for each in town.woo.queue.hooks.values() if each.topic == "order.updated")
    assert (anew.status, anew.failures, anew.secret) == ("active", 0, "woo-demo-webhook-secret")


def test_woocommerce_address_secret_doubles_and_strangers(town: Town) -> None:
    hooks = {hook.topic: hook for hook in town.woo.queue.hooks.values()}
    hooks["order.created"].delivery_url = hooks["order.created"].delivery_url.replace("127.0.0.1", "127.0.0.2")
    theirs = town.woo.queue.create("ERP", "order.created", "http://127.0.0.1:9/erp", "theirs")
    by_hand = town.woo.queue.create("by hand", "order.updated", town.hook_url(WOO), "typed wrongly")
    with town.kiitos.store.work.transaction() as tx:
        row = jobs.get(tx, WOO, "webhooks")
        assert row is not None
        notes = {
            number: note for number, note in row.state["notes"].items() if number != str(hooks["customer.updated"].id)
        }
        jobs.restart(tx, WOO, "webhooks", {"notes": notes}, town.clock.now())
    found = repair(town, WOO)
    assert told(found["repaired"]) == {
        ("order.created", "moved"),
        ("order.updated", "duplicate"),
        ("customer.updated", "secret"),
    }
    assert found["foreign"] == 1
    assert theirs.id in town.woo.queue.hooks
    assert by_hand.id not in town.woo.queue.hooks
    assert {hook.secret for hook in town.woo.queue.hooks.values() if hook.id != theirs.id} == {
        "woo-demo-webhook-secret"
    }


def test_reports_hold_no_secret(town: Town) -> None:
    with town.kiitos.store.work.read() as tx:
        rows = [jobs.get(tx, shop, "webhooks") for shop in (SHOPIFY, WOO)]
        reports = [jobs.reports(tx, shop, "webhooks", 10) for shop in (SHOPIFY, WOO)]
    text = json.dumps([[row.state for row in rows if row], reports], default=str)
    assert "woo-demo-webhook-secret" not in text
    assert "demo-client-secret" not in text


def test_a_topic_that_is_refused_keeps_no_other_from_being_repaired(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connector.testing.fakes.shopify import mutations

    create = mutations.webhook_subscription_create

    def choosy(shop: Any, topic: str, webhook_subscription: Any) -> Any:
        if topic == "CUSTOMERS_UPDATE":
            return {"webhook_subscription": None, "user_errors": [mutations.user_error("protected data", "topic")]}
        return create(shop, topic, webhook_subscription)

    monkeypatch.setitem(mutations.MUTATIONS, "webhook_subscription_create", choosy)  # type: ignore[arg-type]
    town.shopify.subscriptions.clear()
    found = repair(town, SHOPIFY)
    assert ("customers/update", "refused") in told(found["faults"])
    assert ("orders/create", "missing") in told(found["repaired"])


@pytest.mark.parametrize("shop", [SHOPIFY, WOO])
def test_a_check_changes_nothing_and_removing_takes_ours_alone(town: Town, shop: str) -> None:
    adapter: Any = town.kiitos.registry.platform("shopify" if shop == SHOPIFY else "woocommerce")
    access = town.kiitos.access(town.kiitos.catalog.settings(shop))
    target = HookTarget(
        url=town.hook_url(shop), secret="woo-demo-webhook-secret", notes=town.job(shop, "webhooks").state["notes"]
    )
    rows: Any = town.shopify.subscriptions if shop == SHOPIFY else town.woo.queue.hooks
    first = next(iter(rows))
    del rows[first]
    before = set(rows)
    report = adapter.check_webhooks(access, target)
    assert [fault.fault for fault in report.faults if fault.fault != "no_scope"] == ["missing"]
    assert set(rows) == before
    assert adapter.remove_webhooks(access, target) == len(before)
    assert not rows

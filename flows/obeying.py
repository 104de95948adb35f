"""What an event has us do, whatever flows say: stop after an uninstall, forget, join two accounts, look an
object up again."""

from __future__ import annotations

from datetime import datetime

from connector.clock import from_text, to_text
from connector.credentials import forget_secrets
from connector.log import get_log
from connector.model import Effect, Event, EventKind, ShopStatus, by_itself
from connector.store import effects, merging, scopes, shops
from connector.store.db import Tx
from flows.people import forgetting, refusing

FETCH = "fetch"
"""The kind of effect that looks an object up again on the platform."""

log = get_log("runner")


def obey(tx: Tx, salt: bytes, shop_id: str, event: Event, now: datetime) -> None:
    """Do what a new event orders. What a person's erasure stops is stopped before (`Runner.forget`)."""
    refusing.meet(tx, salt, shop_id, event, now)
    if event.kind == EventKind.APP_UNINSTALLED and not _before_installation(tx, shop_id, event):
        shops.set_status(tx, shop_id, ShopStatus.UNINSTALLED, now, "app uninstalled by the merchant")
    if event.kind == EventKind.APP_SCOPES_UPDATED:
        scopes.put(tx, shop_id, [word for word in event.data.get("current", "").split(",") if word], now)
    if event.kind == EventKind.SHOP_REDACTED:
        shops.set_status(tx, shop_id, ShopStatus.UNINSTALLED, now, "the platform asked to forget the shop")
        forget_secrets(tx, shop_id)
    if event.kind in (EventKind.DATA_REQUESTED, EventKind.SHOP_REDACTED):
        forgetting.ask_for(tx, salt, shop_id, event, now)
    if event.kind == EventKind.CUSTOMER_MERGED and event.data.get("kept") and event.data.get("merged"):
        merging.merge(tx, shop_id, event.data["kept"], event.data["merged"])
    if event.kind == EventKind.RESOURCE_RECHECK and event.data.get("resource") == "order" and event.data.get("id"):
        effects.queue(tx, fetch_effect(shop_id, event.data["id"], event.key, now))


def _before_installation(tx: Tx, shop_id: str, event: Event) -> bool:
    """Whether an uninstall belongs to an earlier installation: its webhook came after the merchant was back."""
    triggered, installed = event.data.get("triggered_at"), shops.installed_at(tx, shop_id)
    if triggered is None or installed is None or from_text(triggered) >= installed:
        return False
    log.info("late_uninstall_ignored", shop_id=shop_id, triggered_at=triggered, installed_at=to_text(installed))
    return True


def fetch_effect(shop_id: str, order_id: str, cause: str, now: datetime) -> Effect:
    """An effect that looks an order up again on the platform, once per cause."""
    request = {"resource": "order", "id": order_id}
    return by_itself(shop_id, f"fetch:{order_id}:{cause}", FETCH, request, now, order_id=order_id)

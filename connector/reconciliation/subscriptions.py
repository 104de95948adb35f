"""Webhook subscriptions, compared and repaired: at install, daily, when a webhook was lost, and on demand."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from connector.contracts import HookReport, HookTarget, ManagesWebhooks
from connector.log import get_log
from connector.reconciliation.assignment import Assignment, Outcome

log = get_log("reconciliation")

DAY = timedelta(days=1)
REFUSED_AGAIN = timedelta(hours=6)


def target_of(work: Assignment) -> HookTarget:
    """Where the shop's webhooks must go."""
    notes = {str(key): str(value) for key, value in dict(work.state.get("notes") or {}).items()}
    return HookTarget(url=work.hook_url, secret=work.hook_secret, notes=notes)


def repair(work: Assignment) -> Outcome:
    """Put right what is wrong; the report says what was."""
    assert isinstance(work.adapter, ManagesWebhooks)
    found = work.adapter.repair_webhooks(work.access, target_of(work))
    for fault in found.repaired:
        log.warning("webhook_repaired", shop_id=work.shop.id, topic=fault.topic, fault=fault.fault)
    for fault in found.faults:
        log.warning("webhook_fault", shop_id=work.shop.id, topic=fault.topic, fault=fault.fault, detail=fault.detail)
    work.advance(notes=dict(found.notes))
    refused = any(fault.fault == "refused" for fault in found.faults)
    due = work.clock.now() + (REFUSED_AGAIN if refused else DAY)
    return Outcome(state=work.state, due_at=due, report=as_report(found))


def as_report(found: HookReport) -> dict[str, Any]:
    """As it is stored and shown: without the adapter's notes."""
    return {
        "present": found.present,
        "foreign": found.foreign,
        "repaired": [asdict(fault) for fault in found.repaired],
        "faults": [asdict(fault) for fault in found.faults],
    }

"""A look back as data for programs: what `kiitos backtest --json` and `kiitos flows diff --json` print."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

from connector.clock import to_text
from connector.simulate.costs import Bill, Costs, bill
from connector.simulate.difference import Change, Difference
from connector.simulate.outcome import Deed
from connector.simulate.scene import Window
from connector.simulate.tally import Tally


def backtest_document(tally: Tally, costs: Costs, window: Window, shop_id: str, playbook: str) -> dict[str, Any]:
    """Everything a tally holds: totals, each flow with its steps, reasons and cost, and each day."""
    return {
        "shop": shop_id,
        "playbook": playbook,
        "from": to_text(window.since),
        "to": to_text(window.until),
        "orders": tally.orders,
        "average_order": str(tally.average),
        "currency": costs.currency,
        "people": sum(tally.per_person.values()),
        "lived": {"short": tally.ways[""], "exact": tally.ways.total() - tally.ways[""]},
        "messages_per_person": {str(count): people for count, people in sorted(tally.per_person.items())},
        "cost": str(sum((bill(tally, costs, flow).total for flow in tally.flows), Decimal(0))) if costs else None,
        "flows": [_flow(tally, costs, flow) for flow in tally.flows],
        "days": [
            {
                "day": day.isoformat(),
                "flow": line.flow,
                "step": line.step,
                "what": line.what,
                "kind": line.kind,
                "sent": n,
            }
            for (day, line), n in sorted(tally.days.items())
        ],
    }


def _flow(tally: Tally, costs: Costs, flow: str) -> dict[str, Any]:
    spent = bill(tally, costs, flow)
    lines = sorted({line for line in (*tally.sent, *tally.dropped, *tally.waiting) if line.flow == flow})
    return {
        "flow": flow,
        "version": tally.versions.get(flow, ""),
        "started": tally.started[flow],
        "people": tally.people[flow],
        "messages": tally.messages(flow),
        "acts": tally.acts(flow),
        "dropped": tally.held_back(flow),
        "cost": _cost(spent) if costs else None,
        "steps": [
            {
                "step": line.step,
                "what": line.what,
                "kind": line.kind,
                "channel": line.channel,
                **({"sms": costs.parts(line.what)} if line.channel == "sms" else {}),
                "sent": tally.sent[line],
                "dropped": tally.dropped[line],
                "waiting": tally.waiting[line],
                "why": {why: n for (of, why), n in sorted(tally.why.items()) if of == line},
            }
            for line in lines
        ],
        "not_started": {rule: n for (of, rule), n in sorted(tally.refused.items()) if of == flow},
        "ended": {reason: n for (of, reason), n in sorted(tally.ended.items()) if of == flow},
        "examples": [deed_document(deed) for deed in tally.examples.get(flow, [])],
    }


def _cost(spent: Bill) -> dict[str, str]:
    return {"messages": str(spent.messages), "rewards": str(spent.rewards), "total": str(spent.total)}


def deed_document(deed: Deed) -> dict[str, Any]:
    """One message or act. The person is a digest: whose order it was says the order."""
    return {
        "at": to_text(deed.at),
        "flow": deed.flow,
        "version": deed.version,
        "step": deed.step,
        "what": deed.what,
        "kind": deed.kind,
        "channel": deed.channel,
        "purpose": deed.purpose,
        "to": deed.to,
        "order": deed.order_id,
        "person": deed.who,
        "state": deed.state,
        "why": deed.why,
    }


def difference_document(found: Difference, names: tuple[str, str], window: Window, shop_id: str) -> dict[str, Any]:
    """What is added, removed and shifted, by flow and template, with examples."""
    keys = sorted({*found.added, *found.removed, *found.shifted})
    return {
        "shop": shop_id,
        "old": names[0],
        "new": names[1],
        "from": to_text(window.since),
        "to": to_text(window.until),
        "same": found.same,
        "people": found.people,
        "added": sum(found.added.values()),
        "removed": sum(found.removed.values()),
        "shifted": sum(found.shifted.values()),
        "changes": [
            {
                "flow": flow,
                "what": what,
                "added": found.added[flow, what],
                "removed": found.removed[flow, what],
                "shifted": found.shifted[flow, what],
                "days_later": {str(d): n for (f, w, d), n in sorted(found.spans.items()) if (f, w) == (flow, what)},
                "examples": {
                    kind: [_change(change) for change in found.examples.get((kind, flow, what), [])]
                    for kind in ("added", "removed", "shifted")
                },
            }
            for flow, what in keys
        ],
    }


def _change(change: Change) -> dict[str, Any]:
    return {**deed_document(change.deed), "later_seconds": round(change.by.total_seconds())}


def by_period(tally: Tally, days: int) -> tuple[list[date], dict[str, list[int]]]:
    """Messages of each flow in periods of `days`, from the first to the last: for tables and pictures."""
    counts: Counter[tuple[str, int]] = Counter()
    found = [(day.toordinal(), line.flow, n) for (day, line), n in tally.days.items() if line.kind == "message"]
    if not found:
        return [], {}
    first, last = min(found)[0], max(found)[0]
    for day, flow, n in found:
        counts[flow, (day - first) // days] += n
    slots = range((last - first) // days + 1)
    starts = [date.fromordinal(first + slot * days) for slot in slots]
    return starts, {flow: [counts[flow, slot] for slot in slots] for flow in sorted({flow for flow, _ in counts})}

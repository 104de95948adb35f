"""Why somebody heard nothing of a flow at all: what it starts at, and what of that was ever recorded of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from connector.clock import to_text
from connector.errors import near
from connector.explaining.explain import Line, Story
from connector.model import Order
from connector.store import applied, events
from connector.store.db import Tx
from connector.store.store import Store
from flows.definition import Flow


def of_flow(store: Store, story: Story, flow_id: str, flows: Sequence[Flow], now: datetime) -> Story:
    """The story with only what one flow did, and with the reason where it did nothing. `flows` are the shop's own."""
    lines = [line for line in story.lines if line.flow == flow_id]
    if not lines:
        with store.work.read() as tx:
            lines = [_never(tx, story, flow_id, flows, now)]
    return replace(story, subject=f"{story.subject}, {flow_id}", lines=tuple(lines))


def _never(tx: Tx, story: Story, flow_id: str, flows: Sequence[Flow], now: datetime) -> Line:
    flow = next((each for each in flows if each.id == flow_id), None)
    if flow is None:
        return _not_here(tx, story.shop_id, flow_id, [each.id for each in flows], now)
    kinds = ", ".join(flow.trigger)
    if not flow.enabled:
        return _line(
            now, flow_id, f"never started: {flow_id} is switched off here", "enabled = true would start it", flow
        )
    heard = [(order, row) for order in story.orders for row in events.for_order(tx, story.shop_id, order.id)]
    theirs = [(order, row) for order, row in heard if row.kind in flow.trigger]
    if not theirs:
        text = f"never started: it starts at {kinds}, and nothing of that was recorded of {_who(story)}"
        return _line(now, flow_id, text, f"{flow.trigger[0]} would have made its guards be asked", flow)
    order, row = theirs[-1]
    since = _since(tx, story.shop_id, flow_id)
    if since is not None and row.recorded_at < since:
        text = (
            f"never started: {row.kind} came at {to_text(row.recorded_at)}, the flow runs here since {to_text(since)}"
        )
        return _line(
            row.recorded_at, flow_id, text, "had the flow been applied before, its guards would have been asked", flow
        )
    text = (
        f"never started: {row.kind} of order {order.number} came, and was taken in as history, without starting flows"
    )
    flip = "an event that came as news, not by back-fill or erasure, would have made its guards be asked"
    return _line(row.recorded_at, flow_id, text, flip, flow)


def _not_here(tx: Tx, shop_id: str, flow_id: str, known: Sequence[str], now: datetime) -> Line:
    for state in applied.history(tx, shop_id):
        gone = next(
            (change for change in state.changes if change["flow"] == flow_id and change["change"] == "removed"), None
        )
        if gone is not None:
            text = (
                f"never started: {flow_id} was removed here at {to_text(state.at)} by {state.who} (state {state.state})"
            )
            return _line(state.at, flow_id, text, "with the flow still applied its guards would have been asked")
    text = f"never started: {shop_id} has no flow '{flow_id}'{near(flow_id, known)}"
    return _line(now, flow_id, text, f"flows.{flow_id} in app.toml would bring it here")


def _since(tx: Tx, shop_id: str, flow_id: str) -> datetime | None:
    """When the flow came to the shop, as far as the history tells."""
    since = None
    for state in applied.history(tx, shop_id):
        if state.flow(flow_id) is None:
            break
        since = state.at if state.state > 1 else None  # what was there at the first start may have been there before
    return since


def _who(story: Story) -> str:
    orders: Sequence[Order] = story.orders
    return ", ".join(f"order {order.number}" for order in orders[:3]) or story.subject


def _line(at: datetime, flow_id: str, text: str, flip: str, flow: Flow | None = None) -> Line:
    version = flow.version if flow else ""
    return Line(at=at, what="never_started", text=text, flow=flow_id, version=version, flip=flip, detail={})

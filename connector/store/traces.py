"""Which trace a run belongs to (https://www.w3.org/TR/trace-context/, `traceparent`), where the operator has traces."""

from __future__ import annotations

from datetime import datetime

from connector import tracing
from connector.clock import to_text
from connector.model import Run
from connector.store.db import Tx


def put(tx: Tx, shop_id: str, run_id: str, context: str, now: datetime) -> None:
    """What the run does from now on belongs to this trace."""
    tx.run("run_trace_put", shop_id=shop_id, run_id=run_id, context=context, now=to_text(now))


def get(tx: Tx, shop_id: str, run_id: str) -> str:
    """The trace's context, empty where there is none."""
    row = tx.one("run_trace_get", shop_id=shop_id, run_id=run_id)
    return str(row["context"]) if row else ""


def moved(tx: Tx, run: Run, now: datetime) -> None:
    """A run was moved: a span `step` under what moved it (a delivery) or, when time did, under the trace it belongs to;
    what it does from now on comes below. Only where there are traces."""
    if not tracing.on():
        return
    parent = tracing.current() or get(tx, run.shop_id, run.id)
    if not parent:
        return
    with tracing.span("step", parent, shop=run.shop_id, flow=run.flow_id, number=run.step, status=str(run.status)):
        put(tx, run.shop_id, run.id, tracing.current(), now)

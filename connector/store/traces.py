"""Which trace a run belongs to (https://www.w3.org/TR/trace-context/, `traceparent`), where the operator has traces."""

from __future__ import annotations

from datetime import datetime

from connector.clock import to_text
from connector.store.db import Tx


def put(tx: Tx, shop_id: str, run_id: str, context: str, now: datetime) -> None:
    """What the run does from now on belongs to this trace."""
    tx.run("run_trace_put", shop_id=shop_id, run_id=run_id, context=context, now=to_text(now))


def get(tx: Tx, shop_id: str, run_id: str) -> str:
    """The trace's context, empty where there is none."""
    row = tx.one("run_trace_get", shop_id=shop_id, run_id=run_id)
    return str(row["context"]) if row else ""

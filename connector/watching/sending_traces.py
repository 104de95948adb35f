"""The worker's half of a trace: what becomes of an effect belongs to the trace that last moved its run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connector import tracing
from connector.contracts import Accepted, Outcome
from connector.model import Effect
from connector.store import traces
from connector.store.db import Tx
from flows.sending.outcomes import Prepared

_MOST = 1000
"""Effects remembered between being prepared and handed over: a batch is a tenth of it."""


class SendTraces:
    """One worker's. Does nothing where there are no traces."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[str, str], str] = {}

    @contextmanager
    def preparing(self, tx: Tx, effect: Effect) -> Iterator[None]:
        """Around checking and rendering one effect: the span `effect`."""
        if not tracing.on() or not effect.run_id:
            yield
            return
        if len(self._contexts) > _MOST:
            self._contexts.clear()
        parent = traces.get(tx, effect.shop_id, effect.run_id)
        names = {"shop": effect.shop_id, "flow": effect.flow_id, "step": effect.step_id, "kind": effect.kind}
        with tracing.span("effect", parent, **names):
            if tracing.current():
                self._contexts[effect.shop_id, effect.id] = tracing.current()
            yield

    def handed(self, item: Prepared, provider: str) -> None:
        """A message goes to its channel: the span `send`, until `ended`."""
        effect = item.effect
        parent = self._contexts.pop((effect.shop_id, effect.id), "")
        if parent:
            tracing.begin("send", item.key, parent, shop=effect.shop_id, flow=effect.flow_id, provider=provider)

    def ended(self, outcome: Outcome) -> None:
        tracing.end(outcome.key, type(outcome).__name__.lower(), failed=not isinstance(outcome, Accepted))

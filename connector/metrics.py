"""What the process counts about itself, in the Prometheus text format.

One registry an instance, not the library's global one, so that tests and several applications in one process do not
share counters. Labels come from closed sets only: a path segment an outsider chose would grow the registry for ever.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """The receiver's metrics and the registry they live in. Other parts may register their own with `registry`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._deliveries = Counter(
            "kiitos_deliveries", "Deliveries answered.", ("platform", "status"), registry=self.registry
        )
        self._children: dict[tuple[str, int], Counter] = {}
        self.commit_seconds = Histogram(
            "kiitos_inbox_commit_seconds", "Time to make a batch durable.", buckets=_SECONDS, registry=self.registry
        )
        self.batch_rows = Histogram(
            "kiitos_inbox_batch_rows", "Deliveries a commit.", buckets=_ROWS, registry=self.registry
        )
        self.failed_rows = Counter(
            "kiitos_inbox_failed_rows", "Deliveries that could not be stored.", registry=self.registry
        )
        self.checkpoint_seconds = Histogram(
            "kiitos_inbox_checkpoint_seconds",
            "Time of a WAL checkpoint.",
            ("mode",),
            buckets=_SECONDS,
            registry=self.registry,
        )

    def answered(self, platform: str, status: int) -> None:
        """Count one answer. `platform` must be a known platform's name or `unknown`."""
        key = (platform, status)
        child = self._children.get(key)
        if child is None:  # labels() takes 2 µs, which the hot path pays once
            child = self._children[key] = self._deliveries.labels(platform, str(status))
        child.inc()

    def watch(self, name: str, about: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read when the metrics are."""
        Gauge(name, about, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        """All metrics as `CONTENT_TYPE`."""
        return generate_latest(self.registry)

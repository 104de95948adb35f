"""The receiver's limits, with their defaults and the reason of each."""

from __future__ import annotations

from dataclasses import dataclass

from connector.errors import ConfigError

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSettings:
    """Bytes, seconds and rows.

    `max_body`: an order of 100 lines is 60 kB on WooCommerce; Shopify documents no limit (facts/shopify.md §1.3), so up
    to 10 MiB may be set. `queue_rows` and `queue_bytes` bound what waits for a commit, `open_bytes` what unfinished
    requests may hold; beyond them the answer is 503 and the platform tries again. `batch_*` bound one commit.
    `checkpoint_bytes` and `wal_cap` steer checkpoints (facts/performance.md §6). `min_free` is the space on the inbox's
    disk below which the receiver calls itself not ready.
    """

    max_body: int = 2 * MIB
    body_timeout: float = 30.0
    queue_rows: int = 2000
    queue_bytes: int = 64 * MIB
    open_bytes: int = 128 * MIB
    batch_rows: int = 512
    batch_bytes: int = 4 * MIB
    checkpoint_interval: float = 0.1
    checkpoint_bytes: int = 4 * MIB
    wal_cap: int = 64 * MIB
    directory_interval: float = 30.0
    directory_pause: float = 1.0
    min_free: int = 256 * MIB

    def __post_init__(self) -> None:
        if not KIB <= self.max_body <= 10 * MIB:
            raise ConfigError("max_body must lie between 1 KiB and 10 MiB", where="receiver.max_body")
        for name in ("body_timeout", "queue_rows", "batch_rows", "batch_bytes", "checkpoint_interval"):
            if getattr(self, name) <= 0:
                raise ConfigError("must be more than 0", where=f"receiver.{name}")

"""Opening the configured database for work: a backup first, where that is going to change its schema."""

from __future__ import annotations

import contextlib

from connector.clock import Clock
from connector.config import Config
from connector.store.migrate import applied, pending
from connector.store.store import Store


def open_store(config: Config, clock: Clock) -> Store:
    """Raises what `Store.open` raises, and what a backup raises: a start that cannot be taken back does not happen
    (`kiitos db upgrade --no-backup` does it all the same)."""
    with contextlib.closing(Store.attach(config.app.database, inbox_url=config.app.inbox)) as store:
        parts = ((store.inbox, "inbox"), (store.work, "work"))
        temporary = ":memory:" in config.app.database
        if not temporary and applied(store.work, "work") and any(pending(*part) for part in parts):
            # Here and not above: sealing and packing cost memory that a start without an upgrade need not pay.
            from connector.keeping.upgrading import secure

            secure(store, config, clock)
    return Store.open(config.app.database, inbox_url=config.app.inbox)

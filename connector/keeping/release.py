"""From held to working: how far a restored installation has caught up, and letting it go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from connector.app import Kiitos
from connector.clock import from_text
from connector.contracts import ListsChanges
from connector.keeping.restoring import Told, take_in
from connector.log import get_log
from connector.model import ShopStatus
from connector.secrets import Vault
from connector.store import deliveries, inbox, jobs, privacy, restored, shops
from connector.store.db import Tx
from connector.working import standstill
from connector.working.standstill import Held, Standstill

log = get_log("restore")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a restored installation stands. `missing` says in sentences what is still to come; empty when all is here.

    `gaps` say why the send ledger does not wholly tell what left between the backup and the restore (`span`).
    `left` are the send ledger's effects by fate: how many, and how many of them were recognised so far.
    """

    held: Held
    gaps: tuple[str, ...]
    left: Mapping[str, tuple[int, int]]
    missing: tuple[str, ...]
    shops: Mapping[str, str]

    @property
    def span(self) -> str:
        """From the backup to the restore, for people."""
        cut = self.held.detail.get("cut")
        began = f"{from_text(str(cut)):%Y-%m-%d %H:%M}" if cut else "the backup"
        return f"between {began} and {self.held.since:%Y-%m-%d %H:%M} UTC"


def progress(kiitos: Kiitos) -> Progress | None:
    """`None` when nothing is held after a restore."""
    askable = {shop_id for shop_id in kiitos.config.shops if _askable(kiitos, shop_id)}
    with kiitos.store.work.read() as tx:
        held = standstill.read(tx)
        if held is None or held.why is not Standstill.RESTORED:
            return None
        left = restored.counts(tx)
        told = {one: _shop(tx, one, held.since, askable=one in askable) for one in sorted(kiitos.config.shops)}
        open_requests = sum(1 for one in privacy.trail(tx) if one.source == "restore" and one.status != privacy.DONE)
        next_delivery = deliveries.next_due(tx)
        cursor = tx.one("cursor_get")
    with kiitos.store.inbox.read() as tx:
        unread = 0 if kiitos.store.dialect == "postgres" else inbox.last_id(tx) - (cursor["last_id"] if cursor else 0)
    missing = [f"{shop_id}: {said}" for shop_id, said in told.items() if said and not said.startswith("asked")]
    if unread > 0 or (next_delivery is not None and next_delivery <= kiitos.clock.now()):
        missing.append("deliveries are still to be read: is a worker running?")
    if open_requests:
        missing.append(f"{open_requests} people or shops are still to be forgotten again")
    gaps = tuple(str(one) for one in held.detail.get("gaps", ()))
    return Progress(held=held, gaps=gaps, left=left, missing=tuple(missing), shops=told)


def _askable(kiitos: Kiitos, shop_id: str) -> bool:
    settings = kiitos.config.shop(shop_id)
    adapter = kiitos.registry.platform(settings.shop.platform)
    return isinstance(adapter, ListsChanges) and kiitos.credentials.open_api(settings)


def _shop(tx: Tx, shop_id: str, since: datetime, *, askable: bool) -> str:
    """How far asking its platform has come; begins with `asked` when there is nothing to wait for."""
    stored = shops.get(tx, shop_id)
    if stored is not None and stored.status is ShopStatus.UNINSTALLED:
        return "asked nothing: it was uninstalled"
    if not askable:
        return "asked nothing: its platform cannot be asked; what it did since the backup is what it repeats by itself"
    job = jobs.get(tx, shop_id, "poll")
    if job is None or job.done_at is None or job.done_at < since:
        trouble = f" ({job.error_text or job.error_code})" if job is not None and job.attempts else ""
        return f"its platform is still to be asked what happened since the backup{trouble}"
    return "asked what happened since the backup"


def hear(kiitos: Kiitos, folders: Sequence[Path]) -> Told | None:
    """Take in the send ledgers of further machines, while all is held. `None` when nothing is held after a restore."""
    with kiitos.store.work.read() as tx:
        held = standstill.read(tx)
    if held is None or held.why is not Standstill.RESTORED:
        return None
    backup, cut = str(held.detail["backup"]), from_text(str(held.detail["cut"]))
    vault = Vault.from_text(kiitos.config.app.master_key)
    return take_in(kiitos.store, vault, kiitos.clock, backup, cut, folders, kiitos.config.ledger_keep)


def release(kiitos: Kiitos) -> None:
    """Let workers send again. What was not known of is said in the log, so that it can be found there later."""
    now = kiitos.clock.now()
    with kiitos.store.work.read() as tx:
        held = standstill.read(tx)
    if held is not None and held.detail.get("gaps"):
        log.warning("released_without_ledger", backup=held.detail.get("backup"), gaps=held.detail["gaps"])
    with kiitos.store.work.transaction() as tx:
        standstill.end(tx, now)

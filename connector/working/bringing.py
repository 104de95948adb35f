"""What a message needs from elsewhere, brought before it is composed: pictures of goods, files of the order's own.

Files (an invoice the shop makes) are fetched from the address the merchant gave, bounded in time and size, at public
addresses only. Not there yet is usual: the shop makes the invoice while we hear of the order. So its message waits, and
after `PATIENCE` goes without, which its journal says. What was fetched is kept for the batch, never longer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.config.enclosures import LARGEST
from connector.errors import KiitosError, Refused
from connector.log import get_log
from connector.model import Effect, Enclosure
from connector.store import effects, entities, runs
from connector.store.db import Tx
from connector.working.pictures import Pictures

log = get_log("bringing")

PATIENCE = timedelta(minutes=10)
"""How long a message waits for its file."""
AGAIN = timedelta(minutes=1)
LIMIT = 5.0
"""Seconds for one file."""
BUDGET = 10.0
"""Seconds of a tick for files; what is left waits for the next."""

Key = tuple[str, str]


class Bringing:
    """One worker's. `bring` before composing, outside any transaction; `note` inside the one that composed."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._kiitos = kiitos
        self._pictures = Pictures(kiitos)
        self._without: dict[Key, str] = {}

    def bring(self, waiting: Sequence[Effect], admitted: frozenset[Key], now: datetime) -> frozenset[Key]:
        """Fetch what the admitted messages need; those that may go now."""
        self._without = {}
        self._kiitos.files.clear()
        began = self._kiitos.clock.monotonic()
        late: dict[Key, str] = {}
        for effect in waiting:
            key = (effect.shop_id, effect.id)
            wanted = self._wanted(effect) if key in admitted else ()
            if not wanted:
                continue
            spent = self._kiitos.clock.monotonic() - began > BUDGET
            why = "no time was left to fetch it" if spent else self._fetch_all(effect, wanted, now)
            if why and now - effect.created_at < PATIENCE:
                late[key] = why
            elif why:
                self._without[key] = why
        self._put_off(late, now)
        going = admitted - late.keys()
        self._pictures.bring(waiting, going)
        return going

    def note(self, tx: Tx, effect: Effect) -> None:
        """Say in the run's journal what the message went without, and why."""
        self._pictures.note(tx, effect)
        why = self._without.get((effect.shop_id, effect.id))
        if why and effect.run_id:
            now = self._kiitos.clock.now()
            runs.journal(tx, effect.shop_id, effect.run_id, now, effect.step_id, "without_file", {"why": why})

    def _wanted(self, effect: Effect) -> Sequence[Enclosure]:
        if effect.kind != "message" or effect.order_id is None or effect.tainted:
            return ()
        known = self._kiitos.catalog.settings(effect.shop_id).enclosures
        template = str(effect.request.get("template"))
        return [each for each in known if each.url and template in each.templates]

    def _fetch_all(self, effect: Effect, wanted: Sequence[Enclosure], now: datetime) -> str:
        """Why one of them could not be had; empty when all could."""
        from flows.render.enclosing import address_of

        with self._kiitos.store.work.read() as tx:
            order = entities.order(tx, effect.shop_id, effect.order_id or "")
        if order is None:
            return ""  # policy waits for the order itself
        for each in wanted:
            address = address_of(each, order)
            # By shop too: one may name an address in the operator's own network, which another must not reach.
            kept = (effect.shop_id, address)
            if kept in self._kiitos.files:
                continue
            try:
                self._kiitos.files[kept] = self._fetch(each, address, now)
            except KiitosError as error:
                log.info("file_not_fetched", shop_id=effect.shop_id, effect_id=effect.id, code=error.code)
                return f"{each.name}: {error.message}"
        return ""

    def _fetch(self, each: Enclosure, address: str, now: datetime) -> bytes:
        # Here and not above: a worker at rest needs no HTTP client.
        from connector.outside.posting import fetch

        private = each.private_addresses
        found = fetch(address, now=now, private_addresses=private, limit=LIMIT, largest=LARGEST + 1)
        if len(found) > LARGEST:
            raise Refused(f"it is larger than {LARGEST >> 20} MB", provider_code="too_large")
        if each.media_type == "application/pdf" and not found.startswith(b"%PDF-"):
            raise Refused("what is there is no PDF", provider_code="no_pdf")
        return found

    def _put_off(self, late: Mapping[Key, str], now: datetime) -> None:
        if not late:
            return
        with self._kiitos.store.work.transaction() as tx:
            for (shop_id, effect_id), why in late.items():
                effects.defer(tx, shop_id, effect_id, now + AGAIN, f"its attachment is awaited: {why}")

"""Who has entered or left a segment, and what a shop's whole history says, counted at night.

Everything goes in slices of a few milliseconds, one a round, so that nobody's mail waits. Looks at people are due rows
of an index; a count goes over the orders by address, page by page, and stores only its result: a worker that dies in
the middle leaves nothing half done, and the count begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from connector import codec
from connector.app import Kiitos
from connector.errors import StoreUnavailable
from connector.log import get_log
from connector.model import Buyer, Shop
from connector.store import figures, standings
from connector.store.db import Tx
from connector.store.figures import ShopRow
from connector.store.standings import Standing
from connector.working.intake import again_if_moved
from flows.goods.counting import Tally
from flows.limits.daytime import next_clock, read_clock, zone_of
from flows.people import membership
from flows.people.segments import Segment
from flows.render.sources import sources_of

log = get_log("bookkeeping")

LOOKS = 50
"""People looked at in one transaction."""
PAGE = 500
"""Purchases read in one slice of a count."""
PRODUCTS = 200
"""Products stored in one transaction."""
LEASE = timedelta(minutes=10)
NIGHT = read_clock("03:00")
PARK = timedelta(days=1)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When a shop is counted that nobody wants counted."""
RECOMMENDATIONS = "recommendations"
"""The variable of templates that needs the count."""


@cache
def recommends(template: str, own: tuple[Path, ...] = ()) -> bool:
    """Whether a template, ours or of a shop's `own` folders, shows recommendations: read once a process, or each worker
    would read them all."""
    return sources_of(own).mentions(template, RECOMMENDATIONS)


@dataclass
class _Count:
    """One shop's count under way, in this worker's memory."""

    row: ShopRow
    tally: Tally
    after: str = ""


class Bookkeeping:
    """One worker's. Costs nothing where no shop has segments or flows that look at counted figures.

    One that is `resting` leaves everything as it is: a rehearsal says itself who is in a segment.
    """

    def __init__(self, kiitos: Kiitos, *, resting: bool = False) -> None:
        self._resting = resting
        self._kiitos = kiitos
        self._store = kiitos.store
        self._clock = kiitos.clock
        self._planned = False
        self._busy: frozenset[str] = frozenset()
        self._counts: dict[str, _Count] = {}

    def look_again(self) -> None:
        """The configuration has changed: shops may have other segments."""
        self._planned = False

    def work(self) -> int:
        """Do a slice of everything that is due; how many slices did something."""
        if self._resting:
            return 0
        if not self._planned:
            self._plan()
        if not self._busy:
            return 0
        return self._look() + self._sweep() + self._count()

    def next_due(self) -> datetime | None:
        """When something is due; `None` where no shop has anything to be kept."""
        if self._resting:
            return None
        if not self._planned:
            self._plan()
        if not self._busy:
            return None
        with self._store.work.read() as tx:
            times = [standings.next_due(tx), figures.next_due(tx)]
            if any(row.segments.get("sweep") for row in self._rows(tx)):
                times.append(self._clock.now())
        return min((at for at in times if at is not None), default=None)

    # -- planning ------------------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Give every shop that needs one its row, and see which segments are new or others than they were."""
        catalog, now = self._kiitos.catalog, self._clock.now()
        self._busy = frozenset(
            shop_id for shop_id in self._kiitos.config.shops if catalog.segments(shop_id) or self._counted(shop_id)
        )
        for shop_id in sorted(self._busy):
            with self._store.work.transaction() as tx:
                row = figures.of_shop_held(tx, shop_id)
                planned = self._with_segments(tx, row or ShopRow(shop_id=shop_id, due_at=self._first(shop_id, now)))
                if planned != row:
                    figures.put_shop(tx, planned)
        self._planned = True

    def _first(self, shop_id: str, now: datetime) -> datetime:
        return now if self._counted(shop_id) else NEVER

    def _counted(self, shop_id: str) -> bool:
        catalog = self._kiitos.catalog
        sent = (name for flow in catalog.flows(shop_id) for item in flow.steps for name in item.step.templates())
        own = self._kiitos.config.shops[shop_id].templates
        return catalog.counts(shop_id) or any(recommends(name, own) for name in sent)

    def _with_segments(self, tx: Tx, row: ShopRow) -> ShopRow:
        wanted = {segment.name: segment.digest for segment in self._kiitos.catalog.segments(row.shop_id)}
        done = {name: found for name, found in row.segments.get("done", {}).items() if wanted.get(name) == found}
        standings.drop_segments(tx, row.shop_id, wanted)
        if done == wanted:
            return row if row.segments.get("done", {}) == done else replace(row, segments={"done": done})
        # A sweep under way begins anew: those it has seen were not looked at for the segment that came now.
        return replace(row, segments={"done": done, "sweep": wanted, "after": ""})

    def _rows(self, tx: Tx) -> list[ShopRow]:
        found = (figures.of_shop(tx, shop_id) for shop_id in sorted(self._busy))
        return [row for row in found if row is not None]

    # -- looks at people -----------------------------------------------------------------------------------------------

    def _look(self) -> int:
        """Look at those whose look is due."""
        try:
            return int(again_if_moved(lambda: self._look_at_due(LOOKS)) > 0)
        except StoreUnavailable:
            raise
        except Exception as error:
            # One person spoils the batch: the others are looked at one by one, and they are set aside for a day.
            log.exception("looks_failed_together", error)
            return self._look_at_each()

    def _look_at_due(self, limit: int) -> int:
        now = self._clock.now()
        with self._store.work.transaction() as tx:
            due = standings.due(tx, now, limit)
            for standing in due:
                if self._kiitos.catalog.knows(standing.shop_id):
                    self._look_at(tx, standing, now)
                else:
                    standings.looked(tx, standing.shop_id, standing.buyer, now, now + PARK)
        return len(due)

    def _look_at_each(self) -> int:
        for _ in range(LOOKS):
            try:
                if not again_if_moved(lambda: self._look_at_due(1)):
                    break
            except StoreUnavailable:
                raise
            except Exception as error:
                now = self._clock.now()
                with self._store.work.transaction() as tx:
                    for standing in standings.due(tx, now, 1):
                        log.exception("look_failed", error, shop_id=standing.shop_id)
                        standings.looked(tx, standing.shop_id, standing.buyer, now, now + PARK)
        return 1

    def _look_at(self, tx: Tx, standing: Standing, now: datetime) -> None:
        catalog = self._kiitos.catalog
        segments = catalog.segments(standing.shop_id)
        shop = catalog.settings(standing.shop_id).shop
        row = figures.of_shop(tx, standing.shop_id)
        loud = _loud(row, segments)
        events = membership.look(tx, shop, segments, loud, standing, now, self._clock.new_id)
        if events:
            self._kiitos.runner.ingest(tx, shop.id, events, now)

    # -- looks at everybody: new segments, and figures of the whole shop that moved -----------------------------------

    def _sweep(self) -> int:
        """A slice of the first shop whose people are all to be looked at."""
        with self._store.work.read() as tx:
            row = next((row for row in self._rows(tx) if row.segments.get("sweep")), None)
        if row is None:
            return 0
        again_if_moved(lambda: self._sweep_slice(row.shop_id))
        return 1

    def _sweep_slice(self, shop_id: str) -> None:
        now, shop = self._clock.now(), self._kiitos.catalog.settings(shop_id).shop
        with self._store.work.transaction() as tx:
            row = figures.of_shop_held(tx, shop_id)
            if row is None or not row.segments.get("sweep"):
                return  # another worker was faster
            names = figures.people_after(tx, shop_id, row.segments.get("after", ""), LOOKS)
            for name in names:
                self._look_at(tx, _passing(shop, name), now)
            state: Mapping[str, Any] = {**row.segments, "after": names[-1] if names else ""}
            if not names:
                state = {"done": row.segments["sweep"]}
                log.info("segments_looked_at", shop_id=shop_id, segments=len(row.segments["sweep"]))
            figures.put_shop(tx, replace(row, segments=state))

    # -- counting ------------------------------------------------------------------------------------------------------

    def _count(self) -> int:
        """A slice of a count that is under way here, or the beginning of one that is due."""
        if not self._counts:
            with self._store.work.read() as tx:
                due = figures.due(tx, self._clock.now(), 1)
            for row in due:
                self._begin(row)
            if not self._counts:
                return len(due)
        shop_id, count = next(iter(self._counts.items()))
        with self._store.work.read() as tx:
            page = figures.purchases_after(tx, shop_id, count.after, PAGE)
        for _, purchases in page:
            count.tally.add(purchases)
        if page:
            count.after = page[-1][0]
        else:
            del self._counts[shop_id]
            self._store_count(shop_id, count)
        return 1

    def _begin(self, row: ShopRow) -> None:
        now = self._clock.now()
        wanted = row.shop_id in self._busy and self._counted(row.shop_id)
        until = now + LEASE if wanted else NEVER
        with self._store.work.transaction() as tx:
            held = figures.hold(tx, row, until)
        if held and wanted:
            currency = self._kiitos.catalog.settings(row.shop_id).shop.currency
            self._counts[row.shop_id] = _Count(replace(row, due_at=until), Tally(now, currency))

    def _store_count(self, shop_id: str, count: _Count) -> None:
        now, shop = self._clock.now(), self._kiitos.catalog.settings(shop_id).shop
        products = {product: codec.encode_text(found) for product, found in count.tally.products().items()}
        names = sorted(products)
        for start in range(0, len(names), PRODUCTS):
            with self._store.work.transaction() as tx:
                part = {name: products[name] for name in names[start : start + PRODUCTS]}
                figures.put_products(tx, shop_id, part, now)
        text = codec.encode_text(count.tally.shop())
        with self._store.work.transaction() as tx:
            figures.drop_products(tx, shop_id, now)
            row = figures.of_shop_held(tx, shop_id)
            if row is None:
                return  # the shop was wiped meanwhile
            segments = row.segments
            moved = text != row.figures and any(one.counted for one in self._kiitos.catalog.segments(shop_id))
            if moved and not segments.get("sweep"):
                segments = {**segments, "sweep": dict(segments.get("done", {})), "after": ""}
            night = _next_night(shop, now)
            figures.put_shop(tx, replace(row, due_at=night, counted_at=now, figures=text, segments=segments))
        log.info("history_counted", shop_id=shop_id, buyers=count.tally.buyers, products=len(products))


def _loud(row: ShopRow | None, segments: Iterable[Segment]) -> frozenset[str]:
    """The segments everybody has been looked at for: only then is it news who is in."""
    done = row.segments.get("done", {}) if row is not None else {}
    return frozenset(segment.name for segment in segments if done.get(segment.name) == segment.digest)


def _passing(shop: Shop, name: str) -> Standing:
    """Somebody met on a sweep. Whether it is news depends on the segment alone."""
    return Standing(shop_id=shop.id, buyer=Buyer(name, None), quiet=False, look_at=None)


def _next_night(shop: Shop, now: datetime) -> datetime:
    return next_clock(now + timedelta(hours=1), NIGHT, zone_of(shop.timezone), frozenset(range(7)))

"""Pictures for the lines of a message, and whether what it recommends can still be had: products nobody told us of, and
those that others bought with theirs, are asked for before it is composed.

What the platform answers is kept with the products that webhooks told of, so each is asked for once. Order messages
must not wait: a call gets `PATIENCE` seconds and no second try, a tick `BUDGET`, a shop that did not answer is left
alone for `QUIET`, and its platform for a moment too. The message then goes without pictures, and its journal says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from connector.app import Kiitos
from connector.contracts import FetchesProducts
from connector.errors import KiitosError, StoreUnavailable, Transient
from connector.log import get_log
from connector.model import Effect, Event, Product
from connector.store import entities, runs
from connector.store.db import Tx
from connector.working.bookkeeping import recommends
from connector.working.intake import again_if_moved
from flows.goods.recommending import candidates
from flows.knowing.acquaintance import products_of

log = get_log("pictures")

_RECOMMENDED = 12
"""Candidates that are asked for; more than a message shows, since some are the person's already."""
PATIENCE = 2.0
BUDGET = 3.0
QUIET = 300.0
"""Seconds a shop is not asked after it gave no answer, or refused."""
PLATFORM_QUIET = 30.0
"""Seconds no shop of the platform is asked after one gave no answer: when a platform is down, all its shops are."""

Key = tuple[str, str]


class Pictures:
    """One worker's. `bring` before composing, outside any transaction; `note` inside the one that composed."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._kiitos = kiitos
        self._clock = kiitos.clock
        self._quiet: dict[str, tuple[float, str]] = {}
        self._without: dict[Key, str] = {}

    def bring(self, waiting: Sequence[Effect], admitted: Collection[Key]) -> None:
        """Ask for what the admitted messages will show and nobody told us of."""
        self._without = {}
        missing: dict[str, dict[str, None]] = {}
        wanting: dict[str, list[Key]] = {}
        asking = [each for each in waiting if (each.shop_id, each.id) in admitted and self._shows_goods(each)]
        if not asking:
            return
        with self._kiitos.store.work.read() as tx:
            for effect in asking:
                unknown = [*_unknown(tx, effect), *self._beside(tx, effect)]
                if unknown:
                    missing.setdefault(effect.shop_id, {}).update(dict.fromkeys(unknown))
                    wanting.setdefault(effect.shop_id, []).append((effect.shop_id, effect.id))
        began = self._clock.monotonic()
        for shop_id, products in missing.items():
            late = self._clock.monotonic() - began > BUDGET
            why = "no time was left to ask the shop" if late else self._ask(shop_id, list(products))
            if why:
                self._without.update(dict.fromkeys(wanting[shop_id], why))

    def note(self, tx: Tx, effect: Effect) -> None:
        """Say in the run's journal that the message went without pictures, and why."""
        why = self._without.get((effect.shop_id, effect.id))
        if why and effect.run_id:
            now = self._clock.now()
            runs.journal(tx, effect.shop_id, effect.run_id, now, effect.step_id, "without_pictures", {"why": why})

    def _shows_goods(self, effect: Effect) -> bool:
        if effect.kind != "message" or effect.order_id is None or effect.attempts:
            return False
        settings = self._kiitos.catalog.settings(effect.shop_id)
        adapter = self._kiitos.registry.platform(settings.shop.platform)
        return isinstance(adapter, FetchesProducts) and self._kiitos.credentials.open_api(settings)

    def _beside(self, tx: Tx, effect: Effect) -> list[str]:
        """Products the message may recommend: they are looked at as they are now."""
        own = self._kiitos.catalog.settings(effect.shop_id).templates
        if not recommends(str(effect.request.get("template")), own):
            return []
        order = entities.order(tx, effect.shop_id, effect.order_id or "")
        seeds = [line.product_id for line in order.lines if line.product_id] if order else []
        return candidates(seeds, products_of(tx, effect.shop_id, seeds), seeds)[:_RECOMMENDED]

    def _ask(self, shop_id: str, products: Sequence[str]) -> str:
        """Why the shop's products could not be had; empty when they could."""
        settings = self._kiitos.catalog.settings(shop_id)
        platform, now = settings.shop.platform, self._clock.monotonic()
        for name in (f"shop {shop_id}", f"platform {platform}"):
            until, why = self._quiet.get(name, (0.0, ""))
            if now < until:
                return why
        adapter = self._kiitos.registry.platform(platform)
        assert isinstance(adapter, FetchesProducts)
        try:
            access = replace(self._kiitos.access(settings), patience=PATIENCE)
            events = adapter.fetch_products(access, products[: adapter.most_products])
        except StoreUnavailable:
            raise
        except KiitosError as error:
            return self._silence(shop_id, platform, error)
        except Exception as error:
            # An adapter promises our errors only; a picture is not worth an order message.
            log.exception("products_failed", error, shop_id=shop_id)
            self._quiet[f"shop {shop_id}"] = (now + QUIET, "an error of ours or the adapter's; see the log")
            return self._quiet[f"shop {shop_id}"][1]
        again_if_moved(lambda: self._keep(shop_id, events))
        return ""

    def _silence(self, shop_id: str, platform: str, error: KiitosError) -> str:
        now, passing = self._clock.monotonic(), isinstance(error, Transient)
        why = "the shop gave no answer in time" if passing else f"the shop refused: {error.code}"
        log.warning("products_not_fetched", shop_id=shop_id, code=error.code)
        self._quiet[f"shop {shop_id}"] = (now + QUIET, why)
        if passing:
            self._quiet[f"platform {platform}"] = (now + PLATFORM_QUIET, why)
        return why

    def _keep(self, shop_id: str, events: Sequence[Event]) -> None:
        with self._kiitos.store.work.transaction() as tx:
            told = [event.product.id for event in events if event.product is not None]
            known = entities.products(tx, shop_id, told) if told else {}
            kept = [_with_stock(event, known) for event in events]
            self._kiitos.runner.ingest(tx, shop_id, kept, self._clock.now())


def _with_stock(event: Event, known: Mapping[str, Product]) -> Event:
    """What the answer does not say of a product's stock is as it was told last."""
    product = event.product
    before = known.get(product.id) if product is not None else None
    if product is None or before is None or product.in_stock is not None:
        return event
    return replace(event, product=replace(product, in_stock=before.in_stock))


def _unknown(tx: Tx, effect: Effect) -> list[str]:
    """Products of the effect's order that have no picture yet and were never told of."""
    order = entities.order(tx, effect.shop_id, effect.order_id or "")
    wanted = [line.product_id for line in order.lines if line.product_id and not line.image_url] if order else []
    if not wanted:
        return []
    known = entities.products(tx, effect.shop_id, wanted)
    return [product_id for product_id in dict.fromkeys(wanted) if product_id not in known]

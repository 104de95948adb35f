"""The product with one thing taken away: what the search must find, or it proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connector.config import ShopSettings
from connector.contracts import Access, DiscountRef, DiscountRequest
from connector.store import renewals, shops
from connector.working.tokens import Tokens
from platforms.shopify.platform import Shopify
from platforms.shopify.tokens import read_grant


class WithoutLease(Tokens):
    """Whoever finds the token due renews it."""

    def _begin(self, settings: ShopSettings, seen: Access, holder: str) -> tuple[bool, Access]:
        _, current = super()._begin(settings, seen, holder)
        return True, current


class LastWins(Tokens):
    """What came back is stored, whatever was stored meanwhile."""

    def _keep(self, settings: ShopSettings, seen: Access, holder: str, fresh: Mapping[str, str]) -> Any:
        with self._store.work.read() as tx:
            current = self._stored(tx, settings)
        return super()._keep(settings, current, holder, fresh)


class InTwoTransactions(Tokens):
    """The access token first, the refresh token after it."""

    def _keep(self, settings: ShopSettings, seen: Access, holder: str, fresh: Mapping[str, str]) -> Any:
        new, old = read_grant(fresh), read_grant(seen.secrets)
        assert new is not None
        if old is not None:
            half = replace(new, refresh=old.refresh, refresh_until=old.refresh_until, previous=old.previous)
            with self._store.work.transaction() as tx:
                now = self._clock.now()
                shops.put_secret(tx, self._vault, settings.shop.id, "grant", half.to_text(), now)
            seen = replace(seen, secrets={**seen.secrets, "grant": half.to_text()})
        return super()._keep(settings, seen, holder, fresh)


class WithoutKeepAlive(Tokens):
    """Nobody renews what nobody uses."""

    def keep_alive(self) -> int:
        with self._store.work.transaction() as tx:
            for shop_id in renewals.due(tx, self._clock.now(), 20):
                renewals.keep(tx, shop_id, None)
                renewals.clear(tx, shop_id, self._clock.now())
        return 0


class WithoutPrevious(Shopify):
    """The refresh token that was traded in is thrown away."""

    def renew(self, access: Access) -> Mapping[str, str]:
        grant = read_grant(super().renew(access))
        assert grant is not None
        return {"grant": replace(grant, previous="", previous_until=None).to_text()}


class WithFreshCodes(Shopify):
    """Each attempt makes a code of its own."""

    def create_discount(self, access: Access, request: DiscountRequest) -> DiscountRef:
        return super().create_discount(access, replace(request, code=request.code + access.clock.token(3).upper()))

"""Asking shops what their merchants granted, so that a flow that needs more is withheld before it starts anything."""

from __future__ import annotations

from connector.app import Kiitos
from connector.contracts import TellsScopes
from connector.errors import AuthExpired, Refused, Transient
from connector.log import get_log
from connector.store import scopes

log = get_log("asking")


def ask_scopes(kiitos: Kiitos) -> list[str]:
    """Ask every shop whose platform tells; what its flows lack, or why it could not be asked, a line each."""
    told: list[str] = []
    for shop_id, settings in kiitos.config.shops.items():
        adapter = kiitos.registry.platform(settings.shop.platform)
        if not isinstance(adapter, TellsScopes):
            continue
        try:
            granted = adapter.granted_scopes(kiitos.access(settings))
        except (Transient, AuthExpired, Refused) as error:
            log.warning("scopes_not_told", shop_id=shop_id, code=error.code)
            told.append(f"shop '{shop_id}' could not be asked: {error.message}")
            continue
        with kiitos.store.work.transaction() as tx:
            scopes.put(tx, shop_id, granted, kiitos.clock.now())
    return [*told, *kiitos.limit()]

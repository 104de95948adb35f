"""Who else knows the time: what platforms sign as having happened lies in nobody's future.

A worker in doubt about its clock does nothing, but webhooks are taken all the while. An order that its shop changed a
moment ago by this clock proves that the clock is not ahead. The time is the one in the signed body; when we received it
says nothing, for that is our own clock. Events that others tell us (`POST /events`) carry whatever time they like and
are no witness, nor are those of message providers. A webhook that is repeated later carries an old time, which proves
nothing either way.
"""

from __future__ import annotations

from datetime import datetime

from connector import telling
from connector.app import Kiitos
from connector.codec import decode
from connector.contracts import Verified
from connector.contracts.channel_events import HOOK_PREFIX
from connector.store import inbox
from connector.store.inbox import Delivery

LOOKED_AT = 20
"""Newest deliveries that are read."""


class Witness:
    """The platforms' word on the time."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._kiitos = kiitos

    def newest(self) -> datetime | None:
        """The latest time at which, by a platform's word, something had happened; of the newest deliveries."""
        with self._kiitos.store.inbox.read() as tx:
            found = inbox.after(tx, inbox.last_id(tx) - LOOKED_AT, LOOKED_AT)
        return max((at for each in found if (at := self._told(each)) is not None), default=None)

    def _told(self, delivery: Delivery) -> datetime | None:
        theirs = delivery.platform == telling.PLATFORM or delivery.platform.startswith(HOOK_PREFIX)
        if theirs or delivery.quarantine or not self._kiitos.catalog.knows(delivery.shop_id):
            return None
        shop = self._kiitos.catalog.settings(delivery.shop_id).shop
        try:
            adapter = self._kiitos.registry.platform(delivery.platform)
            verified = decode(delivery.headers["verified"], Verified)
            return max((event.at for event in adapter.normalise(verified, delivery.body, shop)), default=None)
        except Exception:  # noqa: BLE001 - told when it is taken in; a body that cannot be read is no witness
            return None

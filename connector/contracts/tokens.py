"""How a platform keeps its credentials alive.

A `RenewsTokens` platform says from the credentials alone when they lapse, and trades them for new ones when asked. The
kernel (`connector.working.tokens`) decides who asks, one at a time for a shop, and stores the answer in one
transaction. Before each use of an `Access`, and once after the platform refused it, the kernel renews what is due.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from connector.contracts.platform import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """When credentials are renewed. Aware times in UTC.

    From `due` on they are renewed before a call; at `lapses` the present ones stop working; at `keep_at` they are
    renewed although nobody needs them, because otherwise they could not be renewed any more one day (`None`: never).
    That day is `ends`, where the platform tells it: afterwards only the merchant can help. Where nothing was granted
    yet, `due` and `lapses` are `NOT_YET`.
    """

    NOT_YET: ClassVar[datetime] = datetime(1970, 1, 1, tzinfo=UTC)

    due: datetime
    lapses: datetime
    keep_at: datetime | None = None
    ends: datetime | None = None


class RenewsTokens(ABC):
    """A platform whose credentials lapse and can be renewed without the merchant."""

    @abstractmethod
    def renewal(self, secrets: Mapping[str, str]) -> Renewal | None:
        """When `secrets` are to be renewed; `None` for credentials that do not lapse. Pure."""

    @abstractmethod
    def renew(self, access: Access) -> Mapping[str, str]:
        """Trade the credentials for new ones; the names to store, with everything `renewal` needs to know of them.

        What is returned replaces the stored values of the same names, all in one transaction. It must be safe to call
        again with the same `access` when an answer was lost, and to fall back on an older credential kept in it.

        Raises `AuthExpired` when only the merchant can help, `Transient` when time will.
        """

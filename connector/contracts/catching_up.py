"""Asking a platform what its webhooks did not tell: changes since a time, the orders of a window, the history.

Lists come cheap and say only what changed when; what is not known yet is then read. Everything read comes as the
events the snapshots prove, under the keys the webhooks' events have: what was seen before changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from connector.contracts.platform import Access
from connector.model import Event


@dataclass(frozen=True, slots=True)
class Mark:
    """An object as a list shows it: the platform's id, and when it last changed (aware, as exact as the platform)."""

    id: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class MarkPage:
    """One page of a list. `cursor` asks for the next page, `None` after the last; it is the adapter's own affair."""

    marks: Sequence[Mark]
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One object that was read, as the events it proves. `fault` is an error's code where it could not be read."""

    id: str
    events: Sequence[Event] = ()
    fault: str = ""


class ListsChanges(ABC):
    """`change_kinds` are what can be listed by time of change: `order`, `customer`, `product`.

    What a platform cannot list (WooCommerce's customers) comes along with the orders, or not at all.
    """

    change_kinds: ClassVar[Sequence[str]] = ("order",)

    @abstractmethod
    def list_changes(self, access: Access, kind: str, since: datetime, cursor: str | None = None) -> MarkPage:
        """Objects that changed at or after `since`, the oldest change first. Paging ends, and loses nothing that
        changes meanwhile (it comes again, further on).

        Raises `Transient`, `AuthExpired`, `Refused`.
        """

    @abstractmethod
    def read_changed(self, access: Access, kind: str, ids: Sequence[str]) -> Sequence[Snapshot]:
        """The objects as they are now. One that cannot be read is a snapshot with a `fault`, never an exception.

        Raises `Transient` and `AuthExpired`, which concern them all.
        """


class ListsOrders(ABC):
    @abstractmethod
    def list_orders(self, access: Access, since: datetime, until: datetime, cursor: str | None = None) -> MarkPage:
        """Every order created within the window, in any order that pages without loss. Drafts and orders in the
        bin are none. Raises `Transient`, `AuthExpired`, `Refused`."""

    @abstractmethod
    def read_unlisted(self, access: Access, order_id: str) -> Sequence[Event]:
        """An order that a list of its window did not show: `order.deleted`, or the order after all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """A part of the history. `cursor` goes on from here, in another process too; `None` when there is no more.

    `wait` asks to come back after so many seconds (the platform is still preparing its answer).
    """

    snapshots: Sequence[Snapshot] = ()
    cursor: str | None = None
    wait: float = 0.0


class Backfills(ABC):
    """`history_kinds` are read in this order: what later kinds refer to comes first."""

    history_kinds: ClassVar[Sequence[str]] = ("product", "customer", "order")

    @abstractmethod
    def count_history(self, access: Access, kind: str, since: datetime, until: datetime) -> int | None:
        """How many objects there are about to be read, for an estimate; `None` when the platform does not say."""

    @abstractmethod
    def read_history(
        self, access: Access, kind: str, since: datetime, until: datetime, cursor: str | None = None
    ) -> HistoryPage:
        """Objects created within the window (where the platform can filter), a page of a few hundred at most.

        Memory does not grow with the history. Raises `Transient`, `AuthExpired`, `Refused`.
        """

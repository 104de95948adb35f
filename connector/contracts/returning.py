"""Opening a return in the shop for what a customer sends back (`connector.contracts.acting`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connector.contracts.platform import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnRequest:
    """A return a person of the merchant's has approved. `key` is that of the case; `lines` maps a line's id to how many
    pieces of it come back; `reason` is one of `connector.config.returns.REASONS` or empty; `note` is for the shop's
    people. `platform_id` is a return the shop is known to have for it, asked for there; empty for none."""

    key: str
    order_id: str
    lines: Mapping[str, int]
    requested_at: datetime
    reason: str = ""
    note: str = ""
    platform_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnRef:
    """The return as the shop has it now; `name` is what its people read. `adopted`: it was there."""

    platform_id: str
    name: str = ""
    adopted: bool = False


class OpensReturns(ABC):
    """No platform we know has a key here: the order's returns are always read first, and one that carries the key, or
    is the same and of nobody else's, is met instead of a second one."""

    @abstractmethod
    def open_return(self, access: Access, request: ReturnRequest) -> ReturnRef:
        """Let the shop have one open return for the request: approve the one that waits there, or make it. Raises
        `Transient`, `AuthExpired`, and `Refused` where the lines cannot be returned (not sent yet, in another return,
        refunded) or the merchant did not grant it."""

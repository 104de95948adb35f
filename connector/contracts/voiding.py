"""Taking back what was given in a platform (`connector.contracts.acting`): a code, store credit, a gift card.

Nothing that was used is taken: the answer says what was. All methods may raise `Transient`, `AuthExpired`, `Refused`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime

from connector.contracts.platform import Access
from connector.model import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidRequest:
    """What is to be taken back. `code` is the code, `platform_id` the platform's id where there is one; `amount` what
    was given, for what is money. `first_try_at` and `again` as with store credit: an earlier attempt's outcome is
    unknown, look before acting. `shared`: a code for anybody, switched off for the uses that are still to come."""

    key: str
    code: str
    first_try_at: datetime
    platform_id: str = ""
    customer_id: str = ""
    amount: Money | None = None
    again: bool = False
    shared: bool = False


class VoidsCodes(ABC):
    """Idempotent: a code that is off stays off."""

    @abstractmethod
    def void_code(self, access: Access, request: VoidRequest) -> bool:
        """Let the code work no longer. `False` where it was used (a `shared` one may have been), or is not there any
        more."""


class VoidsGiftCards(ABC):
    """Idempotent: a card that is off stays off."""

    @abstractmethod
    def void_gift_card(self, access: Access, request: VoidRequest) -> Money | None:
        """Let the card work no longer; what was left on it. `None` where there is no such card."""


class VoidsStoreCredit(ABC):
    """No platform we know has a key here: with `again` the account is read first."""

    @abstractmethod
    def debit_store_credit(self, access: Access, request: VoidRequest) -> Money | None:
        """Take `amount` from the customer's account, or what is left of it, once; what was taken. `None` where nothing
        is left. `Refused` with `DOUBTFUL` where reading does not tell whether it was done."""


VOIDING: tuple[type[ABC], ...] = (VoidsCodes, VoidsGiftCards, VoidsStoreCredit)

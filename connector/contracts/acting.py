"""What a platform can be asked to do beyond discounts, notes on orders and reviews (`connector.contracts.platform`).

One small class an ability. An adapter inherits those its platform has; a step names those it needs, and a flow whose
shop lacks one is refused when flows are loaded. All methods may raise `Transient` (with `maybe_done` when the request
may have been carried out), `AuthExpired` and `Refused`.

Each says what makes a repetition harmless. Where the platform has nothing to go by, the request says `again`: an
earlier attempt's outcome is unknown, so look before acting; and what cannot be decided by looking is `Refused` with
the code `DOUBTFUL`, never done twice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

from connector.contracts.platform import Access, DiscountRequest, ReviewRequest
from connector.contracts.returning import OpensReturns
from connector.model import Channel, Money, ShipmentStatus

DOUBTFUL = "DOUBTFUL"
"""`provider_code` of a refusal to repeat what may have been done already: a person must look."""


# -- codes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CodesRequest:
    """Many codes under one rule. `rule.code` is one of them, and with `rule.title` the key of the whole."""

    rule: DiscountRequest
    codes: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodesRef:
    """The codes that exist now. `refused` are those another discount of the shop has."""

    platform_id: str
    codes: tuple[str, ...]
    refused: tuple[str, ...] = ()


class CreatesCodes(ABC):
    """Idempotent: the rule is met by its first code, and codes that are there are left out."""

    @abstractmethod
    def create_codes(self, access: Access, request: CodesRequest) -> CodesRef:
        """Make the rule and its codes. `Transient` while the platform is at it: ask again with the same request."""


# -- money ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCreditRequest:
    """Credit on a customer's account. `first_try_at` is when it was first attempted.

    `claimed` are transactions known to be other requests' (ids as in `StoreCreditRef`): of two equal credits each is
    adopted by the one it belongs to.
    """

    key: str
    customer_id: str
    amount: Money
    first_try_at: datetime
    expires_at: datetime | None = None
    notify: bool = False
    again: bool = False
    claimed: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCreditRef:
    """The credit as a transaction of the platform, and the balance after it where it tells."""

    platform_id: str
    balance: Money | None = None
    adopted: bool = False


class GrantsStoreCredit(ABC):
    """No platform we know has a key here: with `again` the account is read first."""

    @abstractmethod
    def grant_store_credit(self, access: Access, request: StoreCreditRequest) -> StoreCreditRef:
        """Add to the balance, once. `Refused` with `DOUBTFUL` where reading does not tell whether it was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftCardRequest:
    """A gift card whose `code` is ours and derived from the run: the key. `note` is for the shop's people."""

    code: str
    amount: Money
    note: str
    customer_id: str | None = None
    expires_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftCardRef:
    code: str
    platform_id: str
    adopted: bool = False


class IssuesGiftCards(ABC):
    """Idempotent by the code: one that is taken is adopted when it is ours, else refused."""

    @abstractmethod
    def issue_gift_card(self, access: Access, request: GiftCardRequest) -> GiftCardRef:
        """Issue the card."""


# -- records -------------------------------------------------------------------------------------------------------


class TagsCustomers(ABC):
    """Idempotent: a tag is a member of a set. Nothing is written that is there, so nothing echoes."""

    @abstractmethod
    def tag_customer(self, access: Access, customer_id: str, tag: str) -> None:
        """Put the tag on the customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaRequest:
    """A value under a name of ours on an order, a customer or a product. `key`: lower-case letters, digits, `_`."""

    owner: str
    owner_id: str
    key: str
    value: str


class WritesMeta(ABC):
    """Idempotent: the same value is written once; a value that is there is not written again, so nothing echoes."""

    @abstractmethod
    def write_meta(self, access: Access, request: MetaRequest) -> None:
        """Set the value. Another value that somebody else wrote meanwhile under the name is replaced."""


class NotesCustomers(ABC):
    """Idempotent by looking: a note of the same `key` is success."""

    @abstractmethod
    def note_customer(self, access: Access, order_id: str, note: str, *, key: str) -> None:
        """Add a note to the order that its customer is sent by the shop, in the shop's own mail. For order messages
        only: it has no unsubscribe link."""


class ResendsMail(ABC):
    """Not idempotent: what there is to look at is the shop's own trace of what it sent."""

    @abstractmethod
    def mail_names(self, access: Access, order_id: str) -> Sequence[str]:
        """The mails of its own that the shop can send for this order now."""

    @abstractmethod
    def resend_mail(self, access: Access, order_id: str, name: str, *, since: datetime | None) -> None:
        """Let the shop send its own mail about the order. `since` is when it was first attempted, after an attempt of
        unknown outcome: a mail of that name that the shop sent since then is success."""


# -- parcels -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentEventRequest:
    """News of a parcel that we know and the platform does not (a carrier's own feed)."""

    shipment_id: str
    status: ShipmentStatus
    at: datetime
    message: str = ""


class WritesShipmentEvents(ABC):
    """Idempotent by looking: an event of the same status and time is success."""

    @abstractmethod
    def write_shipment_event(self, access: Access, request: ShipmentEventRequest) -> str:
        """Add the event to the parcel's history; the platform's id of it. The customer sees it in the shop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfillmentRequest:
    """Lines of an order that left, with how to follow them. `lines` maps the line's id to a quantity."""

    order_id: str
    lines: Mapping[str, int]
    tracking_number: str
    tracking_url: str = ""
    carrier: str = ""
    notify_customer: bool = False


class CreatesFulfillments(ABC):
    """Idempotent by the tracking number: one that the order has is success."""

    @abstractmethod
    def create_fulfillment(self, access: Access, request: FulfillmentRequest) -> str:
        """Tell the shop that the lines left; the platform's id of it."""


# -- people and opinions -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRequest:
    """What a person decided with us. `channel` is `EMAIL` (then `address` is one) or `SMS` (a number in E.164)."""

    channel: Channel
    granted: bool
    at: datetime
    address: str = field(repr=False)
    customer_id: str | None = None
    source: str = ""


class WritesConsent(ABC):
    """Idempotent: a state that is there is left alone, and a decision newer than `at` is not overwritten."""

    @abstractmethod
    def write_consent(self, access: Access, request: ConsentRequest) -> bool:
        """Tell the platform what the person decided. `False` where it has no such customer, or a newer decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingRequest:
    """A product's reviews in one line: their number and the mean of 1 to 5 stars.

    `newest` are those the product's page shows first, the newest first: our key and the platform's id, which is empty
    where it has none of it yet. `None`: nothing is said of them, and what stands there stays.
    """

    product_id: str
    average: Decimal
    count: int
    newest: Mapping[str, str] | None = None

    @property
    def listed(self) -> tuple[str, ...]:
        """The platform's ids of the newest reviews that it has."""
        return tuple(filter(None, (self.newest or {}).values()))

    def with_ids(self, ids: Mapping[str, str]) -> RatingRequest:
        """With what the platform has just called some of its reviews, by our keys."""
        if self.newest is None:
            return self
        return replace(self, newest={key: ids.get(key) or known for key, known in self.newest.items()})


class PublishesRatings(ABC):
    """Idempotent: the same rating is written once."""

    @abstractmethod
    def publish_rating(self, access: Access, request: RatingRequest) -> None:
        """Put the rating where themes read it. Only for platforms that do not compute it from published reviews."""


class RevisesReviews(ABC):
    """Idempotent: what stands there is set to what is wanted, and what is gone stays gone."""

    @abstractmethod
    def revise_review(self, access: Access, platform_id: str, request: ReviewRequest) -> str:
        """Make the review that the platform has say what `request` says, shown or kept back; its id, which is another
        where somebody had deleted it there."""

    @abstractmethod
    def remove_review(self, access: Access, platform_id: str) -> None:
        """Take it away for good; one that is not there any more is success."""


class TellsScopes(ABC):
    @abstractmethod
    def granted_scopes(self, access: Access) -> Sequence[str]:
        """What the merchant allows us, in the platform's words, what that implies included; sorted."""

    @abstractmethod
    def scopes_for(self, capability: type[ABC]) -> Sequence[Sequence[str]]:
        """What a capability needs: of each group one scope. Pure; empty where it needs none."""


ACTING: tuple[type[ABC], ...] = (
    CreatesCodes,
    GrantsStoreCredit,
    IssuesGiftCards,
    TagsCustomers,
    WritesMeta,
    NotesCustomers,
    ResendsMail,
    WritesShipmentEvents,
    CreatesFulfillments,
    OpensReturns,
    WritesConsent,
    PublishesRatings,
    RevisesReviews,
    TellsScopes,
)

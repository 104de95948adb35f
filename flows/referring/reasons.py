"""Every reason of a referral and of something given in the platform, in words for the people of the shop. Pure.

Rows keep stable codes (or a sentence of a flow's own); whoever shows one goes through here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connector.model import EventKind
from connector.store.vouchers import ISSUED, KEPT, USED, VOIDED, VOIDING, Voucher
from flows.referring.referral import REASONS as RULES_OF_ONE_ORDER
from flows.referring.rules import SIGNS

NOT_MADE = "reward_not_made"
"""A run that ended without anything to give: `explain` says what the shop answered."""
UNDONE = "undone"
"""A purchase that had been refunded or cancelled when its payment became known."""
FORGOTTEN = "advocate_forgotten"
"""The code of somebody who asked to be forgotten: their shared code is switched off with them."""
NOT_GIVEN = "reward_not_given"
"""Points of one side that were promised, and whose step was not taken: the friend began to send the goods back while
the answer about the other side's reward was waited for, or a flow of the shop's own has no such step."""

REASONS: Mapping[str, str] = {
    **RULES_OF_ONE_ORDER,
    **SIGNS,
    NOT_MADE: "the shop did not make the reward",
    NOT_GIVEN: "the flow of the reward ended without giving it",
    FORGOTTEN: "whose code it was asked to be forgotten",
    str(EventKind.ORDER_CANCELLED): "the friend's order was cancelled",
    str(EventKind.ORDER_DELETED): "the friend's order was deleted in the shop",
    str(EventKind.REFUND_CREATED): "money went back to the friend",
    str(EventKind.ORDER_UPDATED): "nothing is left of the friend's order",
    str(EventKind.CUSTOMER_REDACTED): "somebody of the two asked to be forgotten",
    str(EventKind.CUSTOMER_DELETED): "the customer was deleted in the shop",
    str(EventKind.RETURN_REQUESTED): "the friend sends the goods back",
    str(EventKind.RETURN_APPROVED): "the friend sends the goods back",
    str(EventKind.REFERRAL_REVERSED): "the friend's purchase was undone",
    str(EventKind.REVIEW_WITHDRAWN): "the review it was given for was withdrawn",
    str(EventKind.REVIEW_HIDDEN): "a person hid the review it was given for",
}
"""Every code, as a sentence."""
STATES: Mapping[str, str] = {
    ISSUED: "not used yet",
    USED: "used",
    VOIDING: "being taken back in the shop",
    VOIDED: "taken back, unused",
    KEPT: "could not be taken back",
}
"""What became of something given."""


def reason_text(code: str) -> str:
    """A code or several with spaces between (what waits for a person has its signs) as sentences; else the text itself:
    a flow's own words.

    >>> reason_text("velocity over_cap")
    "the advocate brought unusually many friends in a short time; the month's limit of rewards is reached"
    """
    known = REASONS.get(code)
    parts = code.split()
    if known is None and parts and all(part in REASONS for part in parts):
        return "; ".join(texts_of(parts))
    return known or code


def texts_of(codes: Sequence[str]) -> list[str]:
    return [REASONS.get(code, code) for code in codes]


def voucher_text(voucher: Voucher) -> str:
    """`not used yet`; `could not be taken back: it was used in order 17 and is owed (the reason in words)`."""
    text, why = STATES.get(voucher.state, voucher.state), reason_text(voucher.reason)
    if voucher.state == KEPT and voucher.used_order:
        text += f": it was used in order {voucher.used_order} and is owed"
    elif voucher.state == USED and voucher.used_order:
        text += f" in order {voucher.used_order}"
    return f"{text} ({why})" if why else text

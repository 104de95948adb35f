"""May this effect happen now? Asked at the last moment, in the transaction that freezes the message.

Rules in order; the first that does not allow decides. Each has a stable code, a sentence and the values it saw.

| code | when | decision |
| --- | --- | --- |
| shop_uninstalled | the merchant removed the app | drop |
| shop_paused | a person paused the shop | defer 15 min |
| order_unknown | the order has not arrived yet | defer 15 min, drop after 24 h |
| no_address | nobody to write to | drop |
| suppressed | hard bounce, complaint, opt-out (`flows.people.suppressing`); an opt-out never stops order mail | drop |
| test_order | a test order, marketing class (a merchant trying the shop wants to see the confirmation) | drop |
| order_cancelled, order_refunded, order_returned | the purchase was undone, marketing class | drop |
| already_reviewed | asking for a review that exists | drop |
| consent_withdrawn, no_consent | marketing class (facts/messaging.md 5.4) | drop |
| paused_by_customer | the person asked to be left alone until a day | defer, drop where that is more than 48 h away |
| in_care | a low score or an open case of theirs waits for a person of the merchant's | defer, drop after 48 h |
| flow_paused, canary | a person or an alarm paused the flow; the person is not among its first | hold |
| surveyed_lately, survey_sample | asked less than a quarter ago by any flow and shop; not of the share asked | drop |
| asked_before | asked to review each of the products with another order, less than `again_after` ago | drop |
| just_bought, returned_product, out_of_stock | the message names such a product | drop |
| saturated | so many messages were met with silence that this is the goodbye | drop |
| capped | marketing-class mail reached the person less than the cap ago | defer, drop after 48 h |
| slowed | the cap, stretched for somebody who does not react | defer, drop after 48 h |
| quiet_hours, quiet_day | night, Sunday or holiday where the person lives | defer, drop after 48 h |
| outranked | a flow of higher priority wants the same slot | defer, drop after 48 h |
| too_late | transactional after 7 d, marketing class after 48 h | drop |
| over_budget | the flow has sent what it may on one day | hold |

Marketing class is every purpose but transactional. Platform effects (a code, a tag) meet the rules about the shop and
the order, not those about the person: nobody is written to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from connector.clock import to_text
from connector.model import ConsentState, Effect, EventKind, Purpose, ShopStatus
from flows.facts import Facts
from flows.limits.fairness import (
    asked_before,
    asked_lately,
    budget,
    canary,
    distance,
    goodbye,
    limited,
    outranked,
    paused,
    products,
    quiet,
    told,
)
from flows.limits.verdicts import Allow, Case, Defer, Drop, Fairness, Hold, Person, Verdict

__all__ = ["Allow", "Defer", "Drop", "Fairness", "Hold", "Person", "Verdict", "check"]

PAUSE = timedelta(minutes=15)
ORDER_PATIENCE = timedelta(hours=24)
LATEST_TRANSACTIONAL = timedelta(days=7)
LATEST_MARKETING = timedelta(hours=48)
LOOK_AGAIN = timedelta(hours=1)
_CARE = {
    "low_score": "the customer gave a low score and a person has not answered yet",
    "open_case": "a return or complaint of the customer is open",
}

BUSY = timedelta(seconds=1)
AT_WORK = "at_work"
"""Why something is put off that two workers would otherwise do at once: not worth a line in anybody's journal."""

UNSUBSCRIBE = "unsubscribe"
"""The one reason of a suppression that leaves transactional mail alone; bounces, complaints and the like do not."""
HARD_BOUNCE, COMPLAINT, SOFT_BOUNCE = "hard_bounce", "complaint", "soft_bounce"
SOFT_HOLD = timedelta(days=14)
"""How long a mailbox that was full again and again gets no marketing; order mail is tried, its server decides."""
REQUIRED_BY_LAW = frozenset({"order_confirmation"})
"""Templates that go out past a complaint: a contract made at a distance must be confirmed on a durable medium
(directive 2011/83/EU article 8(7))."""
REDACTED = "redacted"
"""The person was forgotten. Who orders again later is a customer for that order, and hears of it."""


def check(
    effect: Effect,
    facts: Facts,
    person: Person,
    now: datetime,
    fairness: Callable[[], Fairness | None] | None = None,
) -> Verdict:
    """The first rule that objects, else `Allow`.

    `fairness` is asked only for a message of the marketing class that the law allows; `None` says that another worker
    has the same person or flow in hand at this moment.
    """
    case = Case(effect, facts, person, now)
    verdict = _first(_LAWFUL, case)
    if verdict is None and fairness is not None and limited(effect):
        found = fairness()
        if found is None:
            return Defer(now + BUSY, AT_WORK, "another worker is writing to the same person")
        case = Case(effect, facts, person, now, found)
        verdict = _first(_FAIR, case)
    verdict = verdict or _too_late(case) or budget(case)
    return verdict or Allow(detail=_grounds(case))


def _first(rules: Iterable[Callable[[Case], Verdict | None]], case: Case) -> Verdict | None:
    for rule in rules:
        verdict = rule(case)
        if verdict is not None:
            return verdict
    return None


def _grounds(case: Case) -> dict[str, str]:
    if not case.marketing:
        return {}
    fair = told(case.fairness) if case.fairness else {}
    return {"purpose": str(case.effect.purpose), **_consent_detail(case.person), **fair}


def _shop(case: Case) -> Verdict | None:
    status = case.person.shop_status
    detail = {"shop_status": str(status)}
    if status is ShopStatus.UNINSTALLED:
        return Drop("shop_uninstalled", "the merchant removed the app", detail)
    if status not in (ShopStatus.ACTIVE, ShopStatus.DISCONNECTED):
        return Defer(case.now + PAUSE, "shop_paused", "the shop is paused; nothing is lost meanwhile", detail)
    return None


def _order_known(case: Case) -> Verdict | None:
    if case.effect.order_id is None or case.facts.order is not None:
        return None
    detail = {"order": case.effect.order_id, "waited": _hours(case.age)}
    if case.age >= ORDER_PATIENCE:
        return Drop("order_unknown", "the order did not arrive within 24 hours", detail)
    until = min(case.now + PAUSE, case.effect.created_at + ORDER_PATIENCE)
    return Defer(until, "order_unknown", "the order itself has not arrived yet", detail)


def _address(case: Case) -> Verdict | None:
    if not case.message or case.person.address_key is not None:
        return None
    to = str(case.effect.request.get("to", "customer"))
    return Drop("no_address", f"no address is known for the {to}", {"to": to, "channel": case.effect.channel})


def _suppressed(case: Case) -> Verdict | None:
    if not case.message:
        return None
    for scope, reason, at in case.person.suppressions:
        order = case.facts.order
        came_back = reason == REDACTED and not case.marketing and order is not None and order.placed_at > at
        came_back = came_back or (reason == REDACTED and _signed_up_since(case, at))
        held = _holds(reason, at, case.now)
        if not came_back and held and _blocks(scope, reason, case.effect.purpose, _template(case)):
            detail = {"scope": scope, "reason": reason, "at": to_text(at)}
            return Drop("suppressed", f"the address is on the suppression list ({reason})", detail)
    return None


def _signed_up_since(case: Case, forgotten_at: datetime) -> bool:
    """Whether somebody who was forgotten asked to hear from the shop again: may be asked to confirm that, and then
    has said yes."""
    if not case.marketing:
        return case.facts.event.get("kind") == EventKind.SIGNUP_REQUESTED and case.effect.created_at > forgotten_at
    said = case.person.consent_at
    return case.person.consent is ConsentState.GRANTED and said is not None and said > forgotten_at


def _holds(reason: str, at: datetime, now: datetime) -> bool:
    """Whether an entry still stands: a mailbox that was full is tried again after a while."""
    return reason != SOFT_BOUNCE or now < at + SOFT_HOLD


def _template(case: Case) -> str:
    """The mail's template; a text or a notification is never the one the law asks for."""
    return str(case.effect.request.get("template", "")) if case.effect.channel in ("", "email") else ""


def _blocks(scope: str, reason: str, purpose: Purpose, template: str = "") -> bool:
    """A bounce blocks everything, a complaint what the law does not ask for, an opt-out its own purpose or all of the
    marketing class, a mailbox that was full three times the marketing class for a while."""
    if reason == SOFT_BOUNCE:
        return purpose.needs_consent
    if reason == COMPLAINT:
        return purpose.needs_consent or template not in REQUIRED_BY_LAW
    if (reason != UNSUBSCRIBE and scope in ("all", "")) or reason == HARD_BOUNCE:
        return True
    return purpose.needs_consent and scope in ("all", "", "marketing", str(purpose))


def _undone(case: Case) -> Verdict | None:
    if not case.marketing:
        return None
    order, progress = case.facts.order, case.facts.progress
    detail = {"order": case.effect.order_id or ""}
    if order is not None and order.is_test:
        return Drop("test_order", "the order is a test", detail)
    about_care = str(case.facts.event.get("kind", "")).startswith(("case.", "return."))
    if case.effect.request.get("survey") and about_care:
        return None  # how the return went is asked of those who returned something
    if progress.cancelled:
        return Drop("order_cancelled", "the order was cancelled", detail)
    if progress.refunded:
        return Drop("order_refunded", "money went back to the customer", detail)
    if progress.returned:
        return Drop("order_returned", "goods are on their way back", detail)
    return None


def _reviewed(case: Case) -> Verdict | None:
    reviewed_at = case.facts.progress.reviewed_at
    asks = case.message and case.effect.purpose is Purpose.REVIEW and not case.effect.request.get("after_review")
    if asks and reviewed_at is not None:
        return Drop("already_reviewed", "the customer has reviewed already", {"reviewed_at": to_text(reviewed_at)})
    order = case.facts.order
    if not asks or order is None:
        return None
    bought = {line.product_id for line in order.lines if line.product_id and not line.is_gift_card}
    if bought and bought <= case.facts.background.reviewed():
        return Drop("already_reviewed", "the customer reviewed each of these products with another order", {})
    return None


def _consent(case: Case) -> Verdict | None:
    person = case.person
    if not case.message or not case.marketing or person.consent is ConsentState.GRANTED:
        return None
    detail = {"purpose": str(case.effect.purpose), **_consent_detail(person)}
    if person.consent is ConsentState.WITHDRAWN:
        return Drop("consent_withdrawn", "the customer said no", detail)
    if person.consent is not ConsentState.UNKNOWN:
        # Soft opt-in is for buyers who were never asked. Who was asked to confirm (double opt-in) and did not, was.
        return Drop("no_consent", "what is recorded of the customer is not a yes", detail)
    if person.soft_opt_in:
        return None
    return Drop("no_consent", "no consent is recorded and the shop has no soft opt-in for this purpose", detail)


def _paused_by_customer(case: Case) -> Verdict | None:
    until = case.person.paused_until
    if not case.message or not case.marketing or until is None or until <= case.now:
        return None
    detail = {"paused_until": to_text(until)}
    if until - case.effect.created_at > LATEST_MARKETING:
        return Drop("paused_by_customer", "the customer paused these messages for longer than it may wait", detail)
    return Defer(until, "paused_by_customer", "the customer paused these messages for a while", detail)


def _in_care(case: Case) -> Verdict | None:
    """Nobody advertises to somebody who is waiting for an answer of ours (`connector.store.care`)."""
    until = case.person.care_until
    if not case.message or not case.marketing or until is None or until <= case.now:
        return None
    reason = _CARE.get(case.person.care_reason, "somebody of the shop owes the customer an answer")
    detail = {"because": case.person.care_reason, "care_until": to_text(until)}
    if case.age >= LATEST_MARKETING:
        return Drop("in_care", f"{reason}, for longer than the message may wait", detail)
    # Whoever answers ends it before its day: look again soon.
    soon = min(until, case.now + LOOK_AGAIN, case.effect.created_at + LATEST_MARKETING)
    return Defer(soon, "in_care", reason, detail)


def lets_pass(person: Person, purpose: Purpose, now: datetime) -> bool:
    """Whether the person's own standing (suppressions, consent) lets messages of the purpose through: what the rules
    `suppressed`, `consent_withdrawn` and `no_consent` say, apart from any message."""
    if any(_holds(reason, at, now) and _blocks(scope, reason, purpose) for scope, reason, at in person.suppressions):
        return False
    if not purpose.needs_consent or person.consent is ConsentState.GRANTED:
        return True
    return person.consent is ConsentState.UNKNOWN and person.soft_opt_in


def _too_late(case: Case) -> Verdict | None:
    limit = LATEST_MARKETING if case.marketing else LATEST_TRANSACTIONAL
    if case.fairness is not None:
        limit = case.fairness.limits.patience
    if not case.message or case.age <= limit:
        return None
    return Drop("too_late", "the message would come too late to be welcome", {"age": _hours(case.age)})


def _consent_detail(person: Person) -> dict[str, str]:
    detail = {"consent": str(person.consent), "soft_opt_in": "true" if person.soft_opt_in else "false"}
    if person.consent_source:
        detail["consent_source"] = person.consent_source
    if person.consent_at is not None:
        detail["consent_at"] = to_text(person.consent_at)
    return detail


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:.1f} h"


_LAWFUL: tuple[Callable[[Case], Verdict | None], ...] = (
    _shop,
    _order_known,
    _address,
    _suppressed,
    _undone,
    _reviewed,
    _consent,
    _paused_by_customer,
    _in_care,
)
_FAIR: tuple[Callable[[Case], Verdict | None], ...] = (
    *(paused, canary, asked_lately, asked_before, products, goodbye, distance, quiet, outranked),
)

"""Rules that keep lawful messages of the marketing class from becoming too many: what policy asks after the law. Pure.

Nobody is written to in the night of the place where they live, more often than the cap, by two flows at once, or for
ever without an answer. What is put off waits for `patience` (48 h) at most and is then dropped with the reason; what
exceeds a flow's share or budget is held for a person (brief, defaults; `connector.config.limits`). Answers to what a
customer has just done, and an attempt whose outcome is unknown, are not asked about here.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache

from connector.clock import to_text
from connector.config.limits import Saturation
from connector.model import Effect
from flows.limits.daytime import DAYS, WHOLE_DAY, Window, next_open, read_window, zone_of
from flows.limits.verdicts import Case, Defer, Drop, Fairness, Hold, Verdict
from flows.reviews.asked import asks_for_review, wanted_products

YIELD = timedelta(minutes=5)
"""How long a message makes way before it looks again whether the more important one has gone."""

SATURATED = "saturated"
"""Somebody is left in peace from here: the moment of a goodbye."""
WAITED = frozenset({"capped", "slowed", "quiet_hours", "quiet_day", "outranked"})
"""Why these rules put something off."""

_UNFIT = {
    "just_bought": "the customer has just bought what the message is about",
    "returned_product": "the customer sent back what the message is about",
    "out_of_stock": "what the message is about is out of stock",
}


def limited(effect: Effect) -> bool:
    """Whether these rules are for the effect at all."""
    answers = effect.request.get("after_review")
    return effect.kind == "message" and effect.purpose.needs_consent and not answers and not effect.tainted


def paused(case: Case) -> Verdict | None:
    fair = case.fairness
    if fair is None or not fair.paused or fair.released:
        return None
    return Hold("flow_paused", f"the flow is paused: {fair.paused}", {"flow": case.effect.flow_id})


def canary(case: Case) -> Verdict | None:
    """A new flow goes to a few first, always the same ones: the others' messages wait for a person's word."""
    fair = case.fairness
    if fair is None or fair.released or fair.place < fair.canary:
        return None
    detail = {"canary": f"{fair.canary:.1%}", "place": f"{fair.place:.4f}"}
    return Hold("canary", f"the flow goes to {fair.canary:.0%} of people until it is released", detail)


def asked_lately(case: Case) -> Verdict | None:
    """A question of a survey: nobody gets two within a quarter, and of a sample the others get none."""
    found = case.fairness.inquiry if case.fairness is not None else None
    if found is None:
        return None
    if found.asked_at is not None and case.now < found.asked_at + found.apart:
        by = found.flow_id if found.shop_id == case.effect.shop_id else f"{found.flow_id} of {found.shop_id}"
        free = found.asked_at + found.apart
        detail = {
            "asked_at": to_text(found.asked_at),
            "by": by,
            "apart": f"{found.apart.days} d",
            "free": to_text(free),
        }
        return Drop("surveyed_lately", f"{by} has asked the person less than {found.apart.days} days ago", detail)
    if found.place >= found.share:
        detail = {"share": f"{found.share:.1%}", "place": f"{found.place:.4f}"}
        return Drop("survey_sample", f"{found.share:.0%} of people are asked, and this one is not among them", detail)
    return None


def products(case: Case) -> Verdict | None:
    if case.fairness is None or not case.fairness.unfit:
        return None
    product, rule = case.fairness.unfit[0]
    return Drop(rule, _UNFIT[rule], {"product": product})


def asked_before(case: Case) -> Verdict | None:
    """Nobody is asked to review again what they were asked about with another order."""
    until = case.fairness.asked_until if case.fairness is not None else {}
    if not until or not asks_for_review(case.effect):
        return None
    left = [product for product in wanted_products(case.facts) if product not in case.facts.background.reviewed()]
    if not left or any(product not in until for product in left):
        return None
    detail = {"products": str(len(left)), "free": to_text(min(until[product] for product in left))}
    return Drop("asked_before", "the customer was asked about each of these products with another order", detail)


def goodbye(case: Case) -> Verdict | None:
    """Who has not reacted for so long is left in peace, after a goodbye."""
    fair = case.fairness
    most = fair.limits.saturation.goodbye if fair else 0
    if fair is None or not most or fair.farewell or fair.ignored < most:
        return None
    return Drop(SATURATED, f"the last {fair.ignored} messages were met with silence", _silence(fair))


def slot(rule: Saturation, cap: timedelta, ignored: int) -> timedelta:
    """The distance kept to somebody who left so many messages unanswered: the cap, twice, four times ..."""
    doubled = min(ignored // rule.after, 16) if rule.after else 0
    return cap * max(1, min(1 << doubled, rule.slowest))


def _distance(fair: Fairness) -> timedelta:
    cap = fair.channel.cap
    return cap if fair.farewell else slot(fair.limits.saturation, cap, fair.ignored)


def distance(case: Case) -> Verdict | None:
    """The cap, and the quiet hours that what it puts off may come into."""
    fair = case.fairness
    if fair is None or fair.reached is None or not fair.channel.cap:
        return None
    reached, kept = fair.reached, _distance(fair)
    until = reached.until or reached.at + kept
    if until <= case.now:
        return None
    by = reached.flow_id if reached.shop_id == case.effect.shop_id else f"{reached.flow_id} of {reached.shop_id}"
    detail = {"reached_at": to_text(reached.at), "by": by, "cap": _hours(kept)}
    if reached.at + fair.channel.cap <= case.now:
        reason = f"the person hears less often, as nothing came of {fair.ignored} messages; the last was {by}"
        return _wait(case, fair, until, "slowed", reason, {**detail, **_silence(fair)})
    return _wait(case, fair, until, "capped", f"the person has just heard from {by}", detail)


def quiet(case: Case) -> Verdict | None:
    fair = case.fairness
    if fair is None:
        return None
    opens = opening(fair, case.now)
    if opens <= case.now:
        return None
    day = case.now.astimezone(zone_of(fair.zone)).date()
    detail = {"zone": fair.zone, "zone_source": fair.zone_source, "opens": to_text(opens)}
    if why := _closed_day(fair, day):
        return _wait(case, fair, opens, "quiet_day", f"it is {why} where the person lives", detail)
    hours = {"quiet": fair.channel.quiet, **detail}
    return _wait(case, fair, opens, "quiet_hours", "it is too early or too late where the person lives", hours)


def outranked(case: Case) -> Verdict | None:
    """Two flows want the same slot: the one of the higher priority has it."""
    fair = case.fairness
    if fair is None or fair.rival is None or not fair.channel.cap or fair.rival.priority <= fair.priority:
        return None
    rival = fair.rival
    by = rival.flow_id if rival.shop_id == case.effect.shop_id else f"{rival.flow_id} of {rival.shop_id}"
    detail = {"winner": by, "priority": str(fair.priority), "winners_priority": str(rival.priority)}
    return _wait(case, fair, case.now + YIELD, "outranked", f"{by} goes first", detail)


def budget(case: Case) -> Verdict | None:
    """The last rule: what comes here would go out now, and counts."""
    fair = case.fairness
    began = case.effect.attempts > 0  # it had its place on the day of its first attempt
    if fair is None or fair.released or began or not fair.daily or fair.sent_today < fair.daily:
        return None
    detail = {"daily": str(fair.daily), "sent_today": str(fair.sent_today)}
    return Hold("over_budget", f"the flow has sent its {fair.daily} messages of today", detail)


def opening(fair: Fairness, at: datetime) -> datetime:
    """`at` where the channel is open then for the person, else when it next is."""
    channel = fair.channel
    if not (channel.quiet or channel.quiet_days or channel.holidays):
        return at
    return next_open(
        at, _open_hours(channel.quiet), zone_of(fair.zone), closed=lambda day: bool(_closed_day(fair, day))
    )


def told(fair: Fairness) -> dict[str, str]:
    """What made a message fair, for the record."""
    detail = {"zone": fair.zone, "zone_source": fair.zone_source} if fair.channel.quiet else {}
    if fair.reached is not None:
        detail |= {"reached_at": to_text(fair.reached.at), "cap": _hours(_distance(fair))}
    return detail


def _wait(case: Case, fair: Fairness, until: datetime, code: str, reason: str, detail: dict[str, str]) -> Defer | Drop:
    """Until then, but never into quiet hours and never beyond the patience, at whose end the message is dropped."""
    last = case.effect.created_at + fair.limits.patience
    if case.now >= last:
        return Drop(code, f"{reason}, and {_hours(fair.limits.patience)} later is too late", detail)
    return Defer(min(opening(fair, until), last), code, reason, detail)


def _closed_day(fair: Fairness, day: date) -> str:
    if DAYS[day.weekday()] in fair.channel.quiet_days:
        return f"a {day:%A}"
    return fair.closed(day) if fair.channel.holidays else ""


@lru_cache(maxsize=64)
def _open_hours(quiet_hours: str) -> Window:
    if not quiet_hours:
        return WHOLE_DAY
    closed = read_window(quiet_hours)
    return Window(closed.end, closed.start)


def _silence(fair: Fairness) -> dict[str, str]:
    since = {"sign_at": to_text(fair.sign_at)} if fair.sign_at else {}
    return {"ignored": str(fair.ignored), **since}


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:.1f} h"

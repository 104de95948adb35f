"""The smallest change that would have flipped a decision, as a sentence. Pure: what was kept goes in, text comes out.

    order.total was 38.00 EUR; 40.00 EUR or more (2.00 EUR more) would have started it

A guard's comes from its own comparison, a rule's of policy from its code (the table of `flows.policy`). What is not
known here says so by being empty: an explanation never guesses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation

from connector.contracts import parse_span

_OPS = ("not contains", "not within", "not in", "contains", "within", "in", "==", "!=", "<=", ">=", "<", ">")
_RULE = re.compile(rf"(\S+) ({'|'.join(map(re.escape, _OPS))})(?: (.*))?", re.DOTALL)
_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)(?: ([A-Z]{3}))?")
_UNKNOWN = ("", "null")


def guard_flip(path: str, op: str, wanted: str, saw: str, would: str, at: datetime | None = None) -> str:
    """What a failed guard would have had to see. `would` ends the sentence (`started it`), `at` is when it was asked.

    Values are those that `flows.guards` keeps (`shown`).
    """
    if would == "":
        return ""
    was = f"{path} was {_quoted(saw)}" if saw not in _UNKNOWN else f"{path} was not known"
    wish = _wish(op, wanted, saw, at)
    return f"{was}; {wish} would have {would}" if wish else ""


def rule_flip(rule: str, saw: str, would: str, at: datetime | None = None) -> str:
    """The same for a rule as it is told (`order.total >= 40.00 EUR`); also of an event's age and of entering once."""
    if rule.startswith("event younger than "):
        return f"the event was {saw} old; one of at most {rule.removeprefix('event younger than ')} would have {would}"
    if rule.startswith("once per "):
        subject = rule.removeprefix("once per ")
        return f"the {subject} had {saw}; another {subject}, or another re-entry of the flow, would have {would}"
    found = _RULE.fullmatch(rule)
    return guard_flip(found[1], found[2], found[3] or "", saw, would, at) if found else ""


def _wish(op: str, wanted: str, saw: str, at: datetime | None) -> str:
    if wanted == "null":
        return "nothing there" if op == "==" else "anything there"
    items = wanted.strip("[]")
    match op:
        case "in":
            return f"one of {items}"
        case "not in":
            return f"anything but {items}"
        case "contains":
            return f"'{wanted}' among it"
        case "not contains":
            return f"no '{wanted}' among it"
        case "==":
            return _quoted(wanted)
        case "!=":
            return f"anything but {_quoted(wanted)}"
        case "within" | "not within":
            return _aged(op, wanted, at)
    return _ordered(op, wanted, saw)


def _aged(op: str, wanted: str, at: datetime | None) -> str:
    try:
        span = parse_span(wanted)
    except ValueError:
        return ""
    if at is None:
        return f"a time of at most {wanted} before" if op == "within" else f"a time more than {wanted} before"
    limit = at - span
    return f"{_day(limit)} or later" if op == "within" else f"a time before {_day(limit)}"


def _ordered(op: str, wanted: str, saw: str) -> str:
    limit = _time(wanted)
    if limit is not None:
        later = op.startswith(">")
        return f"{_day(limit)} or {'later' if later else 'earlier'}"
    gap = _gap(wanted, saw)
    match op:
        case ">=":
            return f"{wanted} or more" + (f" ({gap} more)" if gap else "")
        case ">":
            return f"more than {wanted}"
        case "<=":
            return f"{wanted} or less" + (f" ({gap} less)" if gap else "")
        case "<":
            return f"less than {wanted}"
    return ""


def _gap(wanted: str, saw: str) -> str:
    """How far the value was from the limit, where both are numbers or amounts of one currency."""
    limit, value = _NUMBER.fullmatch(wanted), _NUMBER.fullmatch(saw)
    if not limit or not value or limit[2] != value[2]:
        return ""
    try:
        gap = abs(Decimal(limit[1]) - Decimal(value[1]))
    except InvalidOperation:
        return ""
    return f"{gap} {limit[2]}" if limit[2] else str(gap)


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if "T" in text else None
    except ValueError:
        return None


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _quoted(value: str) -> str:
    found = _time(value)
    if found is not None:
        return _day(found)
    plain = value in ("true", "false") or _NUMBER.fullmatch(value) or value.startswith("[")
    return value if plain else f"'{value}'"


# -- what policy said --------------------------------------------------------------------------------------------------

_POLICY: Mapping[str, str] = {
    "shop_uninstalled": "with the app installed it would have gone out",
    "shop_paused": "with the shop active it would go out (kiitos shops resume)",
    "order_unknown": "with the order here it would have gone out",
    "no_address": "with an address of the {to} it would have gone out",
    "suppressed": "without the {reason} of {at} on the suppression list it would have gone out",
    "test_order": "a real order would have let it out",
    "order_cancelled": "an order that was not cancelled would have let it out",
    "order_refunded": "an order of which nothing was refunded would have let it out",
    "order_returned": "an order of which nothing is on its way back would have let it out",
    "already_reviewed": "without the review of {reviewed_at} it would have gone out",
    "consent_withdrawn": "consent for {purpose} given after {consent_at} would have let it out",
    "no_consent": "a recorded yes for {purpose} would have let it out",
    "in_care": "without {because} until {care_until} it would have gone out",
    "asked_before": "from {free} on they could have been asked again ([reviews] again_after)",
    "surveyed_lately": "from {free} on they could have been asked",
    "survey_sample": "a share above {place} in [surveys] would have reached them",
    "paused_by_customer": "without the customer's pause until {paused_until} it would have gone out",
    "provider_rate": "with more room in the account of {provider} it would go out sooner ({why}; set rate in app.toml)",
    "provider_down": "with {provider} answering it would go out ({why}); a second channel in email = [...] takes over",
    "flow_paused": "with the flow running it would go out; it is held, not lost",
    "canary": "a share above {place} would have let it out (it is {canary}); it is held, not lost",
    "just_bought": "without {product} in a recent order it would have gone out",
    "returned_product": "without {product} sent back it would have gone out",
    "out_of_stock": "with {product} in stock it would have gone out",
    "saturated": "one answer (a click, an order) in {ignored} messages would have let it out",
    "capped": "{cap} after {reached_at}, when {by} reached the person, it may go out",
    "slowed": "{cap} after {reached_at} it may go out; an answer would have made that shorter",
    "quiet_hours": "from {opens} ({zone}) it may go out",
    "quiet_day": "from {opens} ({zone}) it may go out",
    "outranked": "a priority of {winners_priority} or better would have let it go before {winner}",
    "too_late": "sooner it would have gone out: it was {age} old",
    "over_budget": "a daily budget above {sent_today} would have let it out (it is {daily}); it is held, not lost",
    "told_already": "anything new since the last message would have let it out",
    "run_ended": "a flow that was still under way would have sent it",
}
_NEVER_ASKED = "; so would '{purpose}' in soft_opt_in, where buyers were told at checkout"
_AS_TIME = frozenset({"at", "paused_until", "reviewed_at", "consent_at", "reached_at", "opens", "care_until", "free"})


def policy_flip(code: str, seen: Mapping[str, str]) -> str:
    """What would have let an effect pass that policy dropped, put off or held; empty for a code that is not known.

    `seen` are the values that the rule kept with its decision.
    """
    template = _POLICY.get(code, "")
    if code == "no_consent" and seen.get("consent") == "unknown":
        template += _NEVER_ASKED
    return template.format_map(_Values(seen))


def known_codes() -> frozenset[str]:
    """The codes that have a sentence."""
    return frozenset(_POLICY)


class _Values(dict[str, str]):
    """What was seen, as sentences show it; what is not there is named as missing, never guessed."""

    def __missing__(self, name: str) -> str:
        return "an earlier time" if name in _AS_TIME else f"({name} not kept)"

    def __getitem__(self, name: str) -> str:
        value = super().__getitem__(name)
        at = _time(value) if name in _AS_TIME else None
        return _day(at) if at else value

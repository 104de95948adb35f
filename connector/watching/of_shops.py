"""Checks of what is outside: shops and their webhooks, channels, domains, how customers take the messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connector.errors import KiitosError
from connector.model import ShopStatus
from connector.outside.sender_domain import check_domain
from connector.store import care, cases, pace, perks, referrals, reviews, watch
from connector.watching.patient import FIRST, QUIET, Patient
from connector.watching.trouble import Check, Found, fail, span_text, warn
from flows.limits.alarms import COMPLAINT
from flows.people.suppressing import INVALID
from flows.policy import HARD_BOUNCE
from flows.render.mime import split_sender
from flows.steps.hand_out import HandOut

if TYPE_CHECKING:
    from flows.render.renderer import Renderer

OVERDUE = timedelta(days=1)
"""Credentials that should have been renewed so long ago are not being renewed."""
LIFE = timedelta(days=90)
"""Of a refresh token that we did not see given: Shopify's (facts/shopify.md section 2.1)."""
ENDS_WARN, ENDS_FAIL = 3, 12
"""It is used every week: with a third of its life left it was not for long, with a twelfth there is a week to act."""
WINDOW = timedelta(days=30)
COMPLAINTS_WARN, COMPLAINTS_FAIL = 0.001, 0.003
"""Gmail's lines (facts/messaging.md 5.2): keep under 0.1 %, never reach 0.3 %."""
LEAST_COMPLAINTS = 2
"""One complaint is a person's, two may be the flow's."""
SUPPRESSED = 0.05
"""Of a shop's customers that cannot be reached: more is a list of bad addresses."""
LEAST_PEOPLE = 200
MANY_FAILURES = 3
COUNTED = 100
"""How many of a queue are looked at: more is a crowd all the same."""


def _disconnected(patient: Patient) -> Iterator[Found]:
    for _, shop in patient.shops():
        if shop.status is ShopStatus.DISCONNECTED:
            yield fail("the shop refuses our credentials; order messages go on, everything else waits", shop.id)


def _left_out(patient: Patient) -> Iterator[Found]:
    for shop_id, reason in sorted(patient.kiitos.config.left_out.items()):
        yield fail(f"the connected store cannot be used: {reason}", shop_id)


def _webhooks(patient: Patient) -> Iterator[Found]:
    heard = patient.figures.last_webhooks()
    with patient.kiitos.store.work.read() as tx:
        recovered = watch.recovered(tx, patient.now - QUIET)
        since = {shop_id: watch.known_since(tx, shop_id) for shop_id in patient.kiitos.config.shops}
    for _, shop in patient.shops():
        if shop.status is not ShopStatus.ACTIVE:
            continue
        last, (lost, newest) = heard.get(shop.id), recovered.get(shop.id, (0, None))
        began = since[shop.id]
        if newest is not None and (last is None or newest > last):
            yield fail(f"{lost} orders were found this week that no webhook told of", shop.id)
        elif last is None and began is not None and patient.now - began > FIRST:
            yield warn("no webhook has ever come", shop.id)
        elif last is not None and patient.now - last > QUIET:
            yield warn(f"the last webhook came {patient.ago(last)} ago", shop.id)


def _tokens(patient: Patient) -> Iterator[Found]:
    for shop_id, row in sorted(patient.figures.renewals.items()):
        if row.refused_at is not None:
            yield fail(f"credentials are refused for {patient.ago(row.refused_at)}", shop_id)
        elif row.keep_at is not None and patient.now - row.keep_at > OVERDUE:
            yield fail(f"credentials should have been renewed {patient.ago(row.keep_at)} ago", shop_id)


def _token_expiry(patient: Patient) -> Iterator[Found]:
    """Before a refresh token lapses, however often renewing it was tried and put off meanwhile."""
    for shop_id, row in sorted(patient.figures.renewals.items()):
        if row.ends_at is None or row.refused_at is not None or shop_id not in patient.kiitos.config.shops:
            continue
        left, life = row.ends_at - patient.now, LIFE if row.renewed_at is None else row.ends_at - row.renewed_at
        if left <= timedelta():
            yield fail(f"the refresh token lapsed {patient.ago(row.ends_at)} ago", shop_id)
        elif left <= life / ENDS_WARN:
            found, span = fail if left <= life / ENDS_FAIL else warn, span_text(left.total_seconds())
            yield found(f"the refresh token lapses in {span} and is not being renewed", shop_id)


def _jobs(patient: Patient) -> Iterator[Found]:
    for shop_id, kind, attempts, code in patient.figures.jobs:
        if attempts >= MANY_FAILURES:
            yield warn(f"'{kind}' failed {attempts} times in a row ({code})", shop_id)


def _providers(patient: Patient) -> Iterator[Found]:
    for one in patient.figures.blocked:
        whom = f" for {one.shop_id}" if one.shop_id else ""
        yield warn(f"{one.provider} is left alone{whom} until {one.until:%Y-%m-%d %H:%M} UTC", one.provider)


def _channels(patient: Patient) -> Iterator[Found]:
    for name in sorted(patient.kiitos.config.channels):
        try:
            patient.kiitos.channels.named(name)
        except KiitosError as error:
            yield fail(f"the channel cannot be used: {error.message}", name)


def _templates(patient: Patient) -> Iterator[Found]:
    """Whether every template a flow sends can be read, in the language of its shop."""
    for settings, shop in patient.shops():
        names = {
            name
            for flow in patient.kiitos.catalog.flows(shop.id)
            for item in flow.steps
            for name in item.step.templates()
        }
        renderer = patient.kiitos.renderer.under(settings.templates, settings.brand)
        for name in sorted(names):
            yield from (fail(f"{name}: {fault}", shop.id) for fault in _faults(renderer, name, settings.shop.locale))


def _faults(renderer: Renderer, name: str, locale: str | None) -> Iterator[str]:
    try:
        for error in renderer.check_template(name, renderer.language(name, locale)):
            yield error.message
    except KiitosError as error:
        yield error.message


def _suppressed(patient: Patient) -> Iterator[Found]:
    bad: Counter[str] = Counter()
    for (shop_id, reason), total in patient.figures.suppressed.items():
        if reason in (HARD_BOUNCE, INVALID):
            bad[shop_id] += total
    with patient.kiitos.store.work.read() as tx:
        people = watch.people(tx)
    for shop_id, total in sorted(bad.items()):
        known = people.get(shop_id, 0)
        if known >= LEAST_PEOPLE and total > SUPPRESSED * known:
            yield warn(f"{total} of {known} customers cannot be reached: {total / known:.0%}", shop_id)


def _complaints(patient: Patient) -> Iterator[Found]:
    since = patient.now - WINDOW
    for _, shop in patient.shops():
        with patient.kiitos.store.work.read() as tx:
            ids = [flow.id for flow in patient.kiitos.catalog.flows(shop.id)]
            sent = sum(pace.begun(tx, shop.id, flow_id, since) for flow_id in ids)
            said = sum(pace.objections(tx, shop.id, flow_id, COMPLAINT, since) for flow_id in ids)
        if said < LEAST_COMPLAINTS or said <= COMPLAINTS_WARN * sent:
            continue
        found = fail if said > COMPLAINTS_FAIL * sent else warn
        yield found(f"{said} complaints of {sent} messages in 30 days ({said / max(sent, said):.2%})", shop.id)


def _cases(patient: Patient) -> Iterator[Found]:
    for settings, shop in patient.shops():
        with patient.kiitos.store.work.read() as tx:
            total, oldest = cases.overdue(tx, shop.id, patient.now - settings.returns.answer_within)
        if oldest is not None:
            many = "returns or complaints have" if total > 1 else "return or complaint has"
            yield warn(f"{total} {many} no answer yet, the oldest for {patient.ago(oldest)}", shop.id)


def _low_scores(patient: Patient) -> Iterator[Found]:
    for settings, shop in patient.shops():
        with patient.kiitos.store.work.read() as tx:
            before = patient.now - settings.returns.answer_within
            total, oldest = care.overdue(tx, shop.id, care.LOW_SCORE, before, patient.now)
        if oldest is not None:
            many = (
                f"{total} customers who gave a low score wait" if total > 1 else "a customer who gave a low score waits"
            )
            yield warn(f"{many} for a person, the longest for {patient.ago(oldest)}", shop.id)


def _reviews(patient: Patient) -> Iterator[Found]:
    for settings, shop in patient.shops():
        with patient.kiitos.store.work.read() as tx:
            held = [row.at for row in reviews.in_state(tx, shop.id, reviews.ReviewState.HELD, COUNTED)]
        yield from _kept_waiting(patient, shop.id, "review", held, settings.returns.answer_within)


def _referrals(patient: Patient) -> Iterator[Found]:
    for settings, shop in patient.shops():
        with patient.kiitos.store.work.read() as tx:
            held = [row.created_at for row in referrals.waiting(tx, shop.id, COUNTED)]
        yield from _kept_waiting(patient, shop.id, "referral", held, settings.returns.answer_within)


def _kept_waiting(patient: Patient, shop_id: str, what: str, since: list[datetime], most: timedelta) -> Iterator[Found]:
    """`since`: when each came that waits for a person, `COUNTED` at most, the oldest first."""
    late = [at for at in since if patient.now - at > most]
    if late:
        more = " or more" if len(late) == COUNTED else ""
        waits = f"a {what} waits" if len(late) == 1 else f"{len(late)}{more} {what}s wait"
        yield warn(f"{waits} for a person, the longest for {patient.ago(late[0])}", shop_id)


def _perks(patient: Patient) -> Iterator[Found]:
    """Lists that are given out now, or will be, and have nothing to give."""
    for settings, shop in patient.shops():
        steps = [item.step for flow in patient.kiitos.catalog.flows(shop.id) for item in flow.steps]
        given = [step for step in steps if isinstance(step, HandOut)]
        coming = {perk.name for perk in settings.loyalty.perks if perk.listed and patient.now < perk.over}
        if coming and not any(step.perk_from for step in given):
            yield warn(f"no flow hands out {', '.join(sorted(coming))}: switch on perk_given", shop.id)
        with patient.kiitos.store.work.read() as tx:
            lists = {count.perk: count for count in perks.counts(tx, shop.id)}
        for name in sorted(coming | {step.perk for step in given if step.perk}):
            count = lists.get(name)
            if count is None:
                yield warn(f"the list '{name}' has nothing in it yet", shop.id)
            elif not count.free:
                yield warn(f"all {count.coupons} of the list '{name}' are given out: who comes now gets none", shop.id)


def _domains(patient: Patient) -> Iterator[Found]:
    if patient.txt is None:
        return
    asked: set[tuple[str, str]] = set()
    for settings, _ in patient.shops():
        name = settings.email_channel
        table = patient.kiitos.config.channels.get(name, {})
        domain = split_sender(settings.sender)[1].rpartition("@")[2].lower()
        if (name, domain) in asked:
            continue
        asked.add((name, domain))
        kind, selector = str(table.get("kind", "")), str(table.get("dkim_selector", ""))
        for finding in check_domain(domain, kind, selector, patient.txt):
            if finding.verdict == "fail":
                yield fail(f"{finding.code.replace('_', ' ')} ({domain})", name)


CHECKS: tuple[Check[Patient], ...] = (
    Check(
        "shops",
        "Codes, reviews and advertising of the shop wait until it is connected again.",
        "kiitos shops check SUBJECT",
        _disconnected,
    ),
    Check("stores_left_out", "Nothing happens for this shop.", "kiitos config check", _left_out),
    Check(
        "webhooks",
        "Without webhooks we hear of orders only when we ask, every quarter of an hour.",
        "kiitos shops webhooks SUBJECT --repair",
        _webhooks,
    ),
    Check(
        "tokens", "A shop that cannot be asked gets order messages only.", "kiitos shops add --shop SUBJECT", _tokens
    ),
    Check(
        "token_expiry",
        "When it has lapsed only the merchant can connect the shop again; until then any call of the shop renews it.",
        "kiitos shops check SUBJECT",
        _token_expiry,
    ),
    Check("jobs", "What webhooks lose is not found while this fails.", "kiitos shops completeness SUBJECT", _jobs),
    Check("providers", "Messages wait, or go by another provider.", "kiitos channels list", _providers),
    Check("channels", "Nothing can be sent through it.", "kiitos channels check SUBJECT", _channels, slow=True),
    Check("templates", "Its messages cannot be made.", "kiitos templates check SUBJECT", _templates, slow=True),
    Check(
        "suppressed",
        "Providers throttle and block senders whose lists bounce.",
        "kiitos suppressions list SUBJECT",
        _suppressed,
        slow=True,
    ),
    Check(
        "complaints",
        "Above 0.3 % Gmail and Yahoo put everything of the sender into the spam folder.",
        "kiitos messages list SUBJECT --became complained",
        _complaints,
    ),
    Check(
        "cases",
        "Customers wait for a person's answer, and get no advertising meanwhile.",
        "kiitos cases list SUBJECT",
        _cases,
    ),
    Check(
        "low_scores",
        "Unhappy customers have not been answered, and get no advertising meanwhile.",
        "kiitos tasks list SUBJECT",
        _low_scores,
    ),
    Check(
        "reviews",
        "What customers wrote is seen by nobody, and what they get for it waits.",
        "kiitos reviews queue SUBJECT",
        _reviews,
    ),
    Check(
        "referrals",
        "Advocate and friend have been promised something and hear nothing.",
        "kiitos referrals queue --shop SUBJECT",
        _referrals,
    ),
    Check(
        "perks",
        "Who is to be given an invitation or a coupon gets none, and hears nothing.",
        "kiitos loyalty coupons --shop SUBJECT",
        _perks,
    ),
    Check(
        "sender_domain",
        "Mail that is not signed for its sender's domain is not believed.",
        "kiitos channels check SUBJECT",
        _domains,
        slow=True,
    ),
)

"""Whether something is given for writing a review: who is asked, who writes and who reads must be told so.

An incentive is a material connection (16 CFR 255.5; directive 2005/29/EC article 6). It is told of where it is the same
whatever the stars, which is the only way anything is given here.
"""

from __future__ import annotations

from datetime import datetime

from connector.config.loyalty import REVIEW, Programme
from connector.model import EventKind
from flows.authoring.stars import GIVES, awaited
from flows.catalog import Catalog
from flows.definition import Flow
from flows.limits.daytime import zone_of

_TOLD = frozenset({str(EventKind.REVIEW_SUBMITTED), str(EventKind.REVIEW_PUBLISHED)})


def rewards(catalog: Catalog, shop_id: str, now: datetime, own: Flow | None = None) -> bool:
    """Whether something is given for a review here, by the loyalty programme or by a flow. `own` is the version of its
    flow that a run keeps: what that one gives is what its person gets."""
    settings = catalog.settings(shop_id)
    if settings.loyalty and _earns(settings.loyalty, now.astimezone(zone_of(settings.shop.timezone))):
        return True
    others = (flow for flow in catalog.flows(shop_id) if own is None or flow.id != own.id)
    return any(gives(flow) for flow in (*others, *((own,) if own is not None else ())))


def _earns(programme: Programme, today: datetime) -> bool:
    if programme.of_kind(REVIEW):
        return True
    day = today.date()
    return any(
        goal.points and "reviews" in goal.wants and (goal.begins or day) <= day <= (goal.ends or day)
        for goal in programme.challenges
    )


def gives(flow: Flow) -> bool:
    """Whether a flow hears of reviews and gives something."""
    hears = {kind for item in flow.steps for kind in awaited(item.step)} | set(flow.trigger)
    return not hears.isdisjoint(_TOLD) and any(item.step.do in GIVES for item in flow.steps)

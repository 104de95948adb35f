"""The installation's figures for Prometheus. Every process tells all of them, so rules take the `max` over processes.

Labels come from closed sets: at most `MOST` shops are named, those with the largest figures, and the rest is `other`.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from connector.errors import KiitosError
from connector.log import get_log
from connector.store.watch import Pile
from connector.watching.figures import Figures, Looking
from connector.watching.tallies import BUCKETS, Tallies

MOST = 50
"""Shops named in one metric."""
OTHER = "other"
log = get_log("metrics")

Series = tuple[tuple[str, ...], float]


class Gauges(Collector):
    """What the database tells, read when somebody scrapes, and what a worker counted (`tallies`)."""

    def __init__(self, looking: Looking, tallies: Tallies | None = None) -> None:
        self._looking = looking
        self._tallies = tallies

    def describe(self) -> Iterator[Metric]:
        """Names for the registry, which would otherwise collect (and read the database) to learn them."""
        yield from families(Figures(at=datetime.fromtimestamp(0).astimezone()))
        yield from counted(self._tallies or Tallies())

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("kiitos_database_up", "1 while the database answers.")
        try:
            found = self._looking.figures()
        except KiitosError as error:
            log.error("figures_unavailable", code=error.code)
            up.add_metric([], 0)
            yield up
        else:
            up.add_metric([], 1)
            yield up
            yield from families(found)
        if self._tallies is not None:
            yield from counted(self._tallies)


def register(registry: CollectorRegistry, looking: Looking, tallies: Tallies | None = None) -> None:
    """Add the figures to a process's own metrics."""
    registry.register(Gauges(looking, tallies))


def families(found: Figures) -> Iterator[Metric]:
    """Everything of one look."""
    yield from _waiting(found)
    yield from _troubles(found)
    yield from _shops(found)
    yield from _installation(found)


def _waiting(found: Figures) -> Iterator[Metric]:
    yield _gauge(
        "kiitos_oldest_due_seconds", "How long the oldest due item has been due.", found.lateness.total_seconds()
    )
    yield _of_shops("kiitos_backlog", "Items that are due and not begun.", ("shop", "kind"), found.backlog)
    yield _gauge_of(
        "kiitos_backlog_oldest_seconds",
        "How long the oldest item of a kind has been due.",
        ("kind",),
        _oldest_by_kind(found),
    )
    yield _of_shops("kiitos_leases_left", "Effects begun by a worker that never came back.", ("shop",), found.left)
    yield _of_shops("kiitos_held", "Messages that a limit holds.", ("shop", "flow"), found.held)
    yield _gauge("kiitos_paused_flows", "Flows that are paused.", len(found.pauses))


def _oldest_by_kind(found: Figures) -> Iterator[Series]:
    oldest: dict[str, float] = {}
    for pile in found.backlog:
        age = max((found.at - pile.oldest).total_seconds(), 0.0)
        oldest[pile.kind] = max(age, oldest.get(pile.kind, 0.0))
    yield from (((kind,), age) for kind, age in sorted(oldest.items()))


def _troubles(found: Figures) -> Iterator[Metric]:
    uncertain = [pile for pile in found.troubled if pile.kind == "uncertain"]
    failed = [pile for pile in found.troubled if pile.kind == "failed"]
    dead = [pile for pile in found.dead if pile.kind == "failed"]
    quarantined = [pile for pile in found.dead if pile.kind == "quarantined"]
    yield _of_shops("kiitos_uncertain", "Messages nobody knows the end of.", ("shop",), uncertain)
    yield _of_shops("kiitos_failed", "Effects that were given up.", ("shop",), failed)
    yield _of_shops("kiitos_dead_letters", "Deliveries that could not be used.", ("shop",), dead)
    yield _of_shops("kiitos_quarantined", "Deliveries kept and not acted on.", ("shop",), quarantined)
    yield _of_shops("kiitos_privacy_overdue", "Requests about personal data open for a week.", ("shop",), found.privacy)
    yield _gauge_of(
        "kiitos_breaker_open",
        "1 while a provider is left alone; `shop` is empty where it is for everybody.",
        ("shop", "provider"),
        _top([((one.shop_id, one.provider), 1.0) for one in found.blocked]),
    )
    yield _gauge_of(
        "kiitos_jobs_failing",
        "Failures in a row of what is done for a shop again and again.",
        ("shop", "job"),
        _top([((shop_id, kind), float(attempts)) for shop_id, kind, attempts, _ in found.jobs]),
    )


def _shops(found: Figures) -> Iterator[Metric]:
    by_status = Tally(str(shop.status) for shop in found.shops)
    statuses = [((status,), float(total)) for status, total in sorted(by_status.items())]
    yield _gauge_of("kiitos_shops", "Shops by status.", ("status",), statuses)
    newest: dict[str, datetime] = {}
    for arrival in found.arrivals:
        newest[arrival.topic] = max(arrival.at, newest.get(arrival.topic, arrival.at))
    topics = [((topic,), max((found.at - at).total_seconds(), 0.0)) for topic, at in newest.items()]
    yield _gauge_of("kiitos_webhook_age_seconds", "Since the last webhook of a topic.", ("topic",), _longest(topics))
    ages = [((shop,), max((found.at - at).total_seconds(), 0.0)) for shop, at in found.last_webhooks().items()]
    yield _gauge_of("kiitos_shop_silence_seconds", "Since a shop's last webhook.", ("shop",), _longest(ages))
    refused = [((row.shop_id,), 1.0) for row in found.renewals.values() if row.refused_at is not None]
    yield _gauge_of("kiitos_token_refused", "1 for a shop whose credentials are refused.", ("shop",), _top(refused))
    renewing = [
        ((row.shop_id,), (row.keep_at - found.at).total_seconds())
        for row in found.renewals.values()
        if row.keep_at is not None
    ]
    yield _gauge_of(
        "kiitos_token_renewal_seconds",
        "Until a shop's credentials are to be renewed; below 0 it is overdue.",
        ("shop",),
        sorted(renewing, key=lambda one: one[1])[:MOST],
    )
    expiring: list[Series] = []
    for token, until in (
        ("access", [(row.shop_id, row.lapses_at) for row in found.renewals.values()]),
        ("refresh", [(row.shop_id, row.ends_at) for row in found.renewals.values()]),
    ):
        left = [((shop, token), (at - found.at).total_seconds()) for shop, at in until if at is not None]
        # The soonest of each kind: access tokens of idle shops have always lapsed, and must not hide the others.
        expiring += sorted(left, key=lambda one: one[1])[:MOST]
    yield _gauge_of(
        "kiitos_token_expiry_seconds",
        "Until a token of a shop's lapses, where the platform tells it; below 0 it has.",
        ("shop", "token"),
        expiring,
    )
    reasons: Tally[str] = Tally()
    for (_, reason), total in found.suppressed.items():
        reasons[reason] += total
    by_reason = [((reason,), float(total)) for reason, total in sorted(reasons.items())]
    yield _gauge_of("kiitos_suppressed", "Addresses that are not written to any more.", ("reason",), by_reason)


def _installation(found: Figures) -> Iterator[Metric]:
    yield _gauge("kiitos_database_bytes", "Size of the database.", found.size)
    if found.backup_at is not None:
        age = max((found.at - found.backup_at).total_seconds(), 0.0)
        yield _gauge("kiitos_backup_age_seconds", "Since the last verified backup; absent when none is known.", age)
    if found.copied is not None:
        yield _gauge("kiitos_stream_up", "1 while Litestream answers; absent without one.", int(bool(found.copied)))
        yield _gauge_of(
            "kiitos_stream_behind_seconds",
            "How far Litestream's copy of a part is behind; absent for one it has not copied yet.",
            ("part",),
            [((part,), seconds) for part, seconds in sorted(found.behind().items()) if seconds is not None],
        )
    yield _gauge("kiitos_restored", "1 while a restored database is held.", int(found.restored))
    seen: dict[str, float] = {}
    for process in found.processes:
        age = max((found.at - process.seen_at).total_seconds(), 0.0)
        seen[process.role] = min(age, seen.get(process.role, age))
    yield _gauge_of(
        "kiitos_process_seen_seconds",
        "Since any process of a role said that it lives.",
        ("role",),
        [((role,), age) for role, age in sorted(seen.items())],
    )


def counted(tallies: Tallies) -> Iterator[Metric]:
    """What one worker counted since it started."""
    sends = CounterMetricFamily("kiitos_sends", "Effects carried out, by outcome.", labels=("flow", "outcome"))
    for (flow, outcome), total in sorted(tallies.sends.items()):
        sends.add_metric((flow, outcome), total)
    yield sends
    errors = CounterMetricFamily(
        "kiitos_provider_errors", "Answers of providers and platforms that were no yes.", labels=("provider", "class")
    )
    for (provider, kind), total in sorted(tallies.errors.items()):
        errors.add_metric((provider, kind), total)
    yield errors
    steps = CounterMetricFamily("kiitos_steps", "Steps an executor was brought, by outcome.", labels=("outcome",))
    for outcome, total in sorted(tallies.steps.items()):
        steps.add_metric((outcome,), total)
    yield steps
    late = HistogramMetricFamily("kiitos_lateness_seconds", "From due to begun.", labels=("priority",))
    for priority, (counts, seconds) in sorted(tallies.late.items()):
        running = 0
        rows: list[tuple[str, float]] = []
        for bound, count in zip((*(str(bound) for bound in BUCKETS), "+Inf"), counts, strict=True):
            running += count
            rows.append((bound, running))
        late.add_metric((priority,), rows, seconds)
    yield late


# -- shapes ------------------------------------------------------------------------------------------------------------


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value=value)


def _gauge_of(name: str, about: str, labels: tuple[str, ...], rows: Iterable[Series]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def _of_shops(name: str, about: str, labels: tuple[str, ...], piles: Iterable[Pile]) -> GaugeMetricFamily:
    """One series a shop, and kind where the labels have one; shops beyond the largest together."""
    wide = len(labels) > 1
    rows = [((pile.shop_id, pile.kind) if wide else (pile.shop_id,), float(pile.total)) for pile in piles]
    return _gauge_of(name, about, labels, _top(rows))


def _top(rows: Iterable[Series]) -> list[Series]:
    """The rows of the `MOST` first labels with the largest sums; the others summed up under `other`."""
    kept = list(rows)
    sums: dict[str, float] = {}
    for labels, value in kept:
        sums[labels[0]] = sums.get(labels[0], 0.0) + value
    named = set(sorted(sums, key=lambda name: (-sums[name], name))[:MOST])
    found: dict[tuple[str, ...], float] = {}
    for labels, value in kept:
        key = labels if labels[0] in named else (OTHER, *labels[1:])
        found[key] = found.get(key, 0.0) + value
    return sorted(found.items())


def _longest(rows: Iterable[Series]) -> list[Series]:
    """The largest ones: ages of different shops are not summed."""
    return sorted(rows, key=lambda one: -one[1])[:MOST]


def names(metrics: Iterable[Metric]) -> Mapping[str, Metric]:
    """By the name Prometheus scrapes them under."""
    return {f"{one.name}_total" if one.type == "counter" else one.name: one for one in metrics}

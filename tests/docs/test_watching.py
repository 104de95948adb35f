"""The operator's table of metrics, the alert rules and the dashboard against the metrics there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from connector.metrics import Metrics
from connector.store.pace import Pause
from connector.store.renewals import RenewalState
from connector.store.watch import Arrival, Blocked, Pile, ProcessRow
from connector.watching.figures import Figures
from connector.watching.gauges import counted, families
from connector.watching.tallies import Tallies
from scripts import dashboard
from tests.docs.documents import ROOT, rows

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
RULES = yaml.safe_load((ROOT / "deploy" / "prometheus-alerts.yml").read_text("utf-8"))


def everything() -> Figures:
    """A look in which every figure has something to say."""
    pile = Pile("s", "k", 1, NOW)
    return Figures(
        at=NOW,
        backlog=[pile],
        troubled=[Pile("s", "failed", 1, NOW), Pile("s", "uncertain", 1, NOW)],
        dead=[Pile("s", "failed", 1, NOW), Pile("s", "quarantined", 1, NOW)],
        held=[pile],
        left=[pile],
        privacy=[pile],
        pauses=[Pause("s", "f", NOW, "")],
        blocked=[Blocked("s", "p", NOW, "")],
        jobs=[("s", "poll", 1, "X")],
        arrivals=[Arrival("s", "t", NOW)],
        renewals={"s": RenewalState(shop_id="s", keep_at=NOW, refused_at=NOW)},
        suppressed={("s", "r"): 1},
        processes=[ProcessRow("1", "worker", "h", "1", NOW, NOW)],
        backup_at=NOW,
        copied={"work": NOW},
    )


def registered() -> dict[str, set[str]]:
    """Name to labels of every metric of both processes; counters end in `_total`."""
    found: dict[str, set[str]] = {}
    tallies = Tallies()
    for family in chain(families(everything()), counted(tallies)):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = set(family._labelnames)
    metrics = Metrics()
    metrics.watch("kiitos_inbox_queue_rows", "", lambda: 0)
    for collector in metrics.registry._collector_to_names:
        assert isinstance(collector, MetricWrapperBase)
        name = f"{collector._name}_total" if collector._type == "counter" else collector._name
        found[name] = set(collector._labelnames)
    return found | {"kiitos_database_up": set()}


METRICS = registered()


def documented() -> dict[str, set[str]]:
    text = (ROOT / "docs" / "operator.md").read_text("utf-8").partition("### Metrics")[2].partition("\n## ")[0]
    return {
        row[0].strip("`"): {label.strip() for label in row[1].split(",") if label.strip()}
        for row in rows(text)
        if len(row) == 3 and row[0].startswith("`kiitos_")
    }


def test_every_metric_is_documented_with_its_labels_and_no_other_is() -> None:
    assert len(METRICS) > 30
    assert documented() == METRICS


def queries() -> Iterator[str]:
    for group in RULES["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]
    for panel in json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text("utf-8"))["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def unknown(query: str) -> set[str]:
    """Metrics and labels of a query that do not exist."""
    names = set(re.findall(r"\bkiitos_\w+", query))
    plain = {re.sub(r"_(bucket|sum|count)$", "", name) if name not in METRICS else name for name in names}
    wrong = plain - set(METRICS)
    labels = set(chain.from_iterable(METRICS.get(name, set()) for name in plain)) | {"le"}
    grouped = re.findall(r"by \(([^)]*)\)", query) + re.findall(r"\{(\w+)[=!~]", query)
    return wrong | ({label.strip() for text in grouped for label in text.split(",")} - labels)


@pytest.mark.parametrize("query", list(queries()))
def test_what_rules_and_panels_ask_for_exists(query: str) -> None:
    assert unknown(query) == set()


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("max(kiitos_no_such)", {"kiitos_no_such"}),
        ("sum by (colour) (kiitos_backlog)", {"colour"}),
        ('max(kiitos_shops{state="x"})', {"state"}),
    ],
)
def test_a_wrong_query_would_be_found(query: str, wrong: set[str]) -> None:
    assert unknown(query) == wrong


def test_the_dashboard_is_the_script_s() -> None:
    assert (ROOT / "deploy" / "grafana-dashboard.json").read_text("utf-8") == dashboard.text()


def test_every_rule_says_what_to_do() -> None:
    rules = [rule for group in RULES["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 15
    assert all(rule["annotations"].keys() == {"summary", "act"} for rule in rules)
    assert {rule["labels"]["severity"] for rule in rules} == {"page", "warn"}

"""Write deploy/grafana-dashboard.json: one panel a line below, in rows of three. Run it after changing a line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

PANELS = (
    ("Oldest due item", "s", "max(kiitos_oldest_due_seconds)"),
    ("Backlog by kind", "short", "sum by (kind) (max by (shop, kind) (kiitos_backlog))"),
    ("Backlog by shop", "short", "sum by (shop) (max by (shop, kind) (kiitos_backlog))"),
    (
        "Lateness, 99th percentile",
        "s",
        "histogram_quantile(0.99, sum by (le, priority) (rate(kiitos_lateness_seconds_bucket[5m])))",
    ),
    ("Sent a minute by outcome", "short", "60 * sum by (outcome) (rate(kiitos_sends_total[5m]))"),
    ("Sent a minute by flow", "short", '60 * sum by (flow) (rate(kiitos_sends_total{outcome="accepted"}[5m]))'),
    ("Webhooks a second by answer", "reqps", "sum by (status) (rate(kiitos_deliveries_total[5m]))"),
    (
        "Time to a durable commit, 99th percentile",
        "s",
        "histogram_quantile(0.99, sum by (le) (rate(kiitos_inbox_commit_seconds_bucket[5m])))",
    ),
    ("Since the last webhook, by topic", "s", "max by (topic) (kiitos_webhook_age_seconds)"),
    ("Waiting for a person", "short", "sum(max by (shop) (kiitos_uncertain)) + sum(max by (shop) (kiitos_failed))"),
    ("Dead letters", "short", "sum(max by (shop) (kiitos_dead_letters))"),
    ("Held", "short", "sum by (flow) (max by (shop, flow) (kiitos_held))"),
    ("Provider errors a minute", "short", "60 * sum by (provider, class) (rate(kiitos_provider_errors_total[5m]))"),
    ("Breakers open", "short", "max by (shop, provider) (kiitos_breaker_open)"),
    ("Until credentials are renewed", "s", "min by (shop) (kiitos_token_renewal_seconds)"),
    ("Until refresh tokens lapse", "s", 'min by (shop) (kiitos_token_expiry_seconds{token="refresh"})'),
    ("Shops by status", "short", "max by (status) (kiitos_shops)"),
    ("Database", "bytes", "max(kiitos_database_bytes)"),
    ("Since the last backup", "s", "min(kiitos_backup_age_seconds)"),
)
_WIDE, _HIGH = 8, 7


def dashboard() -> dict[str, object]:
    panels = [
        {
            "id": number + 1,
            "type": "timeseries",
            "title": title,
            "gridPos": {"x": number % 3 * _WIDE, "y": number // 3 * _HIGH, "w": _WIDE, "h": _HIGH},
            "datasource": {"type": "prometheus", "uid": "${source}"},
            "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
            "targets": [{"refId": "A", "expr": query}],
        }
        for number, (title, unit, query) in enumerate(PANELS)
    ]
    source = {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        "title": "Kiitos",
        "uid": "kiitos",
        "schemaVersion": 39,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [source]},
        "panels": panels,
    }


def text() -> str:
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    target = Path(__file__).parents[1] / "deploy" / "grafana-dashboard.json"
    target.write_text(text(), "utf-8")
    sys.stdout.write(f"{target.name}: {len(PANELS)} panels\n")

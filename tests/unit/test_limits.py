"""The `limits` table: what is shipped, what layers change, what is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.config import Config, parse_config
from connector.config.limits import Limits
from connector.errors import ConfigError


def config(tmp_path: Path, flows: dict[str, Any] | None = None, **tables: dict[str, Any]) -> Config:
    """`tables`: the limits of `defaults`, `client` and `shop`."""
    shop = {
        "platform": "shopify",
        "domain": "a.myshopify.com",
        "sender": "A <a@a.example>",
        "webhook_secret": {"env": "S"},
    }
    document = {
        "schema": 1,
        "app": {"master_key": {"env": "S"}},
        "channels": {"mail": {"kind": "smtp"}},
        "defaults": {"email": "mail", "limits": tables.get("defaults", {}), "flows": flows or {}},
        "clients": {
            "acme": {"limits": tables.get("client", {}), "shops": {"main": {**shop, "limits": tables.get("shop", {})}}}
        },
    }
    return parse_config(document, tmp_path / "app.toml", {"S": "secret"})


def limits(tmp_path: Path, **tables: dict[str, Any]) -> Limits:
    return config(tmp_path, **tables).shop("acme-main").limits


def test_the_shipped_limits_are_the_briefs(tmp_path: Path) -> None:
    found = limits(tmp_path)
    assert found == Limits(channels=found.channels)
    assert found.of("email").cap == timedelta(hours=16)
    assert not found.of("email").quiet
    for channel in ("sms", "whatsapp", "push"):
        assert (found.of(channel).cap, found.of(channel).quiet) == (timedelta(hours=24), "20:00-09:00")
    assert found.of("platform").cap == timedelta()
    assert found.patience == timedelta(hours=48)


def test_a_client_and_a_shop_change_what_they_name(tmp_path: Path) -> None:
    found = limits(
        tmp_path,
        defaults={"email": {"cap": "24h"}, "sms": {"quiet": "21:00-08:00"}, "alarm": {"complaints": "0.2%"}},
        client={"sms": {"holidays": True}, "saturation": {"goodbye": 20}},
        shop={"email": {"cap": "8h"}, "daily": 50, "patience": "3d", "just_bought": "60d"},
    )
    assert found.of("email").cap == timedelta(hours=8)
    assert (found.of("sms").quiet, found.of("sms").holidays) == ("21:00-08:00", True)
    assert (found.saturation.goodbye, found.saturation.after) == (20, 4)
    assert found.alarm.complaints == pytest.approx(0.002)
    assert (found.daily, found.patience, found.just_bought) == (50, timedelta(days=3), timedelta(days=60))


def test_a_flow_has_a_priority_a_budget_and_a_canary_of_its_own(tmp_path: Path) -> None:
    told = {"win-back": {"file": "review_request", "priority": 90, "daily": 200, "canary": "5%"}, "x": {"file": "y"}}
    first, second = config(tmp_path, told).shop("acme-main").flows
    assert (first.priority, first.daily, first.canary) == (90, 200, 0.05)
    assert (second.priority, second.daily, second.canary) == (None, None, 1.0)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"emial": {}}, "limits.emial: unknown key; did you mean 'email'?"),
        ({"email": {"cpa": "16h"}}, "limits.email.cpa: unknown key; did you mean 'cap'?"),
        ({"email": {"cap": "16"}}, "limits.email.cap:"),
        ({"email": {"cap": 16}}, "limits.email.cap:"),
        ({"sms": {"quiet": "8pm-9am"}}, 'limits.sms.quiet: should be hours such as "20:00-09:00"'),
        ({"sms": {"quiet": "09:00-09:00"}}, "limits.sms.quiet: should be hours"),
        ({"sms": {"quiet_days": ["sunday"]}}, "limits.sms.quiet_days: should be a list of mon, tue"),
        ({"sms": {"quiet_days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}}, "should leave a day open"),
        ({"sms": {"holidays": "FI"}}, "limits.sms.holidays: should be true or false"),
        ({"sms": "20:00-09:00"}, "limits.sms: should be a table"),
        ({"daily": -1}, "limits.daily: should be a whole number"),
        ({"alarm": {"complaints": 0.1}}, 'limits.alarm.complaints: should be a share such as "5%"'),
        ({"alarm": {"complaints": "101%"}}, "limits.alarm.complaints: should be a share"),
        ({"saturation": {"goodby": 1}}, "limits.saturation.goodby: unknown key; did you mean 'goodbye'?"),
    ],
)
def test_faults_name_their_place(tmp_path: Path, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as found:
        limits(tmp_path, client=wrong)
    assert f"clients.acme.{says}" in str(found.value) or says in str(found.value)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"priority": 101}, "from 0 to 100"), ({"canary": 0.5}, "should be a share"), ({"daily": "10"}, "a whole number")],
)
def test_faults_of_a_flows_own_limits(tmp_path: Path, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as found:
        config(tmp_path, {"f": {"file": "x", **wrong}})
    assert f"defaults.flows.f.{next(iter(wrong))}" in str(found.value)
    assert says in str(found.value)

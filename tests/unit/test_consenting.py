"""Settings about saying yes and about what is learnt of reading, and what no flow may go by."""

from __future__ import annotations

from typing import Any

import pytest

from connector.config.consenting import ConsentSettings, TrackingSettings, double_opt_in, read_consenting, read_tracking
from connector.config.layering import merge
from connector.config.schema import SETTINGS
from connector.errors import ConfigError
from connector.model import Purpose
from flows.guards import check_kind


@pytest.mark.parametrize("value", [True, False, [], ["DE"], ["DE", "AT"]])
def test_who_must_confirm(value: Any) -> None:
    assert double_opt_in(value) == ""


@pytest.mark.parametrize("value", ["DE", ["de"], ["Germany"], [1], {"DE": True}, 1, None])
def test_what_says_nobody(value: Any) -> None:
    assert "list of countries" in double_opt_in(value)


@pytest.mark.parametrize(
    ("wanted", "country", "confirms"),
    [
        (True, None, True),
        (False, "DE", False),
        (frozenset({"DE"}), "DE", True),
        (frozenset({"DE"}), "FI", False),
        (frozenset({"DE"}), None, True),
        (frozenset(), None, False),
    ],
)
def test_by_country(wanted: bool | frozenset[str], country: str | None, confirms: bool) -> None:
    assert ConsentSettings(double_opt_in=wanted).must_confirm(country) is confirms


def test_what_is_followed() -> None:
    marketing, order = Purpose.REVIEW, Purpose.TRANSACTIONAL
    found = {name: (TrackingSettings(clicks=name).follows(marketing), TrackingSettings(clicks=name).follows(order))
             for name in ("none", "marketing", "all")}  # fmt: skip
    assert found == {"none": (False, False), "marketing": (True, False), "all": (True, True)}


def test_the_careful_defaults_and_the_words_of_the_file() -> None:
    bare = merge([("defaults", {})])
    assert read_consenting(bare) == ConsentSettings(signup=False, double_opt_in=True, keep_ip=False)
    assert read_tracking(bare) == TrackingSettings(clicks="marketing", opens=False, url="")
    said = {
        "signup": True,
        "double_opt_in": ["DE", "AT"],
        "consent_ip": True,
        "track_clicks": "none",
        "track_opens": True,
        "links_url": "https://go.brand.example/",
    }
    assert not any(SETTINGS[name](value) for name, value in said.items())
    written = merge([("defaults", said)])
    assert read_consenting(written).double_opt_in == frozenset({"DE", "AT"})
    assert read_tracking(written) == TrackingSettings(clicks="none", opens=True, url="https://go.brand.example")
    assert "should be one of none, marketing, all" in SETTINGS["track_clicks"]("market")


def test_no_flow_goes_by_an_open() -> None:
    check_kind("message.clicked")
    with pytest.raises(ConfigError, match=r"no flow goes by 'message\.opened'.*use a click"):
        check_kind("message.opened")

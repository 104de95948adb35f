"""Where a person lives by the clock, and which source told."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import available_timezones

import pytest

from connector.model import Address, Customer
from flows.knowing.zones import _STATES, residence, zone_of_address, zone_of_phone
from tests.engine.world import SHOP, order


@pytest.mark.parametrize(
    ("country", "region", "postcode", "zone"),
    [
        ("FI", None, "00100", "Europe/Helsinki"),
        ("fi", None, None, "Europe/Helsinki"),
        ("DE", None, None, "Europe/Berlin"),
        ("JP", "JP-26", None, "Asia/Tokyo"),
        ("IN", "MH", None, "Asia/Kolkata"),
        ("US", "CA", "90001", "America/Los_Angeles"),
        ("US", "US-NY", None, "America/New_York"),
        ("US", "HI", None, "Pacific/Honolulu"),
        ("US", None, "90001", ""),
        ("US", "ZZ", None, ""),
        ("CA", "NL", None, "America/St_Johns"),
        ("AU", "WA", None, "Australia/Perth"),
        ("BR", "AM", None, "America/Manaus"),
        ("MX", "CMX", None, "America/Mexico_City"),
        ("ES", "M", "28001", "Europe/Madrid"),
        ("ES", "GC", None, "Atlantic/Canary"),
        ("ES", None, "38001", "Atlantic/Canary"),
        ("PT", None, "9500-001", "Atlantic/Azores"),
        ("RU", "MOW", None, ""),
        ("XX", None, None, ""),
        (None, "CA", None, ""),
    ],
)
def test_addresses(country: str | None, region: str | None, postcode: str | None, zone: str) -> None:
    assert zone_of_address(Address(country=country, region=region, postcode=postcode)) == zone


def test_every_zone_of_the_table_exists() -> None:
    named = {zone for states in _STATES.values() for zone in states.values()}
    assert named <= available_timezones()
    assert len(_STATES["US"]) == 56
    assert len(_STATES["CA"]) == 13


@pytest.mark.parametrize(
    ("number", "country", "zone"),
    [
        ("+358401234567", None, "Europe/Helsinki"),
        ("040 1234567", "FI", "Europe/Helsinki"),
        ("+12125550123", None, "America/New_York"),
        ("+18005550123", None, ""),  # toll-free: anywhere
        ("12", "FI", ""),
        ("not a number", None, ""),
        (None, "FI", ""),
    ],
)
def test_numbers(number: str | None, country: str | None, zone: str) -> None:
    assert zone_of_phone(number, country) == zone


def test_the_first_source_that_knows_decides_and_is_named() -> None:
    shop = replace(SHOP, timezone="Europe/Helsinki")
    tokyo = Address(country="JP")
    vague = Address(country="US")
    placed = order(shipping_address=tokyo, billing_address=None, phone="+12125550123")
    assert residence(shop, placed, None) == residence(shop, replace(placed, phone=None), None)
    assert (residence(shop, placed, None).zone, residence(shop, placed, None).source) == ("Asia/Tokyo", "address")
    by_phone = residence(shop, replace(placed, shipping_address=vague), None)
    assert (by_phone.zone, by_phone.source) == ("America/New_York", "phone")
    mute = replace(placed, shipping_address=vague, phone=None)
    told = residence(shop, mute, None, platform_zone="America/Denver")
    assert (told.zone, told.source) == ("America/Denver", "platform")
    assert residence(shop, mute, None, platform_zone="Nonsense/Zone").source == "shop"
    assert (residence(shop, None, None).zone, residence(shop, None, None).source) == ("Europe/Helsinki", "shop")
    account = Customer(id="c", default_address=Address(country="SE"))
    assert residence(shop, None, account).zone == "Europe/Stockholm"

"""Which time zone a person lives in: the address, then the telephone number, then the platform, then the shop.

An address settles it where its country keeps one time. Of the countries that keep several, states and provinces are
known for the large ones; elsewhere the number's area code is asked (facts/messaging.md section 4: a guess in North
America, where numbers are taken along), and then the next source. Which source decided is part of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo, available_timezones

from connector.model import Address, Customer, Order, Shop

_UNKNOWN = frozenset({"", "Etc/Unknown"})

# Where a state has two times, the one most of its people keep.
_US = {
    "America/New_York": "CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC VA VT WV",
    "America/Chicago": "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
    "America/Denver": "CO ID MT NM UT WY",
    "America/Phoenix": "AZ",
    "America/Los_Angeles": "CA NV OR WA",
    "America/Anchorage": "AK",
    "Pacific/Honolulu": "HI",
    "America/Puerto_Rico": "PR VI",
    "Pacific/Guam": "GU MP",
    "Pacific/Pago_Pago": "AS",
}
_CA = {
    "America/St_Johns": "NL",
    "America/Halifax": "NB NS PE",
    "America/Toronto": "ON QC NU",
    "America/Winnipeg": "MB",
    "America/Regina": "SK",
    "America/Edmonton": "AB NT",
    "America/Whitehorse": "YT",
    "America/Vancouver": "BC",
}
_AU = {
    "Australia/Sydney": "NSW ACT",
    "Australia/Melbourne": "VIC",
    "Australia/Hobart": "TAS",
    "Australia/Brisbane": "QLD",
    "Australia/Adelaide": "SA",
    "Australia/Darwin": "NT",
    "Australia/Perth": "WA",
}
_BR = {
    "America/Sao_Paulo": "AL AP BA CE DF ES GO MA MG PA PB PE PI PR RJ RN RS SC SE SP TO",
    "America/Manaus": "AM MT MS RO RR",
    "America/Rio_Branco": "AC",
}
_MX = {
    "America/Cancun": "Q ROO QROO",
    "America/Hermosillo": "SON",
    "America/Mazatlan": "BCS NAY SIN",
    "America/Tijuana": "BC",
}
_STATES: Mapping[str, Mapping[str, str]] = {
    country: {state: zone for zone, states in table.items() for state in states.split()}
    for country, table in {"US": _US, "CA": _CA, "AU": _AU, "BR": _BR, "MX": _MX}.items()
}
# The time nearly everybody keeps in a country that has another on some island or in some far province.
_MOSTLY = {
    "CL": "America/Santiago",
    "CN": "Asia/Shanghai",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "GL": "America/Nuuk",
    "MX": "America/Mexico_City",
    "NZ": "Pacific/Auckland",
    "PG": "Pacific/Port_Moresby",
    "PT": "Europe/Lisbon",
    "UA": "Europe/Kyiv",
}
# Provinces that do not keep their country's usual time, by ISO 3166-2 or the first two digits of the postcode.
_ISLANDS = {("ES", "GC"): "Atlantic/Canary", ("ES", "TF"): "Atlantic/Canary", ("PT", "20"): "Atlantic/Azores"}
_ISLAND_POSTCODES = {
    ("ES", "35"): "Atlantic/Canary",
    ("ES", "38"): "Atlantic/Canary",
    ("PT", "95"): "Atlantic/Azores",
    ("PT", "96"): "Atlantic/Azores",
    ("PT", "97"): "Atlantic/Azores",
    ("PT", "98"): "Atlantic/Azores",
    ("PT", "99"): "Atlantic/Azores",
}


@dataclass(frozen=True, slots=True)
class Residence:
    """A zone and how it is known: `address`, `phone`, `platform` or `shop`."""

    zone: str
    source: str


def residence(shop: Shop, order: Order | None, customer: Customer | None, *, platform_zone: str = "") -> Residence:
    """Where the person of an order or account lives, as far as the clock is concerned."""
    address = _address(order, customer)
    found = zone_of_address(address)
    if found:
        return Residence(found, "address")
    found = zone_of_phone(_phone(order, customer, address), address.country if address else shop.country)
    if found:
        return Residence(found, "phone")
    if platform_zone in _known_zones():
        return Residence(platform_zone, "platform")
    return Residence(shop.timezone or "UTC", "shop")


def place_of(shop: Shop, order: Order | None, customer: Customer | None) -> tuple[str, str]:
    """Country and region of the person's address, by which their holidays go; else the shop's country."""
    address = _address(order, customer)
    if address is None:
        return shop.country or "", ""
    return address.country or "", address.region or ""


def _address(order: Order | None, customer: Customer | None) -> Address | None:
    candidates = (
        order.shipping_address if order else None,
        order.billing_address if order else None,
        customer.default_address if customer else None,
    )
    return next((one for one in candidates if one is not None and one.country), None)


def _phone(order: Order | None, customer: Customer | None, address: Address | None) -> str | None:
    numbers = (order.phone if order else None, customer.phone if customer else None, address.phone if address else None)
    return next((number for number in numbers if number), None)


def zone_of_address(address: Address | None) -> str:
    """The zone of a postal address; empty where it does not tell."""
    country = ((address.country if address else None) or "").upper()
    if not country or address is None:
        return ""
    region = (address.region or "").upper().removeprefix(f"{country}-")
    island = _ISLANDS.get((country, region)) or _ISLAND_POSTCODES.get((country, (address.postcode or "").strip()[:2]))
    return island or _STATES.get(country, {}).get(region) or _MOSTLY.get(country) or _only_zone(country)


def zone_of_phone(number: str | None, country: str | None) -> str:
    """The zone of a telephone number, where all the zones it may belong to keep the same time; else empty."""
    if not number:
        return ""
    # Here and not above: the number plans cost 10 MB that only a person without a telling address needs.
    import phonenumbers
    from phonenumbers import timezone

    try:
        parsed = phonenumbers.parse(number, country or None)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(parsed):
        return ""
    zones = [zone for zone in timezone.time_zones_for_number(parsed) if zone not in _UNKNOWN]
    return zones[0] if zones and len({_times(zone) for zone in zones}) == 1 else ""


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def _zones_by_country() -> Mapping[str, tuple[str, ...]]:
    """ISO 3166 to the country's zones, from the zone.tab of the tz database."""
    found: dict[str, list[str]] = {}
    for line in files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            country, _, zone, *_ = line.split("\t")
            found.setdefault(country, []).append(zone)
    return {country: tuple(zones) for country, zones in found.items()}


@lru_cache(maxsize=512)
def _only_zone(country: str) -> str:
    zones = _zones_by_country().get(country, ())
    return zones[0] if zones and len({_times(zone) for zone in zones}) == 1 else ""


@lru_cache(maxsize=1024)
def _times(zone: str) -> tuple[timedelta | None, ...]:
    """What the zone's clocks show over two years, a week at a time: zones that always agree are one to us."""
    try:
        place = ZoneInfo(zone)
    except (KeyError, OSError, ValueError):
        return ()
    start = datetime(2025, 1, 1, tzinfo=UTC)
    return tuple((start + timedelta(weeks=week)).astimezone(place).utcoffset() for week in range(104))

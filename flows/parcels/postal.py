"""Postal addresses as they are written on an envelope, by the country they are in (UPU S42, the posts' own guides)."""

from __future__ import annotations

from connector.model import Address
from flows.render.cleaning import clean
from flows.render.locales import parse_locale

_CAPITALS = frozenset({"FI", "SE", "NO", "DK", "IS", "FR", "BE", "NL", "ES", "PT", "IT", "PL", "EE", "LV", "LT"})
_TOWN_FIRST = frozenset({"GB", "IE", "GG", "JE", "IM"})
_REGION_CODE = frozenset({"US", "CA", "AU", "PR"})


def can_be_written_to(address: Address | None) -> bool:
    """Whether a letter may arrive: a street and a town, at the least."""
    return address is not None and any(map(clean, address.lines)) and bool(clean(address.city))


def address_lines(address: Address, home: str | None, locale: str) -> list[str]:
    """The lines of the block, the recipient first. The country stands last, in capitals and in the sender's language,
    where it is another than `home`."""
    country = (address.country or home or "").upper()
    name = " ".join(filter(None, (clean(address.first_name), clean(address.last_name))))
    company, street = clean(address.company), [line for line in map(clean, address.lines) if line]
    abroad = _name_of(country, locale).upper() if country and country != (home or "").upper() else ""
    if country == "JP" and not abroad:
        town = [f"〒{clean(address.postcode)}" if clean(address.postcode) else "", "".join(_town_parts(address))]
        family = " ".join(filter(None, (clean(address.last_name), clean(address.first_name))))
        return [line for line in (*town, *street, company or "", f"{family} 様" if family else "") if line]
    lines = (name, company or "", *street, *_town(address, country), abroad)
    return [line for line in lines if line]


def _town_parts(address: Address) -> list[str]:
    return [part for part in (clean(address.region), clean(address.city)) if part]


def _town(address: Address, country: str) -> list[str]:
    city, code, region = clean(address.city) or "", clean(address.postcode) or "", clean(address.region) or ""
    if country in _TOWN_FIRST:
        return [city.upper(), code.upper()]
    if country in _REGION_CODE:
        return [" ".join(filter(None, (city.upper(), region.upper() if len(region) <= 3 else region, code.upper())))]
    if country in _CAPITALS:
        city = city.upper()
    if country == "IT" and len(region) == 2:
        city = f"{city} {region.upper()}"
    return [" ".join(filter(None, (code, city)))]


def _name_of(country: str, locale: str) -> str:
    found = parse_locale(locale)
    return str(found.territories.get(country, country)) if found is not None else country

"""Public holidays by country and, where the address tells it, by region: days on which a quiet channel stays quiet.

From the `holidays` package (MIT). A country or region it does not know has none here, so that nothing waits for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache


def closing_day(country: str, region: str, day: date) -> str:
    """The name of the public holiday, in English where the package has it; empty on any other day.

    `country` is ISO 3166-1 alpha-2, `region` the part of ISO 3166-2 behind the dash, empty where unknown.
    """
    return _year(country.upper(), region.upper().removeprefix(f"{country.upper()}-"), day.year).get(day, "")


@lru_cache(maxsize=512)
def _year(country: str, region: str, year: int) -> Mapping[date, str]:
    # Here and not above: 17 MB and half a second, which only shops that ask for holidays need.
    from holidays import country_holidays

    for subdivision in (region, None) if region else (None,):
        try:
            return dict(country_holidays(country, subdiv=subdivision, years=year, language="en_US"))
        except NotImplementedError:
            continue
    return {}

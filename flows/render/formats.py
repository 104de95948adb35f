"""Money and time as people write them, from Babel. Everything here is cached: prices and dates repeat."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import (
    format_currency,
    format_decimal,
    get_currency_precision,
    get_decimal_symbol,
    get_group_symbol,
)

_Width = Literal["short", "medium", "long", "full"]
_NAMED: dict[str, tuple[str, _Width]] = {
    "date": ("date", "long"),
    "default": ("both", "long"),
    "datetime": ("both", "long"),
    "date_at_time": ("both", "long"),
    "on_date": ("date", "long"),
    "abbreviated_date": ("date", "medium"),
    "basic": ("date", "short"),
    "short": ("date", "short"),
    "medium": ("date", "medium"),
    "long": ("date", "long"),
    "full": ("date", "full"),
    "time": ("time", "short"),
}
# strftime directives as CLDR patterns, so that names of months and days come in the reader's language.
_STRFTIME = {
    "Y": "yyyy", "y": "yy", "m": "MM", "B": "MMMM", "b": "MMM", "h": "MMM", "d": "dd", "e": "d", "j": "DDD",
    "A": "EEEE", "a": "EEE", "H": "HH", "k": "H", "I": "hh", "l": "h", "M": "mm", "S": "ss", "p": "a", "P": "a",
    "Z": "z", "z": "Z", "F": "yyyy-MM-dd", "D": "MM/dd/yy", "T": "HH:mm:ss", "R": "HH:mm", "u": "e", "-d": "d",
    "-m": "M", "-H": "H", "-I": "h", "-M": "m",
}  # fmt: skip
_DIRECTIVE = re.compile(r"%(%|-?[A-Za-z])|([^%]+)|(%)")


@lru_cache(maxsize=16_384)
def money_text(amount: Decimal, currency: str, locale: str, form: str = "money") -> str:
    """An amount with its currency's own number of decimals.

    `form`: `money` (12,50 €), `with_currency` (12,50 € EUR), `without_currency` (12,50) or
    `without_trailing_zeros` (12 € for 12.00, 12,50 € for 12.50).
    """
    if form == "without_currency":
        digits = get_currency_precision(currency)
        pattern = "#,##0." + "0" * digits if digits else "#,##0"
        return format_decimal(amount, format=pattern, locale=locale)
    if form == "without_trailing_zeros" and amount == amount.to_integral_value():
        return format_currency(amount, currency, _whole_pattern(locale), locale=locale, currency_digits=False)
    shape = _shape(currency, locale)
    text = shape.write(amount) if shape and 0 <= amount < _LARGE else format_currency(amount, currency, locale=locale)
    return f"{text} {currency}" if form == "with_currency" and currency not in text else text


@lru_cache(maxsize=1024)
def number_text(amount: Decimal, locale: str) -> str:
    """A plain number with at most two decimals."""
    return format_decimal(amount, format="#,##0.##", locale=locale)


_LARGE = Decimal(10_000_000)
_PROBES = [Decimal(text) for text in ("0", "0.05", "1", "12.5", "999.995", "1000", "4321.1", "98765.43", "9876543.21")]


@dataclass(frozen=True, slots=True)
class _Shape:
    """What surrounds and divides the digits of an amount. Babel takes 20 µs for each price, this takes 1."""

    prefix: str
    suffix: str
    group: str
    point: str
    digits: int

    def write(self, amount: Decimal) -> str:
        whole, _, decimals = f"{amount:,.{self.digits}f}".partition(".")
        number = whole.replace(",", self.group)
        point = self.point if decimals else ""
        return f"{self.prefix}{number}{point}{decimals}{self.suffix}"


@lru_cache(maxsize=1024)
def _shape(currency: str, locale: str) -> _Shape | None:
    """Learnt from Babel and used only where it writes every probe as Babel does (not for Indian grouping, say)."""
    digits = get_currency_precision(currency)
    zero = format_decimal(Decimal(0), format="0." + "0" * digits if digits else "0", locale=locale)
    prefix, found, suffix = format_currency(Decimal(0), currency, locale=locale).partition(zero)
    if not found:
        return None
    shape = _Shape(prefix, suffix, get_group_symbol(locale), get_decimal_symbol(locale), digits)
    same = all(shape.write(probe) == format_currency(probe, currency, locale=locale) for probe in _PROBES)
    return shape if same else None


@lru_cache(maxsize=64)
def _whole_pattern(locale: str) -> str:
    """The locale's currency pattern without its decimals."""
    pattern: str = Locale.parse(locale).currency_formats["standard"].pattern
    return re.sub(r"0[.]0+", "0", pattern)


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The zone of a shop; UTC for a name nobody knows (shops type strange things)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


@lru_cache(maxsize=4096)
def date_text(at: str, form: str, locale: str, timezone: str) -> str:
    """A time in the shop's zone. `at` is ISO 8601 with an offset; `form` a strftime text or a named format.

    Raises `ValueError` for a text that is no time, and for a named format nobody knows.
    """
    local = datetime.fromisoformat(at).astimezone(zone(timezone))
    if "%" in form:
        return format_datetime(local, _cldr_pattern(form), locale=locale)
    if form not in _NAMED:
        raise ValueError(f"no date format '{form}'; use one of {', '.join(sorted(_NAMED))} or a strftime text")
    part, width = _NAMED[form]
    day = _day(local.date(), width, locale) if part != "time" else ""
    clock = _clock(time(local.hour, local.minute), locale) if part != "date" else ""
    return f"{day} {clock}".strip()


@lru_cache(maxsize=4096)
def _day(day: date, width: _Width, locale: str) -> str:
    return format_date(day, width, locale=locale)


@lru_cache(maxsize=4096)
def _clock(at: time, locale: str) -> str:
    return format_time(at, "short", locale=locale)


@lru_cache(maxsize=256)
def _cldr_pattern(form: str) -> str:
    pieces = []
    plain = ""  # quoted as one run: two quoted runs side by side would read as an apostrophe
    for directive, text, lone in [*_DIRECTIVE.findall(form), ("", "", "")]:
        if text or lone or directive == "%":
            plain += text or "%"
            continue
        if plain:
            pieces.append("'" + plain.replace("'", "''") + "'")
            plain = ""
        if directive and directive not in _STRFTIME:
            raise ValueError(f"no date directive '%{directive}'")
        pieces.append(_STRFTIME.get(directive, ""))
    return "".join(pieces)

"""Which language a message is written in, and how the recipient's locale is spelt.

Rules: facts/messaging.md section 6. Platforms send `fi-FI`, `en`, `zh-TW`, `de_DE_formal`, `iw`; Babel's
`negotiate_locale` alone misses some of these, so names are parsed first and shortened step by step.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from babel import Locale, UnknownLocaleError

FALLBACK = "en"
_RIGHT_TO_LEFT_MARK = "right-to-left"


@lru_cache(maxsize=1024)
def parse_locale(text: str | None) -> Locale | None:
    """The Babel locale a platform's text means, `None` when it means none.

    >>> str(parse_locale("zh-TW")), str(parse_locale("de_DE_formal")), parse_locale("tlh")
    ('zh_Hant_TW', 'de_DE', None)
    """
    parts = [part for part in (text or "").strip().replace("-", "_").split(".")[0].split("_") if part]
    if parts and parts[0].lower() == "no":
        parts[0] = "nb"
    while parts:
        try:
            return Locale.parse("_".join(parts), sep="_")
        except (ValueError, UnknownLocaleError, TypeError):
            parts.pop()
    return None


def locale_chain(text: str | None) -> list[str]:
    """The names to look for, most exact first, in BCP 47: `zh-TW` gives zh-Hant-TW, zh-Hant, zh."""
    locale = parse_locale(text)
    if locale is None:
        return []
    names = ["-".join(filter(None, (locale.language, locale.script, locale.territory)))]
    names.append("-".join(filter(None, (locale.language, locale.territory))))
    names.append("-".join(filter(None, (locale.language, locale.script))))
    names.append(locale.language)
    return list(dict.fromkeys(names))


def match_language(text: str | None, available: Collection[str]) -> str | None:
    """The member of `available` a locale can read, `None` when there is none."""
    return next((name for name in locale_chain(text) if name in available), None)


def choose_locale(*sources: str | None, available: Collection[str] = ("en", "fi")) -> str:
    """The locale to write in: the first source (order, customer, shop ...) whose language we have, whole.

    The result keeps the region, so that dates and money follow it; `en` when nothing fits.

    >>> choose_locale("fi-FI", "en"), choose_locale("ar", None, "fi"), choose_locale(None)
    ('fi-FI', 'fi', 'en')
    """
    for source in sources:
        if match_language(source, available):
            return locale_chain(source)[0]
    return FALLBACK


@lru_cache(maxsize=256)
def direction(language: str) -> str:
    """`rtl` or `ltr`."""
    locale = parse_locale(language)
    return "rtl" if locale and locale.character_order == _RIGHT_TO_LEFT_MARK else "ltr"


@lru_cache(maxsize=1024)
def format_locale(recipient: str, language: str) -> str:
    """The locale money and dates are written in: the recipient's when it speaks the template's language."""
    locale = parse_locale(recipient)
    if locale is not None and language in locale_chain(recipient):
        return str(locale)
    return str(parse_locale(language) or Locale.parse(FALLBACK))

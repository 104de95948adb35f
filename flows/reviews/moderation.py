"""What keeps a review back until a person has looked at it. Pure, and blind to the stars.

The rules get the words alone: holding or hiding a review because of its rating would mislead other customers (directive
2005/29/EC annex I 23c), so no rule can see one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from connector.config.reviews import ReviewSettings

LINK, PERSONAL, WORD, REPEATED = "link", "personal", "word", "repeated"
REASONS = (LINK, PERSONAL, WORD, REPEATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What somebody wrote, in which language they were asked. `repeated`: somebody else wrote the very same."""

    title: str = ""
    text: str = ""
    author: str = ""
    language: str = ""
    repeated: bool = False

    @property
    def all(self) -> str:
        return "\n".join((self.title, self.text, self.author))


Rule = Callable[[Words, ReviewSettings], bool]

_TLD = "com|net|org|info|biz|shop|store|xyz|top|site|online|club|ru|cn|io|co|me|ly|gg|app|dev|eu|uk|de|fi|se|no|dk|jp"
_ADDRESS = re.compile(rf"https?://|\bwww\.\w|\b[\w-]{{2,}}(?:\.[\w-]{{2,}})*\.(?:{_TLD})(?:/|\b(?!\.?\w))", re.I)
_MAIL = re.compile(r"[\w.+-]+\s?(?:@|\(at\)|\[at\])\s?[\w-]+(?:\.[\w-]+)+", re.I)
_PHONE = re.compile(r"(?<![\w.,])(?:\+|00|0)\d(?:[ \-/().]{0,2}\d){6,13}(?![\w])")
_LONG_NUMBER = re.compile(r"(?<!\w)\d(?:[ -]?\d){12,18}(?!\w)")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?(?!\w)", re.I)


def _has_link(words: Words, settings: ReviewSettings) -> bool:
    return settings.hold_links and _ADDRESS.search(_MAIL.sub(" ", words.all)) is not None


def _is_personal(words: Words, settings: ReviewSettings) -> bool:
    if not settings.hold_personal:
        return False
    said = words.all
    numbers = (re.sub(r"\D", "", found[0]) for found in _LONG_NUMBER.finditer(said))
    accounts = (found[0].replace(" ", "").upper() for found in _IBAN.finditer(said))
    return (
        _MAIL.search(said) is not None
        or _PHONE.search(said) is not None
        or any(map(_is_card, numbers))
        or any(map(_is_iban, accounts))
    )


def _is_card(digits: str) -> bool:
    """ISO/IEC 7812: the Luhn sum."""
    doubled = [int(d) * (2 if at % 2 else 1) for at, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _is_iban(account: str) -> bool:
    """ISO 13616: the remainder is 1."""
    return int("".join(str(int(letter, 36)) for letter in account[4:] + account[:4])) % 97 == 1


def _has_word(words: Words, settings: ReviewSettings) -> bool:
    lists = (settings.words.get(words.language.partition("-")[0], ()), settings.words.get("any", ()))
    said = _folded(words.all)
    return any(_names(said, word) for listed in lists for word in listed)


def _names(said: str, word: str) -> bool:
    """A whole word; its beginning where it is written with `*` (Finnish inflects); anywhere in languages that write
    without spaces."""
    stem = _folded(word).rstrip("*")
    if any("\u3040" <= letter <= "\u9fff" for letter in word):
        return stem in said
    end = "" if word.endswith("*") else r"(?!\w)"
    return re.search(rf"(?<!\w){re.escape(stem)}{end}", said) is not None


def _folded(text: str) -> str:
    """As a reader takes it: full-width letters, accents set apart and invisible marks make no other word."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in plain if unicodedata.category(letter) != "Cf")


def _is_repeated(words: Words, settings: ReviewSettings) -> bool:
    return settings.hold_repeated and words.repeated


RULES: Mapping[str, Rule] = {LINK: _has_link, PERSONAL: _is_personal, WORD: _has_word, REPEATED: _is_repeated}


def reasons_to_hold(words: Words, settings: ReviewSettings) -> tuple[str, ...]:
    """Why a person should look at it first; empty where nothing objects."""
    return tuple(name for name, holds in RULES.items() if holds(words, settings))


def video_fault(address: str, settings: ReviewSettings) -> str:
    """`https` where it is no such address, `host` where the shop takes no videos from there; else empty."""
    try:
        found = urlsplit(address)
        host, port = (found.hostname or "").lower(), found.port
    except ValueError:
        return "https"
    if found.scheme != "https" or not host or port not in (None, 443) or "@" in found.netloc:
        return "https"
    return "" if host in settings.video_hosts else "host"

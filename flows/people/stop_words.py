"""Answers that are orders: STOP and its like as the whole of a message, in the languages we write in. Pure.

The words are those of the FCC's rule in force since 2025-04-11 (https://www.govinfo.gov/content/pkg/FR-2024-03-05)
and their counterparts (facts/messaging.md section 3). Anything longer is for a person to read.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum

_STOP = """
stop|stopall|stop all|quit|end|revoke|opt out|optout|opt-out|cancel|unsubscribe|remove me
lopeta|peruuta|poista|seis
stopp|avsluta|sluta|avregistrera|avbryt
abmelden|abbestellen|stoppen|beenden
arret|arreter|stop sms|desabonner
停止|配信停止|解除|ストップ|退会
توقف|إيقاف|ايقاف|إلغاء|الغاء الاشتراك|قف
"""
_START = """
start|unstop|subscribe|resume
aloita|tilaa|jatka
starta|fortsatt
anmelden
再開|登録
ابدأ|اشتراك
"""


class Order(StrEnum):
    STOP = "stop"
    START = "start"


def order_in(text: str) -> Order | None:
    """What a reply orders; `None` for one that a person must read.

    >>> [order_in(text) for text in ("Stop!", "LOPETA.", "Arrêt", "please stop the parcel", "")]
    [<Order.STOP: 'stop'>, <Order.STOP: 'stop'>, <Order.STOP: 'stop'>, None, None]
    """
    if len(text) > 200:
        return None
    plain = _plain(text)
    if plain in _STOPPING:
        return Order.STOP
    return Order.START if plain in _STARTING else None


def _plain(text: str) -> str:
    """Without case, accents, punctuation and other signs around and between the words."""
    apart = unicodedata.normalize("NFKD", text).casefold()
    kept = "".join(char if unicodedata.category(char)[0] in "LNZ" else "" if _mark(char) else " " for char in apart)
    return " ".join(kept.split())


def _mark(char: str) -> bool:
    return unicodedata.category(char)[0] in "MC" and char not in "\n\r\t"


def _words(lines: str) -> frozenset[str]:
    return frozenset(_plain(word) for line in lines.split("\n") for word in line.split("|") if word.strip())


_STOPPING, _STARTING = _words(_STOP), _words(_START)

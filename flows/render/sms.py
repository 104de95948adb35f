"""What an SMS is made of: its alphabet, its parts, and the characters that would make it dearer than it need be.

One character outside GSM 03.38 turns the whole text into UCS-2, whose parts hold less than half: the no-break space
that number formats write does (facts/messaging.md section 3, measured). Numbers: 3GPP TS 23.038 and 23.040.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from connector.model import Money

GSM = "GSM-7"
UCS2 = "UCS-2"
_SINGLE = {GSM: 160, UCS2: 70}
_JOINED = {GSM: 153, UCS2: 67}
"""Units of a part that is one of several: six octets of it say which."""
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
"""Each is an escape and a character: two units that no part's end may divide."""
_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_NOTHING = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\u202a-\u202e\u2066-\u2069\ufeff]")
_FOLDED = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4\u2039\u203a", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2022\u00b7", "-"),
        "\u2026": "...",
        "\u00d7": "x",
        "`": "'",
        "\t": " ",
    }
)


@dataclass(frozen=True, slots=True)
class Segments:
    """How a text is sent. `units` are septets (GSM-7) or UTF-16 code units (UCS-2); `left` fit into the last part.

    `dear` are the characters because of which it is UCS-2, each once, in order.
    """

    encoding: str
    units: int
    parts: int
    left: int
    dear: str = ""

    def cost(self, price: Money | None) -> Money | None:
        """What it costs at `price` a part, `None` where no price is known."""
        return None if price is None else Money(price.amount * Decimal(self.parts), price.currency)


def segments(text: str) -> Segments:
    """The alphabet and the number of parts of a text as it stands (`fold` it first).

    >>> segments("x" * 161).parts, segments("€" * 80).parts, segments("ş" * 70), segments("")
    (2, 1, Segments(encoding='UCS-2', units=70, parts=1, left=0, dear='ş'), Segments(encoding='GSM-7', units=0, parts=0, left=160, dear=''))
    """  # noqa: E501
    dear = "".join(dict.fromkeys(each for each in text if each not in _BASIC and each not in _EXTENDED))
    encoding = UCS2 if dear else GSM
    sizes = [_size(each, encoding) for each in text]
    units = sum(sizes)
    if units <= _SINGLE[encoding]:
        return Segments(encoding, units, 1 if text else 0, _SINGLE[encoding] - units, dear)
    parts, filled = _fill(sizes, _JOINED[encoding])
    return Segments(encoding, units, parts, _JOINED[encoding] - filled, dear)


def _size(character: str, encoding: str) -> int:
    if encoding == GSM:
        return 2 if character in _EXTENDED else 1
    return 2 if ord(character) > 0xFFFF else 1


def _fill(sizes: Iterable[int], room: int) -> tuple[int, int]:
    """Parts, and units in the last one. A character of two units goes whole into the next part."""
    parts, filled = 1, 0
    for size in sizes:
        if filled + size > room:
            parts, filled = parts + 1, 0
        filled += size
    return parts, filled


def fold(text: str) -> str:
    """The text with plain spaces and without invisible characters, and with plain quotes and dashes where that makes it
    GSM-7. A text in another script keeps its typography: it would gain nothing.

    >>> fold("1\\u00a0234,50 € – “hei”"), fold("注文は 1\\u00a0000 円…")
    ('1 234,50 € - "hei"', '注文は 1 000 円…')
    """
    plain = _SPACES.sub(" ", text)
    bare = _NOTHING.sub("", plain).translate(_FOLDED)
    return bare if segments(bare).encoding == GSM else plain

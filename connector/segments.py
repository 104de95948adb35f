"""Bytes that remember what they were put together from, so that they can be kept small and made again to the byte.

A finished e-mail is mostly base64: three bytes of text in four, which no compressor reads well. Kept as its segments it
takes half the room and half the time (facts/performance.md section 2.1: compression).
"""

from __future__ import annotations

import struct
from binascii import b2a_base64
from collections.abc import Iterable
from functools import lru_cache

_LINE = 76  # RFC 2045 section 6.8
_COUNT = struct.Struct("<I")
_HEAD = struct.Struct("<?I")


class Segmented(bytes):
    """The whole bytes. `segments` are (encoded, data): data that stands there as it is, or as base64 in lines."""

    segments: tuple[tuple[bool, bytes], ...]


def join(segments: Iterable[tuple[bool, bytes]]) -> Segmented:
    """Put together; an encoded segment becomes lines of 76 characters, divided by CRLF."""
    kept = tuple(segments)
    whole = Segmented(b"".join([_base64_lines(data) if encoded else data for encoded, data in kept]))
    whole.segments = kept
    return whole


def dump(whole: Segmented) -> bytes:
    """The segments as one text; `load` is the inverse."""
    parts = [_COUNT.pack(len(whole.segments))]
    for encoded, data in whole.segments:
        parts += (_HEAD.pack(encoded, len(data)), data)
    return b"".join(parts)


def load(dumped: bytes) -> Segmented:
    """Raises `ValueError` for bytes that `dump` did not make."""
    found, at = [], _COUNT.size
    try:
        for _ in range(_COUNT.unpack_from(dumped)[0]):
            encoded, length = _HEAD.unpack_from(dumped, at)
            at += _HEAD.size
            found.append((encoded, dumped[at : at + length]))
            at += length
    except struct.error as error:
        raise ValueError("not what was kept of segments") from error
    if at != len(dumped):
        raise ValueError("not what was kept of segments")
    return join(found)


def _base64_lines(data: bytes) -> bytes:
    text = b2a_base64(data, newline=False)
    whole = len(text) // _LINE * _LINE
    rows = b"\r\n".join(_rows(whole // _LINE).unpack_from(text))
    rest = text[whole:]
    return b"".join((rows, b"\r\n" if rows and rest else b"", rest))


@lru_cache(maxsize=1024)
def _rows(count: int) -> struct.Struct:
    # One call cuts a whole body into lines, in a fifth of the time of slicing.
    return struct.Struct(f"{_LINE}s" * count)

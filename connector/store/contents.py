"""Frozen contents of messages as they are kept: those of ours by their segments, others as they are, both packed."""

from __future__ import annotations

from connector import segments
from connector.errors import StoreUnavailable
from connector.store.packing import pack, unpack

_SEGMENTED = 16
"""Added to the encoding of `packing` where segments were packed."""


def pack_content(content: bytes) -> tuple[int, bytes]:
    """`(encoding, bytes)` to keep."""
    if not isinstance(content, segments.Segmented):
        return pack(content)
    encoding, packed = pack(segments.dump(content))
    return encoding + _SEGMENTED, packed


def unpack_content(encoding: int, packed: bytes) -> bytes:
    """The inverse of `pack_content`, to the byte. Raises `StoreUnavailable` for bytes that are damaged."""
    if encoding < _SEGMENTED:
        return unpack(encoding, packed)
    try:
        return segments.load(unpack(encoding - _SEGMENTED, packed))
    except ValueError as error:
        raise StoreUnavailable("a stored message cannot be put together: the database is damaged") from error

"""Compression of bodies: zstd level 1 (a 10 kB order shrinks to a fifth in about 20 µs, facts/performance.md)."""

from __future__ import annotations

import threading

import zstandard

from connector.errors import StoreUnavailable

PLAIN, ZSTD = 0, 1
_SMALLEST = 512
_local = threading.local()  # (de)compressors must not be shared by threads


def pack(data: bytes) -> tuple[int, bytes]:
    """`(encoding, bytes)`; short or incompressible data stays as it is."""
    if len(data) <= _SMALLEST:
        return PLAIN, data
    compressor = getattr(_local, "compressor", None)
    if compressor is None:
        compressor = _local.compressor = zstandard.ZstdCompressor(level=1)
    packed: bytes = compressor.compress(data)
    return (ZSTD, packed) if len(packed) < len(data) else (PLAIN, data)


def unpack(encoding: int, data: bytes) -> bytes:
    """The inverse of `pack`. Raises `StoreUnavailable` for bytes that are damaged."""
    if encoding == PLAIN:
        return data
    decompressor = getattr(_local, "decompressor", None)
    if decompressor is None:
        decompressor = _local.decompressor = zstandard.ZstdDecompressor()
    try:
        return bytes(decompressor.decompress(data))
    except zstandard.ZstdError as error:
        raise StoreUnavailable("a stored body cannot be unpacked: the database is damaged") from error

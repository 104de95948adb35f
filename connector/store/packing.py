"""Compression of bodies: zstd level 1 (a 10 kB order shrinks to a fifth in about 20 µs, facts/performance.md)."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import zstandard

from connector.errors import StoreUnavailable

PLAIN, ZSTD = 0, 1
_SMALLEST = 512
_local = threading.local()  # (de)compressors must not be shared by threads


def pack(data: bytes) -> tuple[int, bytes]:
    """`(encoding, bytes)`; short or incompressible data stays as it is."""
    if len(data) <= _SMALLEST:
        return PLAIN, data
    return _shorter(data, _compressor().compress(data))


def pack_all(datas: Sequence[bytes]) -> list[tuple[int, bytes]]:
    """`pack` of each, with one release of the interpreter's lock for all: under load each costs the caller a turn."""
    long: list[bytes | bytearray | memoryview] = [data for data in datas if len(data) > _SMALLEST]
    packed = iter(_compressor().multi_compress_to_buffer(long, threads=0) if long else ())
    return [_shorter(data, next(packed).tobytes()) if len(data) > _SMALLEST else (PLAIN, data) for data in datas]


def _shorter(data: bytes, packed: bytes) -> tuple[int, bytes]:
    return (ZSTD, packed) if len(packed) < len(data) else (PLAIN, data)


def _compressor() -> zstandard.ZstdCompressor:
    compressor: zstandard.ZstdCompressor | None = getattr(_local, "compressor", None)
    if compressor is None:
        compressor = _local.compressor = zstandard.ZstdCompressor(level=1)
    return compressor


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

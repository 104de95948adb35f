"""Encoding of the model: the only importer of msgspec outside the modules that parse platform payloads.

msgspec reads and writes dataclasses natively, checks types while decoding and turns Decimal and datetime into
text, so a round trip through here is also a type check of what an adapter built.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from connector.errors import MalformedPayload

T = TypeVar("T")

_encoder = msgspec.json.Encoder(decimal_format="string", order=None)


_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    found = _decoders.get(kind)
    if found is None:
        found = _decoders[kind] = msgspec.json.Decoder(kind)
    return found


def encode(value: object) -> bytes:
    """Compact UTF-8 JSON of a model object, mapping or list."""
    return _encoder.encode(value)


def encode_text(value: object) -> str:
    return _encoder.encode(value).decode()


def decode(data: bytes | str, kind: type[T]) -> T:
    """Read `data` as `kind`. Raises `MalformedPayload` naming the path of the first fault."""
    try:
        return _decoder(kind).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedPayload(str(error)) from error


def convert(value: object, kind: type[T]) -> T:
    """Turn plain builtins (a parsed TOML table) into `kind`. Raises `MalformedPayload`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise MalformedPayload(str(error)) from error


def builtins(value: object) -> Any:
    """The JSON-like form of a model object: dicts, lists, text, numbers."""
    return msgspec.to_builtins(value)

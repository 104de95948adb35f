"""`kit.toml`: what the kit must know of a platform, beside its adapter, so that any installed adapter can be checked.

unknown_topic = "unheard/of"            # a topic the adapter does not know
foreign_shop = "somebody-else.example"  # how another shop would be named
recordings = "recordings"               # folders, from this file
exchanges = "exchanges"
hosts = ["cdn.acme.com"]                # the platform's own domains, which recordings may name

[shop]                                  # fields of connector.model.Shop; id, client_id and platform are given
domain = "acme.test"
name = "Acme"

[signature]
header = "x-acme-signature"
scheme = "hmac-sha256-base64"           # or hmac-sha256-hex, or "package.module:function" of (body, secret) -> text

[headers]                               # what is left out the platform does not send
topic = "x-acme-topic"
shop = "x-acme-shop"
delivery = "x-acme-delivery"
single = ["x-acme-topic"]

[fields]                                # dotted paths, where the signed body says it instead of a header
shop = "channel"

[credentials]                           # invented, for the recorded HTTP
access_token = "kit-access-token"

[unrecorded]                            # methods without recorded HTTP, and why
add_note = "the test server has no notes"
"""

from __future__ import annotations

import base64
import hmac
import inspect
import tomllib
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from connector import codec
from connector.contracts import PlatformAdapter
from connector.errors import ConfigError, MalformedPayload, near
from connector.model import Shop
from connector.registry import Registry
from connector.testing.platform import PlatformConformance

FILE = "kit.toml"
_TOP = ("unknown_topic", "foreign_shop", "recordings", "exchanges", "hosts")
_TABLES: Mapping[str, tuple[str, ...]] = {
    "shop": (),
    "signature": ("header", "scheme"),
    "headers": ("topic", "shop", "delivery", "single"),
    "fields": ("shop", "delivery"),
    "credentials": (),
    "unrecorded": (),
}
Sign = Callable[[bytes, bytes], str]


def _base64(body: bytes, secret: bytes) -> str:
    return base64.b64encode(hmac.digest(secret, body, "sha256")).decode()


def _hexadecimal(body: bytes, secret: bytes) -> str:
    return hmac.digest(secret, body, "sha256").hex()


_SCHEMES: Mapping[str, Sign] = {"hmac-sha256-base64": _base64, "hmac-sha256-hex": _hexadecimal}


def conformance_of(
    name: str,
    *,
    recordings: Path | None = None,
    exchanges: Path | None = None,
    registry: Registry | None = None,
) -> type[PlatformConformance]:
    """The kit for an installed adapter, by the name of its entry point: `TestAcme = conformance_of("acme")`.

    Its settings are those of the `kit.toml` beside the adapter; `recordings` and `exchanges` stand in for the folders
    named there. Raises `ConfigError` for a name nobody installed (with a near match) and for a kit.toml that is
    missing or wrong.
    """
    adapter = type((registry or Registry()).platform(name))
    folder = Path(inspect.getfile(adapter)).parent
    where = f"{folder.name}/{FILE}"
    if not (folder / FILE).is_file():
        raise ConfigError(
            f"the adapter '{name}' has no {FILE} beside its module: docs/adding-a-platform.md shows one", where=where
        )
    with (folder / FILE).open("rb") as file:
        try:
            found = tomllib.load(file)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"is no TOML: {error}", where=where) from None
    _check(found, where)
    return _kit(name, adapter, found, where, recordings, exchanges, folder)


def _kit(
    name: str,
    adapter: type[PlatformAdapter],
    found: Mapping[str, Any],
    where: str,
    recordings: Path | None,
    exchanges: Path | None,
    folder: Path,
) -> type[PlatformConformance]:
    headers, fields, signature = (found.get(table, {}) for table in ("headers", "fields", "signature"))
    tapes = exchanges or folder / found.get("exchanges", "exchanges")
    sign = _scheme(signature.get("scheme", ""), where)
    attributes: dict[str, Any] = {
        "__doc__": f"The conformance kit for '{name}', as its {FILE} says.",
        "recordings": recordings or folder / found.get("recordings", "recordings"),
        "exchanges": tapes if tapes.is_dir() else None,
        "shop": _shop(name, found.get("shop", {}), where),
        "signature_header": signature.get("header", "").lower(),
        "topic_header": headers.get("topic", "").lower(),
        "shop_header": headers.get("shop", "").lower(),
        "delivery_header": headers.get("delivery", "").lower(),
        "repeat_refused": tuple(header.lower() for header in headers.get("single", ())),
        "shop_field": fields.get("shop", ""),
        "delivery_field": fields.get("delivery", ""),
        "hosts": tuple(found.get("hosts", ())),
        "credentials": found.get("credentials", {}),
        "unrecorded": found.get("unrecorded", {}),
        "make_adapter": lambda _: adapter(),
        "sign": lambda _, body, secret: sign(body, secret),
    }
    attributes |= {key: found[key] for key in ("unknown_topic", "foreign_shop") if key in found}
    return cast(type[PlatformConformance], type(f"{adapter.__name__}Conformance", (PlatformConformance,), attributes))


def _check(found: Mapping[str, Any], where: str) -> None:
    if not found.get("signature", {}).get("header"):
        raise ConfigError("signature.header is missing: the header that carries the signature", where=where)
    for key, value in found.items():
        if key not in (*_TOP, *_TABLES):
            raise ConfigError(f"unknown key '{key}'{near(key, (*_TOP, *_TABLES))}", where=where)
        if key in _TABLES and not isinstance(value, dict):
            raise ConfigError(f"{key} should be a table", where=where)
        known = _TABLES.get(key, ())
        if known and (wrong := sorted(set(value) - set(known))):
            raise ConfigError(f"unknown key '{key}.{wrong[0]}'{near(wrong[0], known)}", where=where)


def _shop(name: str, table: Mapping[str, Any], where: str) -> Shop:
    given = {"id": "kit-shop", "client_id": "kit", "platform": name, "name": name, **table}
    try:
        return codec.convert(given, Shop)
    except MalformedPayload as error:
        raise ConfigError(f"shop: {error}", where=where) from None


def _scheme(text: str, where: str) -> Sign:
    if text in _SCHEMES:
        return _SCHEMES[text]
    module, colon, function = text.partition(":")
    if not colon:
        raise ConfigError(
            f"signature.scheme '{text}' is none of {', '.join(_SCHEMES)} and no package.module:function"
            f"{near(text, _SCHEMES)}",
            where=where,
        )
    try:
        return cast(Sign, getattr(import_module(module), function))
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"signature.scheme '{text}' cannot be loaded: {error}", where=where) from error

"""shopify.app.toml, written from app.toml. Pure.

The keys are those of Shopify CLI 4.8 (facts/shopify.md section 2.2; shopify.dev/docs/apps/build/cli-for-apps/
app-configuration; shopify.dev/docs/apps/build/metaobjects/manage-metaobjects). The CLI reads only files of this name,
so ours never collide with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from platforms.shopify.adapter import TOPICS
from platforms.shopify.install import OPTIONAL_SCOPES, REQUIRED_SCOPES
from platforms.shopify.records import NEWEST

API_VERSION = "2026-10"
COMPLIANCE = ("customers/data_request", "customers/redact", "shop/redact")
"""Topics that exist in this file alone and are mandatory in the App Store (facts/shopify.md section 1.1)."""

# The scope a topic needs beyond those that are required; a topic is left out until its scope is asked for.
TOPIC_SCOPES = {
    "customers/merge": "read_customer_merge",
    **dict.fromkeys((topic for topic in TOPICS if topic.startswith("returns/")), "read_returns"),
}

Toml: TypeAlias = "str | bool | Sequence[str] | Mapping[str, Toml] | Sequence[Mapping[str, Toml]]"

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_MOST_NAME, _MOST_HANDLE = 30, 256


@dataclass(frozen=True, slots=True, kw_only=True)
class AppFile:
    """What the file is made of. `base_url` is where Kiitos is reached, `hook_url` where webhooks of the whole app go.

    `added_scopes` are asked for at install beside the required ones. `all_topics`: subscribe in this file, too, to what
    the worker subscribes to store by store; compliance topics are always in it.
    """

    client_id: str
    base_url: str
    hook_url: str
    name: str = "Kiitos"
    handle: str = ""
    embedded: bool = True
    added_scopes: Sequence[str] = ()
    proxy_subpath: str = "kiitos"
    all_topics: bool = True


def document(app: AppFile) -> dict[str, Any]:
    """The file as nested tables, in the order in which people read it."""
    asked = sorted({*REQUIRED_SCOPES, *app.added_scopes})
    key = app.hook_url.rpartition("/")[2]
    found: dict[str, Any] = {"client_id": app.client_id, "name": app.name[:_MOST_NAME]}
    if app.handle:
        found["handle"] = app.handle[:_MOST_HANDLE]
    return {
        **found,
        "application_url": f"{app.base_url}/connect/from/shopify",
        "embedded": app.embedded,
        "access_scopes": {
            "scopes": ",".join(asked),
            "optional_scopes": [scope for scope in OPTIONAL_SCOPES if scope not in asked],
        },
        "auth": {"redirect_urls": [f"{app.base_url}/connect/return/shopify"]},
        "webhooks": {"api_version": API_VERSION, "subscriptions": _subscriptions(app, asked)},
        "app_proxy": {"url": f"{app.base_url}/p/proxy/{key}", "subpath": app.proxy_subpath, "prefix": "apps"},
        "product": {"metafields": {"app": {NEWEST: _newest()}}},
        "metaobjects": {"app": {"review": _review()}},
    }


def _subscriptions(app: AppFile, asked: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"compliance_topics": list(COMPLIANCE), "uri": app.hook_url}]
    if app.all_topics:
        heard = [t for t in TOPICS if t not in COMPLIANCE and TOPIC_SCOPES.get(t, "") in ("", *asked)]
        found.append({"topics": sorted(heard), "uri": app.hook_url})
    return found


def _newest() -> dict[str, Any]:
    """The list that the block of the theme reads (`platforms.shopify.theming`)."""
    return {
        "name": "Newest reviews",
        "type": "list.metaobject_reference<$app:review>",
        "access": {"admin": "merchant_read", "storefront": "public_read"},
    }


def _review() -> dict[str, Any]:
    """Where reviews go (`platforms.shopify.reviews`)."""
    kinds = {
        "product": "product_reference",
        "rating": "rating",
        "title": "single_line_text_field",
        "body": "multi_line_text_field",
        "author": "single_line_text_field",
        "submitted_at": "date_time",
        "disclosure": "single_line_text_field",
        "answer": "multi_line_text_field",
        "verified": "boolean",
        "photos": "list.url",
    }
    fields: dict[str, dict[str, Any]] = {
        name: {"name": name.replace("_", " ").capitalize(), "type": kind} for name, kind in kinds.items()
    }
    fields["rating"]["validations"] = {"scale_min": "1.0", "scale_max": "5.0"}
    return {
        "name": "Review",
        "display_name_field": "title",
        "access": {"admin": "merchant_read_write", "storefront": "public_read"},
        "capabilities": {"publishable": True},
        "fields": fields,
    }


def to_toml(found: Mapping[str, Any]) -> str:
    """TOML 1.0 for texts, truth values, lists of texts, tables and lists of tables."""
    return "\n".join(_table((), found)).strip() + "\n"


def _table(path: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[str]:
    """Plain values first: after a table's head they would belong to it."""
    plain = {key: value for key, value in table.items() if not _is_table(value)}
    if path and (plain or not table):
        yield f"\n[{'.'.join(path)}]"
    for key, value in plain.items():
        yield f"{_key(key)} = {_value(value)}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _table((*path, _key(key)), value)
        elif _is_table(value):
            for row in value:
                yield f"\n[[{'.'.join((*path, _key(key)))}]]"
                yield from (f"{_key(name)} = {_value(item)}" for name, item in row.items())


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    items = ", ".join(_text(item) for item in value)
    return f"[{items}]" if len(items) < 80 else "[\n" + "".join(f"  {_text(item)},\n" for item in value) + "]"


def _text(text: str) -> str:
    """A basic string. JSON's escapes are TOML's, but for DEL, which TOML wants escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

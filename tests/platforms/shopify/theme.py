"""A product's page in a Shopify theme: our block rendered by a Liquid engine, with what the fake shop keeps.

Shopify's own additions to Liquid are here as far as the block needs them: `t`, `json`, `date` by name, `$app` for the
app's namespace, and metafields whose values are of their types (https://shopify.dev/docs/api/liquid/objects/metafield).
A metaobject that is a draft, or was deleted, is not in a list.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from html import escape
from typing import Any

from liquid import Environment

from connector.testing.fakes.shopify import FakeShopify
from connector.testing.fakes.shopify.state import Json, gid
from platforms.shopify import app_file, theming

BLOCK = "blocks/reviews.liquid"
_KINDS = {name: field["type"] for name, field in app_file._review()["fields"].items()}
_OWN_TAGS = re.compile(r"{%-?\s*(schema|stylesheet)\s*-?%}(.*?){%-?\s*end\1\s*-?%}", re.DOTALL)


def tag(name: str) -> str:
    """What stands between Shopify's tags `schema` or `stylesheet` of the block."""
    return next(found[2] for found in _OWN_TAGS.finditer(theming.block()[BLOCK]) if found[1] == name)


def settings(**changed: Any) -> dict[str, Any]:
    """The block's settings as the theme editor has them at first."""
    return {each["id"]: each.get("default") for each in json.loads(tag("schema"))["settings"]} | changed


def render(fake: FakeShopify, product_id: str, *, language: str = "en", source: str = "", **changed: Any) -> str:
    """The block's HTML in that product's page. `source`: another text of the block."""
    engine = Environment(autoescape=False)
    words = _words(language)

    def date(value: Any, shape: str = "", *, format: str = "") -> str:  # noqa: A002 - Liquid's own name
        at = datetime.fromisoformat(str(value))
        return f"{at:{shape}}" if shape else f"{at:%B} {at.day}, {at.year}" if format == "date" else str(value)

    def translated(key: str, **values: Any) -> str:
        text = words[key]
        for name, value in values.items():
            text = text.replace("{{ " + name + " }}", escape(str(value)))
        assert "{{" not in text, text
        return text

    engine.add_filter("t", translated)
    engine.add_filter("json", lambda value: json.dumps(value, ensure_ascii=False))
    engine.add_filter("date", date)
    template = engine.from_string(_OWN_TAGS.sub("", source or theming.block()[BLOCK]))
    block = {"settings": settings(product=product(fake, product_id), **changed), "shopify_attributes": ""}
    return template.render(block=block, shop={"name": fake.name})


def product(fake: FakeShopify, product_id: str) -> Json:
    """As Liquid sees it."""
    row = fake.products[int(product_id)]
    owner, app = gid("Product", row["id"]), fake.app_namespace(None)
    fields: dict[str, dict[str, Any]] = {}
    for (whose, namespace, key), field in fake.metafields.items():
        if whose == owner:
            place = fields.setdefault("$app" if namespace == app else namespace, {})
            place[key] = {"value": _value(fake, field["type"], field["value"])}
    return {
        "id": row["id"],
        "title": row["article"].title,
        "url": f"/products/{row['handle']}",
        "metafields": fields,
    }


def _value(fake: FakeShopify, kind: str, text: str) -> Any:
    if kind == "rating":
        told = json.loads(text)
        return {"rating": float(told["value"]), "scale_max": told["scale_max"]}
    if kind == "number_integer":
        return int(text)
    if kind == "boolean":
        return text == "true"
    if kind == "list.url":
        return json.loads(text)
    if kind == "list.metaobject_reference":
        ids = [int(each.rpartition("/")[2]) for each in json.loads(text)]
        rows = [fake.metaobjects[each] for each in ids if each in fake.metaobjects]
        return [_fields(fake, row) for row in rows if row["status"] == "ACTIVE"]
    return text


def _fields(fake: FakeShopify, row: Json) -> Json:
    return {name: {"value": _value(fake, _KINDS[name], text)} for name, text in row["fields"].items()}


def _words(language: str) -> dict[str, str]:
    name = "en.default" if language == "en" else language
    told = json.loads(theming.block()[f"locales/{name}.json"])
    return {f"reviews.{key}": text for key, text in told["reviews"].items()}

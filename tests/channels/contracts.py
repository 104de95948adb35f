"""A prepared request against the provider's own published contract.

openapi-core drops unknown keys of forms, and most contracts allow extra keys of JSON: both are looked for here, at
every depth where the contract lists what there is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests
from openapi_core import OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest

from connector.testing.fakes.providers import form_fields
from connector.testing.fakes.web import Request

SPECS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "providers" / "provider_specs"
FREE_PREFIXES = ("h:", "v:")  # Mailgun's custom fields
FREE_TABLES = frozenset({"headers", "custom_args", "Metadata", "params", "variables"})


class Contract:
    """One provider's file. `check` returns what is wrong, nothing when all is well."""

    def __init__(self, name: str) -> None:
        self.document = json.loads((SPECS / name).read_text(encoding="utf-8"))
        self.api = OpenAPI.from_dict(self.document)

    def check(self, request: requests.PreparedRequest, path: str) -> list[str]:
        faults = []
        try:
            self.api.validate_request(RequestsOpenAPIRequest(request))
        except Exception as error:  # noqa: BLE001 - openapi-core has a dozen kinds and no root of its own
            cause = error.__cause__
            faults += [each.message for each in getattr(cause, "schema_errors", ())] or [f"{error!r}: {cause!r}"]
        content = self.of(self.document["paths"][path][str(request.method).lower()]["requestBody"])["content"]
        kind = str(request.headers["Content-Type"]).partition(";")[0]
        schema = self.of(content[kind]["schema"])
        body = request.body if isinstance(request.body, bytes) else str(request.body).encode()
        if kind == "application/json":
            return faults + list(self._strange(json.loads(body), schema, ""))
        # OpenAPI 3.1 writes an uploaded file as a string; openapi-core hands the file's bytes to the schema.
        faults = [each for each in faults if not (each.startswith("b'") and each.endswith("is not of type 'string'"))]
        fields = form_fields(Request("POST", path, (), {"content-type": str(request.headers["Content-Type"])}, body))
        faults += [f"{name!r} is a required property" for name in schema.get("required", ()) if name not in fields]
        known = schema["properties"]
        return faults + [f"unknown key {n!r}" for n in fields if n not in known and not n.startswith(FREE_PREFIXES)]

    def of(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            found: Any = self.document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            schema = found
        return schema

    def _strange(self, value: Any, schema: Mapping[str, Any], where: str) -> Iterator[str]:
        schema = self.of(schema)
        if isinstance(value, list) and "items" in schema:
            for item in value:
                yield from self._strange(item, schema["items"], where + "[]")
        if not isinstance(value, dict):
            return
        known = dict(schema.get("properties", {}))
        for part in schema.get("allOf", ()):
            known |= self.of(part).get("properties", {})
        for name, item in value.items():
            if known and name not in known:
                yield f"unknown key {where}.{name}"
            elif name in known and name not in FREE_TABLES:
                yield from self._strange(item, known[name], f"{where}.{name}")

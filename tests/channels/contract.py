"""A request against the provider's own published contract (an OpenAPI file in ../shared/data/providers).

openapi-core drops unknown keys of forms, and most contracts allow extra JSON keys; so keys are checked here as well.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from openapi_core import OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest
from openapi_core.exceptions import OpenAPIError

from flows.channels.posted import Call

SPECS = Path(__file__).resolve().parents[3] / "shared/data/providers/provider_specs"


class Contract:
    """One file; the test skips with one line where the folder is absent."""

    def __init__(self, name: str) -> None:
        file = SPECS / name
        if not file.is_file():
            pytest.skip(f"no provider contract {name} beside the checkout")
        self._document: dict[str, Any] = json.loads(file.read_text("utf-8"))
        self._api = OpenAPI.from_dict(self._document)  # type: ignore[arg-type]

    def problems(self, call: Call, template: str) -> list[str]:
        """What the contract says against a request to the path `template`; empty when it is right."""
        prepared = requests.Request("POST", call.url, data=call.body, headers=dict(call.headers)).prepare()
        found: list[str] = []
        try:
            self._api.validate_request(RequestsOpenAPIRequest(prepared))
        except OpenAPIError as error:
            cause = error.__cause__
            told = [each.message for each in getattr(cause, "schema_errors", [])]
            found += told or [f"{type(error).__name__}: {cause or error}"]
        kind = call.headers["Content-Type"].partition(";")[0]
        operation = self._document["paths"][template]["post"]
        schema = self._deref(self._deref(operation["requestBody"])["content"][kind]["schema"])
        known = dict(schema.get("properties", {}))
        for part in schema.get("allOf", []):
            known.update(self._deref(part).get("properties", {}))
        body = call.body.decode()
        keys = set(json.loads(body)) if kind == "application/json" else {key for key, _ in parse_qsl(body)}
        return [*found, *(f"unknown key {key}" for key in sorted(keys - set(known)) if known)]

    def _deref(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            target: Any = self._document
            for step in node["$ref"][2:].split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

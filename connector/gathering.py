"""What is known of a person as a file to hand on: JSON, and a CSV a table, in one zip (GDPR Art. 15, 20)."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connector.clock import to_text
from connector.lists.spreadsheet import guard
from flows.sending.addressing import derive_token

README = """Everything Kiitos holds about one person in the shop {shop}.

data.json      all of it
<table>.csv    the same, one file a table, for a spreadsheet
photos/        pictures they sent with reviews, returns and complaints

Gathered {at} for request {request}. It is personal data: hand it to the person who asked, then delete it.
"""


_LEFT_OUT = frozenset({"shop_id", "picture", "small"})
"""Columns that are no words: pictures go into the file as they are."""


def export_token(salt: bytes, shop_id: str, request_id: str) -> str:
    """Where the shop's owner fetches the file of a request: `/p/data/<token>`."""
    return derive_token(salt, "link", shop_id, "data", request_id)


def pack_export(shop_id: str, request_id: str, at: datetime, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> bytes:
    """The zip's bytes. Tables without rows are left out of the CSVs and are empty lists in the JSON."""
    sent = [*rows.get("review_photos", ()), *rows.get("case_photos", ())]
    photos = {f"photos/{row['photo_id']}.jpg": bytes(row["picture"]) for row in sent}
    plain = {table: [_plain(row) for row in found] for table, found in rows.items()}
    document = {"shop": shop_id, "request": request_id, "gathered_at": to_text(at), "data": plain}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:

        def put(name: str, text: str) -> None:
            # The time of the gathering, not of the machine: the same rows give the same bytes.
            archive.writestr(zipfile.ZipInfo(name, at.timetuple()[:6]), text, zipfile.ZIP_DEFLATED)

        put("README.txt", README.format(shop=shop_id, at=to_text(at), request=request_id))
        put("data.json", json.dumps(document, ensure_ascii=False, indent=2))
        for name, picture in photos.items():
            archive.writestr(zipfile.ZipInfo(name, at.timetuple()[:6]), picture)
        for table, found in plain.items():
            if found:
                put(f"{table}.csv", _csv(found))
    return target.getvalue()


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items() if name not in _LEFT_OUT}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_text(value)
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)  # snapshots are JSON: nested, they can be read
        except ValueError:
            return value
    return value


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    target = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(target, names)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(row.get(name)) for name in names})
    return target.getvalue()


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    return guard(text)

"""The stock stack: plain Flask under gunicorn gthread, one transaction per request. What a tutorial builds.

Runs in .cache/bench-venv; imports nothing of the product. Same table, same durability (synchronous=FULL), same answer.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask, Response, request
from sql import PRAGMAS, statements

SECRET = os.environ["BENCH_SECRET"].encode()
DATABASE = os.environ["BENCH_DATABASE"]
SQL = statements(Path(os.environ["BENCH_SQL"]))

app = Flask(__name__)
_local = threading.local()


def connection() -> sqlite3.Connection:
    """One connection per thread, in autocommit mode: each insert is its own transaction."""
    if not hasattr(_local, "db"):
        _local.db = sqlite3.connect(DATABASE, isolation_level=None)
        for pragma in PRAGMAS:
            _local.db.execute(pragma)
    return _local.db  # type: ignore[no-any-return]


connection().execute(SQL["schema"])


@app.get("/healthz")
def healthz() -> Response:
    return Response(status=200)


@app.post("/hooks/shopify/<endpoint>")
def receive(endpoint: str) -> Response:
    body = request.get_data()
    expected = base64.b64encode(hmac.new(SECRET, body, hashlib.sha256).digest()).decode()
    if not hmac.compare_digest(expected, request.headers.get("X-Shopify-Hmac-Sha256", "")):
        return Response(status=401)
    row = {
        "shop_id": endpoint,
        "topic": request.headers["X-Shopify-Topic"],
        "dedup_key": request.headers["X-Shopify-Webhook-Id"],
        "received_at": datetime.now(UTC).isoformat(),
        "headers": json.dumps({name: value for name, value in request.headers if name.startswith("X-Shopify-")}),
        "encoding": 0,
        "body": body,
    }
    connection().execute(SQL["insert"], row)
    return Response(status=200)

"""The Restate peer's own part: a durable handler that verifies, renders and sends. `-m bench.peers.restate_service`
serves it and tells the server about it until the server listens."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
import urllib.error
import urllib.request

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config
from restate.serde import BytesSerde

from bench.peers.confirming import confirm, signed

order = restate.Service("Order")


@order.handler(input_serde=BytesSerde(), accept="*/*")
async def placed(context: restate.Context, body: bytes) -> None:
    """Runs after the server has acknowledged and logged the call; is run again when it did not end."""
    headers = {name.lower(): value for name, value in context.request().headers.items()}
    if not signed(body, headers.get("x-shopify-hmac-sha256", "")):
        raise restate.TerminalError("wrong signature", 401)
    confirm(body)


@order.handler()
async def ready(_context: restate.Context) -> str:
    return "yes"


app = restate.app([order])


def register(admin: str, here: str) -> None:
    """Tells the server where this service is; tries for a minute, because both start together."""
    body = json.dumps({"uri": here, "force": True}).encode()
    request = urllib.request.Request(f"{admin}/deployments", body, {"content-type": "application/json"})
    for _ in range(600):
        try:
            with urllib.request.urlopen(request, timeout=10):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit("the Restate server took no deployment")


def main() -> None:
    port, admin = os.environ["BENCH_SERVICE_PORT"], os.environ["BENCH_ADMIN"]
    threading.Thread(target=register, args=(admin, f"http://127.0.0.1:{port}"), daemon=True).start()
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.loglevel = "WARNING"
    asyncio.run(serve(app, config))


if __name__ == "__main__":
    main()

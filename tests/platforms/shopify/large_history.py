"""Read a generated history of `argv[1]` orders; print how many, and the MB memory grew by after the first 2,000."""

from __future__ import annotations

import json
import resource
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from connector.clock import ManualClock
from connector.contracts import Access
from connector.model import Shop
from platforms.shopify import Shopify

TEN = {"amount": "10.00", "currencyCode": "EUR"}
MONEY = {"shopMoney": TEN, "presentmentMoney": TEN}
OPERATION = "gid://shopify/BulkOperation/1"
SINCE, UNTIL = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)


def rows(count: int) -> Iterator[dict[str, Any]]:
    for number in range(1, count + 1):
        order = f"gid://shopify/Order/{number}"
        yield {
            "id": order,
            "name": f"#{number}",
            "createdAt": "2025-11-02T08:00:00Z",
            "updatedAt": "2025-11-02T08:00:00Z",
            "displayFinancialStatus": "PAID",
            "displayFulfillmentStatus": "FULFILLED",
            "currencyCode": "EUR",
            "presentmentCurrencyCode": "EUR",
            "totalPriceSet": MONEY,
            "note": "x" * 800,
            "email": f"b{number}@example.test",
        }
        for line in range(2):
            gid = f"gid://shopify/LineItem/{number}{line}"
            yield {"id": gid, "title": "Muki", "quantity": 1, "originalUnitPriceSet": MONEY, "__parentId": order}


class Shop2026(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        for row in rows(int(sys.argv[1])):
            self.wfile.write(json.dumps(row).encode() + b"\n")
        self.close_connection = True

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["query"]
        url = f"http://127.0.0.1:{self.server.server_address[1]}/file"
        data: dict[str, Any] = {"bulkOperation": {"id": OPERATION, "status": "COMPLETED", "url": url, "fileSize": None}}
        if "bulkOperationRunQuery" in asked:
            data = {"bulkOperationRunQuery": {"bulkOperation": {"id": OPERATION}, "userErrors": []}}
        body = json.dumps({"data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def peak() -> int:
    """The most memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop2026)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shop = Shop(id="s", client_id="c", platform="shopify", domain="a.myshopify.com", name="A")
    url = f"http://127.0.0.1:{server.server_port}"
    access = Access(shop=shop, secrets={"access_token": "t"}, clock=ManualClock(UNTIL), base_url=url)
    platform, cursor, read, begun = Shopify(), None, 0, 0
    while True:
        page = platform.read_history(access, "order", SINCE, UNTIL, cursor)
        if any(one.fault for one in page.snapshots):
            raise SystemExit("an order could not be read")
        read += len(page.snapshots)
        if read >= 2000 and not begun:
            begun = peak()
        cursor = page.cursor
        if cursor is None:
            break
    print(read, peak() - begun)


if __name__ == "__main__":
    main()

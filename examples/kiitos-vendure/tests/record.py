"""Record what a real Vendure sends and answers: `python tests/record.py FOLDER-OF-THE-SERVER`.

Writes the recordings and tapes beside the adapter; then `KIITOS_UPDATE_GOLDENS=1 pytest` writes what they become.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from kiitos_vendure.platform import Vendure
from kiitos_vendure.testing import VendureShop

from connector.clock import SystemClock
from connector.contracts import Access
from connector.model import Shop
from connector.testing.capabilities import call_by_name
from connector.testing.fakes.web import LoopbackServer, Request, Response
from connector.testing.taping import Taping

PACKAGE = Path(__file__).parents[1] / "kiitos_vendure"


class Hook:
    """Keeps what the plug-in posts."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._came = threading.Condition()
        self.server = LoopbackServer(self._keep)

    def _keep(self, request: Request) -> Response:
        with self._came:
            self.bodies.append(request.body)
            self._came.notify_all()
        return Response(200, b"ok")

    def until(self, text: bytes) -> bytes:
        """The first delivery that holds the text."""
        with self._came:
            if not self._came.wait_for(lambda: any(text in body for body in self.bodies), 60):
                raise TimeoutError(f"no delivery with {text!r} came")
            return next(body for body in self.bodies if text in body)


def keep(topic: str, case: str, body: bytes) -> None:
    folder = PACKAGE / "recordings" / topic / case
    folder.mkdir(parents=True, exist_ok=True)
    headers = '{"Content-Type": "application/json"}'
    (folder / "request.json").write_text(f'{{"topic": "{topic}", "headers": {headers}}}\n')
    (folder / "body.json").write_bytes(body)


def main(installed: Path) -> None:
    hook = Hook()
    with hook.server, VendureShop(installed, hook_url=hook.server.url, secret="kit") as shop:  # noqa: S106
        order = shop.place_order("aino@example.test", "Aino", "Mäkinen", quantity=2)
        keep("order.placed", "paid_by_guest", hook.until(b'"topic":"order.placed"'))
        parcel = shop.ship(order, "JJFI0001")
        keep("order.changed", "shipped", hook.until(b'"state":"Shipped","createdAt"'))
        shop.move(parcel, "Delivered")
        keep("order.changed", "delivered", hook.until(b'"state":"Delivered","createdAt"'))
        with Taping(shop.url) as taping:
            seller = Shop(id="kit-shop", client_id="kit", platform="vendure", domain="vendure.example.test", name="V")
            secrets = {"access_token": shop.api_key}
            access = Access(shop=seller, secrets=secrets, clock=SystemClock(), base_url=taping.url)
            for case, order_id in (("delivered", order), ("gone", "404")):
                call_by_name(Vendure(), "fetch_order", access, {"order_id": order_id})
                file = PACKAGE / "exchanges" / "fetch_order" / f"{case}.json"
                taping.write(file, arguments={"order_id": order_id}, returns=None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""A real Vendure shop for tests: the server of server/server.js as a child process, and people who order by its API.

    with VendureShop(installed, hook_url="http://127.0.0.1:8000/hooks/vendure/KEY", secret="...") as shop:
        order = shop.place_order("aino@example.test", "Aino", "Mäkinen", quantity=2)
        shop.ship(order, "JJFI0001")

`installed` is the folder into which server/install.sh put the packages. The shop lives in memory and ends with us.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from connector.errors import ConfigError
from connector.testing.serving import free_port

SERVER = Path(__file__).resolve().parents[1] / "server" / "server.js"
STARTING = 180.0
"""Seconds the server may take to answer: 10 on an idle core, and tests share theirs."""

_DONE = "__typename ... on ErrorResult { errorCode message }"


def why_not(installed: Path) -> str:
    """What is missing for the server to run, in one line that says how to get it; empty when nothing is."""
    if shutil.which("node") is None:
        return "no node: apt-get install nodejs npm, then sh examples/kiitos-vendure/server/install.sh"
    if not any(installed.glob("installed-*")):
        return "Vendure is not installed: sh examples/kiitos-vendure/server/install.sh"
    return ""


class VendureShop:
    """A shop that sells one mug. `api_key` lets Kiitos read orders; `url` is where Shop and Admin API answer."""

    def __init__(self, installed: Path, *, hook_url: str, secret: str, domain: str = "vendure.example.test") -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.api_key = ""
        self._environ = {
            **os.environ,
            "NODE_PATH": str(installed / "node_modules"),
            "PORT": str(self._port),
            "KIITOS_URL": hook_url,
            "KIITOS_SECRET": secret,
            "KIITOS_SHOP": domain,
        }
        self._folder = installed
        self._process: subprocess.Popen[str] | None = None
        self._admin: dict[str, str] = {}
        self._variant = ""

    def __enter__(self) -> VendureShop:
        self._process = subprocess.Popen(  # noqa: S603 - our own server
            ["node", str(SERVER)],  # noqa: S607 - whichever node is on the path
            cwd=self._folder,
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self._wait_until_ready(self._process)
            self._furnish()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server: it leaves by itself when its standard input is closed. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()

    def _wait_until_ready(self, process: subprocess.Popen[str]) -> None:
        lines: queue.Queue[str] = queue.Queue()

        def listen() -> None:
            for line in process.stdout or ():
                lines.put(line)
            lines.put("")

        threading.Thread(target=listen, name="vendure-output", daemon=True).start()
        said = ""
        while not (line := self._next(lines)).startswith("ready "):
            said = line or said
            if not line:
                raise ConfigError(f"the Vendure server ended before it was ready: {said.strip()}")

    def _next(self, lines: queue.Queue[str]) -> str:
        try:
            return lines.get(timeout=STARTING)
        except queue.Empty:
            raise ConfigError(f"the Vendure server was not ready in {STARTING:.0f} s") from None

    # -- the merchant ----------------------------------------------------------------------------------------------

    def admin(self, text: str, **variables: Any) -> Any:
        """An operation of the Admin API, as the merchant; the value of its one field."""
        return _only(self._post("admin-api", text, variables, self._admin))

    def _furnish(self) -> None:
        login = 'mutation { login(username: "superadmin", password: "superadmin") { __typename } }'
        answer = self._post("admin-api", login, {}, {})
        self._admin = {"Authorization": f"Bearer {answer.headers['vendure-auth-token']}"}
        channel = self.admin("{ activeChannel { id } }")["id"]
        self.admin(
            f"mutation($i: UpdateChannelInput!) {{ updateChannel(input: $i) {{ {_DONE} }} }}",
            i={
                "id": channel,
                "availableCurrencyCodes": ["EUR"],
                "defaultCurrencyCode": "EUR",
                "pricesIncludeTax": True,
            },
        )
        mug = {"languageCode": "en", "name": "Muki", "slug": "muki", "description": ""}
        product = self.admin(
            "mutation($i: CreateProductInput!) { createProduct(input: $i) { id } }", i={"translations": [mug]}
        )["id"]
        variant = {
            "productId": product,
            "sku": "M-1",
            "price": 2490,
            "stockOnHand": 100,
            "translations": [{"languageCode": "en", "name": "Muki"}],
        }
        self._variant = self.admin(
            "mutation($i: [CreateProductVariantInput!]!) { createProductVariants(input: $i) { id } }", i=[variant]
        )[0]["id"]
        role = self.admin(
            "mutation($i: CreateRoleInput!) { createRole(input: $i) { id } }",
            i={"code": "kiitos", "description": "Kiitos", "permissions": ["ReadOrder", "ReadCustomer", "ReadCatalog"]},
        )["id"]
        made = self.admin(
            "mutation($i: CreateApiKeyInput!) { createApiKey(input: $i) { apiKey } }",
            i={"roleIds": [role], "translations": [{"languageCode": "en", "name": "Kiitos"}]},
        )
        self.api_key = made["apiKey"]

    def ship(self, order_id: str, tracking_code: str) -> str:
        """Pack all of the order and hand it to Posti; the fulfillment's id."""
        lines = self.admin("query($i: ID!) { order(id: $i) { lines { id quantity } } }", i=order_id)["lines"]
        handler = {
            "code": "manual-fulfillment",
            "arguments": [{"name": "method", "value": "Posti"}, {"name": "trackingCode", "value": tracking_code}],
        }
        wanted = {"lines": [{"orderLineId": line["id"], "quantity": line["quantity"]} for line in lines]}
        made = self.admin(
            "mutation($i: FulfillOrderInput!) { addFulfillmentToOrder(input: $i) "
            f"{{ ... on Fulfillment {{ id }} {_DONE} }} }}",
            i={**wanted, "handler": handler},
        )
        self.move(made["id"], "Shipped")
        return str(made["id"])

    def move(self, fulfillment_id: str, state: str) -> None:
        """Put a parcel in another state, such as Delivered."""
        self.admin(
            f"mutation($i: ID!, $s: String!) {{ transitionFulfillmentToState(id: $i, state: $s) {{ {_DONE} }} }}",
            i=fulfillment_id,
            s=state,
        )

    # -- the customer ----------------------------------------------------------------------------------------------

    def place_order(self, email: str, first_name: str, last_name: str, *, quantity: int = 1) -> str:
        """Order mugs through the Shop API as a guest, and pay; the order's id."""
        add = f"mutation($v: ID!, $n: Int!) {{ addItemToOrder(productVariantId: $v, quantity: $n) {{ {_DONE} }} }}"
        answer = self._post("shop-api", add, {"v": self._variant, "n": quantity}, {})
        session = {"Authorization": f"Bearer {answer.headers['vendure-auth-token']}"}

        def ask(text: str, **variables: Any) -> Any:
            return _only(self._post("shop-api", text, variables, session))

        who = {"emailAddress": email, "firstName": first_name, "lastName": last_name}
        ask(f"mutation($i: CreateCustomerInput!) {{ setCustomerForOrder(input: $i) {{ {_DONE} }} }}", i=who)
        where = {
            "fullName": f"{first_name} {last_name}",
            "streetLine1": "Keksittykatu 1",
            "city": "Helsinki",
            "postalCode": "00100",
            "countryCode": "FI",
            "phoneNumber": "+358 50 000 1234",
        }
        ask(f"mutation($i: CreateAddressInput!) {{ setOrderShippingAddress(input: $i) {{ {_DONE} }} }}", i=where)
        method = ask("{ eligibleShippingMethods { id } }")[0]["id"]
        ask(f"mutation($m: [ID!]!) {{ setOrderShippingMethod(shippingMethodId: $m) {{ {_DONE} }} }}", m=[method])
        ask(f'mutation {{ transitionOrderToState(state: "ArrangingPayment") {{ {_DONE} }} }}')
        pay = f"mutation($i: PaymentInput!) {{ addPaymentToOrder(input: $i) {{ ... on Order {{ id }} {_DONE} }} }}"
        return str(ask(pay, i={"method": "invoice", "metadata": {}})["id"])

    def _post(self, api: str, text: str, variables: Mapping[str, Any], headers: Mapping[str, str]) -> requests.Response:
        body = {"query": text, "variables": dict(variables)}
        return requests.post(f"{self.url}/{api}", json=body, headers=dict(headers), timeout=60)


def _only(answer: requests.Response) -> Any:
    """The value of the one field of an answer. Raises `ConfigError` for what Vendure refused."""
    found = answer.json()
    if found.get("errors"):
        raise ConfigError(f"Vendure refused: {json.dumps(found['errors'])[:300]}")
    (value,) = found["data"].values()
    if isinstance(value, dict) and "errorCode" in value:
        raise ConfigError(f"Vendure refused: {value['errorCode']}: {value['message']}")
    return value

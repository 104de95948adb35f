"""One trace from a webhook to its send, across two real processes, received by a real collector; nobody is named."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from connector import tracing
from connector.clock import SystemClock
from connector.testing.fakes.web import LoopbackServer, Request, Response
from connector.testing.serving import free_port
from tests.watching.conftest import APP, BODY, House

PATIENCE = 90.0


class Collector:
    """What an OTLP collector keeps: every span as it came, with its process's name."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.raw = b""

    def answer(self, request: Request) -> Response:
        assert request.path == "/v1/traces"
        self.raw += request.body
        told = ExportTraceServiceRequest()
        told.ParseFromString(request.body)
        for resource in told.resource_spans:
            service = {one.key: one.value.string_value for one in resource.resource.attributes}["service.name"]
            for scope in resource.scope_spans:
                self.spans += [
                    {
                        "name": span.name,
                        "service": service,
                        "trace": span.trace_id.hex(),
                        "id": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(),
                        "status": span.status.message,
                        "attributes": {
                            one.key: one.value.string_value or str(one.value.int_value) for one in span.attributes
                        },
                    }
                    for span in scope.spans
                ]
        return Response(200, b"", "application/x-protobuf")

    def named(self, name: str) -> dict[str, Any]:
        (found,) = [span for span in self.spans if span["name"] == name]
        return found


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    made = Collector()
    with LoopbackServer(made.answer) as server:
        yield made, server.url


def connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=30)


def wait(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, "the server ended"
        with contextlib.suppress(OSError), contextlib.closing(connect(port)) as client:
            client.request("GET", "/health")
            if client.getresponse().status == 200:
                return
        SystemClock().sleep(0.1)
    pytest.fail("the server did not come up")


def write_app(folder: Path, extra: str) -> Path:
    path = folder / "app.toml"
    text = APP.replace("#APP", extra).replace(
        'kind = "smtp"\nurl = "smtp://127.0.0.1:9"\ntls = "none"', 'kind = "memory"'
    )
    path.write_text(text, "utf-8")
    return path


def kiitos(folder: Path, *words: str) -> list[str]:
    return [str(Path(sys.executable).with_name("kiitos")), "-c", str(folder / "app.toml"), *words]


def deliver(port: int, path: str, secret: str) -> int:
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    body = json.dumps(
        json.loads(BODY.read_text("utf-8")) | {"created_at": now, "processed_at": now, "updated_at": now}
    ).encode()
    headers = {
        "X-Shopify-Topic": "orders/create",
        "X-Shopify-Shop-Domain": "acme.myshopify.com",
        "X-Shopify-Webhook-Id": "w1",
        "X-Shopify-Hmac-Sha256": base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode(),
        # a trace of the sender's is none of ours
        "traceparent": "00-11111111111111111111111111111111-2222222222222222-01",
    }
    with contextlib.closing(connect(port)) as client:
        client.request("POST", path, body, headers)
        return client.getresponse().status


def test_one_trace_goes_from_the_webhook_to_its_send(tmp_path: Path, collector: tuple[Collector, str]) -> None:
    seen, url = collector
    write_app(tmp_path, f'[app.traces]\nendpoint = "{url}"')
    port = free_port()
    environ = {**os.environ, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    serving = subprocess.Popen(kiitos(tmp_path, "serve", "--port", str(port)), cwd=tmp_path, env=environ)
    try:
        wait(port, serving)
        hook = json.loads(subprocess.check_output(kiitos(tmp_path, "shops", "list", "--json"), cwd=tmp_path))[0]
        secret = (tmp_path / "var" / "secret").read_text("utf-8").strip()
        path = hook["webhook_url"].partition("kiitos.example")[2]
        assert deliver(port, path, secret) == 200
        once = kiitos(tmp_path, "worker", "--once")
        worked = subprocess.run(once, cwd=tmp_path, env=environ, timeout=PATIENCE, capture_output=True, text=True)
        assert worked.returncode == 0, worked.stderr
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.wait(PATIENCE)

    line = ("receive", "store", "normalise", "run", "step", "effect", "render", "send")
    spans = {name: seen.named(name) for name in line if name != "step"}
    # Several runs begin with an order; the one that sent is the effect's parent.
    spans["step"] = next(span for span in seen.spans if span["id"] == spans["effect"]["parent"])
    assert {span["name"] for span in seen.spans} == set(line)
    assert {span["trace"] for span in seen.spans} == {spans["receive"]["trace"]}
    assert spans["receive"]["trace"] != "1" * 32
    above = {name: next((n for n, s in spans.items() if s["id"] == span["parent"]), "") for name, span in spans.items()}
    assert above == {
        "receive": "",
        "store": "receive",
        "normalise": "receive",
        "run": "receive",
        "step": "run",
        "effect": "step",
        "render": "effect",
        "send": "effect",
    }
    services = {name: span["service"].removeprefix("kiitos-") for name, span in spans.items()}
    assert services == {name: "serve" if name in ("receive", "store") else "worker" for name in line}
    assert spans["send"]["attributes"]["kiitos.outcome"] == "accepted"
    assert spans["effect"]["attributes"]["kiitos.flow"] == "order-confirmation"
    order = json.loads(BODY.read_text("utf-8"))
    for secret_word in (order["email"], order["customer"]["first_name"], order["shipping_address"]["address1"]):
        assert secret_word.encode() not in seen.raw


def test_off_nothing_is_imported_and_nothing_is_kept(house: House) -> None:
    kiitos_ = house.open()
    house.order(kiitos_, "a")
    house.until(kiitos_, minutes=1)
    with kiitos_.store.work.read() as tx:
        assert tx._cursor.execute("SELECT COUNT(*) FROM run_traces").fetchone()[0] == 0
    code = "import sys, connector.worker, connector.app, connector.tracing; print('opentelemetry' in sys.modules)"
    told = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=Path(__file__).parents[2])
    assert told.strip() == "False"


@pytest.fixture
def traced(collector: tuple[Collector, str]) -> Iterator[Collector]:
    seen, url = collector
    tracing.configure(url, "test")
    yield seen
    tracing.close()


def test_what_fails_is_marked_by_its_type_alone(traced: Collector) -> None:
    root = tracing.begin("receive", "")
    with pytest.raises(ValueError), tracing.span("run", root):  # noqa: PT011
        raise ValueError("aino@example.com")
    tracing.end(root, "not stored", failed=True)
    tracing.end(root)
    tracing.close()
    assert traced.named("run")["status"] == "ValueError"
    assert traced.named("receive")["attributes"] == {"kiitos.outcome": "not stored"}
    assert b"aino" not in traced.raw


def test_without_a_delivery_there_is_no_trace(traced: Collector) -> None:
    with tracing.span("run"):
        assert tracing.current() == ""
    tracing.close()
    assert traced.spans == []


def test_a_share_of_none_keeps_nothing(collector: tuple[Collector, str]) -> None:
    seen, url = collector
    tracing.configure(url, "test", share=0.0)
    assert tracing.begin("receive", "") == ""
    tracing.close()
    assert seen.spans == []


def test_a_run_that_sleeps_goes_on_in_its_trace(house: House, traced: Collector) -> None:
    """What time moves days later belongs to the trace of the order."""
    kiitos_ = house.open()
    root = tracing.begin("receive", "")
    house.trace = root
    house.order(kiitos_, "a")
    house.until(kiitos_, days=1)
    tracing.end(root)
    tracing.close()
    assert {span["trace"] for span in traced.spans} == {root.split("-")[1]}
    assert {"normalise", "step", "send"} <= {span["name"] for span in traced.spans}

"""Flask takes the webhook, Celery sends the mail, Redis holds the queue: what a Python shop would build.

`BENCH_BROKER` names Redis. Late acknowledgement, so that a killed worker's tasks come again.
"""

from __future__ import annotations

import os
from typing import Any

import redis
from celery import Celery
from celery.signals import worker_ready
from flask import Flask, Response, request

from bench.peers.confirming import confirm, signed

BROKER = os.environ["BENCH_BROKER"]
READY = "bench:worker"
REDELIVERED_AFTER = 15
"""Seconds until Redis gives a dead worker's task to another; the default is an hour."""

tasks = Celery("bench", broker=BROKER)
tasks.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    broker_transport_options={"visibility_timeout": REDELIVERED_AFTER},
    broker_connection_retry_on_startup=True,
    worker_send_task_events=False,
)
web = Flask(__name__)
_redis = redis.Redis.from_url(BROKER)


@tasks.task
def send(body: str) -> None:
    confirm(body.encode())


@worker_ready.connect
def _ready(**_: Any) -> None:
    _redis.set(READY, 1)


@web.get("/healthz")
def healthz() -> Response:
    """200 once a worker is there too."""
    try:
        return Response(status=200 if _redis.get(READY) else 503)
    except redis.ConnectionError:
        return Response(status=503)


@web.post("/hooks/shopify/bench")
def receive() -> Response:
    body = request.get_data()
    if not signed(body, request.headers.get("X-Shopify-Hmac-Sha256", "")):
        return Response(status=401)
    send.apply_async((body.decode(),), task_id=request.headers["X-Shopify-Webhook-Id"])
    return Response(status=200)

"""The receiver put together, and the plain Flask road into it.

Both roads ask `webhooks.accept`. The Flask view needs any WSGI server and no event loop; production puts
`webhooks.wire` in front of it in the same process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Flask, Request, Response, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from connector import telling
from connector.clock import Clock
from connector.metrics import Metrics
from connector.registry import Registry
from connector.secrets import Vault
from connector.store.store import Store
from webhooks.accept import TIMED_OUT, TOO_LARGE, UNSIGNED, Acceptor, Answer
from webhooks.certificates import Certificates
from webhooks.checkpoint import Checkpointer
from webhooks.directory import Directory
from webhooks.doors import Doors
from webhooks.settings import ReceiverSettings
from webhooks.writer import DeliveryWriter

PREFIX = "/hooks/"
EXTENSION = "kiitos.receiver"
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Receiver:
    """Directory, writer, checkpoints and acceptor of one process. One a process: more writers make it slower
    (facts/performance.md §1). `start()` before serving, `close()` drains; both idempotent.
    """

    def __init__(
        self,
        store: Store,
        vault: Vault,
        registry: Registry,
        clock: Clock,
        settings: ReceiverSettings | None = None,
        metrics: Metrics | None = None,
        doors: Doors | None = None,
    ) -> None:
        self.store = store
        self.settings = settings or ReceiverSettings()
        self.metrics = metrics or Metrics()
        self.directory = Directory(store, vault, registry, clock, self.settings, doors)
        self.writer = DeliveryWriter(store, clock, self.settings, self.metrics)
        self.checkpointer = Checkpointer(store, self.writer, clock, self.settings, self.metrics)
        self.acceptor = Acceptor(self.directory, self.writer, clock, self.settings, self.metrics)
        self.metrics.watch("kiitos_inbox_queue_rows", "Deliveries waiting for a commit.", lambda: self.writer.depth)
        self._started = False

    def start(self, loop: asyncio.AbstractEventLoop | None = None, arrivals: Callable[[], int] = lambda: 0) -> None:
        """Read the directory and start the threads; the writer may share that of the running `loop`
        (`DeliveryWriter.start`).

        Raises `StoreUnavailable` when the database cannot be read."""
        if not self._started:
            self.directory.start()
            self.checkpointer.start()
            self.writer.start(loop, arrivals)
            self._started = True

    def close(self) -> None:
        """Store what is queued, then stop. Call it after the last request."""
        self.writer.close()
        self.checkpointer.close()
        self.directory.close()


def doors_of(
    channels: Mapping[str, Mapping[str, Any]], urls: Mapping[str, str], registry: Registry, clock: Clock
) -> Doors:
    """The doors of the configured channels, with certificates fetched from the public web."""

    def fetch(url: str) -> bytes:
        from connector.outside.posting import (
            fetch as over_https,
        )  # a server that never needs a certificate does without requests

        return over_https(url, now=clock.now())

    return Doors(channels, urls, registry, clock, Certificates(fetch))


def hooks_blueprint(receiver: Receiver) -> Blueprint:
    """`POST /hooks/<platform>/<key>` for any WSGI server. WSGI joins repeated headers with a comma, which no signature,
    topic or shop domain survives, so a repeated header is refused here as it is on the fast road.
    """
    blueprint = Blueprint("hooks", __name__)

    def hook(rest: str = "") -> Response:  # noqa: ARG001 - the acceptor reads the path itself
        return _response(_answer(receiver, request, request.path))

    for rule in (PREFIX, f"{PREFIX}<path:rest>"):
        blueprint.add_url_rule(
            rule,
            view_func=hook,
            methods=_METHODS,
            strict_slashes=True,
            merge_slashes=False,
            provide_automatic_options=False,
        )
    return blueprint


def told_blueprint(receiver: Receiver) -> Blueprint:
    """`POST /events` with `Authorization: Bearer ENDPOINT.SECRET`: a merchant tells events of their own.

    The same door as webhooks: the bytes are durable before the answer, and nothing is read before that.
    """
    blueprint = Blueprint("events", __name__)

    def tell() -> Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        endpoint = token.strip().rpartition(".")[0]
        if scheme.lower() != "bearer" or not endpoint or "/" in endpoint:
            return _response(receiver.acceptor.count(None, UNSIGNED))
        return _response(_answer(receiver, request, f"{PREFIX}{telling.PLATFORM}/{endpoint}"))

    blueprint.add_url_rule("/events", view_func=tell, methods=["POST"], provide_automatic_options=False)
    return blueprint


def _answer(receiver: Receiver, incoming: Request, path: str) -> Answer:
    acceptor = receiver.acceptor
    headers: dict[str, list[str]] = {}
    for name, value in incoming.headers.items():
        headers.setdefault(name.lower(), []).append(value)
    entry = acceptor.run(acceptor.admit(incoming.method, path, headers))
    if isinstance(entry, Answer):
        return acceptor.count(None, entry)
    incoming.max_content_length = receiver.settings.max_body
    try:
        body = incoming.get_data(cache=False)
    except RequestEntityTooLarge:
        return acceptor.count(entry, TOO_LARGE)
    except (ClientDisconnected, OSError):
        return acceptor.count(entry, TIMED_OUT)
    query = incoming.query_string.decode("latin-1")
    return acceptor.settle(entry, headers, body, query, incoming.method)


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers), content_type="text/plain; charset=utf-8")


def build_receiver_app(
    store: Store,
    vault: Vault,
    registry: Registry,
    clock: Clock,
    settings: ReceiverSettings | None = None,
    metrics: Metrics | None = None,
) -> Flask:
    """A Flask application with the hooks and the health pages; `receiver_of(app)` must be started before it serves."""
    app = Flask("kiitos_receiver", static_folder=None)
    mount_receiver(app, Receiver(store, vault, registry, clock, settings, metrics))
    return app


def mount_receiver(app: Flask, receiver: Receiver) -> None:
    """Add the hooks and the health pages to an application."""
    from webhooks.health import health_blueprint

    app.register_blueprint(hooks_blueprint(receiver))
    app.register_blueprint(told_blueprint(receiver))
    app.register_blueprint(health_blueprint(receiver))
    app.extensions[EXTENSION] = receiver


def receiver_of(app: Flask) -> Receiver:
    """The receiver mounted in an application. Raises `KeyError` when there is none."""
    receiver: Receiver = app.extensions[EXTENSION]
    return receiver

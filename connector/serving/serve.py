"""Serving an application: uvicorn, one worker under a supervisor, deliveries answered in its protocol.

    run_server("connector.app:create_app", "0.0.0.0", 8000, config="app.toml")

One worker on purpose: all receivers of a machine share one inbox, and a second writer process makes them all slower
(facts/performance.md §1 finding 3). More throughput means a faster disk, or PostgreSQL and more machines.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from connector import log, tracing
from connector.errors import ConfigError, KiitosError
from connector.serving import supervisor

if TYPE_CHECKING:
    from pathlib import Path
    from socket import socket

    from flask import Flask
    from uvicorn import Config as ServerConfig

    from webhooks.front import Front

CONFIG_VARIABLE = "KIITOS_CONFIG"
EX_CONFIG = 78  # sysexits.h


def create_asgi(app: Flask, *, threads: int = 10) -> Front:
    """The ASGI form of an application with a mounted receiver; starts and closes the receiver with its lifespan.

    `threads` serve the Flask side (pages, admin). Works under any ASGI server that knows lifespan.
    """
    # Here and not above: the supervisor, which runs `run_server`, serves nothing itself.
    from connector.pages import PHOTO_BODY, ROOMY
    from webhooks.front import Front
    from webhooks.receiver import receiver_of

    return Front(app, receiver_of(app), threads=threads, roomy=dict.fromkeys(ROOMY, PHOTO_BODY))


def server_config(app: Front, *, stop_timeout: int = 20, certificate: Path | None = None) -> ServerConfig:
    """How uvicorn serves `app`: `Server(server_config(app)).run(sockets=[...])`.

    `certificate` is one PEM file with its key: for tests, as in production a proxy speaks TLS.
    """
    from uvicorn import Config as ServerConfig

    from webhooks.wire import IDLE, HookProtocol

    return ServerConfig(
        app,
        http=HookProtocol,
        ws="none",
        interface="asgi3",
        lifespan="on",
        timeout_graceful_shutdown=stop_timeout,
        timeout_keep_alive=int(IDLE),
        ssl_certfile=certificate,
        # What a proxy says of the client is not believed without being told which proxy.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="error",
    )


def _watch(flask: Flask) -> None:
    """Alerts, where the operator wants any. The thread ends with the process."""
    kiitos = flask.extensions.get("kiitos")
    if kiitos is None:
        return  # a receiver of somebody's own
    from connector.keeping.ledgers import RECEIVER, announce
    from connector.watching.keeping_house import of_server

    announce(kiitos.store, kiitos.config, kiitos.clock, RECEIVER)

    warden = of_server(kiitos)
    if warden is not None:
        warden.start()


def _examine(flask: Flask) -> None:
    """Large files are checked while deliveries are taken; one that is damaged is marked, and no worker acts on it."""
    kiitos = flask.extensions.get("kiitos")
    if kiitos is None or not kiitos.store.unchecked:
        return
    from connector.working.integrity import Integrity

    check = Integrity(kiitos.store, kiitos.clock).check_the_rest
    threading.Thread(target=check, name="integrity", daemon=True).start()


def _trace(flask: Flask) -> None:
    kiitos = flask.extensions.get("kiitos")
    if kiitos is not None:
        traces = kiitos.config.app.seeing.traces
        tracing.configure(traces.endpoint, "serve", share=traces.share, headers=traces.headers)


def load_app(target: str, config: str) -> Front:
    """`load_flask`, wrapped for an ASGI server."""
    return create_asgi(load_flask(target, config))


def load_flask(target: str, config: str) -> Flask:
    """Import `module:function` and call it with the path of the configuration.

    Raises `ConfigError` naming the target when it cannot be found.
    """
    module_name, _, name = target.partition(":")
    try:
        factory = getattr(import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"no application factory '{target}': {error}", where="serve") from error
    made: Flask = factory(config)
    return made


def _work(target: str, config: str, stop_timeout: int, listener: socket) -> int:
    """The worker's life; its exit code."""
    try:
        flask = load_flask(target, config)
        app = create_asgi(flask)
        _watch(flask)
        _trace(flask)
        _examine(flask)
    except KiitosError as error:  # one line for the operator; a worker that cannot start ends the server
        log.get_log("serve").error("cannot_start", code=error.code, reason=error.message)
        return EX_CONFIG
    # A delivery leaves no cycles behind, and what was imported stays: the collector need not look at them so often.
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    from uvicorn import Server

    server, parent = Server(server_config(app, stop_timeout=stop_timeout)), os.getppid()

    async def mind_parent() -> None:
        if os.getppid() != parent:  # the supervisor was killed: whoever starts another needs the port
            server.should_exit = True

    def stop(*_: Any) -> None:
        server.should_exit = True

    server.config.callback_notify, server.config.timeout_notify = mind_parent, 1
    # uvicorn puts these back when it has ended, and raises the signal again.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server.run(sockets=[listener])
    tracing.close()
    return 0


def run_server(
    target: str,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    config: str = "",
    log_level: str = "INFO",
    log_format: str = "json",
    backlog: int = 1024,
    stop_timeout: int = 20,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests at hand, store what is queued, and return.

    A worker that dies is replaced; one that dies again within seconds ends the server with exit code 1.

    `target` is `module:function`; the function takes the path of the configuration (`config`, else the environment
    variable KIITOS_CONFIG) and returns a Flask application with a mounted receiver. `stop_timeout` is in seconds.
    Raises `ConfigError` when the address cannot be listened on.
    """
    path = config or os.environ.get(CONFIG_VARIABLE, "")
    log.configure(level=log_level, form=log_format)
    listener = supervisor.listen(host, port, backlog)
    # The worker is forked from here: what the collector leaves alone stays shared between the two (3 MB less).
    gc.freeze()
    supervisor.keep_alive(partial(_work, target, path, stop_timeout, listener), stop_timeout + 5)

"""Serving an application: granian, one worker, the webhook fast path in front of Flask.

    run_server("connector.app:create_app", "0.0.0.0", 8000, config="app.toml")

One worker on purpose: all receivers of a machine share one inbox, and a second writer process makes them all slower
(facts/performance.md §1 finding 3). More throughput means a faster disk, or PostgreSQL and more machines.
"""

from __future__ import annotations

import asyncio
import gc
import os
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from granian import loops
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from connector import log
from connector.errors import ConfigError, KiitosError

if TYPE_CHECKING:
    from flask import Flask

    from webhooks.fast import FastPath

CONFIG_VARIABLE = "KIITOS_CONFIG"
EX_CONFIG = 78  # sysexits.h


def create_asgi(app: Flask, *, threads: int = 10) -> FastPath:
    """The ASGI form of an application with a mounted receiver; starts and closes the receiver with its lifespan.

    `threads` serve the Flask side (pages, admin). Works under any ASGI server that knows lifespan.
    """
    # Here and not above: the supervisor, which runs `run_server`, serves nothing itself.
    from webhooks.fast import FastPath
    from webhooks.receiver import receiver_of

    return FastPath(app, receiver_of(app), threads=threads)


def load_app(target: str, config: str) -> FastPath:
    """Import `module:function`, call it with the path of the configuration, wrap what it gives.

    Raises `ConfigError` naming the target when it cannot be found.
    """
    module_name, _, name = target.partition(":")
    try:
        factory = getattr(import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"no application factory '{target}': {error}", where="serve") from error
    made: Flask = factory(config)
    return create_asgi(made)


def _load_in_worker(target: str, config: str, log_level: str, log_format: str) -> FastPath:
    log.configure(level=log_level, form=log_format)
    try:
        app = load_app(target, config)
    except KiitosError as error:  # one line for the operator; a worker that dies twice at once ends the server
        log.get_log("serve").error("cannot_start", code=error.code, reason=error.message)
        raise SystemExit(EX_CONFIG) from None
    # A delivery leaves no cycles behind, and what was imported stays: the collector need not look at them so often.
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    return app


def _make_loop() -> asyncio.AbstractEventLoop:
    from webhooks.inline import InlineLoop

    loop = InlineLoop()
    asyncio.set_event_loop(loop)
    return loop


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
    """
    path = config or os.environ.get(CONFIG_VARIABLE, "")
    if os.name != "nt":
        loops.register(Loops.auto.value)(_make_loop)
    server = Server(
        target,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=1,
        blocking_threads=1,
        loop=Loops.auto,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=30_000, max_buffer_size=64 * 1024 + 8192),
        websockets=False,
        backlog=backlog,
        log_level=LogLevels.warning,
        workers_kill_timeout=stop_timeout,
        # A worker that died (out of memory, a fault in a C library) must come back: the shops keep sending.
        respawn_failed_workers=True,
        respawn_interval=0.5,
    )
    # The worker is forked from here: what the collector leaves alone stays shared between the two (3 MB less).
    gc.freeze()
    server.serve(target_loader=partial(_load_in_worker, target, path, log_level, log_format), wrap_loader=False)

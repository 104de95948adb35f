"""`/health` (this process runs), `/ready` (it can take deliveries), `/metrics` (Prometheus); the older `/healthz` and
`/readyz` are the same.

None of them needs a login, so none tells more than numbers and yes or no; keep /metrics off the public side of the
proxy.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from flask import Blueprint, Response

from connector import codec
from connector.errors import KiitosError
from connector.log import get_log
from connector.metrics import CONTENT_TYPE
from connector.store.migrate import verify
from connector.working import standstill
from webhooks.receiver import Receiver

log = get_log("webhooks.health")


def inbox_path(receiver: Receiver) -> Path | None:
    """The inbox's file on SQLite, `None` on PostgreSQL."""
    return receiver.checkpointer.path


def readiness(receiver: Receiver) -> dict[str, bool | int]:
    """The single checks, numbers for a person to look at, and `ready`, which is all of the checks together.

    A transaction is begun and given back: it fails on a locked, read-only or missing database. A full disk shows in
    `space`, and in `stored` after the first delivery that could not be kept. A restored database that is still held
    (`released` is false) takes deliveries all the same: WooCommerce would never send them again.
    """
    checks: dict[str, bool | int] = {"stored": receiver.writer.healthy}
    checks["queue"] = receiver.writer.depth < receiver.settings.queue_rows
    try:
        with receiver.store.inbox.transaction():
            checks["writable"] = True
    except KiitosError as error:
        log.exception("not_writable", error)
        checks["writable"] = False
    path = inbox_path(receiver)
    free = shutil.disk_usage(path.parent).free if path else None
    checks["space"] = free is None or free >= receiver.settings.min_free
    checks["schema"] = _is_current(receiver)
    ready = all(checks.values())
    return {
        "ready": ready,
        **checks,
        "released": _is_released(receiver),
        "queue_rows": receiver.writer.depth,
        **({} if free is None else {"free_bytes": free}),
    }


def _is_current(receiver: Receiver) -> bool:
    """Whether the schema is this program's: a newer worker may have migrated the database under us."""
    try:
        verify(receiver.store.inbox, "inbox")
        verify(receiver.store.work, "work")
    except KiitosError as error:
        log.error("schema_not_current", code=error.code)
        return False
    return True


def _is_released(receiver: Receiver) -> bool:
    try:
        with receiver.store.work.read() as tx:
            return standstill.read(tx) is None
    except KiitosError:
        return False  # said by the other checks


def health_blueprint(receiver: Receiver) -> Blueprint:
    """The three pages. Mount once an application."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/health")
    @blueprint.get("/healthz")
    def healthz() -> Response:
        return Response("ok", content_type="text/plain; charset=utf-8")

    @blueprint.get("/ready")
    @blueprint.get("/readyz")
    def readyz() -> Response:
        found = readiness(receiver)
        return Response(codec.encode(found), 200 if found["ready"] else 503, content_type="application/json")

    @blueprint.get("/metrics")
    def metrics() -> Response:
        return Response(receiver.metrics.text(), content_type=CONTENT_TYPE)

    return blueprint

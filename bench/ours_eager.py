"""The product broken on purpose: a receiver that answers 200 before the commit, the control of the kills.

python -m bench.ours_eager APP_TOML
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

from flask import Flask

from bench.ours import Ours
from bench.systems import Place, Start
from connector.app import create_app, load
from connector.config import load_config
from connector.serving.serve import run_server
from webhooks.receiver import receiver_of

COMMIT_LATER = 0.1
"""Seconds between the answer and the commit."""


class Eager(Ours):
    """Its receiver alone: what it has mailed is not asked for."""

    name = "eager"
    roles = ("receiver",)

    def start(self, place: Place) -> Start:
        sound = super().start(place)
        command = [sys.executable, "-m", "bench.ours_eager", str(place.where / "app.toml")]
        return Start({"receiver": command}, sound.environment)


def create(path: str) -> Flask:
    """The application with a writer that settles each batch first and commits it a little later."""
    app = create_app(load(Path(path)))
    writer: Any = receiver_of(app).writer
    commit = writer._commit

    def settle_first(batch: list[Any]) -> None:
        writer._settle(batch, stored=True)
        threading.Event().wait(COMMIT_LATER)
        settle, writer._settle = writer._settle, lambda *_, **__: None
        try:
            commit(batch)
        finally:
            writer._settle = settle

    writer._commit = settle_first
    return app


if __name__ == "__main__":
    settings = load_config(Path(sys.argv[1])).app
    run_server("bench.ours_eager:create", settings.host, settings.port, config=sys.argv[1])

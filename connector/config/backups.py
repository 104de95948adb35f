"""The `[backup]` table: where copies go, who can open them, how many stay, and the send ledger."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from connector.config.streaming import stream_faults
from connector.contracts.step import parse_span
from connector.errors import ConfigError, near

OFF = "off"
KEY_FILE = "var/backup.key"
FOLDER = "var/backups"
_WORDS = ("to", "endpoint", "region", "ledger", "ledger_keep")
_SECRETS = ("key", "access_key", "secret_key")
_COUNTS = ("keep", "daily", "weekly")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSettings:
    """Where copies go (`to`: a folder or `s3://bucket/prefix`) and who can open them.

    `recipients` are age public keys; without any, the copy is for the key in `key` (or in `key_file`, made by the first
    backup). Kept are the newest `keep`, and one a day and a week for `daily` and `weekly` of them. `ledger` is the
    folder of the send ledger, `None` where there is none, and `ledger_keep` how long its files stay.
    """

    to: str
    recipients: tuple[str, ...] = ()
    key: str = field(default="", repr=False)
    key_file: Path
    endpoint: str = ""
    region: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    keep: int = 3
    daily: int = 7
    weekly: int = 5
    ledger: Path | None = None
    ledger_keep: timedelta = timedelta(days=45)


def backup_faults(value: Any) -> list[str]:
    """What is wrong with the table, as `backup.key: what`."""
    if not isinstance(value, Mapping):
        return ["backup: should be a table"]
    faults = [_fault(name, item) for name, item in value.items() if name != "litestream"]
    streamed = stream_faults(value["litestream"]) if "litestream" in value else []
    return [*(fault for fault in faults if fault), *streamed]


def _fault(name: str, item: Any) -> str:
    known = (*_WORDS, *_SECRETS, *_COUNTS, "recipients", "litestream")
    if name not in known:
        return f"backup.{name}: unknown key{near(name, known)}"
    if name in _COUNTS:
        fits = isinstance(item, int) and not isinstance(item, bool) and item >= 0
        return "" if fits else f"backup.{name}: should be a whole number"
    if name in _SECRETS:
        fits = isinstance(item, Mapping) and len(item) == 1 and set(item) <= {"env", "file"}
        return "" if fits else f'backup.{name}: is a secret: write {{ env = "NAME" }} or {{ file = "path" }}'
    if name == "recipients":
        fits = isinstance(item, list) and all(isinstance(one, str) and one.startswith("age1") for one in item)
        return "" if fits else "backup.recipients: should be a list of age public keys, age1..."
    if not isinstance(item, str):
        return f"backup.{name}: should be text"
    return _span_fault(item) if name == "ledger_keep" else ""


def _span_fault(text: str) -> str:
    try:
        parse_span(text)
    except ValueError as error:
        return f"backup.ledger_keep: {error}"
    return ""


def read_backup(
    table: Mapping[str, Any], directory: Path, environ: Mapping[str, str], default_ledger: Path | None
) -> BackupSettings:
    """The table with its paths anchored at `directory` and its secrets looked up; a checked table (`backup_faults`).

    Raises `ConfigError` for a secret whose variable or file is missing, except for the backup's own key file, which the
    first backup makes.
    """
    key = table.get("key", {"file": KEY_FILE})
    look = _looking(directory, environ)
    key_file = directory / str(key.get("file", KEY_FILE))
    to = str(table.get("to", FOLDER))
    return BackupSettings(
        to=to if "://" in to else str(directory / to),
        recipients=tuple(table.get("recipients", ())),
        key=look("key", key) if "env" in key or key_file.exists() else "",
        key_file=key_file,
        access_key=look("access_key", table.get("access_key")),
        secret_key=look("secret_key", table.get("secret_key")),
        ledger=ledger_of(table, directory, default_ledger),
        ledger_keep=ledger_keep_of(table),
        endpoint=str(table.get("endpoint", "")),
        region=str(table.get("region", "")),
        keep=int(table.get("keep", 3)),
        daily=int(table.get("daily", 7)),
        weekly=int(table.get("weekly", 5)),
    )


def ledger_of(table: Mapping[str, Any], directory: Path, default: Path | None) -> Path | None:
    """The send ledger's folder by the table; `None` where it is off."""
    said = str(table.get("ledger", ""))
    return None if said == OFF else directory / said if said else default


def ledger_keep_of(table: Mapping[str, Any]) -> timedelta:
    return parse_span(str(table.get("ledger_keep", "45d")))


def _looking(directory: Path, environ: Mapping[str, str]) -> Callable[[str, Any], str]:
    def look(name: str, value: Any) -> str:
        if not value:
            return ""
        if "env" in value:
            found: str = environ.get(value["env"], "")
            if not found:
                raise ConfigError(f"the environment variable {value['env']} is not set", where=f"backup.{name}")
            return found
        try:
            return (directory / str(value["file"])).read_text("utf-8").strip()
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise ConfigError(f"the file {value['file']} cannot be read: {reason}", where=f"backup.{name}") from error

    return look


def ledger_folder(database: str, path: Path) -> Path | None:
    """Where the send ledger is when nothing is said: beside a SQLite file; with PostgreSQL in `var` beside the
    operator's file, `path`. `None` where that cannot be written to, and for a database in memory.

    The name is that of the file and not of the database: a backup is put back into a database of another name.
    """
    if ":memory:" in database:
        return None
    if database.startswith("sqlite:///"):
        file = Path(database.removeprefix("sqlite:///"))
        return file.with_name(file.name + "-sent")
    folder = path.absolute().parent / "var" / f"{path.stem}-sent"
    nearest = next(one for one in (folder, *folder.parents) if one.exists())
    return folder if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK) else None

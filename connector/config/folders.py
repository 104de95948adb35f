"""Folders the configuration names."""

from __future__ import annotations

from pathlib import Path

from connector.errors import ConfigError


def make_folder(database: str) -> None:
    """The folder of a database that is a file. Raises `ConfigError` when it cannot be made."""
    if not database.startswith("sqlite:///"):
        return
    folder = Path(database.removeprefix("sqlite:///")).parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the folder {folder} cannot be made: {error.strerror}", where="app.database") from error

"""Where letters are put: a folder of this machine, or one of the print house's over SFTP."""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector.errors import ConfigError

CONNECT = 15.0
"""Seconds to reach the server, and for each answer of its."""


class Place(ABC):
    """Files by name. All methods raise `OSError`, and may be repeated."""

    @abstractmethod
    def exists(self, name: str) -> bool: ...

    @abstractmethod
    def put(self, name: str, content: bytes) -> None:
        """Write it whole: nobody ever sees a part under its name."""

    @abstractmethod
    def add_line(self, name: str, head: str, line: str, *, unless: str) -> None:
        """Append a line unless one begins with `unless`; `head` begins a new file."""

    def close(self) -> None:  # noqa: B027 - a folder has nothing to give back
        """Give back the connection. Idempotent."""


class Folder(Place):
    """A folder here, made where it is missing. Several workers may use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def exists(self, name: str) -> bool:
        return (self._folder / name).exists()

    def put(self, name: str, content: bytes) -> None:
        target = self._folder / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        with part.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)

    def add_line(self, name: str, head: str, line: str, *, unless: str) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / name).open("a+", encoding="utf-8", newline="") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            if any(known.startswith(unless) for known in file):
                return
            file.write(line if file.tell() else head + line)
            file.flush()
            os.fsync(file.fileno())


@dataclass
class Sftp(Place):
    """A server whose key is known beforehand: another one is never talked to."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    key_file: str
    host_key: str
    path: str
    _client: Any = field(default=None, repr=False)
    _files: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not (self.password or self.key_file):
            raise ConfigError("set password or key_file", where="password")
        parts = self.host_key.split()
        if len(parts) < 2 or not parts[0].startswith(("ssh-", "ecdsa-")):
            raise ConfigError('should be a line such as "ssh-ed25519 AAAA..." (ssh-keyscan shows it)', where="host_key")
        if not _is_key(parts[0], parts[1]):
            raise ConfigError("cannot be read: it should be the line as ssh-keyscan shows it", where="host_key")

    def exists(self, name: str) -> bool:
        with self._open() as files:
            try:
                files.stat(self._at(name))
            except FileNotFoundError:
                return False
            return True

    def put(self, name: str, content: bytes) -> None:
        with self._open() as files:
            folder, _, last = self._at(name).rpartition("/")
            _make_folder(files, folder)
            part = f"{folder}/.{last}.part"
            with files.open(part, "wb") as out:
                out.write(content)
            # posix_rename replaces what is there; plain SFTP rename does not.
            files.posix_rename(part, self._at(name))

    def add_line(self, name: str, head: str, line: str, *, unless: str) -> None:
        with self._open() as files:
            try:
                with files.open(self._at(name), "r") as file:
                    known = file.read().decode("utf-8", "replace")
            except FileNotFoundError:
                known = ""
            if any(each.startswith(unless) for each in known.splitlines()):
                return
            with files.open(self._at(name), "a") as file:
                file.write((line if known else head + line).encode())

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = self._files = None

    def _at(self, name: str) -> str:
        return f"{self.path.rstrip('/')}/{name}"

    @contextlib.contextmanager
    def _open(self) -> Iterator[Any]:
        """The connection, kept; after a failure the next use makes a new one."""
        import paramiko

        try:
            if self._files is None:
                self._client, self._files = self._connect()
            yield self._files
        except (paramiko.SSHException, EOFError) as error:
            self.close()
            raise ConnectionError(f"SFTP: {type(error).__name__}") from error
        except FileNotFoundError:
            raise
        except OSError:
            self.close()
            raise

    def _connect(self) -> tuple[Any, Any]:
        import paramiko

        kind, encoded = self.host_key.split()[:2]
        entry = paramiko.hostkeys.HostKeyEntry.from_line(f"{self.host} {kind} {encoded}")
        if entry is None or entry.key is None:
            raise ConnectionError("host_key cannot be read")
        client = paramiko.SSHClient()
        known = self.host if self.port == 22 else f"[{self.host}]:{self.port}"
        client.get_host_keys().add(known, kind, entry.key)
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.connect(
            self.host,
            self.port,
            self.username,
            password=self.password or None,
            key_filename=self.key_file or None,
            look_for_keys=False,
            allow_agent=False,
            timeout=CONNECT,
            banner_timeout=CONNECT,
            auth_timeout=CONNECT,
        )
        files = client.open_sftp()
        if (channel := files.get_channel()) is not None:
            channel.settimeout(CONNECT)
        return client, files


def _is_key(kind: str, encoded: str) -> bool:
    """Whether the bytes say the kind themselves, as every SSH key does (RFC 4253 section 6.6)."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return False
    return raw[4 : 4 + int.from_bytes(raw[:4], "big")] == kind.encode() and len(raw) > len(kind) + 8


def _make_folder(files: Any, folder: str) -> None:
    try:
        if stat.S_ISDIR(files.stat(folder).st_mode):
            return
    except FileNotFoundError:
        files.mkdir(folder)

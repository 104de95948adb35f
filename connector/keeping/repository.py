"""Where backups lie: a folder, or an S3-compatible store. Both know four things: put, get, list, remove."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connector.config import BackupSettings
from connector.errors import ConfigError, StoreUnavailable
from connector.keeping.archive import Manifest
from connector.whole import sync

NOTE = ".json"


class Repository(ABC):
    """A place for files. Raises `StoreUnavailable` when it cannot be used, `ConfigError` when it is named wrongly."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The place as the operator wrote it; no secret is in it."""

    @abstractmethod
    def put(self, source: Path, name: str) -> None:
        """Store a file under this name; it is there whole or not at all."""

    @abstractmethod
    def get(self, name: str, target: Path) -> None: ...

    @abstractmethod
    def names(self) -> list[str]:
        """Every file of ours, by name."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove it; nothing happens where it is gone already."""


class FolderRepository(Repository):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        return str(self._folder)

    def put(self, source: Path, name: str) -> None:
        draft = self._folder / f".{name}.part"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with source.open("rb") as read, draft.open("wb") as write:
                draft.chmod(0o600)
                shutil.copyfileobj(read, write, 1 << 20)
                write.flush()
                os.fsync(write.fileno())
            draft.replace(self._folder / name)
            sync(self._folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise StoreUnavailable(f"{self._folder}: {error.strerror}") from error

    def get(self, name: str, target: Path) -> None:
        try:
            shutil.copyfile(self._folder / name, target)
        except FileNotFoundError as error:
            raise ConfigError(f"there is no backup '{name}' in {self.name}; see `kiitos backup list`") from error
        except OSError as error:
            raise StoreUnavailable(f"{self._folder / name}: {error.strerror}") from error

    def names(self) -> list[str]:
        return sorted(path.name for path in self._folder.glob("kiitos-*")) if self._folder.is_dir() else []

    def remove(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)


class S3Repository(Repository):
    """Any store that speaks S3 (https://docs.aws.amazon.com/AmazonS3/latest/API): AWS, MinIO, Ceph, R2, B2."""

    def __init__(self, settings: BackupSettings) -> None:
        try:
            import boto3
            import boto3.exceptions
            import botocore.exceptions
        except ImportError as error:
            raise ConfigError("S3 needs an extra: pip install 'kiitos[s3]'", where="backup.to") from error
        parts = urlsplit(settings.to)
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")
        if not self._bucket:
            raise ConfigError("should be s3://bucket/prefix", where="backup.to")
        self._failures: tuple[type[Exception], ...] = (
            botocore.exceptions.BotoCoreError,
            botocore.exceptions.ClientError,
            boto3.exceptions.Boto3Error,
        )
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=settings.endpoint or None,
            region_name=settings.region or None,
            aws_access_key_id=settings.access_key or None,
            aws_secret_access_key=settings.secret_key or None,
        )

    @property
    def name(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    @contextlib.contextmanager
    def _asking(self, what: str) -> Any:
        try:
            yield
        except self._failures as error:
            answer = getattr(error, "response", {}).get("Error", {})
            if answer.get("Code") in ("404", "NoSuchKey"):
                raise ConfigError(f"there is no '{what}' in {self.name}; see `kiitos backup list`") from error
            told = re.search(
                r"\((\w+)\) when calling", str(error)
            )  # boto3's own errors carry the code in the text only
            code = answer.get("Code") or (told[1] if told else type(error).__name__)
            raise StoreUnavailable(f"{self.name}: {code} for {what}") from error

    def put(self, source: Path, name: str) -> None:
        with self._asking(name):
            self._client.upload_file(str(source), self._bucket, self._key(name))

    def get(self, name: str, target: Path) -> None:
        with self._asking(name):
            self._client.download_file(self._bucket, self._key(name), str(target))

    def names(self) -> list[str]:
        with self._asking("the list"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._key("kiitos-")
            )
            found = [item["Key"] for page in pages for item in page.get("Contents", ())]
        return sorted(key.rpartition("/")[2] for key in found)

    def remove(self, name: str) -> None:
        with self._asking(name):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name))


def repository_of(settings: BackupSettings) -> Repository:
    """The place of the `[backup]` table."""
    if settings.to.startswith("s3://"):
        return S3Repository(settings)
    if "://" in settings.to:
        raise ConfigError("should be a folder or s3://bucket/prefix", where="backup.to")
    return FolderRepository(Path(settings.to))


def manifests(place: Repository, scratch: Path) -> list[Manifest]:
    """What the place has, oldest first: only backups whose manifest arrived, which is put there last."""
    names = set(place.names())
    found = []
    for name in sorted(names):
        if name.endswith(NOTE) and name.removesuffix(NOTE) in names:
            target = scratch / name
            place.get(name, target)
            found.append(Manifest.read(target.read_bytes()))
            target.unlink()
    return found


def surplus(found: list[Manifest], keep: int, daily: int, weekly: int) -> list[Manifest]:
    """What rotation removes: everything but the newest `keep`, the newest of each of the last `daily` days that have
    one, and of each of the last `weekly` weeks. Days and weeks (ISO 8601) are UTC. Never the newest of all."""
    newest_first = sorted(found, key=lambda one: one.at, reverse=True)
    kept = {one.name for one in newest_first[: max(keep, 1)]}
    for limit, form in ((daily, "%Y-%m-%d"), (weekly, "%G-%V")):
        spans: dict[str, str] = {}
        for one in newest_first:
            spans.setdefault(one.taken_at.strftime(form), one.name)
        kept.update(list(spans.values())[:limit])
    return [one for one in found if one.name not in kept]

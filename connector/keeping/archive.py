"""One backup, one file: a tar of the copied databases and their manifest, compressed, then sealed with age.

`kiitos-20261122T143000123Z.tar.zst.age` opens with common programs: `age -d -i KEY | zstd -d | tar x`. Beside it
lies its manifest in the clear (names of tables and how many rows they have, checksums, no content), so that a
listing needs no key. https://age-encryption.org/v1 is the format; `pyrage` writes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import zstandard

from connector import __version__, codec
from connector.clock import from_text, to_text
from connector.config import BackupSettings
from connector.errors import ConfigError, StoreUnavailable
from connector.store.snapshots import Snapshot
from connector.whole import write_first

if TYPE_CHECKING:
    from pyrage import x25519

MANIFEST = "manifest.json"
SEALED, PLAIN = ".tar.zst.age", ".tar.zst"
_LEVEL = 3
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds. `files` are SHA-256 by name, `size` and `sha256` are the archive's own (empty inside it)."""

    name: str
    at: str
    kiitos: str
    why: str
    sealed: bool
    dialect: str
    how: str
    rows: Mapping[str, Mapping[str, int]]
    migrations: Mapping[str, list[str]]
    cut: Mapping[str, int]
    files: Mapping[str, str]
    size: int = 0
    sha256: str = ""

    @property
    def taken_at(self) -> datetime:
        return from_text(self.at)

    @property
    def total_rows(self) -> int:
        return sum(sum(tables.values()) for tables in self.rows.values())

    def encoded(self) -> bytes:
        return codec.encode_text(asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls, data: bytes) -> Manifest:
        """Raises `StoreUnavailable` when the bytes are no manifest."""
        try:
            return cls(**codec.decode(data.decode(), dict[str, Any]))
        except (UnicodeDecodeError, ValueError, TypeError) as error:
            raise StoreUnavailable(f"this is no manifest of a Kiitos backup: {error}") from error


def name_of(at: datetime, sealed: bool) -> str:
    return f"kiitos-{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03}Z{SEALED if sealed else PLAIN}"


def manifest_of(folder: Path, found: Snapshot, at: datetime, why: str, sealed: bool) -> Manifest:
    """The manifest of what was copied into `folder`."""
    files = {path.name: digest(path) for path in sorted(folder.iterdir())}
    return Manifest(
        name=name_of(at, sealed),
        at=to_text(at),
        kiitos=__version__,
        why=why,
        sealed=sealed,
        dialect=found.dialect,
        how=found.how,
        rows=found.rows,
        migrations=found.migrations,
        cut=found.cut,
        files=files,
    )


def pack(folder: Path, target: Path, manifest: Manifest, recipients: Sequence[Any]) -> Manifest:
    """Write the archive of `folder` to `target`, sealed for `recipients` where there are any; the manifest to lay
    beside it. Nothing of it is readable by others, and it is on the disk when this returns."""
    (folder / MANIFEST).write_bytes(manifest.encoded())
    names = [MANIFEST, *manifest.files]
    packed = target.with_suffix(".packing")
    with _private(packed) as raw:
        with (
            zstandard.ZstdCompressor(level=_LEVEL).stream_writer(raw, closefd=False) as stream,
            tarfile.open(fileobj=stream, mode="w|") as tar,
        ):
            for name in names:
                tar.add(folder / name, arcname=name)
        _to_disk(raw)
    if recipients:
        import pyrage

        with packed.open("rb") as source, _private(target) as sealed:
            pyrage.encrypt_io(source, sealed, list(recipients))
            _to_disk(sealed)
        packed.unlink()
    else:
        packed.replace(target)
    return replace(manifest, size=target.stat().st_size, sha256=digest(target))


def unpack(archive: Path, folder: Path, identity: Any | None) -> Manifest:
    """Open an archive into an empty `folder` and check each file against the manifest inside; that manifest.

    Raises `ConfigError` when the key is missing or another one, `StoreUnavailable` when the archive is damaged.
    """
    plain = archive
    if _is_sealed(archive):
        plain = folder / "opened"
        _unseal(archive, plain, identity)
    try:
        with (
            plain.open("rb") as raw,
            zstandard.ZstdDecompressor().stream_reader(raw) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            for member in tar:
                _take_out(tar, member, folder)
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
        raise StoreUnavailable(f"{archive.name} is damaged: {error}") from error
    finally:
        if plain is not archive:
            plain.unlink(missing_ok=True)
    if not (folder / MANIFEST).exists():
        raise StoreUnavailable(f"{archive.name} is damaged: it has no manifest")
    manifest = Manifest.read((folder / MANIFEST).read_bytes())
    for name, wanted in manifest.files.items():
        if not (folder / name).exists() or digest(folder / name) != wanted:
            raise StoreUnavailable(f"{archive.name} is damaged: {name} is not what was copied")
    return manifest


def _take_out(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Plain files of plain names only: an archive may come from anywhere."""
    if not member.isfile() or Path(member.name).name != member.name:
        raise StoreUnavailable(f"the archive has a member '{member.name}', which no backup of ours has")
    source = tar.extractfile(member)
    assert source is not None
    with _private(folder / member.name) as target:
        while piece := source.read(_PIECE):
            target.write(piece)


def _is_sealed(archive: Path) -> bool:
    with archive.open("rb") as file:
        return file.read(21) == b"age-encryption.org/v1"


def _unseal(archive: Path, target: Path, identity: Any | None) -> None:
    import pyrage

    if identity is None:
        raise ConfigError("the backup is sealed; put the key it was sealed for in backup.key", where="backup.key")
    try:
        with archive.open("rb") as source, _private(target) as plain:
            pyrage.decrypt_io(source, plain, [identity])
    except pyrage.DecryptError as error:
        raise ConfigError(
            f"{archive.name} does not open with this key: it was sealed for another, or is damaged", where="backup.key"
        ) from error
    except OSError as error:
        raise StoreUnavailable(f"{archive.name} is damaged: {error}") from error


def recipients_of(settings: BackupSettings, make_key: Callable[[Path], str] | None = None) -> list[x25519.Recipient]:
    """For whom copies are sealed: the public keys of the file, else the key of the installation, which `make_key` makes
    where there is none yet. Raises `ConfigError` for what is no age key."""
    import pyrage
    from pyrage import x25519

    try:
        if settings.recipients:
            return [x25519.Recipient.from_str(one) for one in settings.recipients]
    except pyrage.RecipientError as error:
        raise ConfigError(f"is no age public key: {error}", where="backup.recipients") from error
    text = settings.key or (make_key(settings.key_file) if make_key else "")
    identity = _identity(text)
    return [identity.to_public()] if identity else []


def identity_of(settings: BackupSettings) -> x25519.Identity | None:
    """The key that opens copies, where this machine has it. Raises `ConfigError` when it is no age key."""
    return _identity(settings.key)


def _identity(text: str) -> x25519.Identity | None:
    import pyrage
    from pyrage import x25519

    line = next((line.strip() for line in text.splitlines() if line.strip().startswith("AGE-SECRET-KEY-")), "")
    if not line:
        if text:
            raise ConfigError("holds no age key (a line AGE-SECRET-KEY-...)", where="backup.key")
        return None
    try:
        return x25519.Identity.from_str(line)
    except pyrage.IdentityError as error:
        raise ConfigError("is no age key", where="backup.key") from error


def make_key(path: Path) -> str:
    """A new key in a file of its own, readable by its owner only; what stands in it."""
    from pyrage import x25519

    identity = x25519.Identity.generate()
    write_first(path, f"# public key: {identity.to_public()}\n{identity}\n")
    return path.read_text("utf-8")


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _private(path: Path) -> Any:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        yield file


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())

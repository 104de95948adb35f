"""Secrets at rest: AES-256-GCM under keys that live outside the database.

Each ciphertext is bound to its place (`shop|table|column`) as additional data, so that a token copied into another
shop's row does not decrypt (promises.md B1 row 26; Fernet could not do that).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.errors import ConfigError

_KEY_BYTES = 32
_NONCE_BYTES = 12  # NIST SP 800-38D section 8.2: 96 bits


class Secret:
    """A text that never shows itself: `str()`, `repr()` and formatting give a mask, `reveal()` the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret is not to be pickled")


class Vault:
    """Encrypts under the key named `current`; decrypts under any of `keys` (id to 32 bytes).

    A ciphertext is `v1:<key id>:<nonce>:<ciphertext>`, both parts in base64. The nonce comes from the operating
    system, not from the `Clock`: a seeded clock would repeat it, and a repeated nonce breaks GCM.
    """

    __slots__ = ("_ciphers", "current")

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        if current not in keys:
            raise ConfigError(f"there is no encryption key named {current!r}")
        for key_id, key in keys.items():
            if len(key) != _KEY_BYTES:
                raise ConfigError(f"encryption key {key_id!r} has {len(key)} bytes instead of {_KEY_BYTES}")
            if not key_id or ":" in key_id:
                raise ConfigError("an encryption key's name is not empty and has no colon")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.current = current

    @classmethod
    def from_text(cls, text: str) -> Vault:
        """Read `<base64>` or `<id>=<base64>`, several separated by commas; the first one is current.

        A key without an id is known by the first 8 hex digits of its SHA-256, so that it can later be listed behind
        a new one without a name.
        """
        keys: dict[str, bytes] = {}
        for part in text.replace("\n", ",").split(","):
            if part.strip():
                key_id, key = _read_key(part.strip())
                keys.setdefault(key_id, key)
        if not keys:
            raise ConfigError("no encryption key is set; make one with: openssl rand -base64 32")
        return cls(keys, next(iter(keys)))

    def encrypt(self, text: str, aad: str) -> str:
        """Seal `text` for the place `aad`."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self.current].encrypt(nonce, text.encode(), aad.encode())
        return f"v1:{self.current}:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"

    def decrypt(self, text: str, aad: str) -> str:
        """Open what was sealed for the same place. Raises `ConfigError`, which never quotes the value."""
        version, _, rest = text.partition(":")
        key_id, _, rest = rest.partition(":")
        nonce, _, sealed = rest.partition(":")
        if version != "v1" or not sealed:
            raise ConfigError("a stored secret is not in the form v1:key:nonce:ciphertext", where=aad)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise ConfigError(f"a stored secret needs encryption key {key_id!r}; add it after the new one", where=aad)
        try:
            opened = cipher.decrypt(
                base64.b64decode(nonce, validate=True), base64.b64decode(sealed, validate=True), aad.encode()
            )
            return opened.decode()
        except (InvalidTag, binascii.Error, ValueError):
            # `from None`: a decoding error would carry the bytes along.
            raise ConfigError(
                f"a stored secret does not open with key {key_id!r}: it was changed, moved, or the key is another",
                where=aad,
            ) from None

    def is_current(self, text: str) -> bool:
        """True when `text` was sealed with the current key."""
        return text.startswith(f"v1:{self.current}:")

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The names of the keys it has, the current one first."""
        return (self.current, *(key_id for key_id in self._ciphers if key_id != self.current))

    def __repr__(self) -> str:
        return f"Vault(current={self.current!r}, keys={len(self._ciphers)})"


def key_id_of(sealed: str) -> str:
    """The name of the key a text was sealed with; empty when it was not sealed here."""
    parts = sealed.split(":")
    return parts[1] if parts[0] == "v1" and len(parts) == 4 else ""


def make_key(name: str | None = None) -> str:
    """A fresh key as the operator lists it: `<base64>`, or `<name>=<base64>`."""
    encoded = base64.b64encode(os.urandom(_KEY_BYTES)).decode()
    text = f"{name}={encoded}" if name else encoded
    Vault.from_text(text)  # a name that cannot be read back is refused now
    return text


def _read_key(part: str) -> tuple[str, bytes]:
    key = _from_base64(part)
    if key is not None:
        return hashlib.sha256(key).hexdigest()[:8], key
    key_id, _, encoded = part.partition("=")
    key = _from_base64(encoded)
    if key is None:
        raise ConfigError("an encryption key must be 32 bytes in base64; make one with: openssl rand -base64 32")
    return key_id.strip(), key


def _from_base64(text: str) -> bytes | None:
    """The 32 bytes, or `None` when `text` is not such a key. Standard and URL-safe alphabets, padding optional."""
    body = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        key = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == _KEY_BYTES else None

"""The operator's own key for push services (RFC 8292): a P-256 pair whose public half every sign-up names."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connector.errors import ConfigError


class Vapid:
    """Signs for push services. `private_key`: 32 bytes in base64url."""

    def __init__(self, private_key: str) -> None:
        try:
            number = int.from_bytes(_decode(private_key), "big")
            if len(_decode(private_key)) != 32:
                raise ValueError("not 32 bytes")
            self._key = ec.derive_private_key(number, ec.SECP256R1())
        except ValueError as error:
            fault = "should be 32 bytes in base64url; make one with: kiitos push keys"
            raise ConfigError(fault, where="private_key") from error

    @property
    def public_key(self) -> str:
        """What a browser is given as `applicationServerKey`: the uncompressed point in base64url."""
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return encode(point)

    def token(self, claims: Mapping[str, object]) -> str:
        """A JSON Web Token with ES256 (RFC 7515, 7518 section 3.4)."""
        parts = ({"typ": "JWT", "alg": "ES256"}, claims)
        signed = ".".join(encode(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def __repr__(self) -> str:
        return f"Vapid({self.public_key[:12]}...)"


def make_private_key() -> str:
    """A fresh one, in the form `Vapid` takes."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return encode(number.to_bytes(32, "big"))


def encode(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.strip() + "=" * (-len(text.strip()) % 4))

"""A signature over our headers, the one-click ones among them, holds at the receiving end (RFC 8058 section 4).

The mail is signed as a relay of the merchant's would, leaves through the channel over a real socket, and is verified as
it arrived: nothing on the way may fold a header anew, lose a dot or change a line end.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connector.contracts import Accepted
from connector.model import Purpose

from .letters import MARKETING, letter

SIGNED = (b"from", b"to", b"subject", b"date", b"message-id", b"list-unsubscribe", b"list-unsubscribe-post")


@pytest.fixture(scope="module")
def keys() -> tuple[bytes, bytes]:
    """The private key as PEM, and the TXT record of the public one."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    der = private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem, b"v=DKIM1; k=rsa; p=" + b64encode(der)


def holds(content: bytes, record: bytes) -> bool:
    return bool(dkim.verify(content, dnsfunc=lambda name, timeout=5: record))


@pytest.mark.parametrize("purpose", [Purpose.REVIEW, Purpose.TRANSACTIONAL])
@pytest.mark.parametrize("body", ["Hei!", ".\r\n..\r\n.a line that begins with a dot\r\n"])
def test_what_was_signed_is_what_arrives(start, connect, keys, purpose, body):
    pem, record = keys
    mail = letter(purpose=purpose)
    content = mail.content if body == "Hei!" else mail.content + body.encode()
    signature = dkim.sign(content, b"kiitos", b"aurora.example", pem, include_headers=list(SIGNED))
    server = start()
    (outcome,) = connect(server).send_all([replace(mail, content=signature + content)])
    assert isinstance(outcome, Accepted)
    (arrived,) = server.bodies
    assert holds(arrived, record)
    if purpose is Purpose.REVIEW:
        head = arrived.partition(b"\r\n\r\n")[0]
        assert MARKETING["List-Unsubscribe"].encode() in head.replace(b"\r\n ", b" "), "to the byte, not encoded"
        assert not holds(arrived.replace(b"pages.example.com/u/t", b"pages.example.net/u/t"), record)
        assert not holds(arrived.replace(b"One-Click", b"Two-Click"), record)


def test_a_body_that_was_touched_is_noticed(keys):
    pem, record = keys
    content = letter().content
    signed = dkim.sign(content, b"kiitos", b"aurora.example", pem, include_headers=list(SIGNED)) + content
    assert holds(signed, record)
    assert not holds(signed + b"\r\nmore", record)

"""Encryption: a certificate nobody vouches for is refused, one of an own authority is accepted."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connector.contracts import Accepted, Retry

from .conftest import message


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example.test")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def server(start, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return start(tls=context, password="secret")


def test_an_own_authority_is_accepted_and_the_password_travels_encrypted(server, connect, certificate):
    channel = connect(server, tls="starttls", ca_file=str(certificate), username="shop", password="secret")
    assert [type(outcome) for outcome in channel.send_all([message("a"), message("b")])] == [Accepted, Accepted]
    assert len(server.bodies) == 2


def test_an_unknown_authority_is_refused_before_the_password_is_sent(server, connect):
    channel = connect(server, tls="starttls", username="shop", password="secret")
    (outcome,) = channel.send_all([message("a")])
    assert isinstance(outcome, Retry)
    assert "ca_file" in outcome.text
    assert server.handler.users == []
    assert server.bodies == []


def test_a_server_without_starttls_gets_nothing(start, connect):
    server = start()
    (outcome,) = connect(server, tls="starttls").send_all([message("a")])
    assert isinstance(outcome, Retry)
    assert "STARTTLS" in outcome.text
    assert server.bodies == []

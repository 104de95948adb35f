"""Encryption: a certificate nobody vouches for is refused, one of an own authority is accepted."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from connector.contracts import Accepted, Retry
from tests.certificates import make_certificate

from .conftest import message


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


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

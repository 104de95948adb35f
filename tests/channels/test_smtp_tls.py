"""Encryption: a certificate nobody vouches for is refused, one of an own authority is accepted."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli import cli
from connector.clock import SystemClock
from connector.config import load_config
from connector.contracts import Accepted, Retry
from connector.errors import ConfigError
from flows.channels.smtp import Smtp
from tests.certificates import make_certificate

from .conftest import MailServer, message


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


def written(folder: Path, form: str, smtp: str, *changes: tuple[str, str]) -> Smtp:
    """The mail channel of the file that `kiitos init` writes, with this address in the environment."""
    assert CliRunner().invoke(cli, ["init", str(folder), "--for", form]).exit_code == 0
    path = folder / "app.toml"
    text = path.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, "utf-8")
    environ = {
        "KIITOS_SMTP": smtp,
        "KIITOS_DATABASE": "postgresql://kiitos:x@db/kiitos",
        "KIITOS_MASTER_KEY": "k1=" + "A" * 43 + "=",
    }
    table = dict(load_config(path, environ).channels["mail"])
    return Smtp.from_settings(table, SystemClock())


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # aiosmtpd looks for STARTTLS alone
@pytest.mark.parametrize("form", ["container", "server"])
@pytest.mark.parametrize(("scheme", "at_once"), [("smtps", True), ("smtp", False)])
def test_a_provider_with_a_password_is_used_from_the_file_that_init_writes(
    form: str,
    scheme: str,
    at_once: bool,
    start: Callable[..., MailServer],
    certificate: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = start(tls=context, at_once=at_once, password="se/cret")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # the machine's authorities, as OpenSSL finds them
    channel = written(tmp_path, form, f"{scheme}://shop:se%2Fcret@127.0.0.1:{server.port}")
    assert [type(outcome) for outcome in channel.send_all([message("a")])] == [Accepted]
    assert (server.handler.users, len(server.bodies)) == (["shop"], 1)
    channel.close()


def test_the_mail_catcher_of_compose_is_used_from_it_without_tls(
    start: Callable[..., MailServer], tmp_path: Path
) -> None:
    server = start()
    channel = written(tmp_path, "container", f"smtp://127.0.0.1:{server.port}?tls=none")
    assert [type(outcome) for outcome in channel.send_all([message("a")])] == [Accepted]
    channel.close()


def test_a_file_that_says_otherwise_than_the_address_is_refused(tmp_path: Path) -> None:
    """As the file for containers did once: a password would have been refused, everything else sent in the clear."""
    fixed = ("# smtps://", 'tls = "none"  # smtps://')
    with pytest.raises(ConfigError, match="leave tls out"):
        written(tmp_path, "container", "smtps://mail.example.com", fixed)

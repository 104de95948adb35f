"""The mailbox over TLS: a certificate nobody vouches for, or of another host, gets neither name nor password."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.app import Kiitos, build
from connector.cli import cli
from connector.clock import ManualClock
from connector.config import parse_config
from connector.config.mailboxes import mailboxes_of
from connector.contracts import Verdict
from connector.errors import ConfigError
from connector.store import inbox
from connector.store.store import Store
from connector.testing.world import document
from connector.working.mailbox import Mailboxes, look_into
from tests.certificates import make_certificate
from tests.channel_events.test_mailbox import Server, imap
from tests.channel_events.test_returned import report
from tests.journeys.bare import ENVIRON
from tests.journeys.office import START

Make = Callable[..., tuple[Kiitos, Server]]


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """`life(...)`: a worker's world whose mailbox is behind a certificate."""
    with ExitStack() as stack:

        def make(addresses: tuple[str, ...] = ("127.0.0.1",), *, years: int = 100, believed: bool = True) -> Any:
            certificate = make_certificate(tmp_path, addresses, years=years)
            if believed:
                monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server = stack.enter_context(imap(Server(mails=[report()]), context))
            found: dict[str, Any] = document(flows={}, fetch_before_send=False)
            found["app"]["base_url"] = "http://localhost"
            found["channels"]["mail"] |= {"bounces": "bounces.example", "mailbox": {"env": "BOX"}}
            url = f"imaps://returns:sesame@127.0.0.1:{server.port}/INBOX"
            config = parse_config(found, tmp_path / "app.toml", {**ENVIRON, "BOX": url})
            kiitos = build(config, clock=ManualClock(START), store=Store.open("sqlite://:memory:"))
            stack.callback(kiitos.close)
            return kiitos, server

        yield make


def kept(kiitos: Kiitos) -> int:
    with kiitos.store.inbox.read() as tx:
        return len(inbox.after(tx, 0, 100))


def test_mail_is_fetched_over_tls(life: Make) -> None:
    kiitos, server = life()
    assert Mailboxes(kiitos).work() == 1
    assert kept(kiitos) == 1
    assert server.seen == {1}
    assert any(command.startswith("LOGIN") for command in server.commands)


@pytest.mark.parametrize(
    "wrong",
    [{"believed": False}, {"addresses": ("127.0.0.9",)}, {"years": 1}],
    ids=["nobody vouches", "another host", "run out"],
)
def test_a_wrong_certificate_gets_no_password(
    life: Make, wrong: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    kiitos, server = life(**wrong)
    with caplog.at_level("WARNING"):
        assert Mailboxes(kiitos).work() == 0
    assert server.commands == []
    (finding,) = map(look_into, mailboxes_of(kiitos.config.channels))
    assert (finding.code, finding.verdict) == ("mailbox_closed", Verdict.FAIL)
    assert "certificate is not believed" in finding.values["why"]
    assert "sesame" not in str(finding)
    assert "sesame" not in caplog.text


def test_a_look_reads_and_marks_nothing(life: Make) -> None:
    kiitos, server = life()
    (finding,) = map(look_into, mailboxes_of(kiitos.config.channels))
    assert (finding.code, finding.verdict) == ("mailbox", Verdict.OK)
    assert server.seen == set()
    assert not any("FETCH" in command for command in server.commands)


@pytest.mark.parametrize(
    ("url", "why"),
    [("imap://a:secret@imap.example.com/INBOX", "clear"), ("imaps://imap.example.com", "imaps://user:password")],
)
def test_the_configuration_s_check_names_a_wrong_mailbox(tmp_path: Path, url: str, why: str) -> None:
    found = document(flows={})
    found["app"]["base_url"] = "http://localhost"
    found["channels"]["mail"] |= {"bounces": "bounces.example", "mailbox": {"env": "BOX"}}
    with pytest.raises(ConfigError, match=r"channels\.mail\.mailbox") as caught:
        parse_config(found, tmp_path / "app.toml", {**ENVIRON, "BOX": url})
    assert why in caught.value.message
    assert "secret" not in caught.value.message


FILE = """
schema = 1
[app]
base_url = "https://hooks.example"
master_key = { env = "KEY" }
[channels.mail]
kind = "smtp"
url = "smtp://127.0.0.1:2525"
tls = "none"
bounces = "bounces.example"
mailbox = { env = "BOX" }
"""


def test_kiitos_config_check_says_so(tmp_path: Path) -> None:
    file = tmp_path / "app.toml"
    file.write_text(FILE, "utf-8")
    environ = {"KEY": "k1=" + "A" * 43 + "=", "BOX": "imap://a:secret@imap.example.com/INBOX"}
    told = CliRunner().invoke(cli, ["-c", str(file), "config", "check"], env=environ)
    assert told.exit_code != 0
    assert "secret" not in told.output
    assert "a password would travel in the clear" in told.output + str(told.exception)


def test_kiitos_channels_check_looks_into_it(life: Make, tmp_path: Path) -> None:
    _, server = life()
    file = tmp_path / "check.toml"
    file.write_text(FILE.replace("base_url", 'database = "sqlite://:memory:"\nbase_url'), "utf-8")
    environ = {
        "KEY": "k1=" + "A" * 43 + "=",
        "BOX": f"imaps://returns:sesame@127.0.0.1:{server.port}/INBOX",
    }
    told = CliRunner().invoke(cli, ["-c", str(file), "channels", "check", "mail"], env=environ)
    assert "the mailbox of returned mail at 127.0.0.1 opens" in told.output, told.output
    assert "sesame" not in told.output

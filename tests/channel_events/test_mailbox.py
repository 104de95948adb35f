"""The mailbox of returned mail: kept before it is marked, once whoever looks, and never in anybody's way."""

from __future__ import annotations

import contextlib
import re
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.app import Kiitos, build
from connector.clock import ManualClock
from connector.config import parse_config
from connector.config.mailboxes import mailboxes_of
from connector.errors import ConfigError
from connector.store import channel_events, deliveries, inbox
from connector.store.store import Store
from connector.testing.world import document
from connector.worker import Worker
from connector.working.mailbox import EVERY, LARGEST, Mailboxes, keep
from tests.channel_events.test_returned import report
from tests.journeys.bare import ENVIRON, RENDERER
from tests.journeys.office import START


@dataclass
class Server:
    """An IMAP server of one folder. `seen` are the mails that were marked; `refuses` a command that fails."""

    mails: list[bytes] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    commands: list[str] = field(default_factory=list)
    refuses: str = ""
    port: int = 0

    def answer(self, command: str) -> tuple[list[bytes], bool]:
        word, _, rest = command.partition(" ")
        self.commands.append(command)
        if self.refuses and command.upper().startswith(self.refuses):
            return [], False
        if word.upper() != "UID":
            return [], True
        if rest.upper().startswith("SEARCH"):
            found = [str(n) for n in range(1, len(self.mails) + 1) if n not in self.seen]
            return [b"* SEARCH " + " ".join(found).encode()], True
        number = int(re.findall(r"\d+", rest)[0])
        if rest.upper().startswith("STORE"):
            self.seen.add(number)
            return [], True
        mail = self.mails[number - 1]
        if "SIZE" in rest:
            return [b"* %d FETCH (UID %d RFC822.SIZE %d)" % (number, number, len(mail))], True
        return [b"* %d FETCH (UID %d BODY[] {%d}\r\n" % (number, number, len(mail)) + mail + b")"], True


@contextlib.contextmanager
def imap(server: Server, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """With `tls` encrypted from the first byte."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"* OK ready\r\n")
            for raw in self.rfile:
                tag, _, command = raw.decode().strip().partition(" ")
                if command.upper() == "CAPABILITY":
                    self.wfile.write(b"* CAPABILITY IMAP4rev1\r\n")
                lines, good = server.answer(command)
                for line in lines:
                    self.wfile.write(line + b"\r\n")
                self.wfile.write(f"{tag} {'OK' if good else 'NO'} done\r\n".encode())
                if command.upper() == "LOGOUT":
                    return

    class Threaded(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def get_request(self) -> tuple[Any, Any]:
            connection, address = super().get_request()
            return (connection if tls is None else tls.wrap_socket(connection, server_side=True)), address

    with Threaded(("127.0.0.1", 0), Handler) as listening:
        server.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join(5)


@pytest.fixture
def server() -> Iterator[Server]:
    with imap(Server()) as made:
        yield made


@pytest.fixture
def kiitos(server: Server, tmp_path: Path) -> Iterator[Kiitos]:
    found: dict[str, Any] = document(flows={}, fetch_before_send=False)
    found["app"]["base_url"] = "http://localhost"
    url = f"imap://returns:sesame@127.0.0.1:{server.port}/INBOX"
    found["channels"]["mail"] |= {"bounces": "bounces.example", "mailbox": {"env": "BOX"}}
    config = parse_config(found, tmp_path / "app.toml", {**ENVIRON, "BOX": url})
    made = build(config, clock=ManualClock(START), store=Store.open("sqlite://:memory:"))
    made.renderer = RENDERER
    yield made
    made.close()


def kept(kiitos: Kiitos) -> list[bytes]:
    with kiitos.store.inbox.read() as tx:
        return [row.body for row in inbox.after(tx, 0, 100)]


def test_what_is_new_is_kept_then_marked_and_read(server: Server, kiitos: Kiitos) -> None:
    server.mails += [report(), report(status="5.2.2", said="full")]
    Worker(kiitos).drain()
    assert sorted(kept(kiitos)) == sorted(mail.replace(b"\r\n", b"\n") for mail in server.mails)
    assert server.seen == {1, 2}
    assert not any("DELETE" in command.upper() or "EXPUNGE" in command.upper() for command in server.commands)
    kiitos.clock.advance(timedelta(seconds=EVERY * 2))  # type: ignore[attr-defined]
    Worker(kiitos).drain()
    with kiitos.store.work.read() as tx:
        rows = channel_events.unmatched(tx, "mail")
    assert {(row.kind, row.code) for row in rows} == {("bounced", "5.1.1"), ("bounced", "5.2.2")}


def test_a_mail_is_marked_only_when_it_is_durable(
    server: Server, kiitos: Kiitos, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.mails.append(report())

    def broken(*_: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(inbox, "append", broken)
    with pytest.raises(RuntimeError):
        Mailboxes(kiitos).work()
    assert server.seen == set()


def test_two_looks_keep_it_once(server: Server, kiitos: Kiitos) -> None:
    server.mails.append(report())
    assert Mailboxes(kiitos).work() == 1
    server.seen.clear()
    assert Mailboxes(kiitos).work() == 1
    assert len(kept(kiitos)) == 1


def test_once_a_minute(server: Server, kiitos: Kiitos) -> None:
    mailboxes = Mailboxes(kiitos)
    mailboxes.work()
    server.mails.append(report())
    assert mailboxes.work() == 0
    kiitos.clock.advance(timedelta(seconds=EVERY))  # type: ignore[attr-defined]
    assert mailboxes.work() == 1


def test_a_huge_mail_is_left_alone(server: Server, kiitos: Kiitos) -> None:
    server.mails += [b"x" * (LARGEST + 1), report()]
    assert Mailboxes(kiitos).work() == 1
    assert server.seen == {1, 2}


@pytest.mark.parametrize("command", ["LOGIN", "SELECT", "UID SEARCH", "UID FETCH", "UID STORE"])
def test_a_server_that_refuses_costs_a_look_and_shows_no_password(
    server: Server, kiitos: Kiitos, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.mails.append(report())
    server.refuses = command
    Mailboxes(kiitos).work()
    assert server.seen == set()
    said = capsys.readouterr()
    assert "sesame" not in said.out + said.err
    assert "returns" not in said.out + said.err


def test_a_server_that_is_not_there_costs_a_look(server: Server, tmp_path: Path) -> None:
    found: dict[str, Any] = document(flows={}, fetch_before_send=False)
    found["app"]["base_url"] = "http://localhost"
    found["channels"]["mail"] |= {"mailbox": {"env": "BOX"}}
    config = parse_config(found, tmp_path / "app.toml", {**ENVIRON, "BOX": "imap://a:b@127.0.0.1:9"})
    made = build(config, clock=ManualClock(START), store=Store.open("sqlite://:memory:"))
    assert Mailboxes(made).work() == 0
    made.close()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("imap://a:secret@imap.example.com/INBOX", "clear"),
        ("https://a:secret@imap.example.com", "imaps://"),
        ("imaps://imap.example.com", "imaps://"),
        ("imaps://a:secret@imap.example.com:port", "imaps://"),
    ],
)
def test_an_address_that_is_none_is_named_by_its_place(url: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        mailboxes_of({"mail": {"mailbox": url}})
    assert "channels.mail.mailbox" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_address_as_it_should_be() -> None:
    (box,) = mailboxes_of({"mail": {"mailbox": "imaps://re%40turns:p%2Fw@imap.example.com/Bounces%20in"}})
    assert (box.user, box.password, box.port, box.folder) == ("re@turns", "p/w", 993, "Bounces in")
    assert "p/w" not in repr(box)
    assert "re@turns" not in repr(box)


def test_only_a_channel_that_reads_mail_keeps_it(kiitos: Kiitos) -> None:
    with pytest.raises(ConfigError, match="no channel 'other'"):
        keep(kiitos, "other", report())
    assert keep(kiitos, "mail", b"") is False
    assert keep(kiitos, "mail", b"not a mail at all")
    Worker(kiitos).drain()
    with kiitos.store.work.read() as tx:
        assert deliveries.failed(tx) == []

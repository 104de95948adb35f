"""Reports that a real postfix writes, brought in by mail and read: hard, full, delayed, given up, delivered."""

from __future__ import annotations

import contextlib
import os
import shutil
import smtplib
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from connector.clock import SystemClock
from connector.contracts import Verified
from connector.contracts.channel_events import BounceKind, ChannelEvent, ChannelEventKind
from flows.channels.smtp_events import SmtpEvents

POSTFIX = Path("/usr/sbin/postfix")
NEEDED = "no postfix here, or not root: sh scripts/postfix.sh"
KEYS = {name: str(place) * 20 + "abcd" for place, name in enumerate(("gone", "full", "busy", "policy", "fine"))}
MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = mx.kiitos.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
local_recipient_maps =
alias_maps =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = permit_mynetworks, reject
relayhost = [127.0.0.1]:{sink}
smtp_host_lookup = native
smtp_tls_security_level = none
disable_dns_lookups = yes
notify_classes =
delay_warning_time = 1s
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
maximal_queue_lifetime = 4s
bounce_queue_lifetime = 4s
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
showq unix n - n - - showq
pickup unix n - n 60 1 pickup
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass
class Sink:
    """The world outside: refuses by the name before the @, keeps what comes back to bounces.example."""

    returned: dict[str, list[bytes]] = field(default_factory=dict)
    came: threading.Event = field(default_factory=threading.Event)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        answers = {
            "gone": "550 5.1.1 <gone@example.test>: Recipient address rejected: User unknown",
            "full": "552 5.2.2 Mailbox full",
            "busy": "451 4.7.1 Greylisted, please try again",
            "policy": "550 5.7.1 Message refused by policy",
        }
        if (answer := answers.get(address.partition("@")[0])) is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        for address in envelope.rcpt_tos:
            self.returned.setdefault(address, []).append(envelope.content)
        self.came.set()
        return "250 2.0.0 ok"

    def reports(self, name: str) -> list[bytes]:
        return self.returned.get(f"b+{KEYS[name]}@bounces.example", [])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextlib.contextmanager
def postfix(sink_port: int) -> Iterator[int]:
    folder = Path(tempfile.mkdtemp(prefix="kiitos-postfix-"))
    folder.chmod(0o755)  # its daemons are not root
    port = free_port()
    for name in ("queue", "data", "etc"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    (folder / "etc" / "main.cf").write_text(MAIN.format(folder=folder, sink=sink_port))
    (folder / "etc" / "master.cf").write_text(MASTER.format(port=port))

    def call(word: str) -> None:
        done = subprocess.run(
            [POSTFIX, "-c", folder / "etc", word], check=False, capture_output=True, timeout=60, text=True
        )
        log = folder / "log"
        assert done.returncode == 0 or word == "stop", done.stderr + (log.read_text() if log.exists() else "")

    call("start")
    try:
        yield port
    finally:
        call("stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    if not POSTFIX.exists() or os.geteuid() != 0:
        pytest.skip(NEEDED)
    made = Sink()
    controller = Controller(made, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        with postfix(controller.port) as port:
            with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
                for name, key in KEYS.items():
                    mail = f"From: shop@kiitos.test\r\nTo: {name}@example.test\r\nSubject: x\r\n"
                    mail += f"Message-ID: <{key}@kiitos.test>\r\n\r\nHei!\r\n"
                    notify = ["NOTIFY=SUCCESS,FAILURE,DELAY"] if name == "fine" else []
                    client.sendmail(f"b+{key}@bounces.example", [f"{name}@example.test"], mail, rcpt_options=notify)
            clock = SystemClock()
            until = clock.monotonic() + 40
            while clock.monotonic() < until and not _complete(made):
                clock.sleep(0.2)
            yield made
    finally:
        controller.stop()


def _complete(sink: Sink) -> bool:
    once = all(sink.reports(name) for name in ("gone", "full", "policy", "fine"))
    return once and len(sink.reports("busy")) >= 2


def read(mail: bytes) -> ChannelEvent:
    verified = Verified(topic="mail", dedup_key="d", triggered_at=SystemClock().now())
    (event,) = SmtpEvents().read(verified, mail)
    return event


@pytest.mark.parametrize(
    ("name", "kind", "bounce", "code"),
    [
        ("gone", ChannelEventKind.BOUNCED, BounceKind.HARD, "5.1.1"),
        ("full", ChannelEventKind.BOUNCED, BounceKind.SOFT, "5.2.2"),
        ("policy", ChannelEventKind.BOUNCED, BounceKind.BLOCK, "5.7.1"),
        ("fine", ChannelEventKind.DELIVERED, None, "2.1.5"),
    ],
)
def test_a_report_of_a_real_server(
    sink: Sink, name: str, kind: ChannelEventKind, bounce: BounceKind | None, code: str
) -> None:
    event = read(sink.reports(name)[0])
    assert (event.kind, event.bounce, event.key) == (kind, bounce, KEYS[name])
    assert event.recipient == f"{name}@example.test"
    assert event.code in (code, "2.0.0")


def test_a_warning_of_delay_and_then_the_end(sink: Sink) -> None:
    first, *_, last = [read(mail) for mail in sink.reports("busy")]
    assert (first.kind, first.bounce) == (ChannelEventKind.DEFERRED, None)
    assert (last.kind, last.bounce, last.code) == (ChannelEventKind.BOUNCED, BounceKind.SOFT, "4.7.1")
    assert first.id != last.id


def test_without_its_address_a_report_is_known_by_what_came_back(sink: Sink) -> None:
    """A server that rewrites addresses loses the token; the mail that came back still has our Message-ID."""
    mail = sink.reports("gone")[0].replace(f"b+{KEYS['gone']}@".encode(), b"returned@")
    assert read(mail).key == KEYS["gone"]

"""The mailbox that returned mail comes to: for merchants who send over SMTP, whose server has no webhooks.

[channels.mail]
kind = "smtp"
bounces = "bounces.example.com"                 # Return-Path b+KEY@bounces.example.com
mailbox = { env = "BOUNCES_MAILBOX" }           # imaps://user:password@imap.example.com/INBOX

Each mail is kept in the inbox of deliveries, as it came, before the server is told that it was read; from there it goes
the way of a webhook (`connector.working.hearing`). A mail that is read twice, by two workers or after a crash, is the
same delivery. Where a mail server hands mail to a program instead, `kiitos bounces read` does the same with one.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from connector.app import Kiitos
from connector.codec import encode_text
from connector.config.mailboxes import Mailbox, mailboxes_of
from connector.contracts import Finding, Verdict, Verified
from connector.contracts.channel_events import HOOK_PREFIX
from connector.errors import ConfigError, KiitosError, StoreUnavailable, Transient
from connector.log import get_log
from connector.registry import CHANNEL_EVENTS
from connector.store import inbox
from connector.store.channel_events import account_of
from connector.store.inbox import NewDelivery

if TYPE_CHECKING:
    import imaplib

log = get_log("mailbox")

EVERY = 60.0
"""Seconds between two looks into a mailbox."""
AT_ONCE = 50
LARGEST = 2 * 1024 * 1024
"""Bytes of a mail that is read; a larger one is no report, and is left where it is, marked as seen."""
_PATIENCE = 30.0


def keep(kiitos: Kiitos, channel: str, mail: bytes) -> bool:
    """Put one mail into the inbox of deliveries; durable when it returns. `False` for one that is too large.

    Raises `ConfigError` for a channel that reads no mail, `StoreUnavailable`.
    """
    table = kiitos.config.channels.get(channel)
    kind = str(table["kind"]) if table is not None else ""
    if table is None or kind not in kiitos.registry.names(CHANNEL_EVENTS):
        raise ConfigError(f"no channel '{channel}' of app.toml reads returned mail")
    if not mail or len(mail) > LARGEST:
        return False
    now = kiitos.clock.now()
    name = hashlib.sha256(mail).hexdigest()
    verified = Verified(topic="mail", dedup_key=name, triggered_at=now)
    delivery = NewDelivery(
        shop_id=account_of(channel),
        platform=f"{HOOK_PREFIX}{channel}",
        topic="mail",
        dedup_key=name,
        headers={"verified": encode_text(verified)},
        body=mail,
        received_at=now,
    )
    inbox.append(kiitos.store.inbox, [delivery])
    return True


class Mailboxes:
    """One worker's look into all of them. Any number may look at once."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._kiitos = kiitos
        self._next = float("-inf")

    def any(self) -> bool:
        return any(table.get("mailbox") for table in self._kiitos.config.channels.values())

    def work(self) -> int:
        """Fetch what is new, at most once a minute; how many mails were kept. What fails is logged and tried again."""
        clock = self._kiitos.clock
        if not self.any() or clock.monotonic() < self._next:
            return 0
        self._next = clock.monotonic() + EVERY
        kept = 0
        try:
            boxes = mailboxes_of(self._kiitos.config.channels)
        except ConfigError as error:
            log.error("mailbox_wrong", reason=error.message)
            return 0
        for box in boxes:
            try:
                kept += self._fetch(box)
            except StoreUnavailable:
                raise
            except KiitosError as error:
                log.warning("mailbox_not_read", channel=box.channel, reason=error.message)
        return kept

    def _fetch(self, box: Mailbox) -> int:
        kept = 0
        with _opened(box) as server:
            for number in _unseen(server)[:AT_ONCE]:
                mail = _read(server, number)
                # Durable first: a mail that is marked and not kept would be lost.
                if mail is not None and keep(self._kiitos, box.channel, mail):
                    kept += 1
                elif mail is None:
                    log.warning("mail_too_large", channel=box.channel)
                _ask(server.uid("STORE", number, "+FLAGS", r"(\Seen)"))
        return kept


def look_into(box: Mailbox) -> Finding:
    """Whether the mailbox opens. Nothing is read or marked."""
    try:
        with _opened(box):
            return Finding(code="mailbox", verdict=Verdict.OK, values={"host": box.host})
    except KiitosError as error:
        values = {"host": box.host, "why": error.message}
        return Finding(code="mailbox_closed", verdict=Verdict.FAIL, values=values)


@contextlib.contextmanager
def _opened(box: Mailbox) -> Iterator[imaplib.IMAP4]:
    """Logged in, folder open. Raises `Transient`, whose text holds neither name nor password."""
    import imaplib  # a worker without a mailbox does without
    import ssl

    server: imaplib.IMAP4 | None = None
    try:
        if box.secure:
            context = ssl.create_default_context()
            server = imaplib.IMAP4_SSL(box.host, box.port, ssl_context=context, timeout=_PATIENCE)
        else:
            server = imaplib.IMAP4(box.host, box.port, timeout=_PATIENCE)
        try:
            server.login(box.user, box.password)
        except imaplib.IMAP4.error as error:  # its text quotes the user
            raise Transient("the mailbox refuses the name or the password") from error
        _ask(server.select(f'"{box.folder}"'))
        yield server
    except ssl.SSLCertVerificationError as error:
        told = f"the mailbox's certificate is not believed ({error.verify_message})"
        raise Transient(f"{told}; name its authority in SSL_CERT_FILE, or correct the host") from error
    except (OSError, imaplib.IMAP4.error) as error:
        raise Transient(f"the mailbox cannot be read ({type(error).__name__})") from error
    finally:
        if server is not None:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                server.logout()


def _unseen(server: imaplib.IMAP4) -> list[str]:
    found = _ask(server.uid("SEARCH", "UNSEEN"))
    return [number.decode() for number in found[0].split()] if found and found[0] else []


def _read(server: imaplib.IMAP4, number: str) -> bytes | None:
    """The mail's bytes, without marking it; `None` for one that is too large. One that is gone is empty."""
    size = _ask(server.uid("FETCH", number, "(RFC822.SIZE)"))
    told = b"".join(each for each in size if isinstance(each, bytes))
    digits = told.rpartition(b"RFC822.SIZE ")[2].split(b")")[0].strip()
    if digits.isdigit() and int(digits) > LARGEST:
        return None
    answer = _ask(server.uid("FETCH", number, "(BODY.PEEK[])"))
    return next((each[1] for each in answer if isinstance(each, tuple)), b"")


def _ask(answer: tuple[str, list[Any]]) -> list[Any]:
    status, data = answer
    if status != "OK":
        raise Transient("the mailbox answered NO")
    return data

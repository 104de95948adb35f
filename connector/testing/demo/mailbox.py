"""The page the demo leaves behind: every mail as its reader sees it, wide and narrow, and every customer's timeline."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import parseaddr
from types import MappingProxyType
from typing import TypeVar

from flask import Flask, Response, abort, g, render_template

from connector.clock import SystemClock
from connector.explaining.explain import Line, Story
from connector.testing.demo.timeline import HELSINKI
from connector.testing.fakes.smtp import KeptMessage

SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
"""A mail runs nothing and sees nothing; its links open beside it, in the hosted pages."""
FRAME_POLICY = f"default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline'; sandbox {SANDBOX}"
T = TypeVar("T")
_LANGUAGE = re.compile(r"<html\b[^>]*\blang=\"([A-Za-z-]+)\"")
_HEAD = re.compile(r"<head\b[^>]*>")

SAYS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "event": ("came in", ""),
        "effect.sent": ("sent", "sent"),
        "effect.skipped": ("not sent", "not"),
        "not_started": ("not sent", "not"),
        "skipped": ("passed over", "quiet"),
        "cancelled": ("stopped", "not"),
        "effect.failed": ("failed", "failed"),
        "effect.uncertain": ("unknown", "failed"),
        "effect.pending": ("waits", ""),
        "deferred": ("waits", ""),
        "sleeping": ("waits", ""),
        "exited": ("ended", ""),
        "completed": ("ended", ""),
    }
)
"""What a line of a story is called, and how it is coloured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One kept message, taken apart. `at` is the demo's time, from its Date header; `language` is BCP 47."""

    number: int
    at: datetime
    sender: str
    recipient: str
    subject: str
    html: str
    text: str
    size: int
    headers: tuple[tuple[str, str], ...]
    language: str = "en"

    @property
    def person(self) -> str:
        return parseaddr(self.recipient)[0] or self.address

    @property
    def address(self) -> str:
        return parseaddr(self.recipient)[1]


def read_mail(number: int, kept: KeptMessage) -> Mail:
    """Take a kept message apart as a mail program would."""
    message = email.message_from_bytes(kept.content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    content = html.get_content() if html is not None else ""
    language = _LANGUAGE.search(content)
    return Mail(
        number=number,
        at=message["Date"].datetime,
        sender=str(message["From"]),
        recipient=str(message["To"]),
        subject=str(message["Subject"]),
        html=content,
        text=text.get_content() if text is not None else "",
        size=len(kept.content),
        headers=tuple((name, str(value)) for name, value in message.items()),
        language=language[1] if language else "en",
    )


def mailbox(mails: Sequence[Mail], stories: Sequence[Story]) -> Flask:
    """A read-only site: `/` lists, `/mail/<n>` shows one, `/customer/<n>` tells why."""
    app = Flask("connector.testing.demo", template_folder="templates", static_folder=None)
    app.jinja_env.filters["local"] = _local
    app.jinja_env.globals["says"] = _says
    clock = SystemClock()

    @app.before_request
    def make_nonce() -> None:
        g.nonce = clock.token(16)

    @app.after_request
    def protect(response: Response) -> Response:
        policy = f"default-src 'none'; style-src 'nonce-{g.nonce}'; img-src data:; frame-src 'self'; base-uri 'none'"
        response.headers.setdefault("Content-Security-Policy", f"{policy}; frame-ancestors 'none'; form-action 'none'")
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.get("/")
    def index() -> str:
        return render_template("index.html", mails=mails, stories=stories)

    @app.get("/mail/<int:number>")
    def mail(number: int) -> str:
        return render_template("mail.html", mail=_at(mails, number), last=len(mails) - 1, sandbox=SANDBOX)

    @app.get("/mail/<int:number>/body")
    def body(number: int) -> Response:
        # Every link opens beside the frame, whatever the mail says: the pages behind them refuse to be framed.
        html = _HEAD.sub(lambda head: f'{head[0]}<base target="_blank">', _at(mails, number).html, count=1)
        response = Response(html, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = FRAME_POLICY
        return response

    @app.get("/customer/<int:number>")
    def customer(number: int) -> str:
        return render_template("customer.html", story=_at(stories, number))

    return app


def _at(items: Sequence[T], number: int) -> T:
    if number >= len(items):
        abort(404)
    return items[number]


def _local(at: datetime, form: str) -> str:
    """A time as both shops' clocks show it."""
    return f"{at.astimezone(HELSINKI):{form}}"


def _says(line: Line) -> tuple[str, str]:
    return SAYS.get(line.what, ("decided", "quiet"))

"""The page the demo leaves behind: every mail as its reader sees it, wide and narrow, and every customer's timeline."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage

from flask import Flask, Response, abort, render_template

from connector.explain import Story
from connector.testing.fakes.smtp import KeptMessage

FRAME_POLICY = "default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline'; font-src data:; sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One kept message, taken apart. `at` is the demo's time, from its Date header."""

    number: int
    at: datetime
    sender: str
    recipient: str
    subject: str
    html: str
    text: str
    size: int
    headers: tuple[tuple[str, str], ...]


def read_mail(number: int, kept: KeptMessage) -> Mail:
    """Take a kept message apart as a mail program would."""
    message = email.message_from_bytes(kept.content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    return Mail(
        number=number,
        at=message["Date"].datetime,
        sender=str(message["From"]),
        recipient=str(message["To"]),
        subject=str(message["Subject"]),
        html=html.get_content() if html is not None else "",
        text=text.get_content() if text is not None else "",
        size=len(kept.content),
        headers=tuple((name, str(value)) for name, value in message.items()),
    )


def mailbox(mails: Sequence[Mail], stories: Sequence[Story]) -> Flask:
    """A read-only site: `/` lists, `/mail/<n>` shows one, `/customer/<n>` tells why."""
    app = Flask("connector.testing.demo", template_folder="templates", static_folder=None)

    @app.get("/")
    def index() -> str:
        return render_template("index.html", mails=mails, stories=stories)

    @app.get("/mail/<int:number>")
    def mail(number: int) -> str:
        if not 0 <= number < len(mails):
            abort(404)
        return render_template("mail.html", mail=mails[number], last=len(mails) - 1)

    @app.get("/mail/<int:number>/body")
    def body(number: int) -> Response:
        if not 0 <= number < len(mails):
            abort(404)
        response = Response(mails[number].html, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = FRAME_POLICY
        return response

    @app.get("/customer/<int:number>")
    def customer(number: int) -> str:
        if not 0 <= number < len(stories):
            abort(404)
        return render_template("customer.html", story=stories[number])

    return app

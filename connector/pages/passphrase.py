"""The front door for merchants without a link: a pass phrase of the operator's opens one invite."""

from __future__ import annotations

import hmac
import threading
from typing import cast

from flask import Response, current_app, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from connector.connecting import Application, Attempts, sentences
from connector.connecting.attempts import PREFIX
from connector.pages.frame import page, visitor_language

WRONG_ALLOWED = 5
WINDOW = 300.0
"""Seconds in which no more than `WRONG_ALLOWED` wrong pass phrases are looked at, whoever sends them."""


class Guesses:
    """Shows the door and counts wrong pass phrases, of all visitors together: addresses can be changed at will."""

    def __init__(self) -> None:
        self._wrong: list[float] = []
        self._guard = threading.Lock()

    def show(self) -> Response:
        app = _application()
        if not (app.config.connect.enabled and app.config.connect.passphrase and app.config.connect.client):
            return _page("message.html", 404, title="closed.title", text="closed.text")
        return _page("connect_passphrase.html", problem="")

    def act(self) -> BaseResponse:
        app = _application()
        connect = app.config.connect
        if not (connect.enabled and connect.passphrase and connect.client):
            return self.show()
        given = request.form.get("passphrase", "")
        with self._guard:
            now = app.clock.monotonic()
            self._wrong = [at for at in self._wrong if now - at < WINDOW]
            if len(self._wrong) >= WRONG_ALLOWED:
                return _page("connect_passphrase.html", 429, problem="passphrase.slow")
            if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), connect.passphrase.encode()):
                self._wrong.append(now)
                return _page("connect_passphrase.html", 403, problem="passphrase.wrong")
        link = Attempts(app).invite(connect.client)
        return redirect(f"{PREFIX}/{link.rpartition('/')[2]}", 303)


def _application() -> Application:
    return cast("Application", current_app.extensions["kiitos"])


def _page(template: str, status: int = 200, **values: str) -> Response:
    texts = sentences(_application(), "", visitor_language(None, None))
    return page(template, None, None, status, texts=texts, **values)

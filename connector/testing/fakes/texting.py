"""Twilio and 46elks on loopback, as far as we use them: they take a text, refuse by number, list, and can go silent.

Numbers decide: `+358400000001` is none, `+358400000002` told the sender to stop, `+358400000003` makes the server busy,
`+358400000004` takes the text and never answers, `+358400000005` fails after taking it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

from connector.clock import Clock
from connector.testing.fakes.web import Request, Response, as_json

NOBODY, STOPPED, BUSY, SILENT, BROKEN = (f"+35840000000{each}" for each in range(1, 6))
ACCOUNT, TOKEN = "AC" + "0123456789abcdef" * 2, "twilio-token"


BUSY_FOR = 7
"""Seconds a busy server asks for."""


@dataclass
class Texting:
    """`taken` are the forms of texts that were accepted, in order; `asked` counts requests that listed them."""

    clock: Clock
    taken: list[dict[str, str]] = field(default_factory=list)
    asked: int = 0
    mishaps: list[str] = field(default_factory=list)
    """Numbers that the next messages are taken for, whoever they are to."""

    def twilio(self, request: Request) -> Response:
        if request.headers.get("authorization") != _basic(ACCOUNT, TOKEN):
            return as_json(401, {"code": 20003, "message": "Authenticate", "status": 401})
        if request.path == f"/2010-04-01/Accounts/{ACCOUNT}.json":
            return as_json(200, {"sid": ACCOUNT, "status": "active"})
        if request.path != f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json":
            return as_json(404, {"code": 20404, "status": 404})
        if request.method == "GET":
            found = [self._of_twilio(form) for form in reversed(self.taken) if form["To"] == request.last("To")]
            self.asked += 1
            return as_json(200, {"messages": found, "next_page_uri": None})
        form = dict(parse_qsl(request.body.decode()))
        number = self._number(form["To"])
        codes = {NOBODY: (400, 21211), STOPPED: (400, 21610)}
        if number in codes:
            status, code = codes[number]
            return as_json(status, {"code": code, "message": f"{form['To']} is refused", "status": status})
        if "From" not in form and "MessagingServiceSid" not in form:
            return as_json(400, {"code": 21603, "message": "A From is required", "status": 400})
        return self._take(form, number, lambda: as_json(201, self._of_twilio(form)))

    def elks46(self, request: Request) -> Response:
        if request.headers.get("authorization") != _basic("user", "pass"):
            return Response(401, b"API access requires Basic HTTP authentication", "text/plain")
        if request.path == "/a1/me":
            return as_json(200, {"id": "u1", "currency": "SEK"})
        if request.path != "/a1/sms":
            return Response(404, b"Not found", "text/plain")
        if request.method == "GET":
            found = [self._of_elks(form) for form in reversed(self.taken) if form["to"] == request.last("to")]
            self.asked += 1
            return as_json(200, {"data": found})
        form = dict(parse_qsl(request.body.decode()))
        number = self._number(form["to"])
        if number == NOBODY:
            return Response(400, b'Invalid value for parameter "to"', "text/plain")
        if number == STOPPED:
            return Response(403, b"Not enough credits", "text/plain")
        return self._take(form, number, lambda: as_json(200, self._of_elks(form)))

    def _number(self, told: str) -> str:
        return self.mishaps.pop(0) if self.mishaps else told

    def _take(self, form: dict[str, str], number: str, answer: Callable[[], Response]) -> Response:
        if number == BUSY:
            return Response(429, b"{}", headers=(("Retry-After", "7"),))
        form["made"] = f"{self.clock.now():%Y-%m-%dT%H:%M:%S}"
        form["sent_at"] = format_datetime(self.clock.now())
        self.taken.append(form)
        if number == BROKEN:
            return as_json(500, {"code": 20500, "status": 500})
        found = answer()
        return Response(found.status, found.body, drop=True) if number == SILENT else found

    def _of_twilio(self, form: dict[str, str]) -> dict[str, Any]:
        sid = f"SM{self.taken.index(form):032x}"
        known = {"to": form["To"], "from": form.get("From"), "body": form["Body"], "date_created": form["sent_at"]}
        return {"sid": sid, "status": "queued", "error_code": None, "date_sent": None, **known}

    def _of_elks(self, form: dict[str, str]) -> dict[str, Any]:
        ident = f"s{self.taken.index(form):032x}"
        known = {"to": form["to"], "from": form["from"], "message": form["message"], "created": form["made"]}
        return {"id": ident, "status": "created", "direction": "outgoing", "cost": 3500, **known}


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

"""Five e-mail providers on loopback: what their APIs take, answer and remember, and what can go wrong with one request.

One server speaks for all five, told apart by path, so that two channels may meet in one test. It knows what each
provider documents: Resend's and Brevo's keys, Postmark's metadata search, Mailgun's events. `box` counts what a
recipient would have got.
"""

from __future__ import annotations

import email.parser
import email.policy
import json
import re
import threading
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.testing.fakes.web import LoopbackServer, Request, Response, as_json

GOOD_KEY = "good-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One message a provider took responsibility for. `key` is ours, as its events would hand it back."""

    provider: str
    key: str
    recipient: str
    subject: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    provider_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """What becomes of one request: `status` answers so instead of working. `after_work`: it is carried out first; then
    the connection is cut (`status` 0) or the answer is `status`. `hang` seconds pass before anything is answered."""

    status: int = 0
    body: Any = None
    retry_after: str = ""
    after_work: bool = False
    hang: float = 0.0
    content_type: str = "application/json"


class FakeProviders:
    """Use as a context manager. `box` holds what was taken, in order; `mishaps` are used up one a sending."""

    def __init__(self) -> None:
        self.box: list[Taken] = []
        self.mishaps: deque[Mishap] = deque()
        self.requests: list[Request] = []
        self.looked_up = 0
        self.indexed = True
        """Whether a look-up finds what was taken; a provider's index may lag."""
        self.keeps_keys = True
        """Whether a repetition under a known key is recognised."""
        self.watch: Callable[[Taken, bool], None] = lambda taken, done: None
        """Called with each message before it is taken (`done` False) and before its answer (True); it may block."""
        self._known: dict[tuple[str, str], tuple[bytes, str]] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._server = LoopbackServer(self._answer)

    def __enter__(self) -> FakeProviders:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.stop()

    @property
    def url(self) -> str:
        return self._server.url

    def of(self, provider: str) -> list[Taken]:
        return [taken for taken in self.box if taken.provider == provider]

    def _answer(self, request: Request) -> Response:
        provider = _provider_of(request)
        if not _let_in(request):
            return as_json(401, {"message": f"the key {GOOD_KEY[:4]}... is not valid", "ErrorCode": 10})
        if request.method == "GET":
            return self._read(provider, request)
        with self._lock:
            self.requests.append(request)
            mishap = self.mishaps.popleft() if self.mishaps else None
        if mishap is None:
            return self._send(provider, request)
        if mishap.after_work:
            self._send(provider, request)
        if mishap.hang:
            self._ended.wait(mishap.hang)
        if not mishap.status:
            return Response(200, drop=True)
        headers = (("Retry-After", mishap.retry_after),) if mishap.retry_after else ()
        if mishap.content_type != "application/json":
            return Response(mishap.status, str(mishap.body).encode(), mishap.content_type, headers)
        return as_json(mishap.status, mishap.body if mishap.body is not None else {}, headers)

    def _send(self, provider: str, request: Request) -> Response:
        taken = _READERS[provider](request)
        self.watch(taken, False)
        answer = self._take(provider, request, taken)
        self.watch(taken, True)
        return answer

    def _take(self, provider: str, request: Request, taken: Taken) -> Response:
        with self._lock:
            key = _idempotency_key(provider, request) if self.keeps_keys else ""
            if key:
                body, known = self._known.get((provider, key), (request.body, ""))
                if body != request.body:
                    return as_json(409, {"name": "invalid_idempotent_request", "message": "same key, other body"})
                if known:
                    return _accepted(provider, known)
            provider_id = f"{provider}-{len(self.box) + 1}"
            if provider == "mailgun":
                provider_id = taken.headers.get("Message-ID", "")
            self.box.append(_with_id(taken, provider_id))
            if key:
                self._known[provider, key] = (request.body, provider_id)
        return _accepted(provider, provider_id)

    def _read(self, provider: str, request: Request) -> Response:
        query = dict(request.query)
        if request.path == "/messages/outbound":
            self.looked_up += 1
            found = [t for t in self.box if t.key == query.get("metadata_kiitos")] if self.indexed else []
            listed = [{"MessageID": t.provider_id, "Metadata": {"kiitos": t.key}} for t in found]
            return as_json(200, {"TotalCount": len(listed), "Messages": listed})
        if request.path.endswith("/events"):
            self.looked_up += 1
            wanted = query.get("message-id", "")
            found = [t for t in self.box if t.provider_id.strip("<>") == wanted] if self.indexed else []
            items = [{"event": "accepted", "message": {"headers": {"message-id": wanted}}} for _ in found]
            return as_json(200, {"items": items, "paging": {}})
        return as_json(200, {"provider": provider})


def _provider_of(request: Request) -> str:
    paths = {
        "resend": ("/emails", "/domains"),
        "postmark": ("/email", "/server", "/messages/outbound"),
        "sendgrid": ("/v3/mail/send", "/v3/scopes"),
        "brevo": ("/v3/smtp/email", "/v3/account"),
    }
    return next((name for name, known in paths.items() if request.path in known), "mailgun")


def _let_in(request: Request) -> bool:
    given = request.headers.get("authorization", "")
    if given.startswith("Basic "):
        return b64decode(given[6:]).decode() == f"api:{GOOD_KEY}"
    others = (request.headers.get("x-postmark-server-token"), request.headers.get("api-key"))
    return given == f"Bearer {GOOD_KEY}" or GOOD_KEY in others


def _idempotency_key(provider: str, request: Request) -> str:
    if provider == "resend":
        return request.headers.get("idempotency-key", "")
    if provider == "brevo":
        return str(json.loads(request.body)["headers"].get("idempotencyKey", ""))
    return ""


def _accepted(provider: str, provider_id: str) -> Response:
    if provider == "sendgrid":
        return Response(202, headers=(("X-Message-Id", provider_id),))
    if provider == "postmark":
        return as_json(200, {"ErrorCode": 0, "Message": "OK", "MessageID": provider_id})
    if provider == "brevo":
        return as_json(201, {"messageId": provider_id})
    return as_json(200, {"id": provider_id, "message": "Queued. Thank you."})


def _with_id(taken: Taken, provider_id: str) -> Taken:
    return Taken(**{name: getattr(taken, name) for name in Taken.__slots__} | {"provider_id": provider_id})


def _resend(request: Request) -> Taken:
    body = json.loads(request.body)
    tags = {tag["name"]: tag["value"] for tag in body.get("tags", [])}
    return Taken(
        provider="resend",
        key=tags.get("kiitos", ""),
        recipient=_bare(body["to"][0]),
        subject=body["subject"],
        headers=body.get("headers", {}),
        body=body,
    )


def _postmark(request: Request) -> Taken:
    body = json.loads(request.body)
    return Taken(
        provider="postmark",
        key=body.get("Metadata", {}).get("kiitos", ""),
        recipient=_bare(body["To"]),
        subject=body["Subject"],
        headers={header["Name"]: header["Value"] for header in body.get("Headers", [])},
        body=body,
    )


def _sendgrid(request: Request) -> Taken:
    body = json.loads(request.body)
    first = body["personalizations"][0]
    return Taken(
        provider="sendgrid",
        key=first.get("custom_args", {}).get("kiitos", ""),
        recipient=first["to"][0]["email"],
        subject=body["subject"],
        headers=body.get("headers", {}),
        body=body,
    )


def _brevo(request: Request) -> Taken:
    body = json.loads(request.body)
    return Taken(
        provider="brevo",
        key=body["headers"].get("X-Mailin-custom", ""),
        recipient=body["to"][0]["email"],
        subject=body["subject"],
        headers=body["headers"],
        body=body,
    )


def _mailgun(request: Request) -> Taken:
    fields = form_fields(request)
    mime = email.parser.BytesParser(policy=email.policy.default).parsebytes(fields["message"])
    return Taken(
        provider="mailgun",
        key=fields.get("v:kiitos", b"").decode(),
        recipient=fields["to"].decode(),
        subject=str(mime["Subject"]),
        headers={name: str(value) for name, value in mime.items()},
        body=fields,
    )


def form_fields(request: Request) -> dict[str, bytes]:
    """The fields of a multipart form, by name, to the byte."""
    boundary = request.headers["content-type"].rpartition("boundary=")[2].strip('"').encode()
    found = {}
    for part in request.body.split(b"--" + boundary)[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        named = re.search(rb'name="([^"]+)"', head)
        if named:
            found[named[1].decode()] = data.removesuffix(b"\r\n")
    return found


def _bare(shown: str) -> str:
    return shown.rpartition("<")[2].rstrip(">")


_READERS = {
    "resend": _resend,
    "postmark": _postmark,
    "sendgrid": _sendgrid,
    "brevo": _brevo,
    "mailgun": _mailgun,
}

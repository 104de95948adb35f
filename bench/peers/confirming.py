"""The product's reading, rendering and kept SMTP connection, for peers that run Python: engines are compared, not mail
code. Signatures are checked here too."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Callable
from functools import cache

from bench import corpus
from connector.clock import SystemClock
from connector.contracts import Accepted, Message
from flows.channels.smtp import Smtp

SINK_PORT = "BENCH_SINK_PORT"


def signed(body: bytes, signature: str) -> bool:
    expected = base64.b64encode(hmac.new(corpus.SECRET, body, hashlib.sha256).digest()).decode()
    return hmac.compare_digest(expected, signature)


@cache
def _tools() -> tuple[Callable[[bytes], tuple[str, bytes]], Smtp]:
    """One renderer and one connection a process, kept."""
    from bench import ours_render

    settings = {"host": "127.0.0.1", "port": int(os.environ[SINK_PORT]), "tls": "none"}
    return ours_render.confirmation(), Smtp.from_settings(settings, SystemClock())


def confirm(body: bytes) -> None:
    """Send the confirmation of one order. Raises `RuntimeError` when the server did not take it."""
    compose, channel = _tools()
    recipient, content = compose(body)
    message = Message(
        key=recipient, channel="email", sender="hello@bench.example.com", recipient=recipient, content=content
    )
    (outcome,) = channel.send_all([message])
    if not isinstance(outcome, Accepted):
        raise RuntimeError(f"the sink did not take a message: {outcome}")

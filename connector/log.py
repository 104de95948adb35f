"""Structured logs: one JSON object a line, ids bound to a context, and a net that catches secrets and personal data.

    log = get_log("webhooks.writer")
    with bound(shop_id=shop.id):
        log.warning("commit_failed", rows=12, code=error.code)

The event is a fixed word and everything variable is a field, so that a line can be searched and redacted. Code must not
log personal data to begin with; the net is for the day somebody does.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from connector import codec
from connector.clock import to_text

_ROOT = "kiitos"
_HIDDEN = "[redacted]"
_MAX_TEXT = 2000
_NOTHING: Mapping[str, object] = {}

_bound: ContextVar[Mapping[str, object]] = ContextVar("kiitos_log_fields")

# Field names are matched as whole words of a snake_case name: `email_key` (a keyed hash) and `key` stay readable.
_SENSITIVE_NAMES = frozenset(
    re.findall(
        r"\w+",
        """secret secrets password passphrase token authorization cookie signature hmac credential credentials email
        phone address recipient name first_name last_name access_token refresh_token client_secret webhook_secret
        api_key consumer_key consumer_secret master_key headers body content subject""",
    )
)

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "[email]"),
    (re.compile(r"\b(?:shpat|shpca|shppa|shpss|shprt|shpua|whsec)_[\w-]{8,}|\b[cs][ks]_[0-9a-f]{16,}"), "[credential]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), r"\1 [credential]"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*"), "[credential]"),
    (re.compile(r"(?i)(/hooks/[^/\s?]+/)[^/\s?]+"), r"\1[key]"),
    (re.compile(r"(?i)([?&](?:\w*token|\w*secret|hmac|signature|code|password)=)[^&\s]+"), r"\1" + _HIDDEN),
    (re.compile(r"(?i)(\w+://[^/\s:@]+:)[^/\s@]+@"), r"\1" + _HIDDEN + "@"),
    (re.compile(r"(?<![\w.:/-])\+\d[\d ()-]{6,18}\d\b"), "[phone]"),
)


def redact(text: str) -> str:
    """`text` without e-mail addresses, phone numbers, credentials and hook keys; at most 2000 characters.

    >>> redact("550 no such user aino@example.com")
    '550 no such user [email]'
    """
    text = text[:_MAX_TEXT].encode("utf-8", "backslashreplace").decode()  # a lone surrogate cannot be written as JSON
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def clean(name: str, value: object) -> object:
    """The value of a field as it may be written: hidden by its name, else redacted, else as it is."""
    if name.lower() in _SENSITIVE_NAMES:
        return _HIDDEN
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(key): clean(str(key), item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [clean("", item) for item in value]
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    if isinstance(value, datetime):
        return to_text(value) if value.tzinfo else value.isoformat()
    return redact(str(value))


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Add fields to every line written inside, also from functions called."""
    token = _bound.set({**_bound.get(_NOTHING), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


class Log:
    """Writes events with fields through the standard library's logging, so that other handlers can be added."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def _write(self, level: int, event: str, fields: Mapping[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={"kiitos_fields": {**_bound.get(_NOTHING), **fields}})

    def debug(self, event: str, **fields: object) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, error: BaseException, **fields: object) -> None:
        """An error with the places it passed. The text of a foreign exception may quote data, so only ours is kept."""
        code = getattr(error, "code", None)
        text = str(error) if isinstance(code, str) else ""
        self._write(
            logging.ERROR, event, {**fields, "error": type(error).__name__, "error_text": text, "trace": _trace(error)}
        )


def _trace(error: BaseException) -> list[str]:
    """Innermost last: `module:function:line` of the last twelve frames, without source lines or values."""
    places: list[str] = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        places.append(f"{step.tb_frame.f_globals.get('__name__', '?')}:{code.co_name}:{step.tb_lineno}")
        step = step.tb_next
    return places[-12:]


def get_log(name: str) -> Log:
    """The log of a part of the product, a child of the logger `kiitos`."""
    return Log(logging.getLogger(f"{_ROOT}.{name}"))


class JsonFormatter(logging.Formatter):
    """`{"at": ..., "level": ..., "log": ..., "event": ..., fields}`; lines of other libraries pass the same net."""

    def format(self, record: logging.LogRecord) -> str:
        return codec.encode_text(self.fields(record))

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """The line as it may be written."""
        line: dict[str, Any] = {
            "at": to_text(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "log": record.name.removeprefix(f"{_ROOT}."),
            "event": redact(record.getMessage()),
        }
        fields: Mapping[str, object] = getattr(record, "kiitos_fields", {})
        for name, value in fields.items():
            line.setdefault(name, clean(name, value))
        if record.exc_info and record.exc_info[1] is not None:
            line.setdefault("error", type(record.exc_info[1]).__name__)
            line.setdefault("trace", _trace(record.exc_info[1]))
        return line


class TextFormatter(JsonFormatter):
    """The same for people: `at level log: event  name=value ...`."""

    def format(self, record: logging.LogRecord) -> str:
        line = self.fields(record)
        head = f"{line.pop('at')} {line.pop('level'):<7} {line.pop('log')}: {line.pop('event')}"
        return "  ".join([head, *(f"{name}={codec.encode_text(value)}" for name, value in line.items())])


def configure(*, level: str = "INFO", stream: TextIO | None = None, form: str = "json") -> None:
    """Write our logs and those of libraries (from WARNING) to `stream` (default stderr), as `json` or `text`. Call once
    a process."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(TextFormatter() if form == "text" else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(_ROOT).setLevel(level.upper())

"""Every error of the product, sorted by who must act.

One root, no builtin bases (so that no `except ValueError` swallows one by accident), a stable
`code` for logs and documentation, and a message that names the place and, where known, the fix.
Each class has a heading in docs/errors.md; a test keeps that true.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class KiitosError(Exception):
    """Root of all errors. `message` is one sentence a person can act on."""

    code: ClassVar[str] = "KIITOS"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class ConfigError(KiitosError):
    """The operator must act: a file of ours is wrong. `where` is `file:key.path`."""

    code = "CONFIG"

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class WebhookRejected(KiitosError):
    """Nobody must act: the delivery was not signed by the platform. Answered 401.

    `reason` is a short machine word: `signature`, `missing_header`, `shape`, `shop`.
    """

    code = "WEBHOOK_REJECTED"

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message or f"webhook rejected: {reason}")
        self.reason = reason


class MalformedPayload(KiitosError):
    """We must act: a verified body could not be read. It is kept for replay.

    `path` points into the body (`line_items[2].price`), never quoting its value.
    """

    code = "MALFORMED_PAYLOAD"

    def __init__(self, message: str, *, topic: str = "", path: str = "") -> None:
        super().__init__(f"{topic} {path}: {message}".strip())
        self.topic = topic
        self.path = path


class Transient(KiitosError):
    """Time must act: try again, not before `retry_after` seconds where the other side said so.

    `maybe_done` is true when the request may have been carried out although no answer came
    (time-out after the body was sent): such an outcome is never repeated blindly.
    """

    code = "TRANSIENT"

    def __init__(self, message: str, *, retry_after: float | None = None, maybe_done: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.maybe_done = maybe_done


class AuthExpired(KiitosError):
    """The merchant must act: the shop's credentials no longer work. The shop pauses, nothing is dropped."""

    code = "AUTH_EXPIRED"


class ConnectRefused(KiitosError):
    """The merchant must act: this attempt does not connect the store. Nothing of it is kept.

    `reason` names the sentence shown (`error.<reason>` of the platform's wording, filled with `values`), `field` the
    field to correct, where there is one. Never quotes a secret.
    """

    code = "CONNECT_REFUSED"

    def __init__(self, reason: str, message: str, *, field: str = "", **values: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field
        self.values = values


class Refused(KiitosError):
    """The flow's author must act: the other side understood and said no.

    `provider_code` is the other side's own word for it.
    """

    code = "REFUSED"

    def __init__(self, message: str, *, provider_code: str = "") -> None:
        super().__init__(message)
        self.provider_code = provider_code


class Unsupported(KiitosError):
    """The flow's author must act, when flows load: a shop's platform cannot do what a flow asks."""

    code = "UNSUPPORTED"


class StoreUnavailable(KiitosError):
    """The operator must act: the database cannot be written (disk full, lock held, read-only). Answered 503."""

    code = "STORE_UNAVAILABLE"


class StoreDamaged(StoreUnavailable):
    """The operator must act: the file is not what was written. Nothing is sent from it; `database` is its name."""

    code = "STORE_DAMAGED"

    def __init__(self, message: str, *, database: str) -> None:
        super().__init__(message)
        self.database = database


class StoreCollision(StoreUnavailable):
    """Nobody must act: two transactions waited for each other, and the database undid this one. Take it again."""

    code = "STORE_COLLISION"


class TemplateError(KiitosError):
    """The template's author must act. `line` and `column` count from 1; 0 means unknown."""

    code = "TEMPLATE"

    def __init__(self, message: str, *, where: str = "", line: int = 0, column: int = 0) -> None:
        place = f"{where}:{line}:{column}" if line else where
        super().__init__(f"{place}: {message}" if place else message)
        self.where = where
        self.line = line
        self.column = column


def near(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the closest of `known`, or an empty string.

    >>> near("remind", ["reminder", "ask"])
    "; did you mean 'reminder'?"
    """
    match = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{match[0]}'?" if match else ""

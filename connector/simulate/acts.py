"""What an effect of the outbox is in a life that is lived the short way, and what that way is not for."""

from __future__ import annotations

from datetime import datetime

from connector.model import Effect


class Uncovered(Exception):
    """This cannot be lived the short way."""


class Act:
    """An effect of the outbox with what becomes of it."""

    __slots__ = (
        *("asked", "done_at", "due_at", "effect", "first_try_at", "lease_until", "names", "reason", "recipient_key"),
        "status",
    )

    def __init__(self, effect: Effect) -> None:
        self.effect = effect
        self.status = effect.status
        self.due_at = effect.due_at
        self.lease_until: datetime | None = None
        self.first_try_at: datetime | None = None
        self.done_at: datetime | None = None
        self.recipient_key = ""
        self.reason = ""
        self.asked: tuple[str, ...] = ()  # the products it asks to review, of somebody with an address and an account
        self.names = ("", "")

"""Why a checkout says no."""

from __future__ import annotations


class CheckoutRefused(Exception):
    """The code was not accepted and nothing was ordered.

    `reason` is `unknown_code`, `used_up`, `expired`, `not_yours`, `minimum` or `once`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"checkout refused the discount code: {reason}")
        self.reason = reason

"""How people say yes in a shop, and what is learnt of messages that were read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from connector.config.layering import Layered
from connector.model import Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentSettings:
    """How people say yes in a shop. `signup`: there is a page for it. `double_opt_in`: they confirm it by mail; all, or
    those of some countries (ISO 3166). `keep_ip`: a keyed hash of the visitor's address is kept as evidence."""

    signup: bool = False
    double_opt_in: bool | frozenset[str] = True
    keep_ip: bool = False

    def must_confirm(self, country: str | None) -> bool:
        """Whether a visitor of the country confirms by mail; one of no known country does wherever anybody does."""
        if isinstance(self.double_opt_in, bool):
            return self.double_opt_in
        return bool(self.double_opt_in) and (country is None or country in self.double_opt_in)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingSettings:
    """What is learnt of messages that were read. `clicks` is `none`, `marketing` (the whole class but order messages)
    or `all`; `url` is where short links begin, empty for the application's own address."""

    clicks: str = "marketing"
    opens: bool = False
    url: str = ""

    def follows(self, purpose: Purpose) -> bool:
        """Whether clicks on a message of the purpose are told apart."""
        return self.clicks == "all" or (self.clicks == "marketing" and purpose.needs_consent)


_COUNTRY = re.compile(r"[A-Z]{2}")


def double_opt_in(value: Any) -> str:
    """Whether who signs up must confirm it by mail: everybody, nobody, or visitors of some countries."""
    fits = isinstance(value, bool) or (
        isinstance(value, list) and all(isinstance(item, str) and _COUNTRY.fullmatch(item) for item in value)
    )
    return "" if fits else 'should be true, false, or a list of countries such as ["DE", "AT"]'


def read_consenting(layered: Layered) -> ConsentSettings:
    wanted = layered.get("double_opt_in", True)
    return ConsentSettings(
        signup=layered.get("signup", False),
        double_opt_in=wanted if isinstance(wanted, bool) else frozenset(wanted),
        keep_ip=layered.get("consent_ip", False),
    )


def read_tracking(layered: Layered) -> TrackingSettings:
    return TrackingSettings(
        clicks=layered.get("track_clicks", "marketing"),
        opens=layered.get("track_opens", False),
        url=str(layered.get("links_url", "")).rstrip("/"),
    )

"""Short links: the addresses they stand for, kept once, and who followed them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.clock import from_text, to_text
from connector.model import Effect
from connector.store.db import Tx
from connector.store.effects import effect_of

_KEY = 24
MOST = 60
"""Clicks of one message that are kept: more teach nothing, and scanners are patient."""
NEW, PERSON, OPEN = "new", "person", "open"
"""Verdicts: not judged yet, a person's click, a picture that was fetched: perhaps somebody looked (Apple's mail fetches
all of them for everybody)."""


@dataclass(frozen=True, slots=True)
class ShortLink:
    shop_id: str
    url_id: str
    url: str


@dataclass(frozen=True, slots=True)
class Click:
    """`verdict` is `new`, `person`, or what gave a machine away (`agent`, `too_soon`, `burst` ...)."""

    shop_id: str
    id: str
    effect_id: str
    url_id: str
    at: datetime
    verdict: str = NEW
    url: str = ""


def keep(tx: Tx, shop_id: str, url_id: str, url: str, owner: str, now: datetime) -> None:
    """Keep what an id stands for; asked again in the same transaction it costs nothing."""
    known: dict[tuple[str, str], bool] = tx.recall("short_link_put")
    if (shop_id, url_id) not in known:
        known[shop_id, url_id] = True
        tx.later("short_link_put", shop_id=shop_id, url_id=url_id, url=url, owner=owner, now=to_text(now))


def find(tx: Tx, url_id: str) -> ShortLink | None:
    row = tx.one("short_link_get", url_id=url_id)
    return ShortLink(row["shop_id"], row["url_id"], row["url"]) if row else None


def message_of(tx: Tx, beginning: str) -> Effect | None:
    """The message whose key begins so, without its content; `None` where there is none (any more), or two."""
    rows = tx.all("click_message", low=beginning, high=beginning + "z" * _KEY)
    found = [row for row in rows if row["message_key"].startswith(beginning)]
    return effect_of(found[0]) if len(found) == 1 else None


def put(tx: Tx, click: Click) -> None:
    """Keep a click, as long as there are not `MOST` of its message."""
    tx.run(
        "click_put",
        shop_id=click.shop_id,
        click_id=click.id,
        effect_id=click.effect_id,
        url_id=click.url_id,
        at=to_text(click.at),
        verdict=click.verdict,
        most=MOST,
    )


def of_effect(tx: Tx, shop_id: str, effect_id: str) -> list[Click]:
    """Of one message, oldest first."""
    return [
        Click(shop_id, row["click_id"], effect_id, row["url_id"], from_text(row["at"]), row["verdict"], row["url"])
        for row in tx.all("click_of_effect", shop_id=shop_id, effect_id=effect_id)
    ]


def unjudged(tx: Tx, before: datetime, limit: int) -> Sequence[Click]:
    """What came before then and nobody has judged, oldest first."""
    return [
        Click(row["shop_id"], row["click_id"], row["effect_id"], row["url_id"], from_text(row["at"]))
        for row in tx.all("click_new", before=to_text(before), limit=limit)
    ]


def judge(tx: Tx, click: Click, verdict: str) -> None:
    tx.later("click_judge", shop_id=click.shop_id, click_id=click.id, verdict=verdict)


def next_at(tx: Tx) -> datetime | None:
    """When the oldest came that nobody has judged."""
    row = tx.one("click_next")
    return from_text(row["at"]) if row and row["at"] else None

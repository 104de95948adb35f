"""Was it a person? Clicks are judged when nothing that comes later can change the verdict, and only then count.

Gateways that check mail follow every link of a message within seconds (facts/messaging.md section 5.3): the first of
them looks like anybody's. What counts is a sign of life, and an event that flows may wait for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.errors import StoreUnavailable
from connector.log import get_log
from connector.store import clicks, effects
from connector.store.clicks import PERSON, Click
from connector.store.db import Tx
from connector.working.intake import again_if_moved
from flows.sending.clicked import clicked
from flows.sending.short_links import OPENED

SETTLED = timedelta(seconds=15)
"""After this no later click can belong to the same burst."""
BURST = timedelta(seconds=5)
MOST = 3
"""More links of one message than a person opens within `BURST`."""
_BATCH = 100
log = get_log("clicks")


class Judge:
    """One worker's. Costs one look when nothing is due."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._kiitos = kiitos

    def work(self) -> int:
        """Judge what is due; how many clicks counted. What cannot be told to flows is judged all the same: one
        message's trouble must not keep a worker from everything else."""
        try:
            return again_if_moved(self._judge)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("clicks_not_counted", error)
            return again_if_moved(lambda: self._judge(tell=False))

    def _judge(self, *, tell: bool = True) -> int:
        now = self._kiitos.clock.now()
        counted = 0
        with self._kiitos.store.work.transaction() as tx:
            for click in clicks.unjudged(tx, now - SETTLED, _BATCH):
                verdict = verdict_of(click, clicks.of_effect(tx, click.shop_id, click.effect_id))
                clicks.judge(tx, click, verdict)
                if verdict == PERSON and tell:
                    counted += self._count(tx, click, now)
        return counted

    def _count(self, tx: Tx, click: Click, now: datetime) -> int:
        effect = effects.get(tx, click.shop_id, click.effect_id)
        if effect is None or not self._kiitos.catalog.knows(click.shop_id):
            return 0
        clicked(tx, self._kiitos.runner, effect, click, now)
        return 1


def verdict_of(click: Click, others: Sequence[Click]) -> str:
    """`person`, or `burst` where more links of the message were followed around the same moment than one would."""
    near = {each.url_id for each in others if abs(each.at - click.at) <= BURST and each.url_id != OPENED}
    return "burst" if len(near) > MOST else PERSON


def next_due(tx: Tx) -> datetime | None:
    """When the oldest click can be judged."""
    at = clicks.next_at(tx)
    return at + SETTLED if at is not None else None

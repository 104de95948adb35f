"""What the checks of a running installation look at: the built application, one look at its figures, the network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.config import ShopSettings
from connector.model import Shop, ShopStatus
from connector.outside.sender_domain import Txt
from connector.store.watch import Pile
from connector.watching.figures import Figures
from connector.watching.trouble import span_text

LATE = timedelta(minutes=10)
"""After which something that is due is late: a worker looks every few hundred milliseconds."""
SILENT = timedelta(minutes=3)
"""After which a worker that said nothing is not there: it says something every 30 seconds."""
QUIET = timedelta(days=7)
"""A shop that was heard of, and now is not for so long, has probably lost its webhooks."""
FIRST = timedelta(days=1)
"""How long a new shop may take until its first webhook."""
LAGGING = timedelta(minutes=1)
"""How far Litestream's copy may be behind: it writes every second or so."""
STALE = timedelta(hours=26)
"""A backup a day, and two hours for it to be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """`txt` asks the DNS; `None` where the network is to be left alone."""

    kiitos: Kiitos
    figures: Figures
    txt: Txt | None = None

    @property
    def now(self) -> datetime:
        return self.figures.at

    def shops(self) -> Iterator[tuple[ShopSettings, Shop]]:
        """The configured shops that were not removed, with how they stand."""
        for shop in self.figures.shops:
            if shop.id in self.kiitos.config.shops and shop.status is not ShopStatus.UNINSTALLED:
                yield self.kiitos.config.shops[shop.id], shop

    def ago(self, at: datetime) -> str:
        """`3 hours`: how long ago that is."""
        return span_text(max((self.now - at).total_seconds(), 0.0))

    def age(self, pile: Pile) -> str:
        return self.ago(pile.oldest)

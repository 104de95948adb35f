"""Shops take turns: while more is due than fits a batch, each shop with work has a share of it.

Oldest first alone would make everybody wait behind one shop's burst. With no more due than a batch holds, the oldest
are all there is, and nothing of this is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from connector.store.db import Row

SHOPS = 25
"""How many shops share one batch, at most: each costs a statement, and the next batch goes on with the next shops."""


@dataclass(slots=True)
class Turn:
    """How far one worker's round of the shops has come.

    Whoever claims may look twice before it acts, and sees the same shops until it says `pass_on`.
    """

    after: str = ""
    few_first: bool = False
    """Whether shops with no more due than their share are taken alone, every other time that some others have more."""
    few: frozenset[str] = frozenset()
    """The shops the last batch was for, where it was for those with few alone."""
    many: frozenset[str] = frozenset()
    """The shops that had more due than their share when the last batch was put together; empty when shops with work are
    so many that each batch passes over some anyway."""
    _last: str = field(default="", repr=False)

    def served(self, shops: Sequence[str]) -> None:
        """These had a share of the batch that is being put together, in this order."""
        self._last = shops[-1]

    def pass_on(self) -> None:
        """The batch is done: the next begins with the shop after its last one."""
        self.after = self._last


ShopsAfter = Callable[[str, int], list[str]]
"""The shops with due work whose id is greater than this, in order, so many at most."""
OldestOf = Callable[[str, int], list[Row]]
"""A shop's oldest due rows, so many at most."""


def shops_in_turn(after: ShopsAfter, turn: Turn) -> list[str]:
    """The shops whose turn it is, up to `SHOPS`, each once."""
    found = after(turn.after, SHOPS)
    if len(found) < SHOPS and turn.after:
        found += [shop for shop in after("", SHOPS - len(found)) if shop <= turn.after]
    return found


def share_out(oldest: list[Row], limit: int, turn: Turn, after: ShopsAfter, of: OldestOf, key: str) -> list[Row]:
    """Up to `limit` due rows. `oldest` are the oldest of all shops; `key` names a row within its shop.

    Shops with few come first: they are the ones that would wait behind the others. What no share takes goes to the
    oldest of all.
    """
    if len(oldest) < limit:
        return oldest
    shops = shops_in_turn(after, turn)
    if len(shops) < 2:
        return oldest
    turn.served(shops)
    share = max(limit // len(shops), 1)
    chosen = [row for rows in sorted((of(shop, share) for shop in shops[:limit]), key=len) for row in rows]
    taken = {(row["shop_id"], row[key]) for row in chosen}
    rest = (row for row in oldest if (row["shop_id"], row[key]) not in taken)
    return chosen + [row for row, _ in zip(rest, range(limit - len(chosen)), strict=False)]

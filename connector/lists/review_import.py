"""Another app's reviews, a file at a time: read whole, kept in batches, the platform's ratings told at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TextIO

from connector.app import Kiitos
from connector.lists.review_lists import BadLine, Line, keep, read
from connector.store.reviews import ReviewRow
from flows.reviews.publication import publishes, tell

_BATCH = 200


class _Undo(Exception):
    """A trial is over: nothing of it stays."""


@dataclass(slots=True)
class Taken:
    """What became of a file's lines. `pictures` are named in it and stay where they are."""

    kept: int = 0
    there: int = 0
    verified: int = 0
    pictures: int = 0
    bad: list[BadLine] = field(default_factory=list)


def take_in(kiitos: Kiitos, shop_id: str, source: TextIO, name: str, *, dry_run: bool, publish: bool) -> Taken:
    """Keep what can be kept. Raises `ConfigError` for a file that is no list of reviews; a dry run changes nothing."""
    now, told = kiitos.clock.now(), Taken()
    lines: list[Line] = []
    for each in read(source, name, now):
        if isinstance(each, BadLine):
            told.bad.append(each)
        else:
            lines.append(each)
            told.pictures += each.pictures
    for at in range(0, len(lines), _BATCH):
        try:
            with kiitos.store.work.transaction() as tx:
                done, bad = keep(tx, shop_id, lines[at : at + _BATCH], now, publish=publish)
                told.kept, told.there = told.kept + done.kept, told.there + done.there
                told.verified, told.bad = told.verified + done.verified, [*told.bad, *bad]
                changed: list[ReviewRow] = list((done.products or {}).values())
                if publishes(kiitos.catalog, shop_id):
                    for row in changed:
                        tell(tx, shop_id, row, now)
                if dry_run:
                    raise _Undo
        except _Undo:
            continue
    told.bad.sort(key=lambda bad: bad.line)
    return told

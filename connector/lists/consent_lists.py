"""Consents as a CSV file: what people said elsewhere comes into the ledger, and the whole ledger goes out."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from connector.clock import to_text
from connector.errors import ConfigError, near
from connector.lists.spreadsheet import guard, unguard
from connector.model import Channel, Consent, ConsentState, Purpose, email_key
from connector.store import consents
from connector.store.store import Store

COLUMNS = ("address", "channel", "purpose", "state", "at", "source", "text", "recorded_at")
_NEEDED = ("address", "state")
_STATES = (ConsentState.GRANTED, ConsentState.WITHDRAWN, ConsentState.PENDING)
_BATCH = 500
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line of a file that was left out, and why. The reason names no person."""

    line: int
    reason: str


def read(source: TextIO, name: str, now: datetime) -> Iterator[Consent | BadRow]:
    """Every line as a decision. Raises `ConfigError` for a file whose header is none: nothing of it is taken."""
    reader = csv.DictReader(source)
    found = [column.strip().lower() for column in reader.fieldnames or ()]
    unknown = [f"no column '{column}'{near(column, COLUMNS)}" for column in found if column not in COLUMNS]
    missing = [f"the column '{column}' is missing" for column in _NEEDED if column not in found]
    if unknown or missing:
        raise ConfigError("; ".join([*unknown, *missing]), where=f"{name}, line 1")
    reader.fieldnames = found
    for row in reader:
        try:
            yield _consent(row, name, now)
        except ValueError as error:
            yield BadRow(reader.line_num, str(error))


def _consent(row: Mapping[str, str | None], name: str, now: datetime) -> Consent:
    def cell(column: str, otherwise: str = "") -> str:
        return unguard((row.get(column) or "").strip()) or otherwise

    channel, purpose = Channel.of(cell("channel", "email")), Purpose.of(cell("purpose", "marketing"))
    state = ConsentState.of(cell("state"))
    if channel is Channel.OTHER:
        raise ValueError(f"channel should be one of {', '.join(each for each in Channel if each != 'other')}")
    if not purpose.needs_consent or purpose is Purpose.OTHER:
        raise ValueError("purpose should be one of review, referral, loyalty, marketing")
    if state not in _STATES:
        raise ValueError(f"state should be one of {', '.join(_STATES)}")
    address = email_key(cell("address")) if channel is Channel.EMAIL else "".join(cell("address").split())
    if not address:
        raise ValueError("address is none")
    return Consent(
        channel=channel,
        purpose=purpose,
        state=state,
        raw_state="imported",
        at=_time(cell("at"), now),
        source=cell("source", f"import {name}"),
        address=address,
        evidence=cell("text"),
    )


def _time(text: str, now: datetime) -> datetime:
    if not text:
        return now
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("at should be a time such as 2026-03-02T10:15:00+02:00") from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    if at > now:
        raise ValueError("at is in the future")
    return at.astimezone(UTC)


def keep(store: Store, shop_id: str, found: Iterator[Consent | BadRow], now: datetime) -> tuple[int, list[BadRow]]:
    """Append to the ledger; how many lines were good, and the others. A file that is imported twice changes nothing.

    No flow begins by it: an old yes is no news.
    """
    good, bad, batch = 0, list[BadRow](), list[Consent]()
    for each in found:
        if isinstance(each, BadRow):
            bad.append(each)
            continue
        batch.append(each)
        good += 1
        if len(batch) == _BATCH:
            _append(store, shop_id, batch, now)
            batch = []
    _append(store, shop_id, batch, now)
    return good, bad


def _append(store: Store, shop_id: str, batch: list[Consent], now: datetime) -> None:
    with store.work.transaction() as tx:
        for consent in batch:
            consents.record(tx, shop_id, consent, now)


def write(store: Store, shop_id: str, target: TextIO) -> int:
    """The whole ledger of a shop, oldest first; how many entries."""
    writer = csv.writer(target)
    writer.writerow(COLUMNS)
    total, after = 0, 0
    while True:
        with store.work.read() as tx:
            rows = consents.page(tx, shop_id, after, _PAGE)
        for row in rows:
            times = to_text(row.at), to_text(row.recorded_at)
            said = row.channel, row.purpose, row.state
            cells = (row.address_key, *said, times[0], row.source, row.evidence, times[1])
            writer.writerow([guard(str(cell)) for cell in cells])
        total += len(rows)
        if len(rows) < _PAGE:
            return total
        after = rows[-1].seq

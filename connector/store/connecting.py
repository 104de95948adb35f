"""Connected stores, the links that allow connecting one, and attempts under way.

Tokens (invite, browser cookie, ticket, callback secret) are kept as SHA-256 only: who reads the database cannot use
them. What an attempt keeps is sealed for that attempt, so a row copied to another does not open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector import codec
from connector.clock import to_text
from connector.secrets import Vault
from connector.store import meta
from connector.store.db import Row, Tx

GENERATION = "connected_generation"
OPEN, FINISHING, DONE, FAILED = "open", "finishing", "done", "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedRow:
    """A connected store as a layer of settings. `granted`: permissions in the platform's own words."""

    shop_id: str
    client_id: str
    settings: Mapping[str, Any]
    granted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """A link that may still be used. `shop_id`: the one store it is for, where it is for a known one."""

    invite_hash: str
    client_id: str
    shop_id: str | None
    locale: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One browser's attempt: open, finishing, done or failed. `entered` and `received` are empty when it is over."""

    browser_hash: str
    invite_hash: str
    platform: str
    way: str
    status: str
    shop_id: str | None
    entered: Mapping[str, Any] = field(repr=False)
    received: Mapping[str, str] = field(repr=False)


def digest(token: str) -> str:
    """How a token is known to the database."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


# -- connected stores --------------------------------------------------------------------------------------------------


def put(tx: Tx, row: ConnectedRow, now: datetime) -> None:
    """Keep a connected store; running processes pick it up."""
    tx.run(
        "connected_put",
        shop_id=row.shop_id,
        client_id=row.client_id,
        settings=codec.encode_text(dict(row.settings)),
        granted=codec.encode_text(list(row.granted)),
        now=to_text(now),
    )
    bump(tx, now)


def all(tx: Tx) -> list[ConnectedRow]:  # noqa: A001 - read as connecting.all(tx)
    return [_connected(row) for row in tx.all("connected_all")]


def get(tx: Tx, shop_id: str) -> ConnectedRow | None:
    row = tx.one("connected_get", shop_id=shop_id)
    return _connected(row) if row else None


def delete(tx: Tx, shop_id: str, now: datetime) -> None:
    """Forget that a store was ever connected: its settings leave the configuration."""
    if tx.run("connected_delete", shop_id=shop_id):
        bump(tx, now)


def _connected(row: Row) -> ConnectedRow:
    return ConnectedRow(
        shop_id=row["shop_id"],
        client_id=row["client_id"],
        settings=codec.decode(row["settings"], dict[str, Any]),
        granted=tuple(codec.decode(row["granted"], list[str])),
    )


def bump(tx: Tx, now: datetime) -> None:
    """Tell every process to read connected stores and credentials again."""
    tx.run("generation_bump", now=to_text(now))


def generation(tx: Tx) -> int:
    """Grows with every change of a connected store; 0 before the first."""
    return int(meta.get(tx, GENERATION) or 0)


# -- invites -----------------------------------------------------------------------------------------------------------


def invite(
    tx: Tx, token: str, client_id: str, now: datetime, expires_at: datetime, *, shop_id: str | None = None, locale: str
) -> None:
    """Make a link usable until `expires_at` or until a store was connected with it."""
    tx.run("invite_sweep", now=to_text(now))
    tx.run(
        "invite_put",
        invite_hash=digest(token),
        client_id=client_id,
        shop_id=shop_id,
        locale=locale,
        now=to_text(now),
        expires_at=to_text(expires_at),
    )


def find_invite(tx: Tx, token: str, now: datetime) -> Invite | None:
    return _invite(tx, digest(token), now)


def invite_of(tx: Tx, attempt: Attempt, now: datetime) -> Invite | None:
    """The invite an attempt was begun with, unless it was used up meanwhile."""
    return _invite(tx, attempt.invite_hash, now)


def _invite(tx: Tx, invite_hash: str, now: datetime) -> Invite | None:
    row = tx.one("invite_open", invite_hash=invite_hash, now=to_text(now))
    return Invite(**row) if row else None


def use_invite(tx: Tx, invite_hash: str, now: datetime) -> bool:
    """Use it up; False when somebody else did."""
    return tx.run("invite_use", invite_hash=invite_hash, now=to_text(now)) == 1


# -- attempts ----------------------------------------------------------------------------------------------------------


def _place(browser_hash: str, column: str) -> str:
    return f"{browser_hash}|connect_attempts|{column}"


def begin(
    tx: Tx,
    vault: Vault,
    tokens: tuple[str, str, str],
    opened: Invite,
    chosen: tuple[str, str],
    entered: Mapping[str, Any],
    now: datetime,
    expires_at: datetime,
) -> None:
    """Keep an attempt. `tokens`: of browser, ticket and callback; `chosen`: platform and way."""
    browser, ticket, callback = (digest(token) for token in tokens)
    tx.run("attempt_sweep", now=to_text(now))
    tx.run(
        "attempt_put",
        browser_hash=browser,
        ticket_hash=ticket,
        callback_hash=callback,
        invite_hash=opened.invite_hash,
        platform=chosen[0],
        way=chosen[1],
        status=OPEN,
        sealed=vault.encrypt(codec.encode_text(dict(entered)), _place(browser, "sealed")),
        shop_id=opened.shop_id,
        now=to_text(now),
        expires_at=to_text(expires_at),
    )


def attempt_of(tx: Tx, vault: Vault, browser: str, now: datetime) -> Attempt | None:
    """The attempt a browser's cookie stands for, unless it ran out."""
    return attempt_by_hash(tx, vault, digest(browser), now)


def attempt_by_hash(tx: Tx, vault: Vault, browser_hash: str, now: datetime) -> Attempt | None:
    """The same, for who has seen the attempt before."""
    row = tx.one("attempt_of", browser_hash=browser_hash, now=to_text(now))
    return _attempt(row, vault) if row else None


def attempt_called(tx: Tx, vault: Vault, callback: str, now: datetime) -> Attempt | None:
    """The open attempt a callback secret belongs to."""
    row = tx.one("attempt_by_callback", callback_hash=digest(callback), now=to_text(now))
    return _attempt(row, vault) if row else None


def receive(tx: Tx, vault: Vault, attempt: Attempt, values: Mapping[str, str], now: datetime) -> bool:
    """Keep, sealed, what the platform's server brought; False when something was brought before."""
    sealed = vault.encrypt(codec.encode_text(dict(values)), _place(attempt.browser_hash, "received"))
    return tx.run("attempt_receive", browser_hash=attempt.browser_hash, received=sealed, now=to_text(now)) == 1


def take(tx: Tx, attempt: Attempt, ticket: str, now: datetime) -> bool:
    """Whether this request, with the ticket it brought, is the one that finishes the attempt."""
    return tx.run("attempt_take", browser_hash=attempt.browser_hash, ticket_hash=digest(ticket), now=to_text(now)) == 1


def release(tx: Tx, attempt: Attempt) -> None:
    """Let the same return be tried again: the store could not be asked."""
    tx.run("attempt_release", browser_hash=attempt.browser_hash)


def end(tx: Tx, attempt: Attempt, status: str, expires_at: datetime, shop_id: str | None = None) -> None:
    """Done or failed: the sealed values go, the row stays until `expires_at` for the result page."""
    tx.run(
        "attempt_end",
        browser_hash=attempt.browser_hash,
        status=status,
        shop_id=shop_id,
        expires_at=to_text(expires_at),
    )


def sweep(tx: Tx, now: datetime) -> None:
    """Forget attempts and invites that ran out, with the keys they kept."""
    tx.run("attempt_sweep", now=to_text(now))
    tx.run("invite_sweep", now=to_text(now))


def sealed(tx: Tx) -> list[str]:
    """Every sealed text of the attempts there are."""
    return [row[column] for row in tx.all("attempt_all") for column in ("sealed", "received") if row[column]]


def reseal(tx: Tx, vault: Vault) -> int:
    """Seal what is under an older key with the current one; how many texts were. Attempts end within hours, but a
    merchant in the middle of one must not see it fail because a key was changed."""
    changed = 0
    for row in tx.all("attempt_all"):
        anew = {column: row[column] for column in ("sealed", "received")}
        for column, text in anew.items():
            if text and not vault.is_current(text):
                place = _place(row["browser_hash"], column)
                anew[column] = vault.encrypt(vault.decrypt(text, place), place)
                changed += 1
        if anew["sealed"] != row["sealed"] or anew["received"] != row["received"]:
            tx.run("attempt_reseal", browser_hash=row["browser_hash"], **anew)
    return changed


def _attempt(row: Row, vault: Vault) -> Attempt:
    def opened(column: str) -> dict[str, Any]:
        sealed = row[column]
        if not sealed:
            return {}
        return codec.decode(vault.decrypt(sealed, _place(row["browser_hash"], column)), dict[str, Any])

    return Attempt(
        browser_hash=row["browser_hash"],
        invite_hash=row["invite_hash"],
        platform=row["platform"],
        way=row["way"],
        status=row["status"],
        shop_id=row["shop_id"],
        entered=opened("sealed"),
        received=opened("received"),
    )

"""Seeing and forgetting: what the platforms' compliance webhooks and the merchant's own commands ask for.

A request is stored in the transaction that heard of it (`flows.people.forgetting`, or `Privacy.ask`) and worked off
here, in steps that may each be repeated:

1. the person is remembered as keyed hashes, so that nothing that arrives from now on brings them back;
2. stored deliveries that name them are blanked (the inbox is a database of its own on SQLite);
3. their rows are erased in one transaction, and the request's subject with them;
4. the files are scrubbed: SQLite overwrites deleted bytes (`secure_delete`), the write-ahead log is emptied.

Only then is the request done. The platforms give 30 days; ours is minutes (promises.md B2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.credentials import forget_secrets
from connector.errors import ConfigError, StoreUnavailable
from connector.gathering import export_token, pack_export
from connector.keeping.forgotten import note_people, note_shop
from connector.log import get_log
from connector.model import ShopStatus
from connector.store import connecting, deliveries, inbox, links, notices, people, privacy, reviews, shops
from connector.store.channel_events import account_of
from connector.store.db import Tx
from connector.store.inbox import Delivery
from connector.store.people import Person
from connector.store.privacy import DONE, ERASE_CUSTOMER, ERASE_SHOP, ERASED, EXPORT, GATHERED, PrivacyRequest
from flows.people.forgetting import erasure_keys, find_person, seal_suppressions, subject_key
from flows.reviews.publication import take_back
from flows.value.vouchers import void_shared

log = get_log("privacy")

COMMAND = "command"
"""The source of what the shop's owner asked for at the command line, where the answer is given."""
EXPORT_LIFE = timedelta(days=30)
LOOK = timedelta(seconds=1)
_LEASE = timedelta(minutes=5)
_AGAIN = timedelta(seconds=20)
_LONGEST_PAUSE = timedelta(hours=6)
_PAGE = 200
_PIECE = 2000
_UNREAD = ("new", "leased")
_LONG_ID = re.compile(r"\d{10,}")  # shorter numbers stand for too many things to be searched for in texts


class Privacy:
    """One worker's hands for it. Any number may work at once: requests are leased."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._kiitos = kiitos
        self._store = kiitos.store
        self._clock = kiitos.clock
        self._look_at: datetime | None = None

    def ask(self, shop_id: str, kind: str, source: str, subject: Mapping[str, str]) -> PrivacyRequest | None:
        """Keep a request of the shop's owner, made by command. `subject` has `email`, `phone`, `customer_id` or
        `orders`; it is empty for the whole shop. What must stop stops with this call.

        `None` when nothing is stored of such a person. Raises `ConfigError` when the shop is unknown.
        """
        now, request_id = self._clock.now(), self._clock.new_id()
        with self._store.work.transaction() as tx:
            if shops.get(tx, shop_id) is None:
                raise ConfigError(f"no shop '{shop_id}' in the database; `kiitos shops list` shows them")
            if kind == ERASE_SHOP:
                shops.set_status(tx, shop_id, ShopStatus.UNINSTALLED, now, "the owner asked to forget the shop")
            elif not _anything(tx, find_person(tx, shop_id, subject)):
                return None
            if kind == ERASE_CUSTOMER:
                self._kiitos.runner.forget(tx, shop_id, subject, now)
            key = subject_key(self._kiitos.salt, shop_id, subject)
            privacy.ask(tx, shop_id, request_id, kind, source, subject, key, now)
            return privacy.get(tx, shop_id, request_id)

    def work(self) -> int:
        """Do what is due; how many requests moved on. Asks the database at most once a second."""
        now = self._clock.now()
        if self._look_at is not None and self._look_at - LOOK <= now < self._look_at:
            return 0
        due = self.next_due()
        if due is None or due > now:
            self._look_at = now + LOOK
            return 0
        with self._store.work.transaction() as tx:
            claimed = privacy.claim(tx, now, _LEASE)
        return sum(self._take(request) for request in claimed)

    def next_due(self) -> datetime | None:
        with self._store.work.read() as tx:
            return privacy.next_due(tx)

    def _take(self, request: PrivacyRequest) -> bool:
        acts = {EXPORT: self._export, ERASE_CUSTOMER: self._erase_customer, ERASE_SHOP: self._erase_shop}
        try:
            if request.status == ERASED:
                self._scrub(request)
            else:
                acts[request.kind](request)
        except StoreUnavailable:
            raise
        except Exception as error:
            # It stays open and is tried again; `kiitos privacy requests` and the metric show how long it has waited.
            log.exception("privacy_request_failed", error, shop_id=request.shop_id, request_id=request.id)
            pause = min(timedelta(minutes=2**request.attempts), _LONGEST_PAUSE)
            self._wait(request, pause, "an error of ours; see the log")
            return False
        return True

    def _wait(self, request: PrivacyRequest, pause: timedelta, note: str) -> None:
        now = self._clock.now()
        with self._store.work.transaction() as tx:
            privacy.move(tx, request, request.status, now, due_at=now + pause, note=note)

    def _export(self, request: PrivacyRequest) -> None:
        now = self._clock.now()
        with self._store.work.read() as tx:
            person = find_person(tx, request.shop_id, request.subject)
            rows = people.gather(tx, person)
        rows["deliveries"] = [
            {"id": found.id, "topic": found.topic, "received_at": found.received_at, "body": found.body}
            for found in self._naming(person, person.shop_id)
        ]
        counts = {table: len(found) for table, found in rows.items() if found}
        content = pack_export(request.shop_id, request.id, now, rows)
        with self._store.work.transaction() as tx:
            privacy.expire_exports(tx, now)
            privacy.keep_export(tx, request, content, now + EXPORT_LIFE)
            privacy.move(tx, request, DONE, now, counts=counts)
            if request.source != COMMAND:
                self._tell_owner(tx, request, now)

    def _tell_owner(self, tx: Tx, request: PrivacyRequest, now: datetime) -> None:
        """The platform asked in the customer's name: the answer is due from the shop's owner, who must hear of it."""
        shop = shops.get(tx, request.shop_id)
        token = export_token(self._kiitos.salt, request.shop_id, request.id)
        locale = shop.locale if shop is not None else ""
        links.put(tx, request.shop_id, token, "data", {"request": request.id, "locale": locale or ""}, now)
        notices.put_about(tx, request.shop_id, GATHERED, request.id, now)

    def _erase_customer(self, request: PrivacyRequest) -> None:
        shop_id = request.shop_id
        with self._store.work.transaction() as tx:
            person = find_person(tx, shop_id, request.subject)
            keys = erasure_keys(self._kiitos.salt, person)
            privacy.remember_erasure(tx, shop_id, keys, request.received_at)
            waits = people.under_way(tx, person)
        note_people(self._kiitos.config.ledger_folder, shop_id, keys, request.received_at)
        if waits:
            self._wait(request, _AGAIN, "a message to the person is being sent at this moment")
            return
        blanked = sum(
            self._blank(owner, [found.id for found in self._naming(person, owner)])
            for owner in (shop_id, *map(account_of, self._kiitos.config.channels))
        )
        with self._store.work.transaction() as tx:
            person = find_person(tx, shop_id, request.subject)
            seal_suppressions(tx, self._kiitos.salt, person)
            published = reviews.of_person(tx, person.arguments())
            take_back(tx, shop_id, published, self._clock.new_id, self._clock.now())
            self._void_codes(tx, shop_id, person)
            counts = people.erase(tx, person, self._clock.new_id, keys, request.id)
            counts |= {"deliveries": blanked} if blanked else {}
            privacy.move(tx, request, ERASED, self._clock.now(), counts=counts, forget=True)
        self._finish(request)

    def _void_codes(self, tx: Tx, shop_id: str, person: Person) -> None:
        """The code somebody shared is nobody's now: it works no longer, unless the shop lets it."""
        catalog = self._kiitos.catalog
        if catalog.knows(shop_id) and not catalog.settings(shop_id).referrals.keeps_codes:
            for code in sorted(person.codes):
                void_shared(tx, shop_id, code, self._clock.now())

    def _erase_shop(self, request: PrivacyRequest) -> None:
        shop_id, rows = request.shop_id, 0
        note_shop(self._kiitos.config.ledger_folder, shop_id, request.received_at)
        while gone := self._wipe_piece(shop_id):
            rows += gone
        with self._store.work.transaction() as tx:
            forget_secrets(tx, shop_id)
            connecting.delete(tx, shop_id, self._clock.now())
            privacy.move(tx, request, ERASED, self._clock.now(), counts={"rows": rows}, forget=True)
        self._finish(request)

    def _wipe_piece(self, shop_id: str) -> int:
        with self._store.inbox.transaction() as tx:
            gone = inbox.wipe_shop(tx, shop_id, _PIECE)
        with self._store.work.transaction() as tx:
            return gone + people.wipe_shop(tx, shop_id, _PIECE)

    def _finish(self, request: PrivacyRequest) -> None:
        with self._store.work.read() as tx:
            moved = privacy.get(tx, request.shop_id, request.id)
        if moved is not None:
            self._scrub(moved)

    def _scrub(self, request: PrivacyRequest) -> None:
        """Leave nothing in the files either: blank what came of the forgotten meanwhile, and empty the logs."""
        with self._store.work.read() as tx:
            late = deliveries.erased(tx, request.shop_id)
        if late:
            self._blank(request.shop_id, late)
            with self._store.work.transaction() as tx:
                deliveries.blanked(tx, request.shop_id, late, self._clock.now())
        scrubbed = [database.scrub() for database in (self._store.inbox, self._store.work)]
        if not all(scrubbed):
            self._wait(request, _AGAIN, "somebody is reading; the files are scrubbed when they have done")
            return
        with self._store.work.transaction() as tx:
            privacy.move(tx, request, DONE, self._clock.now())
        self._store.work.scrub()
        log.info("privacy_request_done", shop_id=request.shop_id, request_id=request.id, kind=request.kind)

    def _blank(self, shop_id: str, ids: Iterable[int]) -> int:
        blanked = list(ids)
        with self._store.inbox.transaction() as tx:
            for delivery_id in blanked:
                inbox.blank(tx, shop_id, delivery_id)
        return len(blanked)

    def _naming(self, person: Person, owner: str) -> list[Delivery]:
        """Stored deliveries of the shop, or of a channel's account, that tell of the person; read ones only: what is
        not read yet will meet the erasure."""
        found = [delivery for delivery in self._pages(owner) if _tells_of(delivery, person)]
        with self._store.work.read() as tx:
            status = deliveries.status_of(tx, [delivery.id for delivery in found])
        return [delivery for delivery in found if status.get(delivery.id, "new") not in _UNREAD]

    def _pages(self, shop_id: str) -> Iterator[Delivery]:
        after = 0
        while True:
            with self._store.inbox.read() as tx:
                page = inbox.of_shop(tx, shop_id, after, _PAGE)
            if not page:
                return
            yield from page
            after = page[-1].id


def _anything(tx: Tx, person: Person) -> bool:
    """Also of somebody who never bought: who signed up, or was taken over from another loyalty programme."""
    rows = (person.orders, person.customers, person.checkouts, person.runs, person.effects, person.links)
    return any(rows) or bool(person.deliveries) or any(people.gather(tx, person).values())


def _tells_of(delivery: Delivery, person: Person) -> bool:
    if delivery.id in person.deliveries:
        return True
    body = delivery.body.lower()
    if any(text.encode() in body for text in (*person.emails, *person.phones)):
        return True
    ids = person.orders | person.customers
    return any(
        re.search(rb"(?<!\d)" + number.encode() + rb"(?!\d)", body) for number in ids if _LONG_ID.fullmatch(number)
    )

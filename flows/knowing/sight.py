"""What one ingest has read of orders, people and runs."""

from __future__ import annotations

from connector.model import Event, Ref, Run, Shop, email_key
from connector.store import runs
from connector.store.db import Tx
from flows.knowing.situation import Situation, look, with_line, with_referral
from flows.knowing.subjects import address_in


class Sight:
    """Kept while one delivery is taken in, so that its events do not ask the same things again."""

    def __init__(self, tx: Tx, shop: Shop) -> None:
        self._tx = tx
        self.shop = shop
        self._seen: dict[tuple[str | None, str | None, str | None], Situation] = {}
        self._idle: set[str] = set()
        self._entries: dict[tuple[str, str], Run] = {}

    def of(self, order_id: str | None, customer_id: str | None = None) -> Situation:
        key = (order_id, None if order_id else customer_id, None)
        if key not in self._seen:
            self._seen[key] = look(self._tx, self.shop, order_id, customer_id)
        return self._seen[key]

    def of_person(self, customer_id: str | None, email: str | None) -> Situation:
        """Somebody by account or address (in the form of joins), apart from any order."""
        key = (None, customer_id, email)
        if key not in self._seen:
            self._seen[key] = look(self._tx, self.shop, None, customer_id, email=email)
        return self._seen[key]

    def of_event(self, event: Event) -> Situation:
        """What an event is about: its order, its cart, its person."""
        if event.order_id is not None:
            found = self.of(event.order_id, event.customer_id)
            return with_referral(self._tx, self.shop, found) if event.data.get("referral_id") else found
        if event.subject.kind == "checkout":
            return self.of_cart(event.subject, event.customer_id, address_in(event))
        return self.of_person(event.customer_id, address_in(event))

    def of_cart(self, subject: Ref, customer_id: str | None, email: str | None) -> Situation:
        """A checkout with whoever began it."""
        return look(self._tx, self.shop, None, customer_id, subject, email)

    def of_line(self, situation: Situation, subject: Ref) -> Situation:
        """An order seen from one of its lines."""
        return with_line(self._tx, self.shop, situation, subject)

    def forget(self, order_id: str | None) -> None:
        """Look again: a programme has written something about the order."""
        self._seen.pop((order_id, None, None), None)

    def active(self, event: Event, *, person: bool = False) -> list[Run]:
        """The runs an event may cancel or resume, read anew each time unless the order is known to have none.

        `person`: also those about its person or cart, whatever order it belongs to.
        """
        found = self._of_subject(event)
        if not person or event.order_id is None:
            return found
        known = {run.id for run in found}
        return [*found, *(run for run in self._of_person(event) if run.id not in known)]

    def _of_subject(self, event: Event) -> list[Run]:
        if event.order_id is not None and event.order_id in self._idle:
            return []
        found = runs.active(
            self._tx,
            self.shop.id,
            order_id=event.order_id,
            subject=event.subject,
            email_key=event.subject.id if event.subject.kind == "person" else None,
            customer_id=event.customer_id if event.order_id is None else None,
        )
        if not found and event.order_id is not None:
            self._idle.add(event.order_id)
        return found

    def _of_person(self, event: Event) -> list[Run]:
        """Runs that are about whoever placed the order, and about the cart it was."""
        situation = self.of(event.order_id, event.customer_id)
        order, customer = situation.order, situation.customer
        token = order.checkout_token if order else None
        found = runs.active(
            self._tx,
            self.shop.id,
            subject=Ref("checkout", token) if token else None,
            email_key=email_key((order.email if order else None) or (customer.email if customer else None)),
            customer_id=customer.id if customer else event.customer_id,
        )
        return [run for run in found if run.order_id is None]

    def latest(self, flow_id: str, subject: Ref, person: str | None) -> Run | None:
        """The subject's newest run in a flow, or the person's."""
        return runs.latest_entry(self._tx, self.shop.id, flow_id, subject, person)

    def entry(self, flow_id: str, key: str, subject: Ref) -> Run | None:
        """The run that entered under this key, if any. One this ingest started may have moved since: ask `runs`."""
        order_id = subject.id if subject.kind == "order" else None
        return self._entries.get((flow_id, key)) or runs.by_entry(self._tx, self.shop.id, flow_id, key, order_id)

    def started(self, run: Run) -> None:
        self._entries[run.flow_id, run.entry_key] = run
        if run.order_id is not None:
            self._idle.discard(run.order_id)

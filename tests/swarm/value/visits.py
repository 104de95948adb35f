"""What customers and the shops' people do on pages: points become codes and go back, reviews are written, edited,
withdrawn, approved and hidden, referrals that wait are decided. A page may die before or after its commit; whoever
asked asks again until there is an answer, and some click twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from connector.pages import loyalty, moderation, referral_queue
from connector.store import accounts, entities, links, reviews
from flows.value import bookings
from tests.swarm.plan import NORTH, PEOPLE, SHOPS, WEST, Person
from tests.swarm.post import Letter
from tests.swarm.stationery import review_link

if TYPE_CHECKING:
    from tests.swarm.value.life import ValueLife

AINO, JUNE, KIRRA = PEOPLE
REWARDS = {NORTH: ("five", 40), WEST: ("tenth", 60)}
"""What points are exchanged for, and how many."""
HELD, PUBLISHED, HIDDEN, WITHDRAWN = "held", "published", "hidden", "withdrawn"
_ADVERTISEMENT = "See www.example.com/offers first."
_KEY = re.compile(r'name="key" value="(\w+)"')
_BACK = re.compile(r'name="back" value="([^"]+)"')
_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Wish:
    """An exchange that the page said was made."""

    shop_id: str
    address: str
    points: int
    at: datetime


@dataclass(slots=True)
class Opinion:
    """A review as whoever wrote it and whoever looked at it left it. `seen_at` is when it could first be read;
    `was_hidden`: by a person, and none approved it since."""

    state: str
    at: datetime
    path: str
    seen_at: datetime | None = None
    was_hidden: bool = False

    def become(self, state: str, now: datetime) -> None:
        self.state = state
        if state == PUBLISHED:
            self.seen_at = self.seen_at or now


def write(life: ValueLife) -> None:
    """What is planned from the start."""
    chance = life.chance
    for number in range(chance.pick((0, 1, 1, 2))):
        life.later(chance.between(200, 1500), partial(_exchange, life, f"tab{number}"))
    for _ in range(4):
        life.later(chance.between(100, 1500), partial(_decide, life))


# -- points ---


def _exchange(life: ValueLife, name: str) -> None:
    """Somebody wants a code: once, by a double click, or fifty times at once, each of its own."""
    chance = life.chance
    shop_id, person = chance.pick(SHOPS), chance.pick((AINO, AINO, JUNE, KIRRA))
    if (shop_id, person) in life.forgotten:
        return
    path, (reward, cost) = _page_of(life, shop_id, person.email), REWARDS[shop_id]
    found = _KEY.search(life.house.client.get(path).text)
    wished = [found[1] if found else name] * chance.pick((1, 1, 2))
    if chance.roll(0.25):
        wished = [f"{name}-{number}" for number in range(50)]
    affordable = max(int(_usable(life, shop_id, person.email)), 0) // cost
    said = {key: _post(life, path, {"reward": reward, "key": key}) for key in wished}
    done = [key for key, word in said.items() if word == "done=1"]
    if len(done) != min(len(said), affordable):
        life.fault(
            f"{shop_id}: {len(done)} of {len(said)} exchanges of {person.name}'s were made, {affordable} could be"
        )
    for key in done:
        life.wishes[shop_id, person.email, key] = Wish(shop_id, person.email, cost, life.now)
    life.touch(shop_id, person)
    if done and chance.roll(0.5):
        life.at(life.now + chance.between(0.1, 400), partial(_exchange_back, life, shop_id, person))


def _exchange_back(life: ValueLife, shop_id: str, person: Person) -> None:
    if (shop_id, person) in life.forgotten:
        return
    path = _page_of(life, shop_id, person.email)
    for claim in _BACK.findall(life.house.client.get(path).text)[:1]:
        for _ in range(life.chance.pick((1, 2))):
            _post(life, path, {"back": claim})
    life.touch(shop_id, person)


def _page_of(life: ValueLife, shop_id: str, address: str) -> str:
    """As a mail leads there."""
    token = life.clock.token()
    with life.store.work.transaction() as tx:
        links.put(tx, shop_id, token, loyalty.KIND, {"address": address}, life.now)
    return f"/p/loyalty/{token}"


def _usable(life: ValueLife, shop_id: str, address: str) -> Decimal:
    with life.store.work.read() as tx:
        customer = entities.customer_by_email(tx, shop_id, address)
        holder = accounts.find(tx, shop_id, customer.id if customer else None, address)
        return bookings.position_of(tx, shop_id, holder, life.now).available if holder else Decimal(0)


def _post(life: ValueLife, path: str, form: dict[str, str]) -> str:
    """What the page said, however often it had to be asked."""
    answer = life.insist(lambda: life.house.client.post(path, data=form))
    if answer.status_code >= 400:
        life.fault(f"{path.rpartition('/')[0]} answered {answer.status_code}")
    return (answer.location or "").rpartition("?")[2]


# -- reviews ---


def review(life: ValueLife, letter: Letter) -> None:
    """The stars of a letter are clicked; every third time with words that a person has to look at first."""
    path = review_link(letter.content)
    true = life.orderings[letter.shop_id, letter.number].true
    key = letter.shop_id, reviews.review_id(true.order.id, "p-a")
    if not path or key in life.opinions or (letter.shop_id, true.person) in life.forgotten:
        return
    text, state = _words(life, true.number)
    life.insist(lambda: life.house.client.post(path, data={"rating-p-a": "4", "text-p-a": text}))
    if _state(life, *key) is None:
        return  # they reviewed the product with another order
    life.opinions[key] = Opinion(state, life.now, path)
    life.opinions[key].become(state, life.now)
    life.touch(letter.shop_id, true.person)
    if true.is_of_guest and life.chance.roll(0.5):
        life.orderings[letter.shop_id, letter.number].be_corrected()
    for _ in range(life.chance.pick((0, 1, 1, 2, 3))):
        deed = life.chance.pick((_edit, _edit, _withdraw, _approve, _approve, _hide))
        life.at(life.now + life.chance.between(0.1, 500), partial(_look_after, life, *key, true.person, deed))


def _words(life: ValueLife, number: str) -> tuple[str, str]:
    return life.chance.pick(((f"Warm in the hand, {number}.", PUBLISHED), ("", PUBLISHED), (_ADVERTISEMENT, HELD)))


def _look_after(
    life: ValueLife,
    shop_id: str,
    review_id: str,
    person: Person,
    deed: Callable[[ValueLife, str, str, Opinion], None],
) -> None:
    known = life.opinions[shop_id, review_id]
    if known.state != WITHDRAWN and (shop_id, person) not in life.forgotten:
        deed(life, shop_id, review_id, known)
        life.touch(shop_id, person)


def _edit(life: ValueLife, shop_id: str, review_id: str, known: Opinion) -> None:
    text, state = _words(life, review_id)
    for _ in range(life.chance.pick((1, 2))):
        _post(life, known.path, {"do": "edit", "review": review_id, "rating-p-a": "2", "text-p-a": text})
    known.become(HELD if known.was_hidden else state, life.now)


def _withdraw(life: ValueLife, shop_id: str, review_id: str, known: Opinion) -> None:
    _post(life, known.path, {"do": "withdraw", "review": review_id})
    known.become(WITHDRAWN, life.now)


def _approve(life: ValueLife, shop_id: str, review_id: str, known: Opinion) -> None:
    _moderate(life, shop_id, {"do": "approve", "review": review_id})
    known.was_hidden = False
    known.become(PUBLISHED, life.now)


def _hide(life: ValueLife, shop_id: str, review_id: str, known: Opinion) -> None:
    _moderate(life, shop_id, {"do": "hide", "review": review_id, "text": "not about the cup"})
    known.was_hidden = True
    known.become(HIDDEN, life.now)


def _moderate(life: ValueLife, shop_id: str, form: dict[str, str]) -> None:
    address = moderation.new_link(life.house.kiitos, shop_id, "maija", _FOR)
    for _ in range(life.chance.pick((1, 2))):
        _post(life, address[address.index("/p/") :], form)


def _state(life: ValueLife, shop_id: str, review_id: str) -> str | None:
    rows = life.house.connection.execute(
        "SELECT state FROM reviews WHERE shop_id = ? AND review_id = ?", (shop_id, review_id)
    ).fetchall()
    return rows[0][0] if rows else None


# -- referrals ---


def _decide(life: ValueLife) -> None:
    """Somebody of the shop's goes through what waits."""
    waiting = life.house.connection.execute(
        "SELECT referral_id FROM referrals WHERE shop_id = ? AND state = 'review' ORDER BY referral_id", (NORTH,)
    ).fetchall()
    if not waiting:
        return
    address = referral_queue.new_link(life.house.kiitos, NORTH, "maija", _FOR)
    for (referral_id,) in waiting:
        answer = life.chance.pick(("approve", "approve", "refuse", ""))
        if answer:
            form = {"referral": referral_id, "answer": answer}
            life.insist(lambda form=form: life.house.client.post(address[address.index("/p/") :], data=form))  # type: ignore[misc]
            life.decided.add((NORTH, referral_id))
    for person in PEOPLE:
        life.touch(NORTH, person)

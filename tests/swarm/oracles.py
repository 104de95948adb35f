"""What must hold of a life, whatever went wrong in it. Nothing here asks for a run, an entry key or an effect's id:
letters are counted at the mail server by what they say, moments by the order of commits, truth by the shops."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from connector.explaining.explain import Line, explain
from connector.store import entities
from tests.swarm.plan import PEOPLE, SHOPS, Person
from tests.swarm.post import ANSWERS, Letter
from tests.swarm.shop import TrueOrder

if TYPE_CHECKING:
    from tests.swarm.life import Life

CAP = timedelta(hours=16)
SLOWEST = timedelta(days=5)
"""The distance to somebody who never reacts."""
UNDONE = ("order.cancelled", "refund.created", "return.requested")
STOPPED_BY: dict[str, tuple[str, ...]] = {
    "order_confirmation": ("order.cancelled",),
    "review_request": (*UNDONE, "review.submitted"),
    "review_reminder": (*UNDONE, "review.submitted"),
    "review_thanks": UNDONE,
    "referral_invite": UNDONE,
    "care_one": UNDONE,
    "care_two": UNDONE,
    "tips_one": UNDONE,
    "tips_two": UNDONE,
    "club_hello": UNDONE,
}
PARCEL_NEWS = {
    "shipment_shipped": ("shipment.created",),
    "shipment_out_for_delivery": ("shipment.out_for_delivery",),
    "shipment_failed": ("shipment.attempted", "shipment.failed"),
    "shipment_delivered": ("shipment.delivered",),
}
STALE_AFTER = {
    "shipment_shipped": ("out_for_delivery", "attempted", "failed", "delivered"),
    "shipment_out_for_delivery": ("attempted", "failed", "delivered"),
    "shipment_failed": ("delivered",),
}
DOUBTS = ("mail lost before", "mail lost after", "died at a mail", "died at a commit", "died at a call")
LATEST = timedelta(hours=48)
PATIENCE = timedelta(hours=2)
"""For back-off: the last attempt before the limit may be so much later."""
SILENCE = timedelta(days=20)
BEGUN = timedelta(hours=6)
"""When the wait that follows a letter has begun, whatever became of the letter's outcome."""
NEWS_AGE = timedelta(days=3)


def check(life: Life) -> list[str]:
    """Every fault, as sentences. Empty when all is well."""
    stories = {key: _story(life, true) for key, true in life.orders.items()}
    found = list(life.faults)
    for oracle in ORACLES:
        found += oracle(life)
    for key, true in life.orders.items():
        found += _unexplained(life, true, stories[key])
        found += _missing(life, true, stories[key])
    return found


def _story(life: Life, true: TrueOrder) -> tuple[Line, ...]:
    story = explain(life.store, true.shop_id, true.number)
    return story.lines if story is not None else ()


# -- at most once ---


def said_twice(life: Life) -> Iterator[str]:
    """A letter of the marketing class comes once; another twice at most, and only after its first answer was lost."""
    groups: dict[tuple[str, ...], list[Letter]] = defaultdict(list)
    for letter in life.post.letters:
        groups[letter.what].append(letter)
    for letters in groups.values():
        if _has_two_addresses(life, letters[0]):
            continue
        for before, again in pairwise(letters):
            if again.marketing:
                yield f"{again}: the marketing class was repeated (first {before.at:%m-%d %H:%M})"
            elif not before.word_lost:
                yield f"{again}: repeated although its first acceptance was known ({before.at:%m-%d %H:%M})"
        if len(letters) > 2:
            yield f"{letters[0]}: came {len(letters)} times"


def _has_two_addresses(life: Life, letter: Letter) -> bool:
    """Whether it is for a customer who corrected an address: to a flow about customers that is another person, and both
    may by then be written to at the right one."""
    about_people = letter.template in ("referral_invite", "club_hello")
    return about_people and any(_is_of(true, letter) and true.told("corrected") for true in life.orders.values())


def codes_twice(life: Life) -> Iterator[str]:
    """One code a purpose and order, or person."""
    for shop_id in SHOPS:
        theirs = [true for true in life.orders.values() if true.shop_id == shop_id]
        addresses = {true.person.email for true in theirs} | {str(true.order.email) for true in theirs}
        most = {"KIITOS": len(theirs), "CLUB": len(addresses), "FRIEND": len(addresses), "THANKS": len(theirs)}
        made = Counter(code.partition("-")[0] for code in life.codes.get(shop_id, {}))
        for prefix, count in made.items():
            if count > most.get(prefix, 0):
                yield f"{shop_id} has {count} codes {prefix}, {most.get(prefix, 0)} at most make sense"


# -- never after a no ---


def after_a_no(life: Life) -> Iterator[str]:
    for letter in (*life.post.letters, *life.post.bounced):
        for reason, key in (*_noes(life, letter), *_newer(life, letter)):
            known = life.recorded.get(key)
            if known is not None and known.commit <= letter.decided:
                yield f"{letter}: sent although {reason} had been recorded ({known.at:%m-%d %H:%M})"


def blamed_without_cause(life: Life) -> Iterator[str]:
    """Only an address that there is none of is never written to again."""
    for (_, address, reason), known in life.recorded.items():
        if reason == "hard_bounce" and address not in life.plan.dead:
            yield f"{address} is blamed since {known.at:%m-%d %H:%M}, and there is nothing wrong with it"


def told_after_answer(life: Life) -> Iterator[str]:
    """What goes on when nobody answers within four days: an answer that came while it was waited for stops it."""
    for letter in life.post.letters:
        asked = [one.at for one in life.post.letters if one.template == "tips_one" and one.number == letter.number]
        answered = life.recorded.get((letter.shop_id, f"id-{letter.number}", "review.submitted"))
        if letter.template != "tips_two" or not asked or answered is None or answered.commit > letter.decided:
            continue
        if answered.at > asked[-1] + BEGUN:
            yield f"{letter}: sent although a review had been recorded ({answered.at:%m-%d %H:%M})"


def _noes(life: Life, letter: Letter) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """What must stop such a letter, as the key under which it is recorded."""
    order_id = f"id-{letter.number}"
    for kind in STOPPED_BY.get(letter.template, ()):
        yield kind, (letter.shop_id, order_id, kind)
    if letter.template in PARCEL_NEWS:
        yield "order.cancelled", (letter.shop_id, order_id, "order.cancelled")
        yield "shipment.cancelled", (letter.shop_id, _parcel(letter), "shipment.cancelled")
    yield "a bounce", (letter.shop_id, letter.address, "hard_bounce")
    if letter.marketing:
        yield "an opt-out", (letter.shop_id, letter.address, "unsubscribe")
        for person in PEOPLE:
            if person.email == letter.address:
                yield "a withdrawn consent", (letter.shop_id, f"c-{person.name}", "consent.withdrawn")


def _newer(life: Life, letter: Letter) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """A parcel's newer state makes older news none; but what may have been sent is repeated as it was."""
    if not any(life.troubles[doubt] for doubt in DOUBTS):
        for state in STALE_AFTER.get(letter.template, ()):
            yield f"shipment.{state}", (letter.shop_id, _parcel(letter), f"shipment.{state}")


def _parcel(letter: Letter) -> str:
    return f"id-{letter.number}-{letter.tracking.removeprefix(f'T{letter.number}')}"


def too_often(life: Life) -> Iterator[str]:
    """One letter of the marketing class in sixteen hours, over both shops. Answers are none."""
    by_person: dict[str, list[Letter]] = defaultdict(list)
    for letter in life.post.letters:
        if letter.marketing and letter.template not in ANSWERS:
            by_person[letter.address].append(letter)
    for letters in by_person.values():
        for before, after in pairwise(sorted(letters, key=lambda one: one.at)):
            if after.at - before.at < CAP:
                yield f"{after}: only {after.at - before.at} after {before}"


# -- at the right time ---


def at_another_time(life: Life) -> Iterator[str]:
    for letter in life.post.letters:
        true = life.orders.get((letter.shop_id, f"id-{letter.number}"))
        if true is None:
            continue
        earliest = _earliest(true, letter)
        if earliest is None:
            yield f"{letter}: tells of what never was"
        elif letter.at < earliest:
            yield f"{letter}: {earliest - letter.at} too early"
        if letter.template == "care_one":
            yield from _care_is_late(life, true, letter)


def _earliest(true: TrueOrder, letter: Letter) -> datetime | None:
    """Before this nothing of the kind may come; `None` when it may not come at all."""
    if letter.template in PARCEL_NEWS:
        return min(
            (at for kind in PARCEL_NEWS[letter.template] for at in true.told(kind, letter.tracking)), default=None
        )
    sent = [at for kind, _, at in true.story if kind == "shipment.created"]
    there = [at for kind, _, at in true.story if kind == "shipment.delivered"]
    paid = true.told("order.paid")
    match letter.template:
        case "review_request":
            bounds = [at + timedelta(days=10) for at in there] + [at + timedelta(days=14) for at in sent]
        case "review_reminder":
            bounds = [at + timedelta(days=17) for at in there] + [at + timedelta(days=21) for at in sent]
        case "referral_invite":
            bounds = [at + timedelta(days=19) for at in there] + [at + timedelta(days=23) for at in sent]
        case "tips_one":
            bounds = [at + timedelta(days=3) for at in there]
        case "tips_two":
            bounds = [at + timedelta(days=7) for at in there]
        case "care_one":
            bounds = [ten_o_clock(at + timedelta(days=1), true.person) for at in paid]
        case "care_two":
            first = (ten_o_clock(at + timedelta(days=1), true.person) for at in paid)
            bounds = [ten_o_clock(at + timedelta(days=2), true.person) for at in first]
        case "club_hello":
            bounds = [at + timedelta(hours=2) for at in paid]
        case _:
            bounds = [true.order.placed_at]
    # The shop's times are cut to seconds.
    return min((at.replace(microsecond=0) for at in bounds), default=None)


def ten_o_clock(at: datetime, person: Person) -> datetime:
    """The next time the person's wall shows ten."""
    zone = ZoneInfo(person.zone)
    day: date = at.astimezone(zone).date()
    while True:
        found = datetime.combine(day, time(10), zone).astimezone(at.tzinfo)
        if found >= at.replace(microsecond=0):
            return found
        day += timedelta(days=1)


def _care_is_late(life: Life, true: TrueOrder, letter: Letter) -> Iterator[str]:
    heard = life.recorded.get((letter.shop_id, true.order.id, "order.paid"))
    if heard is None:
        yield f"{letter}: the product never heard of its payment"
        return
    paid = true.told("order.paid")[0]
    if heard.at - paid > NEWS_AGE + timedelta(seconds=1):
        yield f"{letter}: of a payment that was {heard.at - paid} old when it was heard of"
    due = ten_o_clock(heard.at + timedelta(days=1), true.person)
    if letter.at > due + LATEST + life.down_for + PATIENCE:
        yield f"{letter}: {letter.at - due} too late"
    nobody_wrote = not any(
        other.marketing and other.address == letter.address and timedelta() < letter.at - other.at < SLOWEST
        for other in life.post.letters
    )
    if life.plan.calm and nobody_wrote and letter.at > due + timedelta(minutes=15):
        yield f"{letter}: should have come at {due:%m-%d %H:%M}"


def missed_who_is_here(life: Life) -> Iterator[str]:
    """Nobody hears "we miss you" within twenty days of an order that was known; nor twice without one in between."""
    for letter in life.post.letters:
        if letter.template != "miss_you":
            continue
        theirs = [true for true in life.orders.values() if _is_of(true, letter)]
        for true in theirs:
            if true.is_of_guest and true.order.email != letter.address:
                continue  # a guest who corrected the address is somebody else to whoever hears of it only afterwards
            if letter.address not in _addresses(life, true, theirs):
                continue  # nor can anybody know that the account is the guest whose address it never had in our sight
            known = life.recorded.get((letter.shop_id, true.order.id, "order.created"))
            if known is not None and known.commit <= letter.decided and letter.at - true.order.placed_at < SILENCE:
                yield f"{letter}: {true.number} was ordered at {true.order.placed_at:%m-%d %H:%M}"
        earlier = sum(other.what[:3] == letter.what[:3] and other.at < letter.at for other in life.post.letters)
        if earlier >= len(theirs):
            yield f"{letter}: came {earlier + 1} times for {len(theirs)} orders"


def _addresses(life: Life, true: TrueOrder, orders: Iterable[TrueOrder]) -> set[str]:
    """Under which the buyer of the order was ever known: a guest by that order alone, an account by all of its own."""
    known = [true] if true.is_of_guest else [each for each in orders if not each.is_of_guest]
    return {address for each in known for address in life.known_as.get((each.shop_id, each.order.id), ())}


def _is_of(true: TrueOrder, letter: Letter) -> bool:
    """Whether the order was ever the person's whose letter it is, under whichever address."""
    return true.shop_id == letter.shop_id and letter.address.endswith(true.person.email)


# -- in the end ---


def left_open(life: Life) -> Iterator[str]:
    """Nothing waits for ever."""
    query = life.house.connection.execute
    for template, status, reason in query(
        "SELECT request, status, reason FROM effects WHERE status IN ('pending', 'sending')"
    ).fetchall():
        yield f"an effect is still {status}: {template} {reason}"
    ended = "('completed', 'exited', 'cancelled', 'failed')"
    for flow, order_id, status in query(
        f"SELECT flow_id, order_id, status FROM runs WHERE status NOT IN {ended} OR reason = 'INTERNAL'"
    ).fetchall():
        yield f"{flow} of {order_id} is still {status}"
    for status, code in query(
        "SELECT status, error_code FROM delivery_progress WHERE status NOT IN ('done', 'ignored')"
    ).fetchall():
        yield f"a delivery is {status} {code}"


def not_as_told(life: Life) -> Iterator[str]:
    """What is stored is what the shops last said, and nothing acknowledged is forgotten."""
    with life.store.work.read() as tx:
        for (shop_id, order_id), true in life.orders.items():
            stored = entities.order(tx, shop_id, order_id)
            if stored is None:
                yield f"order {true.number} is not stored"
            elif (stored.status, stored.financial, stored.email) != (
                true.order.status,
                true.order.financial,
                true.order.email,
            ):
                yield f"order {true.number} is stored as {stored.status}, {stored.financial}, {stored.email}"
    rows = life.house.connection.execute("SELECT shop_id, kind, subject_id FROM events").fetchall()
    known = set(rows)
    for shop_id, events in life.acknowledged:
        for event in events:
            if (shop_id, str(event.kind), event.subject.id) not in known:
                yield f"{event.kind} of {event.subject} was acknowledged and is forgotten"


def more_doubt_than_cause(life: Life) -> Iterator[str]:
    """What is called uncertain or failed had a reason outside the product."""
    query = life.house.connection.execute
    (doubted,) = query("SELECT count(*) FROM effects WHERE status = 'uncertain' AND kind = 'message'").fetchone()
    causes = sum(life.troubles[doubt] for doubt in DOUBTS)
    if doubted and not causes:
        yield f"{doubted} messages are called uncertain, for {causes} causes"
    for (reason,) in query("SELECT reason FROM effects WHERE status = 'failed'").fetchall():
        if not reason.startswith(("550", "554")):
            yield f"an effect failed: {reason}"


ORACLES: tuple[Callable[[Life], Iterator[str]], ...] = (
    said_twice,
    codes_twice,
    after_a_no,
    blamed_without_cause,
    told_after_answer,
    too_often,
    at_another_time,
    missed_who_is_here,
    left_open,
    not_as_told,
    more_doubt_than_cause,
)


# -- explained ---


def _unexplained(life: Life, true: TrueOrder, lines: tuple[Line, ...]) -> Iterator[str]:
    """Each flow an order could have entered has a word, and each message that was not sent a reason."""
    if not lines:
        yield f"order {true.number}: explain knows nothing of it"
        return
    flows = {line.flow for line in lines}
    started = {"order-confirmation"} | ({"care", "club"} if true.told("order.paid") else set())
    for flow in sorted(started - flows):
        yield f"order {true.number}: explain says nothing of {flow}"
    for line in lines:
        if line.what in ("effect.skipped", "effect.failed") and not line.text.partition(": ")[2].strip():
            yield f"order {true.number}: no reason for '{line.text}'"
        if line.what == "effect.uncertain" and "()" in line.text:
            yield f"order {true.number}: no reason for '{line.text}'"
        if line.what == "effect.sent" and not _arrived(life, true, line):
            yield f"order {true.number}: '{line.text}' never reached the mail server"
    told = Counter(line.text.partition(" to ")[0] for line in lines if line.what in ("effect.sent", "effect.uncertain"))
    told.update(line.text.partition(":")[0] for line in lines if line.what == "effect.uncertain")
    for letter in life.post.letters:
        if letter.number == true.number and not told[letter.template]:
            yield f"{letter}: explain does not tell of it"


def _arrived(life: Life, true: TrueOrder, line: Line) -> bool:
    template, to, _ = line.text.partition(" to ")
    if not to or template == "referral_reward":
        return True  # a code or a review; a reward tells nobody of the friend's order
    return any(letter.template == template and letter.number == true.number for letter in life.post.letters)


def _missing(life: Life, true: TrueOrder, lines: tuple[Line, ...]) -> Iterator[str]:
    """An order that stands is confirmed, unless nobody could."""
    heard = life.recorded.get((true.shop_id, true.order.id, "order.created"))
    if heard is None or heard.at - true.order.placed_at > NEWS_AGE - timedelta(hours=1):
        return
    if true.told("order.cancelled") or true.told("refund.created"):
        return
    theirs = [letter for letter in life.post.letters if letter.number == true.number]
    if any(letter.template == "order_confirmation" for letter in theirs):
        return
    doubtful = any(line.what == "effect.uncertain" and line.flow == "order-confirmation" for line in lines)
    refused = ("order_confirmation", true.number, "") in life.post.refused
    if not doubtful and not refused and true.person.email not in life.plan.dead:
        yield f"order {true.number} was never confirmed"

"""The mail server of a life: what reached whom is counted here, by what is written in the message.

Nothing of the product's own is looked at but the idempotency key, and that only as a provider would: within its window
a key it knows is answered and not delivered again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from connector.clock import Clock
from connector.contracts import Accepted, Channel, Message, Outcome, Rejected, Retry, Unknown
from connector.contracts.channel import OnWire
from tests.swarm.plan import SHOPS

if TYPE_CHECKING:
    from tests.swarm.life import Life

_SUBJECT = re.compile(rb"^Subject: swarm (\w+) (\w*)\|(\w*)\|([\w-]*)\r?$", re.MULTILINE)
_STOP = re.compile(rb"^List-Unsubscribe: <[^>]*(/p/unsubscribe/\w+)>", re.MULTILINE)
SENDERS = {f"{shop_id} <{shop_id}@example.com>": shop_id for shop_id in SHOPS}
ANSWERS = ("review_thanks",)
"""What answers an act of the customer's own: no cap counts it."""


@dataclass
class Letter:
    """One message as it reached somebody. `decided` counts the commits there had been when it was handed over, and
    `word_lost` says that the product never learnt of its acceptance."""

    at: datetime
    shop_id: str
    address: str
    template: str
    number: str
    tracking: str
    code: str
    marketing: bool
    decided: int
    stop_link: str
    content: bytes
    word_lost: bool = False

    @property
    def what(self) -> tuple[str, ...]:
        """What it says to whom: two letters with the same are one said twice."""
        if self.template == "referral_reward":
            return (self.template, self.code)
        if self.template in ("referral_invite", "club_hello"):
            return (self.template, self.shop_id, self.address)
        if self.template == "miss_you":
            return (self.template, self.shop_id, self.address, f"{self.at:%Y-%m-%d}")
        return (self.template, self.number, self.tracking)

    def __str__(self) -> str:
        what = " ".join(part for part in (self.template, self.number, self.tracking) if part)
        return f"{what} to {self.address} at {self.at:%m-%d %H:%M}"


class Post(Channel):
    """The channel of every shop."""

    name: ClassVar[str] = "post"
    medium: ClassVar[str] = "email"
    marks_wire: ClassVar[bool] = True
    life: Life

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.keys: dict[str, datetime] = {}
        self.closed_until: dict[str, datetime] = {}
        self.refused: set[tuple[str, ...]] = set()
        self.bounced: list[Letter] = []

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> Post:
        return cls()

    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        decided = self.life.commits
        for message in messages:
            yield self._take(message, _read(message, self.life.now, decided), on_wire)

    def _take(self, message: Message, letter: Letter, on_wire: OnWire | None) -> Outcome:
        life = self.life
        life.may_die("died at a mail")
        if on_wire is not None:
            on_wire(message.key)
        if life.now < self.closed_until.get(message.key, life.now):
            life.fault(f"{letter}: tried again before the server wished")
        if life.now < life.post_closed_until:
            return Retry(key=message.key, text="421 closed")
        if life.goes("mail later"):
            return self._put_off(message, letter)
        if letter.address in life.plan.dead:
            self.bounced.append(letter)
            return Rejected(key=message.key, code="550", text="no such user", bad_address=True)
        if life.goes("mail refused"):
            self.refused.add(letter.what)
            return Rejected(key=message.key, code="554", text="not today")
        if life.goes("mail lost before"):
            return Unknown(key=message.key, text="nothing came back")
        if life.depth == 1 and life.goes("mail slow"):
            life.clock.advance(timedelta(seconds=life.chance.pick((3, 30, 100))))
        return self._accept(message, letter)

    def _put_off(self, message: Message, letter: Letter) -> Outcome:
        after = self.life.chance.pick((None, 60.0, 1800.0))
        if after is not None:
            self.closed_until[message.key] = self.life.now + timedelta(seconds=after)
        self.life.put_off(letter)
        return Retry(key=message.key, text="450 later", after=after)

    def _accept(self, message: Message, letter: Letter) -> Outcome:
        life = self.life
        known = self.keys.get(message.key)
        if life.plan.window and known is not None and (life.now - known).total_seconds() < life.plan.window:
            return Accepted(key=message.key)
        self.keys[message.key] = life.now
        letter.at = life.now
        self.letters.append(letter)
        life.delivered(letter)
        life.may_die("died at a mail")
        life.meanwhile()
        if life.goes("mail lost after"):
            letter.word_lost = True
            return Unknown(key=message.key, text="the answer was lost")
        return Accepted(key=message.key, provider_id=f"post-{len(self.letters)}")


def _read(message: Message, now: datetime, decided: int) -> Letter:
    head = message.content.partition(b"\r\n\r\n")[0]
    subject, stop = _SUBJECT.search(head), _STOP.search(head)
    assert subject is not None, head[:600]
    template, number, tracking, code = (part.decode() for part in subject.groups())
    return Letter(
        at=now,
        shop_id=SENDERS[message.sender],
        address=message.recipient,
        template=template,
        number=number,
        tracking=tracking,
        code=code,
        marketing=stop is not None,
        decided=decided,
        stop_link=stop[1].decode() if stop else "",
        content=message.content,
    )

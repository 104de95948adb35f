"""Audiences for advertising platforms: who may be in one, in the platform's words, and who has to go again."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connector.app import Kiitos
from connector.errors import ConfigError
from connector.lists.audiences import KEPT, Taken, take
from connector.model import Channel, Consent, ConsentState, Customer, Event, EventKind, Purpose, Ref
from connector.privacy import Privacy
from connector.store import Store, audiences, consents, people, suppressions
from connector.store.audiences import Audience
from connector.store.privacy import ERASE_CUSTOMER
from flows.people.audiences import FORMS, digest, write_csv
from tests.store.trade import SHOP, Trade

SEGMENT = {"buyers": {"when": ["customer.lifetime.orders >= 1"]}}
META = Audience(SHOP, "meta", "buyers")
AGREED = ("Ad-Audiences", "vip")


@pytest.mark.parametrize(
    ("platform", "address", "phone", "expected"),
    [
        # The digests of an address and of the word "adsapi" as TikTok and X publish them.
        ("tiktok", " JaneDoe@Gmail.com ", None, "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69"),
        (
            "google",
            "janedoe@gmail.com",
            "0401234567",
            "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69",
        ),
    ],
)
def test_published_digests(platform: str, address: str, phone: str | None, expected: str) -> None:
    assert FORMS[platform].member(address, phone) == (expected, ""), "a number without its country is no number"
    assert digest("adsapi") == "49e0be2aeccfb51a8dee4c945c8a70a9ac500cf6f5cb08112575f74db9b1470d"


@pytest.mark.parametrize(
    ("platform", "header", "number"),
    [
        ("google", "Email,Phone", "+358401234567"),
        ("tiktok", "Email_SHA256,Phone_SHA256", "+358401234567"),
        ("meta", "email,phone", "358401234567"),
        ("pinterest", "", ""),
    ],
)
def test_each_platform_s_form(platform: str, header: str, number: str) -> None:
    form = FORMS[platform]
    for written in ("+358 40 123 4567", "00358-40-1234567", "+358(40)1234567"):
        member = form.member("A@x.test", written)
        assert member[1] == (hashlib.sha256(number.encode()).hexdigest() if number else "")
    lines = write_csv(form, [member, member, form.member("b@x.test", None)]).splitlines()
    assert (lines[0] if header else "") == header
    assert len(lines) == 2 + bool(header), "each person once"
    assert lines[bool(header) :] == sorted(lines[bool(header) :])


class Ads:
    """A shop with a segment of its buyers; `ground` is what its file says."""

    def __init__(self, store: Store, folder: Path, ground: str = "consent", statement: str = "") -> None:
        self.trade = Trade(store, folder, SEGMENT)
        self.store = store
        self.say(ground, statement)

    def say(self, ground: str, statement: str = "") -> None:
        config = self.kiitos.config
        settings = config.shops[SHOP]
        growth = replace(settings.growth, audience_ground=ground, audience_statement=statement)
        self.kiitos.config = replace(config, shops={SHOP: replace(settings, growth=growth)})

    @property
    def kiitos(self) -> Kiitos:
        return self.trade.kiitos

    def buyer(self, name: str, *, consent: bool = True, tags: Sequence[str] = AGREED, phone: str | None = None) -> str:
        address, trade = f"{name}@example.test", self.trade
        trade.order(address)
        known = Customer(id=f"c-{name}", email=address, phone=phone, tags=tuple(tags), updated_at=trade.clock.now())
        subject = Ref("customer", f"c-{name}")
        key = f"customer/{name}/{trade.clock.now().isoformat()}"
        trade.take_in(
            Event(kind=EventKind.CUSTOMER_UPDATED, key=key, subject=subject, at=trade.clock.now(), customer=known)
        )
        if consent:
            self.decide(address, ConsentState.GRANTED)
        return address

    def decide(self, address: str, state: ConsentState) -> None:
        said = Consent(
            channel=Channel.EMAIL,
            purpose=Purpose.MARKETING,
            state=state,
            raw_state=str(state),
            at=self.trade.clock.now(),
            source="form",
            address=address,
        )
        with self.store.work.transaction() as tx:
            consents.record(tx, SHOP, said, self.trade.clock.now())

    def take(self, *, days: int | None = None, audience: Audience = META) -> Taken:
        self.trade.worker.drain()
        self.trade.clock.advance(timedelta(hours=1))
        now = self.trade.clock.now()
        since = now - timedelta(days=days) if days is not None else None
        return take(self.kiitos, self.kiitos.config.shops[SHOP], audience, "ada", since)


def digests(text: str) -> set[str]:
    return {row[0] for row in csv.reader(io.StringIO(text))} - {"email"}


def of(*addresses: str) -> set[str]:
    return {digest(address) for address in addresses}


def test_only_who_said_yes_twice_and_nothing_else(store: Store, tmp_path: Path) -> None:
    ads = Ads(store, tmp_path)
    yes = ads.buyer("yes", phone="+358401234567")
    ads.buyer("never-asked", consent=False)
    ads.buyer("no-ads", tags=("vip",))
    ads.buyer("no-profiling", tags=(*AGREED, "no-profiling"))
    gone = ads.buyer("withdrawn")
    ads.trade.clock.advance(timedelta(hours=1))
    ads.decide(gone, ConsentState.WITHDRAWN)
    stopped = ads.buyer("stopped")
    with store.work.transaction() as tx:
        suppressions.add(tx, SHOP, stopped, Channel.EMAIL, "all", "complaint", ads.trade.clock.now())
    taken = ads.take()
    assert taken.file == f"email,phone\n{digest(yes)},{digest('358401234567')}\n"
    assert "@" not in taken.file
    assert taken.people == 1
    assert taken.left_out == {
        "no consent to marketing": 2,
        "no consent to advertising platforms": 1,
        "no profiling": 1,
        "suppressed": 1,
    }
    with store.work.read() as tx:
        (line,) = audiences.exports(tx, SHOP)
    assert (line.by_whom, line.platform, line.segment, line.people, line.ground) == (
        "ada",
        "meta",
        "buyers",
        1,
        "consent",
    )
    ads.say("stated", "Our privacy notice, section 4")
    assert ads.take().people == 2, "who said yes to marketing, on the stated ground"


def test_who_left_has_to_go_from_there_too(store: Store, tmp_path: Path) -> None:
    ads = Ads(store, tmp_path)
    stays, leaves = ads.buyer("stays"), ads.buyer("leaves")
    assert digests(ads.take().file) == of(stays, leaves)
    assert ads.take().removed == 0
    ads.decide(leaves, ConsentState.WITHDRAWN)
    taken = ads.take()
    assert (digests(taken.file), digests(taken.removed_file)) == (of(stays), of(leaves))
    ads.trade.clock.advance(timedelta(days=3))
    assert digests(ads.take().removed_file) == set(), "told once"
    assert digests(ads.take(days=10).removed_file) == of(leaves), "and again for who asks"
    assert ads.take(audience=Audience(SHOP, "google", "buyers")).removed == 0, "it never had them"
    ads.decide(leaves, ConsentState.GRANTED)
    assert digests(ads.take().file) == of(stays, leaves)
    assert digests(ads.take(days=10).removed_file) == set(), "who came back does not go"
    ads.decide(leaves, ConsentState.WITHDRAWN)
    ads.take()
    ads.trade.clock.advance(KEPT + timedelta(days=1))
    assert digests(ads.take(days=365).removed_file) == set(), "a digest is not kept for ever"


def test_who_was_forgotten_is_in_no_list_and_goes_from_the_platform(store: Store, tmp_path: Path) -> None:
    ads = Ads(store, tmp_path)
    stays, forgotten = ads.buyer("stays"), ads.buyer("forgotten")
    ads.take()
    with store.work.read() as tx:
        shown = people.gather(tx, people.find(tx, SHOP, email=forgotten))["audience_members"]
    assert [row["platform"] for row in shown] == ["meta"], "their own data tells them"
    Privacy(ads.kiitos).ask(SHOP, ERASE_CUSTOMER, "test", {"email": forgotten})
    ads.trade.worker.drain()
    with store.work.read() as tx:
        kept = audiences.members(tx, META, ads.trade.clock.now())
    assert {each.name for each in kept} == {stays, None}
    taken = ads.take()
    assert (digests(taken.file), digests(taken.removed_file)) == (of(stays), of(forgotten))
    with store.work.transaction() as tx:
        # The import of an old list brings them back into the segment; never into an audience.
        tx.script(
            f"INSERT INTO segment_members VALUES ('{SHOP}', 'buyers', '{forgotten}', '2026-03-02T00:00:00.000000Z')"
        )
    again = ads.take()
    assert digests(again.file) == of(stays)
    assert again.left_out == {"forgotten": 1}


@pytest.mark.parametrize(
    ("ground", "statement", "audience", "why"),
    [
        ("", "", META, "say on which ground"),
        ("stated", " ", META, "needs a statement"),
        ("consent", "", Audience(SHOP, "meta", "buyer"), "did you mean 'buyers'"),
        ("consent", "", Audience(SHOP, "mета", "buyers"), "no platform"),
    ],
)
def test_what_is_refused_leaves_nothing(
    store: Store, tmp_path: Path, ground: str, statement: str, audience: Audience, why: str
) -> None:
    ads = Ads(store, tmp_path, ground, statement)
    ads.buyer("yes")
    with pytest.raises(ConfigError, match=why):
        ads.take(audience=audience)
    with store.work.read() as tx:
        assert audiences.exports(tx, SHOP) == []

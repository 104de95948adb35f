"""Each check: break just that, and the doctor says it, why it matters, what mends it. A sound one has nothing wrong."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from connector.app import Kiitos
from connector.cli import cli
from connector.clock import ManualClock
from connector.model import Channel, Customer, EffectStatus, ShopStatus
from connector.secrets import make_key
from connector.store import (
    care,
    cases,
    connecting,
    effects,
    entities,
    meta,
    pace,
    privacy,
    recoveries,
    referrals,
    renewals,
    reviews,
    shops,
    suppressions,
    watch,
)
from connector.store.reviews import ReviewState
from connector.watching import doctor, of_machine
from connector.watching.doctor import CHECKS, examine
from connector.watching.machine import Machine
from connector.watching.trouble import Level, Trouble, span_text
from connector.working import standstill
from connector.working.standstill import Standstill
from tests.store import examples
from tests.watching.conftest import SHOP, START, House

SPF = {"acme.example": ["v=spf1 -all"], "_dmarc.acme.example": ["v=DMARC1; p=none"]}


@dataclass
class Healthy(Machine):
    """A machine with room on a real disk, a sound library and private files."""

    room: tuple[int, int] = (50 << 30, 100 << 30)
    kind: str = "ext4"
    library: tuple[str, bool] = ("3.53.4", True)
    opened: set[str] = field(default_factory=set)
    may_write: bool = True

    def free(self, folder: Path) -> tuple[int, int]:
        return self.room

    def file_system(self, folder: Path) -> str:
        return self.kind

    def open_to_others(self, path: Path) -> bool:
        return path.name in self.opened or super().open_to_others(path)

    def writable(self, folder: Path) -> bool:
        return self.may_write

    def sqlite(self) -> tuple[str, bool]:
        return self.library


@dataclass
class Ward:
    """A sound installation: a worker, a backup made last night, a webhook this morning."""

    house: House
    kiitos: Kiitos
    machine: Healthy = field(default_factory=Healthy)
    records: dict[str, list[str]] = field(default_factory=lambda: dict(SPF))

    def txt(self, name: str) -> Sequence[str]:
        return self.records.get(name, [])

    def look(self, *, network: bool = False) -> list[Trouble]:
        txt = self.txt if network else None
        return examine(self.house.path, {}, clock=self.house.clock, machine=self.machine, txt=txt)


def make_sound(house: House) -> Ward:
    kiitos = house.open()
    house.order(kiitos, "a")
    house.until(kiitos, minutes=1)
    refresh(house, kiitos)
    return Ward(house, kiitos)


def refresh(house: House, kiitos: Kiitos) -> None:
    """The worker says that it lives, and a backup was made."""
    now = house.clock.now()
    with kiitos.store.work.transaction() as tx:
        watch.alive(tx, "w1", "worker", "box", "0.1.0", now)
        meta.put(tx, watch.BACKUP_AT, (now - timedelta(hours=5)).isoformat(), now)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sound installation, to be copied: its order was confirmed once for all tests."""
    folder = tmp_path_factory.mktemp("sound")
    ward = make_sound(House(folder, ManualClock(START)))
    ward.kiitos.close()
    return folder


@pytest.fixture
def ward(sound: Path, house: House) -> Ward:
    shutil.copytree(sound, house.folder, dirs_exist_ok=True)
    house.clock.advance(timedelta(minutes=1))
    return Ward(house, house.open())


def test_a_sound_installation_has_nothing_wrong(ward: Ward) -> None:
    assert ward.look() == []


def test_where_steps_are_handed_out_somebody_must_do_them(ward: Ward) -> None:
    ward.house.app = '[app.dispatcher]\nkind = "celery"\nbroker = "redis://127.0.0.1:9/0"'
    (found,) = ward.look()
    assert (found.check, found.level) == ("workers", Level.FAIL)
    assert "none ever said so" in found.what
    assert "kiitos worker --steps" in found.what
    with ward.kiitos.store.work.transaction() as tx:
        watch.alive(tx, "s1", "steps", "box", "0.1.0", ward.house.clock.now())
    assert ward.look() == []


# -- one thing broken at a time ----------------------------------------------------------------------------------------


def change(act: Callable[[Ward, Any], None]) -> Callable[[Ward], None]:
    def within(ward: Ward) -> None:
        with ward.kiitos.store.work.transaction() as tx:
            act(ward, tx)

    return within


def put_effect(status: EffectStatus, **rest: Any) -> Callable[[Ward], None]:
    def act(ward: Ward, tx: Any) -> None:
        now = ward.house.clock.now()
        values = {"shop_id": SHOP, "created_at": now, "due_at": now, "flow_id": "review-request"} | {
            name: now - value if isinstance(value, timedelta) else value for name, value in rest.items()
        }
        effects.put(tx, examples.effect("odd", status=status, **values))

    return change(act)


def later(**span: float) -> Callable[[Ward], None]:
    return lambda ward: ward.house.clock.advance(timedelta(**span))


def dead_letter(ward: Ward) -> None:
    ward.house.arrive(ward.kiitos, "bad", b'{"id": "no order"}')
    ward.house.until(ward.kiitos, seconds=1)


def silence(ward: Ward) -> None:
    ward.house.clock.advance(timedelta(days=8))
    refresh(ward.house, ward.kiitos)
    with ward.kiitos.store.work.transaction() as tx:
        meta.put(tx, "clock/believed", ward.house.clock.now().isoformat(), ward.house.clock.now())


def found_by_poll(ward: Ward, tx: Any) -> None:
    recoveries.put(tx, SHOP, "9001", "poll", ward.house.clock.now() + timedelta(seconds=1))


def bounced_list(ward: Ward, tx: Any) -> None:
    now = ward.house.clock.now()
    for number in range(250):
        person = Customer(id=f"c{number}", email=f"p{number}@example.test", updated_at=now)
        event = examples.event(
            "customer.updated", examples.Ref("customer", f"c{number}"), happened=now, customer=person
        )
        entities.apply(tx, SHOP, event, now)
    for number in range(20):
        suppressions.add(tx, SHOP, f"p{number}@example.test", Channel.EMAIL, "all", "hard_bounce", now)


def complaints(ward: Ward, tx: Any) -> None:
    now = ward.house.clock.now()
    for number in range(100):
        effect = examples.effect(
            f"m{number}",
            shop_id=SHOP,
            flow_id="review-request",
            status=EffectStatus.SENT,
            first_try_at=now,
            done_at=now,
        )
        effects.put(tx, effect)
    for number in range(3):
        pace.object_to(tx, SHOP, "review-request", "complaint", f"complaint/{number}", now)


def unanswered(ward: Ward, tx: Any) -> None:
    then = ward.house.clock.now() - timedelta(days=3)
    row = cases.CaseRow(
        case_id="7K3M9P2Q",
        shop_id=SHOP,
        order_id="o1",
        email_key="x@example.test",
        customer_id="",
        kind="return",
        opened_at=then,
        updated_at=then,
    )
    cases.put(tx, row)


def unhappy(ward: Ward, tx: Any) -> None:
    now = ward.house.clock.now()
    until, then = now + timedelta(days=27), now - timedelta(days=3)
    care.begin(
        tx, SHOP, "survey/r1:ask", ["x@example.test"], reason=care.LOW_SCORE, order_id="o1", until=until, now=then
    )


def unread(ward: Ward, tx: Any) -> None:
    then = ward.house.clock.now() - timedelta(days=3)
    for number in range(2):
        row = reviews.ReviewRow(
            id=f"o{number}/p",
            order_id=f"o{number}",
            product_id="p",
            rating=2,
            at=then + timedelta(hours=number),
            state=ReviewState.HELD,
        )
        reviews.save(tx, SHOP, row, then)
    young = ward.house.clock.now() - timedelta(days=1)
    fresh = reviews.ReviewRow(id="o9/p", order_id="o9", product_id="p", rating=2, at=young, state=ReviewState.HELD)
    reviews.save(tx, SHOP, fresh, fresh.at)


def undecided(ward: Ward, tx: Any) -> None:
    then = ward.house.clock.now() - timedelta(days=3)
    row = referrals.ReferralRow(
        id="order-1",
        code="FRIEND-1",
        advocate_email_key="a@example.test",
        friend_email_key="b@example.test",
        friend_order_id="1",
        state="review",
        reason="",
        created_at=then,
        updated_at=then,
    )
    referrals.open_one(tx, SHOP, row, then)


def old_privacy(ward: Ward, tx: Any) -> None:
    then = ward.house.clock.now() - timedelta(days=8)
    privacy.ask(tx, SHOP, "r1", privacy.EXPORT, "command", {"email": "x@example.test"}, "k", then)


def lapse(ward: Ward, tx: Any) -> None:
    renewals.keep(tx, SHOP, None)
    renewals.refuse(tx, SHOP, "x", ward.house.clock.now(), None)


def near_the_end(ward: Ward, tx: Any) -> None:
    now = ward.house.clock.now()
    renewals.told(tx, SHOP, None, now, now + timedelta(days=29))


def put_meta(name: str, value: str) -> Callable[[Ward], None]:
    return change(lambda ward, tx: meta.put(tx, name, value, ward.house.clock.now()))


def pause(ward: Ward, tx: Any) -> None:
    pace.pause(tx, SHOP, "review-request", "typo", ward.house.clock.now())


def disconnect(ward: Ward, tx: Any) -> None:
    shops.set_status(tx, SHOP, ShopStatus.DISCONNECTED, ward.house.clock.now(), "401")


BREAKS: dict[str, Callable[[Ward], None]] = {
    "workers": later(minutes=4),
    "backlog": put_effect(EffectStatus.PENDING, due_at=timedelta(minutes=20)),
    "leases": put_effect(EffectStatus.SENDING, lease_until=timedelta(minutes=20)),
    "uncertain": put_effect(EffectStatus.UNCERTAIN),
    "failed": put_effect(EffectStatus.FAILED),
    "dead_letters": dead_letter,
    "held": change(pause),
    "privacy": change(old_privacy),
    "clock": put_meta("clock/believed", "2027-06-01T00:00:00.000000Z"),
    "backup": put_meta(watch.BACKUP_AT, "2026-11-20T00:00:00Z"),
    "worker_ledgers": put_meta(
        "send_ledger/none/w2/worker", '{"host": "w2", "role": "worker", "at": "2026-11-23T09:00:00.000000Z"}'
    ),
    "restored": change(lambda ward, tx: standstill.begin(tx, Standstill.RESTORED, ward.house.clock.now())),
    "shops": change(disconnect),
    "webhooks": change(found_by_poll),
    "tokens": change(lapse),
    "token_expiry": change(near_the_end),
    "suppressed": change(bounced_list),
    "complaints": change(complaints),
    "cases": change(unanswered),
    "low_scores": change(unhappy),
    "reviews": change(unread),
    "referrals": change(undecided),
}


@pytest.mark.parametrize("name", list(BREAKS))
def test_what_is_broken_is_found_and_nothing_else(ward: Ward, name: str) -> None:
    BREAKS[name](ward)
    found = ward.look()
    assert [one.check for one in found] == [name]
    assert found[0].what
    assert found[0].why


@pytest.mark.parametrize(
    ("queue", "what"),
    [
        (unread, "2 reviews wait for a person, the longest for 3 days"),
        (undecided, "a referral waits for a person, the longest for 3 days"),
    ],
    ids=["reviews", "referrals"],
)
def test_queues_say_how_many_wait_and_for_how_long(ward: Ward, queue: Callable[[Ward, Any], None], what: str) -> None:
    change(queue)(ward)
    assert [one.what for one in ward.look()] == [what]


def test_a_shop_that_fell_silent_is_found(ward: Ward) -> None:
    silence(ward)
    assert [(one.check, one.what) for one in ward.look()] == [("webhooks", "the last webhook came 8 days ago")]


def test_a_shop_that_was_never_heard_of_is_found(house: House) -> None:
    ward = Ward(house, house.open())
    refresh(house, ward.kiitos)
    assert ward.look() == []
    house.clock.advance(timedelta(days=2))
    refresh(house, ward.kiitos)
    assert [(one.check, one.what) for one in ward.look()] == [("webhooks", "no webhook has ever come")]


def test_a_provider_that_is_left_alone_is_found(ward: Ward) -> None:
    until = (ward.house.clock.now() + timedelta(hours=1)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    with ward.kiitos.store.work.transaction() as tx:
        tx.script(
            "INSERT INTO provider_breakers (shop_id, provider, failures, open_until, trying_until, reason)"
            " VALUES (?, 'mail', 5, ?, '', 'refused')",
            (SHOP, until),
        )
    assert [(one.check, one.subject) for one in ward.look()] == [("providers", "mail")]


def test_a_job_that_fails_is_found(ward: Ward) -> None:
    with ward.kiitos.store.work.transaction() as tx:
        tx.script(
            "INSERT INTO jobs (shop_id, kind, lease, attempts, state, error_code, error_text, created_at)"
            " VALUES (?, 'poll', '', 4, '{}', 'TRANSIENT', '', '')",
            (SHOP,),
        )
    assert [(one.check, one.what) for one in ward.look()] == [("jobs", "'poll' failed 4 times in a row (TRANSIENT)")]


def test_a_store_that_cannot_join_is_found(ward: Ward) -> None:
    row = connecting.ConnectedRow(shop_id="gone-metsa", client_id="gone", settings={"platform": "woocommerce"})
    with ward.kiitos.store.work.transaction() as tx:
        connecting.put(tx, row, ward.house.clock.now())
    assert [(one.check, one.subject) for one in ward.look()] == [("stores_left_out", "gone-metsa")]


MACHINES: dict[str, tuple[dict[str, Any], str]] = {
    "sqlite_version": ({"library": ("3.40.1", False)}, "3.40.1"),
    "disk": ({"room": (1 << 20, 100 << 30)}, "0.0 GiB"),
    "file_system": ({"kind": "tmpfs"}, "tmpfs"),
    "permissions": ({"opened": {"master.key"}}, "other users"),
    "folder": ({"may_write": False}, "cannot be written"),
}


@pytest.mark.parametrize("name", list(MACHINES))
def test_what_is_wrong_with_the_machine_is_found(ward: Ward, name: str) -> None:
    values, words = MACHINES[name]
    for key, value in values.items():
        setattr(ward.machine, key, value)
    found = ward.look()
    assert [one.check for one in found] == [name]
    assert words in found[0].what
    assert name in {check.name for check in of_machine.CHECKS}


def test_an_installation_without_a_send_ledger_is_told_and_one_that_would_not_outlive_its_worker(ward: Ward) -> None:
    ward.house.more = '[backup]\nledger = "off"\n'
    assert [(one.check, one.level) for one in ward.look()] == [("send_ledger", Level.WARN)]
    ward.house.more = '[backup]\nledger = "elsewhere/sent"\n'
    assert ward.look() == []
    ward.machine.kind = "overlay"
    assert [(one.check, one.what) for one in ward.look()] == [
        ("send_ledger", "the send ledger lies on overlay: it goes with the container or the machine")
    ]
    ward.machine.kind, ward.machine.may_write = "ext4", False
    assert ("send_ledger", Level.FAIL) in [(one.check, one.level) for one in ward.look()]


def test_a_disk_that_fills_is_told_before_it_is_full_and_a_network_is_no_disk(ward: Ward) -> None:
    ward.machine.room, ward.machine.kind = (5 << 30, 100 << 30), "nfs4"
    assert [(one.check, one.level) for one in ward.look()] == [("file_system", Level.FAIL), ("disk", Level.WARN)]


def test_a_file_that_others_can_read_is_found_on_this_very_machine(ward: Ward) -> None:
    key = ward.house.folder / "var" / "master.key"
    key.chmod(0o644)
    found = ward.look()
    assert [(one.check, one.subject) for one in found] == [("permissions", str(key))]
    assert found[0].mend == f"chmod 600 {key}"


def test_a_file_with_faults_is_all_there_is_to_say(ward: Ward) -> None:
    ward.house.more = "[nonsense]\n"
    assert [(one.check, one.mend) for one in ward.look()] == [("configuration", "kiitos config check")]


def test_a_schema_that_is_older_than_the_program_is_found(ward: Ward) -> None:
    with ward.kiitos.store.work.transaction() as tx:
        tx.script("DELETE FROM schema_ledger WHERE component = 'work' AND name > '0020'")
    assert [(one.check, one.mend) for one in ward.look()] == [("schema", "kiitos db upgrade")]


def test_a_database_that_is_none_is_found(ward: Ward) -> None:
    ward.kiitos.close()
    (ward.house.folder / "var" / "kiitos.db").write_bytes(b"this is no database at all" * 100)
    assert [one.check for one in ward.look()] == ["database"]


def test_a_database_that_does_not_exist_yet_is_found(house: House) -> None:
    assert [one.what for one in Ward(house, None).look()] == ["there is no database at kiitos.db yet"]  # type: ignore[arg-type]


def test_a_key_that_is_gone_and_one_that_is_old_are_found(ward: Ward) -> None:
    key = ward.house.folder / "var" / "master.key"
    old = key.read_text("utf-8").strip()
    key.write_text(f"{make_key('k2')}\n{old}\n", "utf-8")
    assert [(one.check, one.level, one.subject) for one in ward.look()] == [("keys", Level.WARN, "k1")]


def test_a_channel_that_cannot_be_built_is_found(ward: Ward) -> None:
    ward.house.more = '[channels.other]\nkind = "resend"\n'
    assert ("channels", "other") in [(one.check, one.subject) for one in ward.look()]


def test_a_template_with_a_fault_is_found(ward: Ward) -> None:
    """It was well when the processes started, and was edited since."""
    own = ward.house.folder / "own" / "en" / "order_confirmation.html.liquid"
    own.parent.mkdir(parents=True)
    text = "---\nsubject: Mine\npreheader: p\n---\n<p style='color:#333333'>{{ order.number }}</p>"
    own.write_text(text, "utf-8")
    ward.house.defaults = 'templates = "own"'
    assert ward.look() == []
    own.write_text(text.replace("order.number", "order.nmber"), "utf-8")
    found = ward.look()
    assert [(one.check, one.subject) for one in found][:1] == [("templates", SHOP)]
    assert "nmber" in found[0].what


def test_a_domain_that_is_not_believed_is_found(ward: Ward) -> None:
    ward.records.clear()
    found = ward.look(network=True)
    assert {one.check for one in found} == {"sender_domain"}
    assert any("dmarc" in one.what for one in found)


def test_a_database_that_answers_too_soon_is_found(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "durable", lambda store: False)
    assert [one.check for one in ward.look()] == ["durability"]


def test_a_check_that_fails_itself_is_a_finding_and_the_others_are_made(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    def choke(*_: object) -> None:
        raise RuntimeError("aino@example.com")

    monkeypatch.setattr(watch, "durable", choke)
    put_effect(EffectStatus.FAILED)(ward)
    found = ward.look()
    assert {one.check for one in found} == {"durability", "failed"}
    assert "aino" not in str(found)


# -- what mends it -----------------------------------------------------------------------------------------------------

PROGRAMS = {"chmod", "df", "pip"}
MENDS = [
    *((check.name, check.mend) for check in (*CHECKS, *of_machine.CHECKS)),
    *((name, mend) for name, _, mend in (doctor.CONFIGURATION, doctor.SCHEMA, doctor.DATABASE)),
]


@pytest.mark.parametrize(("name", "mend"), MENDS, ids=lambda value: value)
def test_the_command_that_mends_it_exists(name: str, mend: str) -> None:
    program, *words = shlex.split(mend)
    if program != "kiitos":
        assert program in PROGRAMS
        return
    context, command = click.Context(cli), cli
    while isinstance(command, click.Group) and words and (found := command.get_command(context, words[0])):
        command = found  # type: ignore[assignment]
        words.pop(0)
    assert not isinstance(command, click.Group) or command.invoke_without_command
    known = {option for parameter in command.params for option in parameter.opts if option.startswith("-")}
    assert {word for word in words if word.startswith("-")} <= known
    given = [word for word in words if word == "SUBJECT"]
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    assert len(given) <= len(arguments) + len(known)
    plain = [word for word in words if not word.startswith("-")]
    assert len(plain) >= sum(each.required for each in arguments)
    result = CliRunner().invoke(command, ["--help"])
    assert result.exit_code == 0


def test_every_check_has_a_test_that_breaks_it() -> None:
    broken = {*BREAKS, *MACHINES, "providers", "jobs", "stores_left_out", "keys", "channels", "templates"}
    broken.add("send_ledger")
    # Streams in tests/keeping/test_streaming.py, perks in tests/journeys/test_perk_given.py.
    elsewhere = {"sender_domain", "durability", "stream", "perks"}
    assert {check.name for check in (*CHECKS, *of_machine.CHECKS)} == broken | elsewhere


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5 seconds"), (60, "1 minute"), (5400, "2 hours"), (86400 * 8, "8 days"), (3599, "60 minutes")],
)
def test_spans_for_people(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


def test_the_command_says_it_and_ends_with_the_answer(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    put_effect(EffectStatus.UNCERTAIN)(ward)
    path = str(ward.house.path)
    result = CliRunner().invoke(cli, ["-c", path, "doctor", "--offline"])
    assert "uncertain acme-main: nobody knows whether 1 messages went out" in result.output
    assert "mend it: kiitos messages list acme-main --status uncertain" in result.output
    assert result.exit_code == 1  # by the machine's own clock the worker is long gone
    told = CliRunner().invoke(cli, ["-c", path, "status"])
    assert "uncertain             1" in told.output
    assert "acme-main" in told.output

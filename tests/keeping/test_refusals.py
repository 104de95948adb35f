"""Who said no after the backup is heeded by the database that is put back."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connector.app import Kiitos, build, load
from connector.clock import ManualClock
from connector.config import load_config
from connector.keeping.refusals import Refusals, read_refusals
from connector.model import Channel, ConsentState, Customer, Event, EventKind, Purpose
from connector.store import Store, consents, entities, preferences, suppressions
from connector.store.preferences import Preference
from connector.store.refused import Refusal
from flows.people.choices import Choice, Said, choose, reachable, withdraw
from flows.policy import UNSUBSCRIBE
from tests.keeping.test_restore import SHOP, kiitos_run
from tests.store.examples import NOW, order_event
from tests.store.examples import order as an_order

KNOWN, NEW, PHONE = "aino@example.com", "new@example.com", "+358401234567"


class Undone(Exception):
    """Raised to have a transaction undone."""


SAID = Said("page", "unsubscribed")


@pytest.fixture(params=["kept", "off"])
def app(request: pytest.FixtureRequest, write_app: Callable[..., Path]) -> Path:
    """An installation that knows one person, and a backup of it; the control keeps nothing outside the database."""
    ledger = 'ledger = "off"\n' if request.param == "off" else ""
    app = write_app(more=f'[backup]\nto = "copies"\nkey = {{ file = "backup.key" }}\n{ledger}')
    with closing_kiitos(app) as kiitos, kiitos.store.work.transaction() as tx:
        buyer = Customer(id="c1", email=KNOWN, phone=PHONE)
        kiitos.runner.ingest(tx, SHOP, [bought("o1", KNOWN, buyer)], NOW)
    assert kiitos_run(app, "backup", "--json").exit_code == 0
    return app


class closing_kiitos:  # noqa: N801 - a context, as contextlib's own
    def __init__(self, app: Path) -> None:
        self._kiitos = load(app)

    def __enter__(self) -> Kiitos:
        return self._kiitos

    def __exit__(self, *_: object) -> None:
        self._kiitos.close()


def bought(order_id: str, email: str, buyer: Customer | None = None) -> Event:
    return order_event(replace(an_order(order_id), email=email, customer=buyer), EventKind.ORDER_CREATED)


def is_kept(app: Path) -> bool:
    return load_config(app).ledger_folder is not None


def put_back(app: Path) -> dict[str, int]:
    done = kiitos_run(app, "restore", "from", "latest", "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    found: dict[str, int] = json.loads(done.stdout)
    return found


def scopes(kiitos: Kiitos, address: str, channel: Channel = Channel.EMAIL) -> dict[str, str]:
    with kiitos.store.work.read() as tx:
        return {row.scope: row.reason for row in suppressions.find(tx, SHOP, address, channel)}


def test_a_no_of_known_and_of_new_people_holds_again(app: Path) -> None:
    with closing_kiitos(app) as kiitos:
        now = kiitos.clock.now()
        with kiitos.store.work.transaction() as tx:
            for address in (KNOWN, NEW):
                who = reachable(tx, SHOP, Channel.EMAIL, address)
                assert withdraw(tx, kiitos.runner, who, SAID, now, kiitos.clock.new_id())
            suppressions.add(tx, SHOP, PHONE, Channel.SMS, "marketing", UNSUBSCRIBE, now)
            suppressions.add(tx, SHOP, "undone@example.com", Channel.EMAIL, "all", "manual", now)
        with kiitos.store.work.transaction() as tx:
            suppressions.remove(tx, SHOP, "undone@example.com", Channel.EMAIL, "all")
    kept = is_kept(app)
    assert put_back(app)["refused_since"] == (3 if kept else 0)
    with closing_kiitos(app) as kiitos:
        assert scopes(kiitos, KNOWN) == ({"marketing": UNSUBSCRIBE} if kept else {})
        assert scopes(kiitos, PHONE, Channel.SMS) == ({"marketing": UNSUBSCRIBE} if kept else {})
        assert scopes(kiitos, NEW) == {}, "nobody of that address is known yet"
        with kiitos.store.work.transaction() as tx:
            kiitos.runner.ingest(tx, SHOP, [bought("o2", NEW)], NOW)
        assert scopes(kiitos, NEW) == ({"marketing": UNSUBSCRIBE} if kept else {})
        assert scopes(kiitos, "undone@example.com") == {}
        with kiitos.store.work.read() as tx:
            assert tx.one("refused_any", shop_id=SHOP) is None


def test_a_pause_and_a_no_to_marketing_alone_hold_again(app: Path) -> None:
    until = NOW + timedelta(days=90)
    with closing_kiitos(app) as kiitos, kiitos.store.work.transaction() as tx:
        preferences.put(tx, SHOP, KNOWN, Preference("fi", until), kiitos.clock.now())
        who, choices = reachable(tx, SHOP, Channel.EMAIL, KNOWN), (Purpose.REVIEW, Purpose.MARKETING)
        wanted = {Purpose.REVIEW: True, Purpose.MARKETING: False}
        known = [Choice(purpose, purpose is Purpose.MARKETING, False) for purpose in choices]
        assert choose(tx, kiitos.runner, who, wanted, known, SAID, kiitos.clock.now(), "n")
    put_back(app)
    with closing_kiitos(app) as kiitos, kiitos.store.work.read() as tx:
        assert preferences.get(tx, SHOP, KNOWN).paused_until == (until if is_kept(app) else None)
        state, _ = consents.state(tx, SHOP, KNOWN, Channel.EMAIL, Purpose.MARKETING)
        assert (state is ConsentState.WITHDRAWN) == is_kept(app)
        assert suppressions.find(tx, SHOP, KNOWN, Channel.EMAIL) == []


def test_what_is_not_committed_is_not_noted_and_what_is_noted_names_nobody(app: Path) -> None:
    if not is_kept(app):
        return
    folder = load_config(app).ledger_folder
    assert folder is not None
    with closing_kiitos(app) as kiitos:
        with contextlib.suppress(Undone), kiitos.store.work.transaction() as tx:
            suppressions.add(tx, SHOP, KNOWN, Channel.EMAIL, "all", "manual", NOW)
            raise Undone
        assert read_refusals([folder], NOW) == []
        with kiitos.store.work.transaction() as tx:
            with contextlib.suppress(Undone), tx.savepoint():
                suppressions.add(tx, SHOP, KNOWN, Channel.EMAIL, "all", "manual", NOW)
                raise Undone
            suppressions.add(tx, SHOP, KNOWN, Channel.EMAIL, "review", "hard bounce ü", NOW)
        (noted,) = read_refusals([folder], NOW)
        assert (noted.scope, noted.reason, noted.shop_id) == ("review", "hard bounce ü", SHOP)
    (path,) = folder.glob("refused-*.list")
    assert b"aino" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0


def test_the_line_is_on_the_disk_before_the_commit(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the two there is one no too many outside; the other way round there would be one too few."""
    synced: list[str] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append("fsync"), real(handle))[1])
    with closing_kiitos(app) as kiitos:
        outside = kiitos.store.work.outside
        assert (outside is not None) == is_kept(app)
        if outside is None:
            return

        def look(noted: list[object]) -> None:
            outside(noted)
            with closing(Store.open(kiitos.config.app.database, migrate=False)) as other, other.work.read() as tx:
                assert suppressions.find(tx, SHOP, KNOWN, Channel.EMAIL) == [], "committed already"

        kiitos.store.work.outside = look
        synced.clear()
        with kiitos.store.work.transaction() as tx:
            suppressions.add(tx, SHOP, KNOWN, Channel.EMAIL, "all", "manual", NOW)
        assert synced
        assert scopes(kiitos, KNOWN) == {"all": "manual"}


def test_a_disk_that_takes_no_line_stops_nobody_from_saying_no(app: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = load_config(app).ledger_folder
    if folder is None:
        return
    folder.write_text("a file where the folder should be")
    with closing_kiitos(app) as kiitos:
        with kiitos.store.work.transaction() as tx:
            suppressions.add(tx, SHOP, KNOWN, Channel.EMAIL, "all", "manual", NOW)
        assert scopes(kiitos, KNOWN) == {"all": "manual"}
    assert "refusal_not_noted" in caplog.text
    folder.unlink()


def test_months_go_and_lines_cut_short_are_passed_over(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    writer = Refusals(tmp_path, b"salt", clock, timedelta(days=45))

    def say(reason: str, address: str = KNOWN) -> None:
        said = Refusal(
            shop_id="s", address_key=address, channel=Channel.EMAIL, scope="all", reason=reason, at=clock.now()
        )
        writer.note([said])

    say("manual")
    (path,) = tmp_path.glob("*")
    with path.open("ab") as file:
        file.write(b"N 17000 s abc")  # the power went
    clock.advance(timedelta(hours=1))
    say("complaint")
    assert [one.reason for one in read_refusals([tmp_path], NOW)] == ["complaint"]
    assert read_refusals([tmp_path], clock.now() + timedelta(seconds=1)) == []
    say("")
    assert read_refusals([tmp_path], NOW) == []
    say("manual", "#" + read_key(tmp_path))
    assert len(read_refusals([tmp_path], NOW)) == 1, "a hash stays the hash it is"
    clock.advance(timedelta(days=80))
    say("manual")
    assert [one.name for one in tmp_path.glob("*")] == [f"refused-{clock.now():%Y%m}.list"]


def read_key(folder: Path) -> str:
    (path,) = folder.glob("*")
    return next(
        line.split(" ")[3] for line in path.read_text().splitlines() if line.startswith("N ") and "manual" in line
    )


def test_rehearsals_note_nothing(app: Path, tmp_path: Path) -> None:
    store = Store.open("sqlite://:memory:")
    kiitos = build(load_config(app), clock=ManualClock(NOW), store=store)
    with kiitos.store.work.transaction() as tx:
        suppressions.add(tx, SHOP, KNOWN, Channel.EMAIL, "all", "manual", NOW)
        assert entities.customer_by_email(tx, SHOP, KNOWN) is None
    kiitos.close()
    assert not list(tmp_path.glob("*-sent/refused-*"))

"""Unsubscribing: only a POST acts, one click is enough, order messages go on, and a mistake can be undone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.model import Channel, ConsentState, Purpose
from connector.store import Store, consents, suppressions
from connector.testing.world import SHOPIFY, World
from tests.pages.life import NORA, asked, client, link, links_of, mails, order_arrives, rows, snapshot, subjects

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
ADDRESS = "nora.lind@example.test"


def stopped(world: World) -> list[tuple[str, str]]:
    with world.kiitos.store.work.read() as tx:
        found = suppressions.find(tx, SHOPIFY, ADDRESS, Channel.EMAIL)
    return [(row.scope, row.reason) for row in found]


def consent(world: World, purpose: Purpose) -> ConsentState:
    with world.kiitos.store.work.read() as tx:
        return consents.state(tx, SHOPIFY, ADDRESS, Channel.EMAIL, purpose)[0]


def test_a_get_and_a_head_change_nothing(world: World) -> None:
    asked(world)
    path = link(world, NORA, "unsubscribe")
    visitor, before = client(world), snapshot(world)
    shown = visitor.get(path)
    assert shown.status_code == 200
    assert b"Which messages would you like to stop?" in shown.data
    assert f'href="{path.replace("/unsubscribe/", "/preferences/")}"' in shown.text
    assert visitor.head(path).status_code == 200
    assert snapshot(world) == before
    visitor.post(path, data=ONE_CLICK)
    assert snapshot(world) != before, "the snapshot would not notice a change"


@pytest.mark.parametrize("encoding", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_one_click_stops_the_marketing_class_and_nothing_else(world: World, encoding: str) -> None:
    asked(world)
    header = mails(world, NORA)[-1]
    assert header["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    answer = client(world).post(link(world, NORA, "unsubscribe"), data=ONE_CLICK, content_type=encoding)
    assert answer.status_code == 200
    assert stopped(world) == [("marketing", "unsubscribe")]
    before = len(mails(world, NORA))
    world.wait(days=30)
    assert len(mails(world, NORA)) == before, "neither a reminder nor an invitation"
    order_arrives(world)
    assert [s for s in subjects(world, NORA)[before:] if "1002" in s], "order messages go on"


def test_without_it_reminder_and_invitation_come(world: World) -> None:
    """Negative control of the test above."""
    asked(world)
    before = len(mails(world, NORA))
    world.wait(days=30)
    assert len(mails(world, NORA)) == before + 2


def test_one_purpose_alone(world: World) -> None:
    asked(world)
    path, visitor = link(world, NORA, "unsubscribe"), client(world)
    page = visitor.post(path, data={"scope": "review"}).text
    assert "review requests" in page
    assert 'value="marketing"' in page, "the rest can still be stopped"
    assert stopped(world) == [("review", "unsubscribe")]
    before = subjects(world, NORA)
    world.wait(days=30)
    after = subjects(world, NORA)[len(before) :]
    assert len(after) == 1, after
    invited = visitor.get(link(world, NORA, "unsubscribe")).text
    assert "Which messages" in invited, "the invitation's own link is not answered by the opt-out from reviews"
    visitor.post(path, data={"scope": "marketing"})
    assert 'value="undo"' in visitor.get(path).text
    assert stopped(world) == [("marketing", "unsubscribe"), ("review", "unsubscribe")]


def test_a_scope_the_link_does_not_stand_for_is_everything(world: World) -> None:
    asked(world)
    client(world).post(link(world, NORA, "unsubscribe"), data={"scope": "loyalty"})
    assert stopped(world) == [("marketing", "unsubscribe")]


def test_once_more_changes_nothing(world: World) -> None:
    asked(world)
    path, visitor = link(world, NORA, "unsubscribe"), client(world)
    visitor.post(path, data=ONE_CLICK)
    before = snapshot(world)
    for data in (ONE_CLICK, {"scope": "marketing"}, {"scope": "review"}, {}):
        assert visitor.post(path, data=data).status_code == 200
    assert snapshot(world) == before


def test_undo_brings_back_what_was_and_no_more(world: World) -> None:
    asked(world)
    path, visitor = link(world, NORA, "unsubscribe"), client(world)
    visitor.post(path, data=ONE_CLICK)
    assert consent(world, Purpose.MARKETING) is ConsentState.WITHDRAWN
    page = visitor.post(path, data={"scope": "undo"}).text
    assert "you will get these messages again" in page
    assert stopped(world) == []
    assert consent(world, Purpose.MARKETING) is ConsentState.UNKNOWN, "an undo must not make a consent"
    before = len(mails(world, NORA))
    world.wait(days=30)
    assert len(mails(world, NORA)) == before + 2


def test_undo_brings_a_given_consent_back(world: World) -> None:
    buyer = replace(NORA, accepts_marketing=True)
    asked(world, buyer)
    assert consent(world, Purpose.REVIEW) is ConsentState.GRANTED
    path, visitor = link(world, NORA, "unsubscribe"), client(world)
    for scope in ("review", "undo", "marketing", "undo"):
        visitor.post(path, data={"scope": scope})
        world.wait(minutes=1)
    assert consent(world, Purpose.MARKETING) is ConsentState.GRANTED
    assert consent(world, Purpose.REVIEW) is ConsentState.GRANTED


def test_a_complaint_is_not_undone_from_the_page(world: World) -> None:
    asked(world)
    path, visitor = link(world, NORA, "unsubscribe"), client(world)
    with world.kiitos.store.work.transaction() as tx:
        suppressions.add(tx, SHOPIFY, ADDRESS, Channel.EMAIL, "marketing", "complaint", world.clock.now())
    assert 'value="undo"' not in visitor.get(path).text
    visitor.post(path, data=ONE_CLICK)
    visitor.post(path, data={"scope": "undo"})
    assert stopped(world) == [("marketing", "complaint")]


def test_the_other_shop_is_not_meant(world: World) -> None:
    asked(world)
    client(world).post(link(world, NORA, "unsubscribe"), data=ONE_CLICK)
    assert rows(world, "SELECT DISTINCT shop_id FROM suppressions") == [(SHOPIFY,)]


def test_it_survives_a_restart(world: World) -> None:
    asked(world)
    path = link(world, NORA, "unsubscribe")
    client(world).post(path, data=ONE_CLICK)
    store = Store.open(f"sqlite:///{world.folder}/kiitos.db")
    try:
        with store.work.read() as tx:
            assert suppressions.find(tx, SHOPIFY, ADDRESS, Channel.EMAIL)
    finally:
        store.close()


@pytest.mark.parametrize("opted_out", [True, False])
def test_between_decision_and_sending(world: World, opted_out: bool) -> None:
    """The reminder has been decided on and waits in the outbox; the opt-out comes first, so it is not sent."""
    asked(world)
    due = world.worker.next_due()
    assert due is not None
    world.clock.advance(due - world.clock.now())
    assert world.worker.intake.wake() > 0
    reminder = (
        "SELECT status, reason FROM effects WHERE purpose = 'review' AND kind = 'message' AND step_id = 'reminder'"
    )
    assert rows(world, reminder) == [("pending", "")]
    if opted_out:
        client(world).post(link(world, NORA, "unsubscribe"), data=ONE_CLICK)
    world.worker.drain()
    ((status, reason),) = rows(world, reminder)
    assert (status, reason.partition(":")[0]) == (("skipped", "suppressed") if opted_out else ("sent", ""))
    asked_again = [m for m in mails(world, NORA) if "/p/review/" in " ".join(links_of(m))]
    assert len(asked_again) == (1 if opted_out else 2)

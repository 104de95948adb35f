"""Flows that call a system, write to a chat and ask a person: counted where it arrives, whatever goes wrong."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connector.cli.context import App
from connector.cli.endpoints import endpoints
from connector.cli.tasks import tasks
from connector.explaining.explain import explain
from connector.model import Effect, EffectStatus, RunStatus
from connector.outside import posting
from connector.outside.signing import is_signed
from connector.store import customer_fields, effects
from connector.store.db import Tx
from connector.testing.fakes.web import Request, Response
from connector.testing.world import WOO
from connector.working import calling
from flows import outbox
from flows.channels import chat
from flows.channels.memory import Memory
from flows.sending import records
from flows.value import bookings
from tests.journeys.bare import Door
from tests.journeys.office import FLOW, Office, body_of, office
from tests.journeys.test_crashes import Crash, Fuse

AINO = "aino@example.test"


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as started:
        yield started


def command(life: Office, group: Any, *words: str) -> Result:
    app = App("app.toml")
    vars(app).update(config=life.kiitos.config, kiitos=life.kiitos)
    return CliRunner().invoke(group, list(words), obj=app)


def balance(life: Office) -> int:
    with life.store.work.read() as tx:
        return bookings.balance(tx, WOO, "c-customer", AINO, life.clock.now())


def kept(life: Office) -> dict[str, Any]:
    with life.store.work.read() as tx:
        return dict(customer_fields.of(tx, WOO, "c-customer", AINO))


def test_everybody_hears_and_the_person_decides(life: Office) -> None:
    life.happens("order")
    life.until(hours=1)
    (call,), (told,) = life.room.at("/crm"), life.room.at("/chat")
    assert is_signed(call.headers, call.body, life.secrets(), life.clock.now() - timedelta(hours=1))
    (run,) = life.runs()
    assert call.headers["webhook-id"] == f"{run.id}:score"
    body = body_of(call)
    assert body["type"] == "flow.call"
    assert body["data"]["fields"]["order.number"] == "1"
    assert body["data"]["fields"]["order.total"]["currency"] == "EUR"
    assert AINO not in call.body.decode(), "nothing of the person that the flow does not name"
    assert "1 has the score 7" in body_of(told)["text"]
    assert "May 1 have 100 points?" in life.letters()[-1]
    assert life.mails.messages[-1].recipient == "anna@example.com"
    assert run.status is RunStatus.AWAITING
    assert run.outcomes["score"] == {"outcome": "done", "status": "200", "score": "7", "segment": "gold"}
    decided = command(life, tasks, "approve", WOO, f"{run.id}:ask", "--by", "Anna", "--note", "a good customer")
    assert decided.exit_code == 0, decided.output
    life.until(minutes=1)
    assert (balance(life), kept(life)) == (100, {"decision": "approved"})
    story = explain(life.store, WOO, "1")
    assert story is not None
    (line,) = [line for line in story.lines if line.step == "ask" and line.what == "done"]
    assert {"outcome": "approved", "by": "Anna", "via": "command", "note": "a good customer"}.items() <= dict(
        line.detail
    ).items()
    assert len(life.room.seen) == 2, "nothing was told twice"


# -- the person ----------------------------------------------------------------------------------------------------


@pytest.fixture
def door(life: Office) -> Iterator[Door]:
    life.happens("order")
    life.until(hours=1)
    opened = Door(life.kiitos)
    yield opened
    opened.close()


@pytest.mark.parametrize(("answer", "given"), [("approved", 100), ("refused", 0)])
def test_a_link_shows_and_a_button_decides_once(life: Office, door: Door, answer: str, given: int) -> None:
    link = life.link()
    for _ in range(3):
        page = door.client.get(link)
        assert page.status_code == 200
        assert "May 1 have 100 points?" in page.text
    assert life.runs()[0].status is RunStatus.AWAITING, "mail scanners open every link"
    assert door.client.post(link, data={"answer": "perhaps"}).status_code == 422
    assert life.runs()[0].status is RunStatus.AWAITING
    page = door.client.post(link, data={"answer": answer, "note": "so be it"})
    assert page.status_code == 200
    assert "anna" in page.text
    life.until(minutes=1)
    assert (balance(life), kept(life)) == (given, {"decision": answer})
    other = "refused" if answer == "approved" else "approved"
    assert door.client.post(link, data={"answer": other}).status_code == 200
    life.until(minutes=1)
    assert (balance(life), kept(life)["decision"]) == (given, answer), "the second word changes nothing"
    assert life.runs()[0].outcomes["ask"]["via"] == "link"


def test_a_link_nobody_was_given_leads_nowhere(door: Door, life: Office) -> None:
    link = life.link()
    assert door.client.get(link[:-1] + ("a" if link[-1] != "a" else "b")).status_code == 404
    assert door.client.post("/p/task/" + "0" * 26, data={"answer": "approved"}).status_code == 404
    assert door.client.get(link.replace("/task/", "/review/")).status_code == 404


def test_nobody_answers(life: Office, door: Door) -> None:
    life.until(days=2, hours=1)
    (run,) = life.runs()
    assert (run.status, run.outcomes["ask"]["timed_out"]) == (RunStatus.COMPLETED, "true")
    assert (balance(life), kept(life)) == (0, {"decision": "refused"})
    page = door.client.post(life.link(), data={"answer": "approved"})
    assert "hylätyksi" in page.text, "the shop speaks Finnish"
    assert balance(life) == 0


def test_an_order_that_is_cancelled_asks_nobody(life: Office, door: Door) -> None:
    life.happens("cancelled")
    assert command(life, tasks, "list").output.count("\n") == 1
    page = door.client.post(life.link(), data={"answer": "approved"})
    assert page.status_code == 200
    assert "päättyi" in page.text
    life.until(days=3)
    assert (balance(life), kept(life)) == (0, {})


def test_tasks_are_listed_and_a_wrong_one_is_named(life: Office) -> None:
    life.happens("order")
    life.until(hours=1)
    listed = command(life, tasks, "list", "--json")
    assert '"question": "May 1 have 100 points?"' in listed.output
    assert '"otherwise": "refused"' in listed.output
    (run,) = life.runs()
    wrong = command(life, tasks, "refuse", WOO, f"{run.id}:tell")
    assert (wrong.exit_code, "has no open task" in wrong.output) == (1, True)
    assert command(life, tasks, "refuse", WOO, f"{run.id}:ask").exit_code == 0
    assert command(life, tasks, "refuse", WOO, f"{run.id}:ask").exit_code == 1


def no_mail(*_: object) -> Iterator[Any]:
    raise OSError("no mail today")
    yield


def test_a_decision_before_the_question_arrived(tmp_path: Path) -> None:
    """The mail server is down; the command is not. The question is not asked any more."""
    with office(tmp_path, FLOW + '[[steps]]\nid = "rest"\ndo = "wait"\nspan = "30d"\n') as life:
        life.happens("order")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Memory, "send_all", no_mail)
            life.until(seconds=1)
            (run,) = life.runs()
            assert command(life, tasks, "approve", WOO, f"{run.id}:ask").exit_code == 0
        life.until(days=1)
        assert (balance(life), life.letters()) == (100, [])
        assert life.effects()["ask"].reason.startswith("task_decided")


def test_a_forgotten_customer_leaves_no_link_points_or_fields(life: Office, door: Door) -> None:
    from connector.store import people

    link = life.link()
    (run,) = life.runs()
    command(life, tasks, "approve", WOO, f"{run.id}:ask")
    life.until(minutes=1)
    assert (balance(life), kept(life)) == (100, {"decision": "approved"})
    with life.store.work.transaction() as tx:
        person = people.find(tx, WOO, email=AINO)
        assert people.gather(tx, person)["value_entries"][0]["amount"] == "100"
        people.erase(tx, person, life.clock.new_id, [], "r1")
    assert (balance(life), kept(life)) == (0, {})
    assert door.client.get(link).status_code == 404


# -- the system ----------------------------------------------------------------------------------------------------


def test_a_busy_system_is_called_again_with_the_same_words(life: Office) -> None:
    life.room.answers["/crm"] = [
        Response(503, headers=(("Retry-After", "600"),)),
        Response(200, drop=True),
        Response(429),
    ]
    life.happens("order")
    life.until(minutes=9)
    assert len(life.room.at("/crm")) == 1, "it asked for ten minutes"
    life.until(hours=4)
    calls = life.room.at("/crm")
    assert len(calls) == 4
    assert len({(call.headers["webhook-id"], call.body) for call in calls}) == 1
    assert len({call.headers["webhook-timestamp"] for call in calls}) == 4, "each attempt is signed with its own time"
    assert life.runs()[0].outcomes["score"]["outcome"] == "done"


@pytest.mark.parametrize("status", [400, 410, 422, 302])
def test_a_no_is_a_no_and_the_flow_goes_on(life: Office, status: int) -> None:
    life.room.answers["/crm"] = [Response(status, headers=(("Location", f"{life.url}/crm"),))]
    life.happens("order")
    life.until(hours=1)
    assert len(life.room.at("/crm")) == 1
    assert life.effects()["score"].status is EffectStatus.FAILED
    outcome = life.runs()[0].outcomes["score"]
    assert (outcome["outcome"], outcome["code"]) == ("failed", str(status))
    assert "has the score" in body_of(life.room.at("/chat")[0])["text"]


def test_patience_ends(life: Office) -> None:
    life.room.answers["/crm"] = [Response(500)] * 400
    life.happens("order")
    life.until(days=1, hours=23)
    assert life.runs()[0].status is RunStatus.ACTING
    life.until(hours=3)
    assert life.effects()["score"].reason.startswith("GAVE_UP: not done in time; the last said: endpoint 'crm'")
    assert life.runs()[0].outcomes["score"]["code"] == "GAVE_UP"
    assert 40 < len(life.room.at("/crm")) < 200, "with pauses that grow"


def test_a_silent_system_is_left_alone_for_a_while(life: Office) -> None:
    life.room.answers["/crm"] = [Response(200, drop=True)]
    life.happens("order")
    life.happens("order", "2")
    life.worker.drain()
    assert len(life.room.at("/crm")) == 1, "the second call did not go to where the first was not answered"
    life.until(hours=1)
    assert len({call.headers["webhook-id"] for call in life.room.at("/crm")}) == 2


def test_the_shop_is_not_disconnected_by_a_refusal_of_another_server(life: Office) -> None:
    life.room.answers["/crm"] = [Response(401), Response(403)]
    life.happens("order")
    life.until(hours=1)
    from connector.store import shops

    with life.store.work.read() as tx:
        found = shops.get(tx, WOO)
    assert found is not None
    assert str(found.status) == "active"
    assert len(life.room.at("/crm")) == 3


def test_an_endpoint_that_is_taken_out_of_the_file_is_waited_for(life: Office) -> None:
    life.happens("order")
    settings = life.kiitos.config.shop(WOO)
    crm = dict(settings.endpoints)
    settings.endpoints.clear()  # type: ignore[attr-defined]  # the file without it
    life.until(hours=2)
    assert life.room.at("/crm") == []
    settings.endpoints.update(crm)  # type: ignore[attr-defined]
    life.until(hours=2)
    assert len(life.room.at("/crm")) == 1


def test_a_secret_is_changed_without_a_gap(life: Office) -> None:
    (old,) = life.secrets()
    fresh = command(life, endpoints, "rotate", "crm").output.strip()
    life.happens("order")
    life.until(minutes=1)
    call, at = life.room.at("/crm")[0], life.clock.now()
    for secret in (old, fresh):
        assert is_signed(call.headers, call.body, [secret], at)
    assert command(life, endpoints, "rotate", "crm", "--finish").exit_code == 0
    life.happens("order", "2")
    life.until(minutes=1)
    later = life.room.at("/crm")[1]
    assert is_signed(later.headers, later.body, [fresh], life.clock.now())
    assert not is_signed(later.headers, later.body, [old], life.clock.now())
    assert command(life, endpoints, "secret", "crm").output.strip() == fresh
    assert "the vault" in command(life, endpoints, "list").output


def test_a_trial_says_what_came_back(life: Office) -> None:
    assert command(life, endpoints, "test", "crm").output == "crm: answered 200\n"
    life.room.answers["/crm"] = [Response(404)]
    refused = command(life, endpoints, "test", "crm")
    assert (refused.exit_code, refused.output) == (1, "endpoint 'crm' answered 404\n")
    assert command(life, endpoints, "test", "crn").exit_code == 1
    assert body_of(life.room.seen[0])["type"] == "kiitos.trial"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b'{"score": "a\\u0000b", "segment": true}', {"score": "ab", "segment": "true"}),
        (b'{"score": {"deep": 1}, "segment": null}', {}),
        (b'{"score": 1.5, "segment": "' + b"x" * 5000 + b'"}', {"score": "1.5", "segment": "x" * 1000}),
        (b"[1, 2]", {}),
        (b"not json", {}),
        (b"", {}),
    ],
)
def test_whatever_the_system_answers(life: Office, body: bytes, wanted: dict[str, str]) -> None:
    life.room.answers["/crm"] = [Response(200, body)]
    life.happens("order")
    life.until(minutes=5)
    assert life.runs()[0].outcomes["score"] == {"outcome": "done", "status": "200", **wanted}


# -- a worker that dies --------------------------------------------------------------------------------------------


def moments(life: Office, fuse: Fuse, patch: pytest.MonkeyPatch) -> None:
    """A moment before and after each request and mail, and before and after each commit that changes something."""
    for module in (posting, chat):
        real_post = module.post  # type: ignore[attr-defined]

        def post(*given: Any, real: Callable[..., Any] = real_post, **more: Any) -> Any:
            fuse.moment("before a request")
            answer = real(*given, **more)
            fuse.moment("after a request")
            return answer

        patch.setattr(module, "post", post)
    real_send, real_transaction = Memory.send_all, life.store.work.transaction

    def send_all(self: Memory, messages: Any, on_wire: Any = None) -> Iterator[Any]:
        for message in messages:
            fuse.moment("before a mail")
            yield from real_send(self, [message], on_wire)
            fuse.moment("after a mail")

    @contextlib.contextmanager
    def transaction() -> Iterator[Tx]:
        connection = life.store.work._session().connection  # type: ignore[attr-defined]
        with real_transaction() as tx:
            before = connection.total_changes
            yield tx
            changed = connection.total_changes != before
            if changed:
                fuse.moment("before a commit")
        if changed:
            fuse.moment("after a commit")

    patch.setattr(Memory, "send_all", send_all)
    patch.setattr(life.store.work, "transaction", transaction)


def lived(tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Fuse, list[str]]:
    """A whole life whose worker dies at the `at`-th moment; what was wrong at its end."""
    folder = tmp_path / str(at)
    folder.mkdir()
    fuse = Fuse(at=at)
    with office(folder, FLOW.replace('otherwise = "refused"', 'otherwise = "approved"')) as life:
        life.happens("order")
        with monkeypatch.context() as patch:
            moments(life, fuse, patch)
            end = life.clock.now() + timedelta(days=3)
            while life.clock.now() < end:
                try:
                    life.until(seconds=(end - life.clock.now()).total_seconds())
                except Crash:
                    life.be_born()
        return fuse, wrong(life, fuse)


def wrong(life: Office, fuse: Fuse) -> list[str]:
    found = []
    calls, told = life.room.at("/crm"), life.room.at("/chat")
    most = 2 if fuse.blown else 1
    if not 1 <= len(calls) <= most or len(ids_of(calls)) != 1:
        found.append(f"{len(calls)} calls under {len(ids_of(calls))} ids")
    if not 1 <= len(told) <= most or not 1 <= len(life.letters()) <= most:
        found.append(f"{len(told)} words in the chat, {len(life.letters())} mails")
    if (balance(life), kept(life)) != (100, {"decision": "approved"}):
        found.append(f"{balance(life)} points, {kept(life)}")
    (run,) = life.runs()
    if run.status is not RunStatus.COMPLETED:
        found.append(f"the run is {run.status}")
    statuses = Counter(str(effect.status) for effect in life.effects().values())
    if statuses != {"sent": 5}:
        found.append(f"effects {dict(statuses)}")
    return found


def ids_of(calls: list[Request]) -> set[tuple[str, bytes]]:
    return {(call.headers["webhook-id"], call.body) for call in calls}


def test_no_death_of_a_worker_loses_a_word_or_gives_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[str] = []
    for at in itertools.count(1):
        fuse, faults = lived(tmp_path, at, monkeypatch)
        assert faults == [], f"death at moment {at}, {fuse.blown}"
        if not fuse.blown:
            break
        places.append(fuse.blown)
    assert {"before a request", "after a request", "before a mail", "after a mail"} <= set(places)
    assert len(places) >= 18


def by_the_attempt(patch: pytest.MonkeyPatch) -> None:
    """Each attempt has an id of its own: no receiver could tell a repetition."""
    count, real = itertools.count(), calling.sign
    patch.setattr(calling, "sign", lambda key, *rest: real(f"{key}-{next(count)}", *rest))


def given_up(patch: pytest.MonkeyPatch) -> None:
    """What nobody knows is never tried again."""

    def unknown(self: outbox.Outbox, tx: Tx, effect: Effect, now: Any, text: str, *_: object) -> None:
        effects.settle(tx, effect.shop_id, effect.id, now, EffectStatus.UNCERTAIN, reason=text)

    patch.setattr(outbox.Outbox, "unknown", unknown)


def entered_anew(patch: pytest.MonkeyPatch) -> None:
    """Points are entered before their effect is settled, in a transaction of their own, under an id by chance."""
    real, count = records.give_points, itertools.count()

    def give(tx: Tx, shop_id: str, entry_id: str, *rest: Any, **more: Any) -> Any:
        real(tx, shop_id, f"{entry_id}{next(count)}", *rest, **more)
        return real(tx, shop_id, entry_id, *rest, **more)

    patch.setattr(records, "give_points", give)


@pytest.mark.parametrize("plant", [by_the_attempt, given_up, entered_anew], ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    with monkeypatch.context() as patch:
        plant(patch)
        for at in itertools.count(0):
            fuse, faults = lived(tmp_path, at, monkeypatch)
            if faults:
                break
            assert at == 0 or fuse.blown, "the whole search passed it by"
    assert faults

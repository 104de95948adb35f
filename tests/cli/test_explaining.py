"""`kiitos explain` for a person and for a flow, `flows funnel`, `list`, `show`: why, why not, and what would have."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connector.app import Kiitos, load
from connector.cli import cli
from connector.clock import ManualClock, SystemClock
from connector.model import Channel as Medium
from connector.model import Consent, ConsentState, Order, Purpose, Ref, email_key
from connector.store import consents
from connector.worker import Worker
from flows.channels.memory import Memory
from tests.cli.test_flow_changes import HEAD, MAIN, write
from tests.engine.world import event, order

FLOW = """
id = "thanks"
title = "Thank big spenders"
trigger = "order.paid"
purpose = "marketing"
when = ["order.total >= 30 EUR"]
cancel_on = ["order.cancelled"]
[[steps]]
id = "settle"
do = "wait"
span = "1d"
[[steps]]
id = "gold"
do = "send"
template = "review_thanks"
when = ["order.total >= 100 EUR"]
[[steps]]
id = "tell"
do = "send"
template = "referral_invite"
[[steps]]
id = "later"
do = "wait"
span = "30d"
"""
PEOPLE = ("small", "usual", "gone", "silent")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKS", "a webhook secret for tests")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    assert "order_confirmation" in HEAD
    path = write(tmp_path / "app.toml", MAIN, more='flows.thanks = { file = "./thanks.toml" }\nsoft_opt_in = []\n')
    (tmp_path / "thanks.toml").write_text(FLOW.replace('"review_thanks"', '"review_request"'), "utf-8")
    return path


def bought(who: str, total: str, now: datetime) -> Order:
    made = order(id=f"id-{who}", number=who, email=f"{who}@example.com", customer=None, placed_at=now, updated_at=now)
    return replace(made, total=replace(made.total, amount=type(made.total.amount)(total)))


def happens(kiitos: Kiitos, kind: str, made: Order, now: datetime) -> None:
    ref = Ref("order", made.id)
    told = event(kind, key=f"{made.id}/{kind}", at=now, subject=ref, order_id=made.id, order=made)
    with kiitos.store.work.transaction() as tx:
        kiitos.runner.ingest(tx, MAIN, [told], now)


@pytest.fixture
def lived(app: Path) -> Path:
    return live(app)


def live(app: Path) -> Path:
    """Four people: one spends too little, one hears of it, one cancels, one has said no."""
    now = SystemClock().now() - timedelta(days=2)
    clock = ManualClock(now)
    kiitos = load(app, clock=clock)
    kiitos.use_channel("mail", Memory())
    for who, total in zip(PEOPLE, ("20", "40", "50", "60"), strict=True):
        with kiitos.store.work.transaction() as tx:
            key = email_key(f"{who}@example.com")
            assert key is not None
            answer = ConsentState.WITHDRAWN if who == "silent" else ConsentState.GRANTED
            said = Consent(
                channel=Medium.EMAIL, purpose=Purpose.MARKETING, state=answer, raw_state="", at=now, source="test",
                address=key,
            )  # fmt: skip
            consents.record(tx, MAIN, said, now)
        happens(kiitos, "order.paid", bought(who, total, now), now)
    happens(kiitos, "order.cancelled", bought("gone", "50", now), now)
    worker = Worker(kiitos)
    worker.drain()
    clock.advance(timedelta(days=1, minutes=1))
    worker.drain()
    kiitos.close()
    return app


def run(app: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["-c", str(app), *words])


def told(app: Path, *words: str) -> Any:
    result = run(app, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_who_was_not_written_to_learns_the_smallest_change(lived: Path) -> None:
    shown = run(lived, "explain", MAIN, "small", "--flow", "thanks")
    assert shown.exit_code == 0, shown.output
    assert "not started by order.paid: order.total >= 30 EUR (saw 20 EUR)" in shown.output
    assert "order.total was 20 EUR; 30 EUR or more (10 EUR more) would have started it" in shown.output
    assert "order-confirmation" not in shown.output


def test_a_person_is_found_in_every_shop(lived: Path) -> None:
    (story,) = told(lived, "explain", "--email", "silent@example.com", "--flow", "thanks")
    (kept,) = [line for line in story["lines"] if line["what"] == "effect.skipped"]
    assert kept["text"].startswith("referral_invite not sent: consent_withdrawn")
    assert kept["flip"].startswith("consent for marketing given after ")
    (passed,) = [line for line in story["lines"] if line["what"] == "skipped"]
    assert passed["flip"] == "order.total was 60 EUR; 100 EUR or more (40 EUR more) would have let step gold go on"
    assert run(lived, "explain", "--email", "nobody@example.com").exit_code == 1
    assert run(lived, "explain", MAIN).exit_code == 2


def test_what_was_sent_would_have_been_kept_back_too(lived: Path) -> None:
    lines = told(lived, "explain", MAIN, "usual", "--flow", "thanks")["lines"]
    (sent,) = [line for line in lines if line["what"] == "effect.sent"]
    assert sent["flip"] == "a no to this kind of message by then would have kept it back"
    (started,) = [line for line in lines if line["what"] == "started"]
    assert started["flip"] == "had order.total >= 30 EUR not held, it would not have started"


def test_what_is_held_says_what_would_let_it_out(app: Path) -> None:
    app.write_text(app.read_text("utf-8").replace('"./thanks.toml" }', '"./thanks.toml", canary = "0%" }'), "utf-8")
    live(app)
    lines = told(app, "explain", MAIN, "usual", "--flow", "thanks")["lines"]
    (held,) = [line for line in lines if line["what"] == "effect.held"]
    assert held["flip"].startswith("a share above 0.")
    assert "(it is 0.0%)" in held["flip"]
    steps = {step["step_id"]: step for step in told(app, "flows", "funnel", MAIN, "thanks")["steps"]}
    (reason,) = [each for each in steps["tell"]["reasons"] if each["what"] == "held"]
    assert (reason["why"], reason["flip"]) == ("canary", held["flip"])


def test_who_was_cancelled_would_have_gone_on(lived: Path) -> None:
    assert "without order.cancelled it would have gone on" in run(lived, "explain", MAIN, "gone").output


def test_a_flow_that_never_began_says_what_it_starts_at(lived: Path) -> None:
    (line,) = told(lived, "explain", MAIN, "usual", "--flow", "review-request")["lines"]
    assert line["what"] == "never_started"
    assert "it starts at order.shipped, and nothing of that was recorded of order usual" in line["text"]
    (line,) = told(lived, "explain", MAIN, "usual", "--flow", "review-requst")["lines"]
    assert "did you mean 'review-request'?" in line["text"]


def test_a_flow_that_came_later_says_since_when(lived: Path) -> None:
    lived.write_text(lived.read_text("utf-8").replace("flows.thanks =", "flows.again ="), "utf-8")
    path = lived.parent / "thanks.toml"
    assert run(lived, "flows", "apply", "--yes").exit_code == 0
    path.write_text(path.read_text("utf-8").replace('id = "thanks"', 'id = "again"'), "utf-8")
    assert run(lived, "flows", "apply", "--yes").exit_code == 0
    (line,) = told(lived, "explain", MAIN, "usual", "--flow", "again")["lines"]
    assert "the flow runs here since" in line["text"]
    gone = told(lived, "explain", MAIN, "usual", "--flow", "unheard")["lines"]
    assert "has no flow 'unheard'" in gone[0]["text"]


def test_where_people_leave_a_flow(lived: Path) -> None:
    found = told(lived, "flows", "funnel", MAIN, "thanks")
    assert (found["started"], found["completed"]) == (3, 0)
    (before,) = found["before"]
    assert (before["runs"], before["why"], before["example"]) == (1, "order.total >= 30 EUR", "small")
    steps = {step["step_id"]: step for step in found["steps"]}
    assert [step["step_id"] for step in found["steps"]] == ["settle", "gold", "tell", "later"]
    assert steps["settle"]["reached"] == 3
    assert [(r["what"], r["why"], r["example"]) for r in steps["settle"]["reasons"]] == [
        ("cancelled", "order.cancelled", "gone")
    ]
    (turned,) = steps["gold"]["reasons"]
    assert (turned["what"], turned["runs"]) == ("passed over", 2)
    assert (steps["tell"]["reached"], steps["tell"]["sent"]) == (2, 1)
    assert [(r["what"], r["why"], r["example"]) for r in steps["tell"]["reasons"]] == [
        ("not sent", "consent_withdrawn", "silent")
    ]
    assert [(r["what"], r["runs"]) for r in steps["later"]["reasons"]] == [("waiting", 2)]
    shown = run(lived, "explain", MAIN, "--flow", "thanks").output
    assert "3 started, 0 came to the end" in shown
    assert "2 passed over: order.total >= 100 EUR" in shown


def test_a_funnel_of_nothing(lived: Path) -> None:
    result = run(lived, "flows", "funnel", MAIN, "thank")
    assert result.exit_code == 1
    assert "did you mean 'thanks'?" in result.stderr
    assert run(lived, "flows", "funnel", MAIN, "thanks", "--since", "soon").exit_code == 2


def test_the_list_says_what_each_flow_is_for(app: Path) -> None:
    shown = run(app, "flows", "list").output
    assert "order.paid" in shown
    assert "Thank big spenders" in shown
    more = run(app, "flows", "list", "--library").output
    assert "referral-reward" in more
    assert "nowhere" in more
    assert "referral-reward" not in shown
    (mine,) = [flow for flow in told(app, "flows", "list", MAIN) if flow["flow"] == "thanks"]
    assert (mine["channels"], mine["starts_at"], mine["purpose"]) == (["email"], ["order.paid"], "marketing")


def test_a_flow_is_shown_as_a_timeline(app: Path) -> None:
    shown = run(app, "flows", "show", "thanks").output
    assert "starts  at order.paid, once per order" in shown
    assert "+1d" in shown
    assert "send referral_invite by email" in shown
    assert "only if order.total >= 100 EUR" in shown
    assert "stops   at order.cancelled" in shown
    assert run(app, "flows", "show", "review_request", "--json").exit_code == 0
    found = told(app, "flows", "show", "review-request", "--shop", MAIN)
    assert found["steps"][3]["when"] == "progress.delivered_at +10d"
    assert "did you mean 'thanks'?" in str(run(app, "flows", "show", "thank").exception)


def test_a_flow_that_runs_a_list_is_shown_with_its_steps(app: Path, tmp_path: Path) -> None:
    listed = FLOW + '\n[[steps]]\nid = "call"\ndo = "run"\nlist = "./mine.toml"\n'
    (tmp_path / "thanks.toml").write_text(listed, "utf-8")
    steps = '[[steps]]\nid = "news"\ndo = "send"\ntemplate = "referral_invite"\n'
    (tmp_path / "mine.toml").write_text(steps, "utf-8")
    shown = run(app, "flows", "show", "thanks")
    assert shown.exit_code == 0, shown.exception
    assert "do run" not in shown.output
    assert told(app, "flows", "show", "thanks")["steps"][-1]["step"] == "call-news"


def test_check_names_every_fault_of_every_file(app: Path, tmp_path: Path) -> None:
    assert "3 flows in 1 shops, no faults" in run(app, "flows", "check").output
    other = (
        '\n[clients.other.shops.main]\nplatform = "woocommerce"\nurl = "https://other.example"\nsuport_email = "x"\n'
    )
    app.write_text(app.read_text("utf-8") + other, "utf-8")
    (tmp_path / "thanks.toml").write_text(FLOW.replace("order.total >=", "order.totl >="), "utf-8")
    fault = str(run(app, "flows", "check").exception)
    asked = run(app, "flows", "check", "--json")
    assert (asked.exit_code, len(json.loads(asked.stdout)["faults"])) == (3, 3)
    assert "did you mean 'support_email'?" in fault
    assert fault.count("did you mean 'total'?") == 2

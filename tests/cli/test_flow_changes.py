"""`kiitos flows plan`, `apply`, `drift`, `history`, `rollback`: for one shop, and for an agency of forty clients."""

from __future__ import annotations

import itertools
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connector import changes
from connector.app import Kiitos, load
from connector.cli import cli
from connector.clock import SystemClock
from connector.errors import ConfigError
from connector.model import Ref, Run, RunStatus
from connector.store import applied, runs
from tests.engine.world import event, order

HEAD = """
schema = 1
[app]
database = "sqlite:///FOLDER/kiitos.db"
master_key = { file = "FOLDER/master.key", generate = true }
[flows]
apply = "by_hand"
[channels.mail]
kind = "memory"
[defaults]
email = "mail"
country = "FI"
sender = "Shop <orders@shop.example>"
support_email = "help@shop.example"
soft_opt_in = ["review"]
fetch_before_send = false
flows.order-confirmation = { file = "order_confirmation" }
flows.review-request = { file = "review_request", params = { wait = "10d" } }
"""
SHOP = """
[clients.CLIENT.shops.NAME]
platform = "woocommerce"
url = "https://CLIENT-NAME.example"
webhook_secret = { env = "HOOKS" }
"""
MAIN = "acme-main"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKS", "a webhook secret for tests")


def write(path: Path, *shops: str, more: str = "") -> Path:
    tables = (SHOP.replace("CLIENT", each.split("-")[0]).replace("NAME", each.split("-")[1]) for each in shops)
    path.write_text(HEAD.replace("FOLDER", str(path.parent)) + "".join(tables) + more, "utf-8")
    return path


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return write(tmp_path / "app.toml", MAIN)


def run(app: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["-c", str(app), "flows", *words])


def told(app: Path, *words: str, code: int = 0) -> Any:
    result = run(app, *words, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def edit(app: Path, before: str, after: str) -> None:
    text = app.read_text("utf-8")
    assert before in text
    app.write_text(text.replace(before, after), "utf-8")


def put_in_flight(app: Path, shop: str = MAIN, count: int = 2) -> list[str]:
    """People who wait for their parcel in the review flow."""
    kiitos, now = load(app), SystemClock().now()
    made = [
        order(id=f"o{n}", number=str(1000 + n), email=f"p{n}@example.com", customer=None, placed_at=now, updated_at=now)
        for n in range(count)
    ]
    with kiitos.store.work.transaction() as tx:
        for each in made:
            ref = Ref("order", each.id)
            shipped = event(
                "order.shipped", key=f"{each.id}/shipped", at=now, subject=ref, order_id=each.id, order=each
            )
            kiitos.runner.ingest(tx, shop, [shipped], now)
    found = [each.id for each in in_flight(kiitos, shop)]
    kiitos.close()
    assert len(found) == count
    return found


def in_flight(kiitos: Kiitos, shop: str = MAIN) -> list[Run]:
    with kiitos.store.work.read() as tx:
        return [each for each in runs.active_of_flow(tx, shop, "review-request", 100) if not each.status.ended]


def versions(app: Path, shop: str = MAIN) -> set[str]:
    kiitos = load(app)
    found = {each.version for each in in_flight(kiitos, shop)}
    kiitos.close()
    return found


def running(app: Path, shop: str = MAIN) -> str:
    """The version of the review flow that a new run would get."""
    kiitos = load(app)
    found = next(flow.version for flow in kiitos.catalog.flows(shop) if flow.id == "review-request")
    kiitos.close()
    return found


# -- one shop ----------------------------------------------------------------------------------------------------------


def test_a_plan_of_a_fresh_installation_touches_nothing(app: Path, tmp_path: Path) -> None:
    found = told(app, "plan")
    assert [change["change"] for change in found["shops"][0]["changes"]] == ["added", "added"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["app.toml"]


def test_what_was_applied_runs_until_something_else_is(app: Path) -> None:
    assert run(app, "apply", "--yes", "--who", "aino").exit_code == 0
    before = running(app)
    edit(app, 'wait = "10d"', 'wait = "21d"')
    assert running(app) == before
    assert told(app, "drift", code=1)[0]["shop"] == MAIN
    assert run(app, "apply", "--yes").exit_code == 0
    assert running(app) != before
    assert run(app, "drift").exit_code == 0


def test_the_plan_shows_the_difference_and_where_the_value_comes_from(app: Path) -> None:
    run(app, "apply", "--yes")
    edit(app, 'wait = "10d"', 'wait = "21d"')
    app.write_text(app.read_text("utf-8") + 'flows.review-request.remove = ["reward", "thanks"]\n', "utf-8")
    shown = run(app, "plan").output
    assert "params.wait: '10d' -> '21d' (defaults)" in shown
    assert "step reward: removed (create_discount" in shown
    assert "remove: by clients.acme.shops.main, was by nobody" in shown
    assert "step use: span: '10d' -> '21d'" in shown
    assert "1 shops change, 0 are refused, 0 run what they should" in shown


def test_only_the_plan_that_was_looked_at_is_applied(app: Path) -> None:
    digest = told(app, "plan")["digest"]
    edit(app, 'wait = "10d"', 'wait = "21d"')
    refused = run(app, "apply", "--digest", digest)
    assert refused.exit_code == 1
    assert "this is not the plan you looked at" in refused.stderr
    assert run(app, "history").exit_code == 1
    assert run(app, "apply", "--digest", told(app, "plan")["digest"]).exit_code == 0
    assert run(app, "apply").exit_code == 2


def test_applying_again_changes_nothing(app: Path) -> None:
    digest = told(app, "plan")["digest"]
    assert len(told(app, "apply", "--digest", digest)["applied"]) == 1
    assert told(app, "apply", "--digest", digest) == {"applied": [], "refused": {}}
    assert "nothing to apply" in run(app, "apply", "--yes").output
    assert len(told(app, "history", MAIN)) == 1


def test_people_in_flight_finish_on_the_old_version_unless_told_otherwise(app: Path) -> None:
    run(app, "apply", "--yes")
    put_in_flight(app)
    old = versions(app)
    edit(app, 'wait = "10d"', 'wait = "21d"')
    (change,) = told(app, "plan")["shops"][0]["changes"]
    assert (change["migration"], change["people"], change["from"]) == ("finish", 2, *old)
    assert change["positions"][0]["lands"].startswith("finishes on")
    run(app, "apply", "--yes")
    assert versions(app) == old


def test_people_in_flight_are_moved_and_the_history_says_so(app: Path) -> None:
    run(app, "apply", "--yes")
    put_in_flight(app)
    edit(app, 'wait = "10d"', 'wait = "21d"')
    assert "2 at arrival_home (awaiting" in run(app, "plan", "--migrate", "move").output
    run(app, "apply", "--yes", "--migrate", "review-request=move", "--who", "aino", "--note", "slower goods")
    assert versions(app) == {running(app)}
    (newest, _) = told(app, "history", MAIN)
    assert (newest["who"], newest["note"], newest["what"]) == ("aino", "slower goods", "apply")
    assert newest["changes"][0]["moved"] == "2"
    assert "move: 2 moved" in run(app, "history").output


def test_a_removed_step_with_people_on_it_must_be_mapped(app: Path) -> None:
    run(app, "apply", "--yes")
    put_in_flight(app)
    old = versions(app)
    app.write_text(app.read_text("utf-8") + 'flows.review-request.remove = ["arrival_home"]\n', "utf-8")
    refused = run(app, "plan", "--migrate", "move")
    assert refused.exit_code == 1
    assert "step 'arrival_home' is gone: say with --map arrival_home=STEP" in refused.output
    assert run(app, "apply", "--yes", "--migrate", "move").exit_code == 1
    assert versions(app) == old
    near = run(app, "plan", "--migrate", "move", "--map", "arrival_home=usee")
    assert "did you mean 'use'?" in near.output
    assert run(app, "apply", "--yes", "--migrate", "move", "--map", "review-request:arrival_home=use").exit_code == 0
    kiitos = load(app)
    assert {(each.status, each.step) for each in in_flight(kiitos)} == {(RunStatus.READY, 1)}
    assert run(app, "plan").exit_code == 0
    kiitos.close()


def test_people_of_a_removed_flow_finish_or_end(app: Path) -> None:
    run(app, "apply", "--yes")
    put_in_flight(app)
    edit(app, 'flows.review-request = { file = "review_request", params = { wait = "10d" } }', "")
    (change,) = told(app, "plan", "--migrate", "move")["shops"][0]["changes"]
    assert (change["change"], change["migration"]) == ("removed", "finish")
    assert told(app, "apply", "--yes", "--migrate", "end")["applied"][0]["changes"][0]["ended"] == "2"
    assert versions(app) == set()


def test_rolling_back_takes_people_along_and_is_kept(app: Path) -> None:
    run(app, "apply", "--yes")
    put_in_flight(app)
    first = running(app)
    edit(app, 'wait = "10d"', 'wait = "21d"')
    run(app, "apply", "--yes", "--migrate", "move")
    shown = run(app, "rollback", MAIN)
    assert "params.wait: '21d' -> '10d'" in shown.output
    assert running(app) != first
    moving = re.search(r"--digest (\w+)", run(app, "rollback", MAIN, "--migrate", "move").output)
    assert moving is not None
    assert run(app, "rollback", MAIN, "--digest", moving[1]).exit_code == 1  # without the same options
    assert run(app, "rollback", MAIN, "--migrate", "move", "--yes").exit_code == 0
    assert (running(app), versions(app)) == (first, {first})
    assert [state["what"] for state in told(app, "history", MAIN)] == ["rollback", "apply", "apply"]
    assert run(app, "drift").exit_code == 1
    assert run(app, "rollback", MAIN, "--to", "9").exit_code == 1
    assert "has no state 9" in run(app, "rollback", MAIN, "--to", "9").stderr


def test_the_file_declares_the_migration(app: Path) -> None:
    edit(app, 'params = { wait = "10d" } }', 'params = { wait = "10d" }, migrate = "move" }')
    run(app, "apply", "--yes")
    put_in_flight(app)
    edit(app, 'wait = "10d"', 'wait = "21d"')
    assert told(app, "plan")["shops"][0]["changes"][0]["migration"] == "move"
    assert told(app, "plan", "--migrate", "finish")["shops"][0]["changes"][0]["migration"] == "finish"
    edit(app, 'migrate = "move"', 'migrate = "moove"')
    refused = run(app, "plan")
    assert isinstance(refused.exception, ConfigError)
    assert "did you mean 'move'?" in str(refused.exception)


@pytest.mark.parametrize(
    ("words", "near"),
    [(("--migrate", "moove"), "'move'"), (("--client", "acm"), "'acme'"), (("--shop", "acme-mian"), "'acme-main'")],
)
def test_a_wrong_word_is_a_near_match_away(app: Path, words: tuple[str, str], near: str) -> None:
    result = run(app, "plan", *words)
    assert isinstance(result.exception, ConfigError)
    assert f"did you mean {near}?" in str(result.exception)


# -- an agency ---------------------------------------------------------------------------------------------------------

AGENCY = [f"c{client:02}-{name}" for client in range(40) for name in ("main", "outlet", "b2b")]


def test_an_agency_changes_forty_clients_at_once_but_the_broken_one(tmp_path: Path) -> None:
    app = write(tmp_path / "app.toml", *AGENCY)
    assert len(told(app, "apply", "--yes")["applied"]) == 120
    broken = '[clients.c07]\nflows.review-request = { params = { wiat = "5d" } }\n[clients.c07.shops.main]'
    edit(app, "[clients.c07.shops.main]", broken)
    edit(app, 'wait = "10d"', 'wait = "12d"')
    shown = run(app, "plan")
    assert shown.exit_code == 1
    assert "117 shops change, 3 are refused, 0 run what they should" in shown.output
    assert "did you mean 'wait'?" in shown.output
    assert "in c00-b2b, c00-main, c00-outlet and 114 more" in shown.output
    assert shown.output.count("step use: span: '10d' -> '12d'") == 1
    digest = re.search(r"--digest (\w+)", shown.output)
    assert digest is not None
    done = told(app, "apply", "--digest", digest[1], code=1)
    assert len(done["applied"]) == 117
    assert set(done["refused"]) == {"c07-main", "c07-outlet", "c07-b2b"}
    assert {each["shop"] for each in told(app, "drift", code=1)} == set(done["refused"])
    edit(app, "wiat", "wait")
    assert len(told(app, "apply", "--client", "c07", "--yes")["applied"]) == 3
    assert run(app, "drift").exit_code == 0


def test_an_apply_that_died_between_two_shops_goes_on_with_the_same_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = write(tmp_path / "app.toml", *AGENCY[:6])
    digest = told(app, "plan")["digest"]
    real, count = changes.apply_shop, itertools.count()

    def mortal(*given: Any, **more: Any) -> Any:
        if next(count) == 4:
            raise KeyboardInterrupt
        return real(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(changes, "apply_shop", mortal)
        assert run(app, "apply", "--digest", digest).exit_code != 0
    assert len(told(app, "drift", code=1)) == 2
    assert told(app, "plan")["digest"] != digest
    assert len(told(app, "apply", "--digest", digest)["applied"]) == 2
    assert {state["plan"] for state in told(app, "history")} == {digest}
    edit(app, 'wait = "10d"', 'wait = "12d"')
    assert run(app, "apply", "--digest", digest).exit_code == 1


def test_a_client_whose_table_is_no_settings_hides_nobody(tmp_path: Path) -> None:
    app = write(tmp_path / "app.toml", "good-main", "bad-main", more='suport_email = "x"\n')
    found = told(app, "plan", code=1)
    assert {shop["shop"]: bool(shop["refused"]) for shop in found["shops"]} == {"good-main": False, "bad-main": True}
    assert "did you mean 'support_email'?" in found["shops"][0]["refused"][0]
    assert [state["shop"] for state in told(app, "apply", "--yes", code=1)["applied"]] == ["good-main"]


def test_what_concerns_everybody_stops_everybody(tmp_path: Path) -> None:
    app = write(tmp_path / "app.toml", "good-main")
    edit(app, 'kind = "memory"', "kind = 3")
    assert isinstance(run(app, "plan").exception, ConfigError)


def test_by_hand_a_broken_overlay_keeps_nobody_from_running(tmp_path: Path) -> None:
    """The worker of a good client must start although another client's flows do not load."""
    app = write(tmp_path / "app.toml", "good-main", "bad-main")
    run(app, "apply", "--yes")
    app.write_text(app.read_text("utf-8") + 'flows.review-request.remove = ["no_such_step"]\n', "utf-8")
    kiitos = load(app)
    assert {flow.id for flow in kiitos.catalog.flows("bad-main")} == {"order-confirmation", "review-request"}
    kiitos.close()
    edit(app, 'apply = "by_hand"', 'apply = "auto"')
    with pytest.raises(ConfigError, match="no_such_step"):
        load(app)


def test_history_is_kept_for_long(app: Path) -> None:
    run(app, "apply", "--yes")
    kiitos = load(app)
    with kiitos.store.work.read() as tx:
        state = applied.newest_of(tx, MAIN)
    assert state is not None
    assert SystemClock().now() - state.at < timedelta(minutes=5)
    assert {flow.origin["file"] for flow in state.flows} == {"defaults"}
    assert all(flow.templates for flow in state.flows)
    kiitos.close()


def test_a_shop_that_no_file_names_is_told_with_its_people(tmp_path: Path) -> None:
    app = write(tmp_path / "app.toml", MAIN, "acme-second")
    assert run(app, "apply", "--yes").exit_code == 0
    put_in_flight(app)
    assert told(app, "plan")["orphans"] == []
    write(app, "acme-second")
    (orphan,) = told(app, "plan")["orphans"]
    assert (orphan["shop"], orphan["runs"], orphan["people"]) == (MAIN, 2, 2)
    assert f"{MAIN} is in no file" in run(app, "plan").output
    assert told(app, "drift", code=1)[-1]["shop"] == MAIN
    assert told(app, "plan", "--shop", "acme-second")["orphans"] == [], "who asks about one shop hears of that one"
    write(app, MAIN, "acme-second")
    assert told(app, "plan")["orphans"] == []


# -- product texts -----------------------------------------------------------------------------------------------------


def test_that_changed_product_texts_need_a_restart_is_said(app: Path) -> None:
    """They are read when a process starts: neither `apply` nor a check brings them to a running worker."""
    quiet = [
        run(app, "apply", "--yes").output,
        CliRunner().invoke(cli, ["--config", str(app), "config", "check"]).output,
    ]
    assert not any("restart" in told for told in quiet)
    folder = app.parent / "guides"
    folder.mkdir()
    (folder / "cup.toml").write_text('titles = ["*cup*"]\n[en]\nname = "Cup"\nsteps = ["Rinse it."]\n', "utf-8")
    told = [
        run(app, "apply", "--yes").output,
        CliRunner().invoke(cli, ["--config", str(app), "config", "check"]).output,
    ]
    assert all("restart serve and worker" in each for each in told)

"""Tapes and their replay: the kit's own tools for recorded HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.errors import ConfigError
from connector.testing.exchanges import Fault, Replay, find_tapes, read_tape
from connector.testing.fakes.web import LoopbackServer, as_json
from connector.testing.taping import Taping

ASKED = {"method": "POST", "path": "/coupons", "query": {"page": "1"}, "json": {"code": "K", "lines": [{"id": 1}]}}
GRAPHQL = {"query": "query Order($id: ID!) { order(id: $id) { id } }", "variables": {"id": "7"}}


def write(root: Path, **changes: Any) -> Path:
    file = root / "create_discount" / "made.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    tape: dict[str, Any] = {
        "arguments": {},
        "exchanges": [{"request": ASKED, "response": {"status": 201, "json": {"id": 5}}}],
        "returns": None,
        **changes,
    }
    file.write_text(json.dumps({name: value for name, value in tape.items() if value is not ...}))
    return file


def test_a_recorded_request_gets_the_recorded_answer_and_may_say_more(tmp_path: Path) -> None:
    write(tmp_path)
    (tape,) = find_tapes(tmp_path)
    with Replay(tape) as replay:
        assert replay.missing == ["POST /coupons"]
        body = {"code": "K", "lines": [{"id": 1, "more": True}], "note": "more"}
        answer = requests.post(f"{replay.url}/coupons?page=1&per=9", json=body, timeout=5)
    assert (answer.status_code, answer.json()) == (201, {"id": 5})
    assert (replay.unexpected, replay.missing) == ([], [])


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        ("/other?page=1", {}, "request 1: POST /other was asked, the recording has POST /coupons"),
        ("/coupons?page=2", {}, "request 1: the query's page differs"),
        ("/coupons?page=1", {"code": "other"}, "request 1: the body's code differs"),
        ("/coupons?page=1", {"lines": []}, "request 1: the body lacks code"),
        ("/coupons?page=1", {"code": "K", "lines": []}, "request 1: the body's lines is no list of 1"),
        ("/coupons?page=1", {"code": "K", "lines": [{"id": True}]}, "request 1: the body's lines[0].id differs"),
    ],
)
def test_another_request_is_refused_and_named_without_its_values(
    tmp_path: Path, path: str, body: Any, why: str
) -> None:
    with Replay(read_tape(write(tmp_path))) as replay:
        answer = requests.post(replay.url + path, json=body, timeout=5)
    assert answer.status_code == 500
    assert replay.unexpected == [why]


def test_a_request_too_many_is_refused(tmp_path: Path) -> None:
    with Replay(read_tape(write(tmp_path, exchanges=[]))) as replay:
        requests.get(f"{replay.url}/orders", timeout=5)
    assert replay.unexpected == ["request 1: GET /orders is not in the recording"]


def test_a_fault_comes_at_its_place_and_a_lost_answer_is_lost(tmp_path: Path) -> None:
    with Replay(read_tape(write(tmp_path)), Fault(status=429, headers={"Retry-After": "7"})) as replay:
        assert requests.get(replay.url, timeout=5).headers["Retry-After"] == "7"
        replay.rewind(Fault(drop=True))
        with pytest.raises(requests.ConnectionError):
            requests.get(replay.url, timeout=5)
        assert replay.asked >= 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"exchanges": ...}, "create_discount/made.json: a tape is an object with a list 'exchanges'"),
        ({"returns": ...}, "exactly one of 'returns' and 'raises'"),
        ({"raise": {}}, "unknown key 'raise'"),
        ({"exchanges": [{"request": ASKED}]}, "an exchange lacks 'response'"),
    ],
)
def test_a_tape_that_cannot_be_read_is_named(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why.replace("(", r"\(")):
        read_tape(write(tmp_path, **changes))


def test_what_was_taped_replays_and_holds_no_credentials(tmp_path: Path) -> None:
    file = tmp_path / "fetch_order" / "there.json"
    headers = {"Authorization": "Bearer very-secret", "vendure-api-key": "very-secret"}
    seen = []

    def answer(request: Any) -> Any:
        seen.append(request.headers.get("authorization"))
        return as_json(200, {"data": {"order": {"id": "7"}}})

    with LoopbackServer(answer) as upstream, Taping(upstream.url) as taping:
        requests.post(f"{taping.url}/graphql", json=GRAPHQL, headers=headers, timeout=5)
        taping.write(file, arguments={"order_id": "7"}, returns=None)
    assert seen == ["Bearer very-secret"]
    assert "very-secret" not in file.read_text()
    tape = read_tape(file)
    assert tape.exchanges[0].contains == ["query Order"]
    assert not tape.exchanges[0].writes
    with Replay(tape) as replay:
        assert requests.post(f"{replay.url}/graphql", json=GRAPHQL, timeout=5).json() == {
            "data": {"order": {"id": "7"}}
        }
        other = {**GRAPHQL, "variables": {"id": "8"}}
        assert requests.post(f"{replay.url}/graphql", json=other, timeout=5).status_code == 500

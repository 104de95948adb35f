"""Lists of steps: what `run` becomes when a flow is loaded, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.errors import ConfigError
from connector.registry import Registry
from flows.authoring.lists import ListFile
from flows.catalog import list_names, read_list
from flows.definition import Flow, FlowEdits, FlowErrors, load_flow
from tests.docs.documents import ROOT

STEPS = Registry().steps
LISTS = {
    "tips": """
title = "Two tips"
[params]
wait = "7d"
tag = "tips"
least = 3
who = "anna"
[[steps]]
id = "pause"
do = "wait"
span = "$wait"
[[steps]]
id = "mark"
do = "tag_order"
tag = "$tag"
when = ["order.total.amount >= $least"]
[[steps]]
id = "say"
do = "notify"
to = "$who"
text = "{params.tag}: {steps.mark.outcome}"
when = ["steps.mark.outcome == 'done'"]
""",
    "outer": """
[params]
wait = "1d"
[[steps]]
id = "first"
do = "exit"
when = ["steps.elsewhere.outcome == 'done'"]
[[steps]]
id = "inner"
do = "run"
list = "tips"
with = { wait = "$wait" }
when = ["order.is_test == false"]
""",
    "a": '[[steps]]\nid = "x"\ndo = "run"\nlist = "b"',
    "b": '[[steps]]\nid = "y"\ndo = "run"\nlist = "a"',
    "empty": 'title = "nothing"',
    "odd": 'colour = "red"\n[[steps]]\nid = "x"\ndo = "exit"',
    "broken": "steps = [",
}


def read(name: str) -> ListFile:
    if name not in LISTS:
        raise ConfigError(f"no list '{name}'")
    return ListFile(f"{name}.toml", LISTS[name])


def flow(*steps: str, params: str = "", edits: FlowEdits | None = None) -> Flow:
    text = f'id = "f"\ntrigger = "order.paid"\npurpose = "transactional"\n[params]\n{params}\n' + "\n".join(
        f"[[steps]]\n{step}" for step in steps
    )
    return load_flow(text, where="f.toml", registry_steps=STEPS, edits=edits, lists=read)


RUN = 'id = "t"\ndo = "run"\nlist = "tips"'


def tables(loaded: Flow) -> dict[str, dict[str, Any]]:
    return {table["id"]: table for table in loaded.document["steps"]}


def test_the_steps_stand_in_the_place_of_the_run() -> None:
    loaded = flow(RUN, 'id = "end"\ndo = "exit"')
    assert [item.id for item in loaded.steps] == ["t-pause", "t-mark", "t-say", "end"]
    found = tables(loaded)
    assert found["t-pause"]["span"] == "7d"
    assert found["t-mark"]["when"] == ["order.total.amount >= 3"]
    assert found["t-say"]["when"] == ["steps.t-mark.outcome == 'done'"]
    assert found["t-say"]["text"] == "tips: {steps.t-mark.outcome}"


def test_parameters_of_the_run_and_of_the_flow() -> None:
    step = f'{RUN}\nwith = {{ wait = "2d", tag = "$label", least = 9 }}'
    found = tables(flow(step, params='label = "vip"'))
    assert (found["t-pause"]["span"], found["t-mark"]["tag"]) == ("2d", "vip")
    assert found["t-mark"]["when"] == ["order.total.amount >= 9"]
    assert found["t-say"]["text"] == "{params.label}: {steps.t-mark.outcome}"


def test_the_runs_guards_are_asked_before_each_step() -> None:
    found = tables(flow(f"{RUN}\nwhen = [\"order.source != 'pos'\"]"))
    assert [table["when"][0] for table in found.values()] == ["order.source != 'pos'"] * 3


def test_a_list_in_a_list() -> None:
    loaded = flow('id = "elsewhere"\ndo = "exit"', 'id = "o"\ndo = "run"\nlist = "outer"\nwith = { wait = "3d" }')
    found = tables(loaded)
    assert list(found) == ["elsewhere", "o-first", "o-inner-pause", "o-inner-mark", "o-inner-say"]
    assert found["o-inner-pause"]["span"] == "3d"
    assert found["o-first"]["when"] == ["steps.elsewhere.outcome == 'done'"], "a step of the flow keeps its name"
    assert found["o-inner-say"]["when"] == ["order.is_test == false", "steps.o-inner-mark.outcome == 'done'"]


def test_what_the_list_holds_is_part_of_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = flow(RUN)
    assert flow(RUN).version == before.version
    monkeypatch.setitem(LISTS, "tips", LISTS["tips"].replace('tag = "tips"', 'tag = "tricks"'))
    assert flow(RUN).version != before.version


def test_a_stored_version_needs_no_list() -> None:
    loaded = flow(RUN)
    assert Flow.from_json(loaded.to_json(), STEPS) == loaded
    assert "run" not in {table["do"] for table in json.loads(loaded.to_json())["steps"]}


def test_clients_edit_the_steps_of_a_list_and_insert_lists() -> None:
    inserted = {"after": "t-mark", "id": "more", "do": "run", "list": "tips"}
    loaded = flow(RUN, edits=FlowEdits(remove=("t-say",), insert=(inserted,)))
    assert [item.id for item in loaded.steps] == ["t-pause", "t-mark", "more-pause", "more-mark", "more-say"]


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        ('id = "t"\ndo = "run"', "f.toml: steps.t: 'run' needs the key 'list'"),
        ('id = "T"\ndo = "run"\nlist = "tips"', "every step needs an id in small letters"),
        ('id = "t"\ndo = "run"\nlist = "tipps"', "steps.t.list: no list 'tipps'"),
        (f"{RUN}\nwhith = 1", "'run' has no such key; did you mean 'with'?"),
        (f"{RUN}\nwith = 1", "steps.t.with: expected a table"),
        (f'{RUN}\nwith = {{ wiat = "1d" }}', "steps.t.with.wiat: the list has no such parameter; did you mean 'wait'?"),
        (f"{RUN}\nwith = {{ wait = 3 }}", "steps.t.with.wait: expected a span such as 10d, not 3"),
        (
            'id = "t"\ndo = "run"\nlist = "a"',
            "b.toml: steps.t-x-y.list: the lists run one another in a circle: a -> b -> a",
        ),
        ('id = "t"\ndo = "run"\nlist = "empty"', "empty.toml: steps: a list needs at least one step"),
        ('id = "t"\ndo = "run"\nlist = "odd"', "odd.toml: colour: a list has no such key"),
        ('id = "t"\ndo = "run"\nlist = "broken"', "broken: this is not TOML"),
        (f'{RUN}\nwith = {{ wait = "soon" }}', "steps.t.with.wait: expected a span such as 10d, not 'soon'"),
    ],
)
def test_faults(step: str, wanted: str) -> None:
    with pytest.raises(FlowErrors) as told:
        flow(step, 'id = "end"\ndo = "exit"')
    assert wanted in str(told.value)


def test_two_lists_with_one_name_are_two_steps_of_one_id() -> None:
    with pytest.raises(FlowErrors, match="two steps are called 't-mark'"):
        flow(RUN, 'id = "t-mark"\ndo = "exit"')


def test_the_library_has_lists_and_says_what_is_near() -> None:
    assert "call_a_person" in list_names()
    assert "[[steps]]" in read_list(ROOT, "call_a_person").text
    with pytest.raises(ConfigError, match="did you mean 'call_a_person'"):
        read_list(ROOT, "call_a_persn")


def test_a_list_of_the_operators_folder(tmp_path: Any) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "own.toml").write_text(LISTS["tips"], "utf-8")
    assert read_list(tmp_path, "lists/own.toml").text == LISTS["tips"]
    with pytest.raises(ConfigError, match=r"the list 'lists/other\.toml' cannot be read"):
        read_list(tmp_path, "lists/other.toml")


@pytest.mark.parametrize("name", list_names())
def test_a_list_of_the_library_loads(name: str) -> None:
    text = f'id = "f"\ntrigger = "order.paid"\npurpose = "review"\n[[steps]]\nid = "it"\ndo = "run"\nlist = "{name}"\n'
    loaded = load_flow(text, where="f", registry_steps=STEPS, lists=lambda each: read_list(ROOT, each))
    assert loaded.steps
    assert read_list(ROOT, name).text.startswith("# "), "it says first what it does"

from __future__ import annotations

import pytest

from bench import gates
from bench.figures import Figure
from bench.gates import Verdict
from bench.stats import Rounds

ONE = """
[[gate]]
figure = "a.b"
why = "because"
release = { min = 2 }
ci = { min = 1, max = 9 }
"""


def figure(*values: float, doubt: str = "") -> Figure:
    return Figure(Rounds(values), "x", doubt)


def test_the_file_in_the_repository_is_sound() -> None:
    found = gates.load()
    assert len({gate.figure for gate in found}) == len(found)
    promised = {gate.figure: gate.bounds["release"] for gate in found if "release" in gate.bounds}
    assert promised["receiver.fast.c64.ours_over_floor.rate"].least == 0.4
    assert promised["receiver.fsync2000us.c64.ours_over_floor.rate"].least == 0.75
    assert promised["receiver.fast.c64.ours_over_stock.rate"].least == 6
    assert promised["receiver.fsync2000us.c64.ours_over_stock.rate"].least == 20
    assert promised["receiver.open2000.ours.p99_ms"].most == 10
    assert promised["e2e.rate"].least == 1000
    assert promised["e2e.cpu_ms"].most == 0.8
    assert promised["memory.ours.idle_pss_mb"].most == 100
    assert promised["start.ours.s"].most == 1


def test_ci_is_never_tighter_than_the_release() -> None:
    for gate in gates.load():
        ci, release = gate.bounds.get("ci"), gate.bounds.get("release")
        if ci and release and ci.least is not None and release.least is not None:
            assert ci.least <= release.least, gate.figure
        if ci and release and ci.most is not None and release.most is not None:
            assert ci.most >= release.most, gate.figure


def test_a_target_is_judged_apart_and_is_never_looser_than_the_release() -> None:
    (judged,) = gates.judge(gates.parse(ONE + "target = { min = 3 }"), {"a.b": figure(2.5)}, gates.TARGET)
    assert judged.verdict is Verdict.MISSED
    assert gates.TARGET not in gates.LEVELS
    for gate in gates.load():
        target, release = gate.bounds.get(gates.TARGET), gate.bounds.get("release")
        if target and release:
            assert (target.least or 0) >= (release.least or 0), gate.figure
            assert target.most is None or target.most <= (release.most or 0), gate.figure


@pytest.mark.parametrize(("level", "value", "verdict"), [
    ("release", 2.0, Verdict.MET), ("release", 1.9, Verdict.MISSED),
    ("ci", 1.0, Verdict.MET), ("ci", 9.1, Verdict.MISSED),
])  # fmt: skip
def test_bounds_include_their_ends(level: str, value: float, verdict: Verdict) -> None:
    (judged,) = gates.judge(gates.parse(ONE), {"a.b": figure(value)}, level)
    assert judged.verdict is verdict


def test_the_median_is_judged_not_the_luckiest_round() -> None:
    (judged,) = gates.judge(gates.parse(ONE), {"a.b": figure(9.0, 1.0, 1.5)}, "release")
    assert judged.verdict is Verdict.MISSED
    assert judged.value == 1.5


def test_what_was_not_measured_is_no_pass() -> None:
    (judged,) = gates.judge(gates.parse(ONE), {}, "release")
    assert judged.verdict is Verdict.ABSENT


def test_a_doubtful_figure_is_shown_and_not_judged() -> None:
    (judged,) = gates.judge(gates.parse(ONE), {"a.b": figure(0.1, doubt="generator-bound")}, "release")
    assert judged.verdict is Verdict.DOUBTFUL
    assert judged.value == 0.1
    assert judged.doubt == "generator-bound"


@pytest.mark.parametrize("text", [
    '[[gate]]\nfigure = "a"\nwhy = "b"\n',
    '[[gate]]\nfigure = "a"\nrelease = { min = 1 }\n',
    '[[gate]]\nfigure = "a"\nwhy = "b"\nrelease = { least = 1 }\n',
    '[[gate]]\nfigure = "a"\nwhy = "b"\nrelease = { min = "1" }\n',
    '[[gate]]\nfigure = "a"\nwhy = "b"\nrelease = { min = 1 }\nnightly = { min = 1 }\n',
])  # fmt: skip
def test_a_faulty_gate_names_itself(text: str) -> None:
    with pytest.raises(ValueError, match=r"gates\.toml: a"):
        gates.parse(text)

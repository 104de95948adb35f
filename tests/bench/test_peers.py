"""The comparison tried on miniature systems: one that loses and one that doubles a message must give no figure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import corpus, generator, systems
from bench.mail import Delivered, Sink
from bench.peers import installing, n8n, nodered
from bench.peers.celery_redis import CeleryRedis
from bench.peers.peer import Peer
from bench.phases import e2e, kill, peers
from bench.plan import Bench
from bench.run import parse_arguments, phases_of
from bench.systems import Place, System

Make = Callable[..., Bench]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(e2e, "QUIET_SECONDS", 4.0)
    monkeypatch.setattr(peers, "QUIET_SECONDS", 4.0)
    monkeypatch.setattr(kill, "QUIET_SECONDS", 4.0)


def other(pretender: type[System], name: str, **options: int) -> Peer:
    """The miniature product under a peer's name."""

    class Other(Peer):
        roles = ("receiver", "worker")
        health_path = "/"
        differs = "it is a fake"

        def __init__(self) -> None:
            self.name = name
            self.inner = pretender(**options)

        def start(self, place: Place) -> systems.Start:
            return self.inner.start(place)

    return Other()


def prepared(bench_of: Make, pretender: type[System], *others: System) -> Bench:
    bench = bench_of(pretender())
    bench.plan = replace(bench.plan, orders=20, open_seconds=0.5)
    bench.peers = others
    return bench


def only_bursts(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave_out(*_: Any) -> None: ...

    monkeypatch.setattr(peers, "_latency", leave_out)
    monkeypatch.setattr(peers, "_kill", leave_out)


def test_a_peer_that_loses_a_message_gives_no_figure(
    bench_of: Make, pretender: type[System], monkeypatch: pytest.MonkeyPatch
) -> None:
    only_bursts(monkeypatch)
    monkeypatch.setattr(peers, "WARM_UP", 0)
    bench = prepared(bench_of, pretender, other(pretender, "sound"), other(pretender, "forgetful", drop=10))
    peers.run(bench)
    assert bench.results.figures["peers.ours_over_sound.rate"].rounds.values[0] > 0
    assert bench.results.value("peers.forgetful.rate") is None
    assert bench.results.value("peers.ours_over_forgetful.rate") is None
    assert any("2 without a message, 18 messages in all" in text for text in bench.results.remarks)


def test_a_peer_that_doubles_a_message_gives_no_figure(
    bench_of: Make, pretender: type[System], monkeypatch: pytest.MonkeyPatch
) -> None:
    only_bursts(monkeypatch)
    monkeypatch.setattr(peers, "WARM_UP", 0)
    arrived = Sink.delivered
    monkeypatch.setattr(Sink, "delivered", lambda self: [*arrived(self), *arrived(self)[:1]])
    bench = prepared(bench_of, pretender, other(pretender, "eager"))
    peers.run(bench)
    assert bench.results.value("peers.eager.rate") is None
    assert any("0 without a message, 21 messages in all" in text for text in bench.results.remarks)


def test_one_that_loses_a_message_while_warming_up_gives_no_figure_either(
    bench_of: Make, pretender: type[System], monkeypatch: pytest.MonkeyPatch
) -> None:
    only_bursts(monkeypatch)
    bench = prepared(bench_of, pretender, other(pretender, "forgetful", drop=10))
    peers.run(bench)
    assert bench.results.value("peers.ours.rate") is not None
    assert bench.results.value("peers.forgetful.rate") is None
    assert any("while warming up, or not mailed" in text for text in bench.results.remarks)


def test_latency_counts_from_the_due_moment_to_the_sink(bench_of: Make, pretender: type[System]) -> None:
    bench = prepared(bench_of, pretender)
    peers._latency(bench, other(pretender, "sound"))
    assert (bench.results.value("peers.sound.mail_p50_ms") or 0) > (bench.results.value("peers.sound.ack_p50_ms") or 0)


def test_a_message_is_matched_with_the_order_it_belongs_to() -> None:
    outcome = generator.Outcome(
        issued=3, ok=3, rejected=0, non_2xx=0, resets=0, reconnects=0, unanswered=0, seconds=0.2, rate=15, p50_ms=1,
        p99_ms=2, p999_ms=2, max_ms=2, cpu_seconds=0, cpu_share=0, started=100.0, ended=100.2,
    )  # fmt: skip
    delivered = [
        Delivered(100.5, corpus.email_of(0), "", "", 1),
        Delivered(100.3, corpus.email_of(2), "", "", 1),
        Delivered(100.2, corpus.email_of(1), "", "", 1),
        Delivered(999.0, "stranger@example.com", "", "", 1),
    ]
    found = peers.waited(outcome, 10, delivered)
    assert found.mail_p50 == pytest.approx(100.0)
    assert found.mail_p99 == pytest.approx(500.0)


@pytest.mark.slow
def test_what_a_kill_loses_shows_at_the_sink(
    bench_of: Make, pretender: type[System], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill, "EARLIEST", 0.6)
    monkeypatch.setattr(kill, "LATEST", 0.7)
    bench = prepared(bench_of, pretender)
    peers._kill(bench, other(pretender, "forgetful", drop=5))
    acknowledged = bench.results.value("peers.forgetful.kill.acknowledged") or 0
    assert acknowledged > 0
    assert 0 < (bench.results.value("peers.forgetful.kill.unsent") or 0) < acknowledged


def test_one_that_cannot_be_had_says_so_and_the_others_go_on(
    bench_of: Make, pretender: type[System], monkeypatch: pytest.MonkeyPatch
) -> None:
    only_bursts(monkeypatch)
    absent, there = other(pretender, "absent"), other(pretender, "there")
    monkeypatch.setattr(absent, "missing", lambda: "needs a thing nobody has")
    bench = prepared(bench_of, pretender, absent, there)
    peers.run(bench)
    assert bench.results.remarks == ["absent left out: needs a thing nobody has"]
    assert bench.results.value("peers.there.rate") is not None


def test_the_table_shows_what_was_not_measured(bench_of: Make, pretender: type[System]) -> None:
    peer = other(pretender, "there")
    bench = prepared(bench_of, pretender, peer)
    bench.results.put("peers.ours.rate", 100.0, "e-mails/s")
    bench.results.put("peers.ours_over_there.rate", [2.0, 4.0, 3.0], "x")
    _, _, ours, theirs = peers.table(bench, [*bench.systems, peer]).splitlines()
    assert ours.startswith("| ours | 100 | - |")
    assert theirs.endswith("| 3.0 (2.0, 4.0, 3.0) | it is a fake |")


def test_peers_are_chosen_by_name() -> None:
    assert [peer.name for peer in peers.chosen("restate,celery")] == ["restate", "celery"]
    assert len({peer.name for peer in peers.chosen("all")}) == len(peers.PEERS)
    with pytest.raises(ValueError, match=r"no such peer: nobody \(there are n8n"):
        peers.chosen("nobody")


def test_peers_run_only_when_asked_for() -> None:
    assert "peers" not in phases_of(parse_arguments([]))
    assert phases_of(parse_arguments(["--peers"])) == ["peers"]
    assert phases_of(parse_arguments(["--peers", "restate", "--phase", "floors"])) == ["floors", "peers"]


# -- what is told to each ---


def test_installing_again_is_left_out_while_the_versions_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(installing, "installed", lambda: tmp_path / "a" / "b" / "c")
    monkeypatch.setattr(installing, "_run", lambda command, *_: ran.append(command) or "")
    monkeypatch.setattr(installing.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert installing.npm("restate") == ""
    assert len(ran) == 1
    assert installing.npm("restate") == ""
    assert len(ran) == 1


def test_a_failed_install_is_one_line_and_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(installing, "installed", lambda: tmp_path / "a" / "b" / "c")
    monkeypatch.setattr(installing, "_run", lambda *_: "npm error code E404")
    monkeypatch.setattr(installing.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert installing.npm("n8n") == "npm could not install n8n (npm error code E404)"
    assert not (tmp_path / "a" / "b" / "c" / "n8n" / "installed.json").exists()


def test_a_peer_comes_back_on_the_broker_it_had(tmp_path: Path) -> None:
    first, again = (CeleryRedis().start(Place(tmp_path, port, 2525)) for port in (1, 2))
    assert first.environment["BENCH_BROKER"] == again.environment["BENCH_BROKER"]
    assert "always" in first.commands["broker"]


def test_n8n_is_given_the_sink_and_the_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    monkeypatch.setattr(n8n, "_command", lambda command, *_: ran.append(command[2]))
    n8n.N8n().start(Place(tmp_path, 1, 2525))
    n8n.N8n().start(Place(tmp_path, 1, 2525))
    assert ran == ["import:credentials", "import:workflow", "publish:workflow"]
    assert '"port": 2525' in (tmp_path / "credentials.json").read_text()
    workflow = (tmp_path / "workflow.json").read_text()
    assert corpus.SECRET.decode() in workflow
    assert "{{ $json.body.email }}" in workflow


def test_every_wire_of_the_node_red_flow_leads_to_a_node() -> None:
    nodes = {str(node["id"]) for node in nodered.flows()}
    wires = [target for node in nodered.flows() for port in node.get("wires", []) for target in port]  # type: ignore[attr-defined]
    assert wires
    assert set(wires) <= nodes

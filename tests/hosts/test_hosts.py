"""Several hosts for real (`make hosts`): each is cut off, killed or set wrong while orders come in; counted at the end.

Needs root for network namespaces, and PostgreSQL's programs. Takes some two minutes, so `make test` leaves it out.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pytest

from connector.testing.fakes.smtp import MailSink, Misbehaviour
from tests.hosts.cluster import PATIENCE, Cluster, Load, Verdict
from tests.hosts.net import Network, allowed, door
from tests.store.conftest import _programs

pytestmark = [
    pytest.mark.skipif(not os.environ.get("KIITOS_HOSTS"), reason="make hosts"),
    pytest.mark.skipif(_programs() is None, reason="no PostgreSQL: scripts/postgres.sh"),
    pytest.mark.timeout(1200),
]
RATE = float(os.environ.get("KIITOS_HOSTS_RATE", "12"))


def pause(seconds: float) -> None:
    threading.Event().wait(seconds)


def until(ready: Callable[[], bool], what: str) -> float:
    began = monotonic()
    while not ready():
        assert monotonic() - began < PATIENCE, f"{what}: not within {PATIENCE:.0f} s"
        pause(0.2)
    return monotonic() - began


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[..., tuple[Cluster, MailSink]]]:
    if reason := allowed():
        pytest.skip(reason)
    tmp_path.chmod(0o755)
    for folder in (tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    with ExitStack() as stack:

        def one(replicated: bool = True) -> tuple[Cluster, MailSink]:
            sink = stack.enter_context(MailSink(script=Misbehaviour(delay=0.01)))
            network = stack.enter_context(Network())
            port = stack.enter_context(door(network.gate, sink.port))
            stack.callback(network.stop)  # first of all, so that nobody holds the door open
            cluster = Cluster(tmp_path, network, port, replicated)
            cluster.build()
            for name in ("w1", "w2"):
                until(lambda name=name: cluster.ready(name), f"{name} is ready")
            return cluster, sink

        yield one


def finish(cluster: Cluster, load: Load, sink: MailSink, drain: bool = True) -> tuple[Verdict, float]:
    assert load.stop(), "the last orders were never acknowledged"
    left = cluster.databases[1]
    drained = until(lambda: cluster.waiting(left) == 0, "the backlog is drained") if drain else 0.0
    for name in ("w1", "w2", "k1", "k2", "k3"):
        cluster.network.hosts[name].end()
    return cluster.judge(left, load, sink.by_message_id()), drained


def fail_over(cluster: Cluster) -> None:
    """The replica hears nothing for a while, and then the primary is no more."""
    primary, replica = cluster.databases
    replica.cut()
    pause(4)
    primary.end()
    replica.join()
    cluster.promote(replica)


def test_a_bad_week_of_two_web_and_three_worker_machines(
    build: Callable[..., tuple[Cluster, MailSink]], capsys: pytest.CaptureFixture[str]
) -> None:
    cluster, sink = build()
    hosts = cluster.network.hosts
    with Load([hosts["w1"].address, hosts["w2"].address], RATE) as load:
        pause(3)
        hosts["k1"].cut()  # off the net for longer than anybody waits
        pause(2)
        cluster.kill("w1")
        pause(2)
        cluster.run("w1")
        cluster.set_clock("k2", "+70m")
        pause(4)
        cluster.kill("k3")
        pause(1)
        cluster.run("k3")
        pause(6)
        hosts["k1"].join()
        cluster.set_clock("k2", "+0")
        cluster.restart_database(cluster.databases[0])
        pause(3)
        until(lambda: cluster.ready("w1") and cluster.ready("w2"), "the web machines are back")
        hosts["w2"].cut()
        pause(3)
        hosts["w2"].join()
        fail_over(cluster)
        failed_over = until(lambda: cluster.ready("w1") or cluster.ready("w2"), "a web machine found the new primary")
        pause(4)
        verdict, drained = finish(cluster, load, sink)
    with capsys.disabled():
        print(
            f"\nhosts: {verdict.acknowledged} webhooks acknowledged ({load.refused} tries refused), "
            f"{len(verdict.lost)} lost; "
            f"{verdict.messages} messages, {len(verdict.doubled)} doubled, {verdict.repeated} order mails repeated in "
            f"the window, {verdict.uncertain} uncertain; ready {failed_over:.1f} s after the promotion, "
            f"drained {drained:.1f} s after the last order"
        )
    assert verdict.faults() == {}
    assert verdict.acknowledged > 100
    assert "clock_differs" in (cluster.folder / "k2" / "log").read_text("utf-8")


def test_control_a_replica_nobody_waits_for_loses_what_was_acknowledged(
    build: Callable[..., tuple[Cluster, MailSink]],
) -> None:
    cluster, sink = build(replicated=False)
    hosts = cluster.network.hosts
    with Load([hosts["w1"].address, hosts["w2"].address], RATE) as load:
        pause(3)
        fail_over(cluster)
        pause(4)
        verdict, _ = finish(cluster, load, sink, drain=False)
    assert "lost" in verdict.faults()

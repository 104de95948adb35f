"""A payload that takes the worker's process with it, while others' webhooks keep coming: how long they wait, in rounds.

A round is a second: some orders come in, a worker is started if none lives, and does what is due. Processes are real
and end by SIGKILL (as the kernel ends one that takes all memory) or by an exit nobody catches.
"""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.claims import Claims
from connector.store import deliveries, inbox

from .installation import Counting, Installation

ROUNDS, EACH = 6, 5
DEADLY = "w12"
"""In the third round, between others of its batch."""
DEADLY_ROUND = int(DEADLY[1:]) // EACH
PATIENCE = 4
"""Rounds after the last order has come: less than a lease."""
Death = Callable[[], None]


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def exits() -> None:
    os._exit(70)


pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL and fork are POSIX")


def work(here: Installation, deadly: str, death: Death) -> int:
    """One worker's life: until nothing is due, or it dies of the delivery named. 0 when it ended well."""
    here.kiitos.store.close()  # connections do not survive a fork
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            adapter = here.kiitos.registry.platform("shopify")
            normalise = adapter.normalise

            def explode(verified: Any, body: bytes, shop: Any) -> Any:
                if verified.dedup_key == deadly:
                    death()
                return normalise(verified, body, shop)

            adapter.normalise = explode  # type: ignore[method-assign]
            here.name_workers(os.getpid())
            here.worker().drain()
            here.kiitos.store.close()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


def waits(folder: Path, deadly: str, death: Death = killed) -> tuple[list[int], int]:
    """Rounds each of the others waited until it was done (`ROUNDS + PATIENCE` when it never was), in order; deaths."""
    folder.mkdir()
    with closing(Installation(folder, Counting())) as here:
        bodies, came, done, deaths = here.orders(ROUNDS * EACH), {}, {}, 0
        for now in range(ROUNDS + PATIENCE):
            first = now * EACH
            if now < ROUNDS:
                assert set(here.receive(bodies[first : first + EACH], first=first)) == {200}
                came |= dict.fromkeys((f"w{n}" for n in range(first, first + EACH)), now)
            deaths += work(here, deadly, death) != 0
            for name in finished(here) - done.keys():
                done[name] = now
            here.clock.advance(timedelta(seconds=1))
    others = [name for name in came if name != deadly]
    return sorted(done.get(name, ROUNDS + PATIENCE) - came[name] for name in others), deaths


def finished(here: Installation) -> set[str]:
    with here.kiitos.store.inbox.read() as tx:
        names = {each.id: each.dedup_key for each in inbox.after(tx, 0, 1000)}
    with here.kiitos.store.work.read() as tx:
        return {names[each] for each, status in deliveries.status_of(tx, list(names)).items() if status == "done"}


@pytest.mark.parametrize("death", [killed, exits])
def test_others_are_done_in_their_round_or_two_later(tmp_path: Path, death: Death) -> None:
    """Two workers die of it: with its batch, and alone. Then it waits for its lease, and all others are served at once:
    without it nobody waits, with it nobody waits longer than two rounds, and three in four not at all."""
    calm, none = waits(tmp_path / "calm", "")
    hurt, deaths = waits(tmp_path / "hurt", DEADLY, death)
    assert (calm, none) == ([0] * ROUNDS * EACH, 0)
    assert deaths == 2
    assert len(hurt) == ROUNDS * EACH - 1
    assert hurt[len(hurt) * 3 // 4] == 0
    assert hurt[-1] <= 2, hurt


def test_control_a_worker_that_notes_no_claims_makes_its_neighbours_wait_for_the_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Claims, "begin", lambda self, batch, until: None)
    hurt, _ = waits(tmp_path / "hurt", DEADLY)
    assert hurt[-1] > PATIENCE, "those of its batch are not done yet"


def test_control_a_worker_that_does_not_count_its_attempts_dies_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What kills is taken together with the others again and again: nobody is served while it is due."""
    monkeypatch.setattr(deliveries.Claimed, "alone", property(lambda self: False))
    monkeypatch.setattr(Claims, "release", lambda self, store, now: free(store, now))
    hurt, deaths = waits(tmp_path / "hurt", DEADLY)
    assert deaths == ROUNDS + PATIENCE - DEADLY_ROUND
    assert hurt[len(hurt) * 3 // 4] > 2


def free(store: Any, now: Any) -> None:
    """Everything leased is due again, and as if never tried."""
    with store.work.transaction() as tx:
        tx.script(
            "UPDATE delivery_progress SET status = 'new', attempts = 0, due_at = '1970-01-01T00:00:00.000000Z'"
            " WHERE status = 'leased'"
        )

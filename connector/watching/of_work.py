"""Checks of what is under way: what waits, what waits for a person, who works."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator

from connector.keeping.ledgers import WORKER, lately
from connector.store import sealing, watch
from connector.store.watch import Pile
from connector.watching.patient import LAGGING, LATE, SILENT, STALE, Patient
from connector.watching.trouble import Check, Found, fail, span_text, warn
from connector.working import clockwatch
from connector.working.standstill import Standstill


def _counted(piles: Iterable[Pile]) -> Iterator[tuple[str, int, Pile]]:
    """(shop, how many, the oldest pile), a shop once."""
    by_shop: dict[str, list[Pile]] = {}
    for pile in piles:
        by_shop.setdefault(pile.shop_id, []).append(pile)
    for shop_id, theirs in sorted(by_shop.items()):
        yield shop_id, sum(pile.total for pile in theirs), min(theirs, key=lambda pile: pile.oldest)


def _of_kind(piles: Iterable[Pile], kind: str) -> list[Pile]:
    return [pile for pile in piles if pile.kind == kind]


def _workers(patient: Patient) -> Iterator[Found]:
    workers = [one for one in patient.figures.processes if one.role == "worker"]
    newest = max(workers, key=lambda one: one.seen_at, default=None)
    if newest is None:
        yield fail("no worker has said that it lives")
    elif patient.now - newest.seen_at > SILENT:
        yield fail(f"the last worker said {patient.ago(newest.seen_at)} ago that it lives")
    else:
        for one in workers:
            alone = not any(other.host == one.host and other.seen_at > one.seen_at for other in workers)
            if patient.now - one.seen_at > SILENT and alone:
                yield warn(f"a worker on {one.host} ended without a word {patient.ago(one.seen_at)} ago", one.host)
    if patient.kiitos.config.app.dispatcher.kind != "inline" and newest is not None:
        yield from _executors(patient)


def _executors(patient: Patient) -> Iterator[Found]:
    heard = [one.seen_at for one in patient.figures.processes if one.role == "steps"]
    if not heard or patient.now - max(heard) > SILENT:
        since = f"the last said so {patient.ago(max(heard))} ago" if heard else "none ever said so"
        yield fail(f"steps are handed out and no executor lives ({since}); start: kiitos worker --steps")


def _backlog(patient: Patient) -> Iterator[Found]:
    oldest = patient.figures.oldest
    if oldest is not None and patient.figures.lateness > LATE:
        total = patient.figures.total(patient.figures.backlog)
        yield fail(f"{total} items are due, the oldest ({oldest.kind}) for {patient.age(oldest)}")


def _leases(patient: Patient) -> Iterator[Found]:
    for shop_id, total, oldest in _counted(patient.figures.left):
        yield fail(f"{total} effects were begun and nobody took them up again for {patient.age(oldest)}", shop_id)


def _uncertain(patient: Patient) -> Iterator[Found]:
    for shop_id, total, oldest in _counted(_of_kind(patient.figures.troubled, "uncertain")):
        yield warn(f"nobody knows whether {total} messages went out, the oldest for {patient.age(oldest)}", shop_id)


def _failed(patient: Patient) -> Iterator[Found]:
    for shop_id, total, oldest in _counted(_of_kind(patient.figures.troubled, "failed")):
        yield warn(f"{total} effects were given up, the oldest {patient.age(oldest)} ago", shop_id)


def _dead(patient: Patient) -> Iterator[Found]:
    for shop_id, total, oldest in _counted(_of_kind(patient.figures.dead, "failed")):
        yield warn(f"{total} deliveries could not be used, the oldest came {patient.age(oldest)} ago", shop_id)


def _held(patient: Patient) -> Iterator[Found]:
    for pile in patient.figures.held:
        what = f"{pile.total} messages of the flow {pile.kind} are held, the oldest for {patient.age(pile)}"
        yield warn(what, pile.shop_id)
    held = {(pile.shop_id, pile.kind) for pile in patient.figures.held}
    for pause in patient.figures.pauses:
        if (pause.shop_id, pause.flow_id) not in held:
            yield warn(f"the flow {pause.flow_id} is paused for {patient.ago(pause.at)}", pause.shop_id)


def _privacy(patient: Patient) -> Iterator[Found]:
    for shop_id, total, oldest in _counted(patient.figures.privacy):
        yield fail(f"{total} requests about personal data are open, the oldest for {patient.age(oldest)}", shop_id)


def _clock(patient: Patient) -> Iterator[Found]:
    with patient.kiitos.store.work.read() as tx:
        believed = clockwatch.believed(tx)
    if believed is None:
        return
    ahead = patient.now - believed
    if ahead < -clockwatch.SLACK or ahead > clockwatch.SHORT:
        word = "behind" if ahead.total_seconds() < 0 else "ahead of"
        told = span_text(abs(ahead.total_seconds()))
        yield fail(f"the clock is {told} {word} the last time a worker believed it")


def _backup(patient: Patient) -> Iterator[Found]:
    made = patient.figures.backup_at
    if made is None:
        yield warn("no backup was ever made")
    elif patient.now - made > STALE:
        yield fail(f"the last backup was made {patient.ago(made)} ago")


def _stream(patient: Patient) -> Iterator[Found]:
    """Whether Litestream copies what is committed: it says when it last had everything."""
    stream = patient.kiitos.config.stream
    if stream is None:
        return
    if not patient.figures.copied:
        yield fail("Litestream does not run on this machine: nothing is copied")
        return
    for part, at in patient.figures.copied.items():
        if at is None:
            yield fail(f"the {part} database has not been copied yet", part)
        elif patient.now - at > max(LAGGING, 3 * stream.every):
            yield fail(f"the copy of the {part} database is {patient.ago(at)} behind", part)


def _restored(patient: Patient) -> Iterator[Found]:
    still = patient.figures.held_still
    if still is not None and still.why is Standstill.RESTORED:
        yield warn(f"the database was restored {patient.ago(still.since)} ago and is held: nothing is sent")
    elif still is not None:
        yield warn(f"the database is being moved for {patient.ago(still.since)}: nothing is done meanwhile")


def _durable(patient: Patient) -> Iterator[Found]:
    if not watch.durable(patient.kiitos.store):
        yield fail("the database answers before a commit is on the disk (fsync or synchronous_commit is off)")


def _keys(patient: Patient) -> Iterator[Found]:
    vault = patient.kiitos.vault
    with patient.kiitos.store.work.read() as tx:
        used = sealing.keys_in_use(tx)
    for key_id, counts in sorted(used.items()):
        if key_id not in vault.key_ids:
            yield fail(f"{counts.total()} secrets are sealed with a key that is not in app.master_key", key_id)
        elif key_id != vault.current:
            yield warn(f"{counts.total()} secrets are still sealed with an older key", key_id)


def _ledgers(patient: Patient) -> Iterator[Found]:
    with patient.kiitos.store.work.read() as tx:
        without = {one.host for one in lately(tx, patient.now) if not one.name and one.role == WORKER}
    for host in sorted(without - {socket.gethostname()}):  # of this machine the file says it
        yield warn(f"the worker on {host} keeps no send ledger", host)


CHECKS: tuple[Check[Patient], ...] = (
    Check("workers", "Without a worker nothing is sent.", "kiitos worker", _workers),
    Check("backlog", "Customers wait for their order's messages.", "kiitos status", _backlog),
    Check("leases", "A worker died; what it had begun waits until another looks.", "kiitos worker --once", _leases),
    Check(
        "uncertain",
        "A message may be missing, and sent again it may come twice: somebody has to look.",
        "kiitos messages list SUBJECT --status uncertain",
        _uncertain,
    ),
    Check("failed", "What was to be done was not.", "kiitos messages list SUBJECT --status failed", _failed),
    Check(
        "dead_letters",
        "What they say is not known to any flow; they are kept for thirty days.",
        "kiitos deliveries failed",
        _dead,
    ),
    Check("held", "They go out only when somebody says so.", "kiitos flows held SUBJECT", _held),
    Check("privacy", "The law gives thirty days (GDPR Art. 12).", "kiitos privacy requests", _privacy),
    Check("clock", "A worker that does not believe its clock sends nothing.", "kiitos clock confirm", _clock),
    Check("backup", "A lost disk loses everything since then.", "kiitos backup", _backup),
    Check("stream", "A lost disk loses everything since the last copy.", "kiitos backup stream", _stream),
    Check(
        "worker_ledgers",
        "After a restore everything it sent since the backup would be sent again: give it a folder it may write to.",
        "kiitos config check",
        _ledgers,
    ),
    Check("restored", "Sent from an old copy, messages would come twice.", "kiitos restore status", _restored),
    Check(
        "durability",
        "A power cut would lose webhooks that were acknowledged, and WooCommerce sends none twice.",
        "kiitos status",
        _durable,
        slow=True,
    ),
    Check("keys", "Without its key a secret cannot be opened.", "kiitos keys list", _keys, slow=True),
)

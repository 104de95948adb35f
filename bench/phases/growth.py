"""Phase L: the same work on 10 thousand orders and on 10 million: what grows, and how much.

One database is made larger step by step (`bench.cloning`). At each size the product's receiver and worker take in new
orders, and a process of its own asks what people ask. Written as a table and drawn as a plot.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import accounting, cloning, corpus, generator, mail, native, plot, stats
from bench.generator import Load
from bench.ours_growth import Grown
from bench.phases import e2e
from bench.plan import Bench
from bench.sampling import VoidRun
from bench.systems import started

TIMEOUT = 3600
BYTES_AN_ORDER = 7_000
"""What a clone takes on disk, generously: a size that would fill the disk is left out."""
CONNECTIONS = 64
FIRST_SECONDS = 60.0
"""How long the first message may take, which no figure holds: a worker that starts reads the file for five of them."""
SHOWN = {
    "ack_s": "one webhook acknowledged",
    "mail_cpu_s": "CPU from webhook to e-mail",
    "wake_each_s": "waking one run",
    "empty_look_s": "a look that finds nothing due",
    "explain_order_s": "explain, an order",
    "explain_person_s": "explain, a person",
    "calendar_s": "customers calendar",
    "figures_s": "customers show",
    "backtest_start_s": "back-test, to its first orders",
}
"""What must not grow with the number of orders, and how the plot calls it."""


def run(bench: Bench) -> None:
    sizes = [size for size in sorted(bench.plan.growth) if _fits(bench, size)]
    if not sizes:
        return
    found: dict[int, Mapping[str, float]] = {}
    where = bench.fresh("growth")
    try:
        template = _template(bench, where)
        for number, size in enumerate(sizes):
            began = time.monotonic()
            cloning.grow(where, template, sizes[number - 1] if number else 1, size)
            bench.results.put(f"growth.{size}.fill_s", time.monotonic() - began, "s")
            found[size] = _at_size(bench, where, number)
            _put(bench, size, found[size], where)
    except (VoidRun, ValueError) as error:
        bench.results.remark(f"growth stopped: {error}")
    finally:
        bench.discard(where)
    if len(found) > 1:
        _put_ratios(bench, found)
        _draw(bench, found)
        print(f"\n{table(found)}\n")


def _fits(bench: Bench, size: int) -> bool:
    free = shutil.disk_usage(native.CACHE).free
    if size * BYTES_AN_ORDER < free:
        return True
    bench.results.remark(
        f"growth: {size} orders left out: {free / 1e9:.0f} GB free, {size * BYTES_AN_ORDER / 1e9:.0f} needed"
    )
    return False


def _slices(bench: Bench, where: Path, number: int) -> tuple[Path, Path, int]:
    """Corpus files of one size's new orders, the first of them alone, then those that are measured; and the number of
    the first that is. They are numbered on from those before; 0 is the template's."""
    per = bench.plan.growth_orders
    alone, rest = where / f"first-{number}.kbc", where / f"orders-{number}.kbc"
    begin = 1 + (per + 1) * number
    bodies = list(corpus.bodies(begin + per + 1, bench.began))
    corpus.write(alone, bodies[begin : begin + 1])
    corpus.write(rest, bodies[begin + 1 :])
    return alone, rest, begin + 1


def _template(bench: Bench, where: Path) -> cloning.Template:
    """One order of one line and no address, taken in and mailed by the product: two such rows fit a page, and ten
    million orders a disk."""
    body = corpus.order(random.Random(corpus.SEED), 0, bench.began)
    body["line_items"] = body["line_items"][:1]
    for name in ("billing_address", "shipping_address", "checkout_token"):
        body[name] = None
    body["customer"]["default_address"] = None
    body["tax_lines"] = []
    path = where / "template.kbc"
    corpus.write(path, [json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()])
    _take_in(where, [path], 1, 0)
    return cloning.read_template(where, str(body["id"]))


@contextmanager
def _unread(where: Path) -> Iterator[None]:
    """Nobody checks a large file while this lasts (`connector.store.integrity.turn`): it is read once a start, in CPU
    that is as much as the file is large and no order's."""
    with ExitStack() as stack:
        for name in ("kiitos.db", "inbox.db"):
            held = stack.enter_context((where / f"{name}.checks").open("ab"))
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _take_in(where: Path, files: Sequence[Path], orders: int, id_base: int) -> dict[str, float]:
    """New orders through the receiver and the worker to the sink; what is measured is the last file's, `orders` of
    them, each file before it holds one. Raises `VoidRun` unless each is mailed."""
    system = Grown()
    (where / "sink.log").unlink(missing_ok=True)
    with (
        _unread(where),
        mail.sink(where) as sink,
        started(system, where, roles=system.roles, sink_port=sink.port) as running,
    ):
        for done, each in enumerate(files[:-1]):
            _send(running.port, system.hook_path, each, 1, id_base + done)
            sink.wait_for(done + 1, quiet=FIRST_SECONDS, patience=FIRST_SECONDS)
        meter = accounting.Meter(*running.pids)
        took = _send(running.port, system.hook_path, files[-1], orders, id_base + len(files))
        expected = orders + len(files) - 1
        delivered = sink.wait_for(expected, quiet=FIRST_SECONDS, patience=e2e.PATIENCE_SECONDS + FIRST_SECONDS)
        usage = meter.read()
    if len({message.recipient for message in delivered}) != expected or len(delivered) != expected:
        raise VoidRun(f"{expected} orders, {len(delivered)} messages")
    return {"ack_s": took / orders, "mail_cpu_s": usage.cpu / orders, "foreign": usage.foreign}


def _send(port: int, hook_path: str, corpus_file: Path, orders: int, id_base: int) -> float:
    """Seconds until all were acknowledged."""
    load = Load(connections=min(CONNECTIONS, orders), seconds=60, count=orders, id_base=id_base)
    outcome = generator.run(load, port, hook_path, corpus_file)
    if outcome.errors or outcome.ok != orders:
        raise VoidRun(f"{outcome.ok} of {orders} accepted, {outcome.errors} errors")
    return outcome.seconds


def _at_size(bench: Bench, where: Path, number: int) -> dict[str, float]:
    per = bench.plan.growth_orders
    *files, first = _slices(bench, where, number)
    found = _take_in(where, files, per, (number + 1) << 20)
    ended = subprocess.run(
        [sys.executable, "-m", "bench.ours_growth", str(where), str(first), str(first + per)],
        cwd=native.HERE.parent,
        env={**os.environ, "PYTHONPATH": str(native.HERE.parent)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if ended.returncode:
        raise VoidRun((ended.stderr.strip().splitlines() or ["no reason given"])[-1])
    return found | json.loads(ended.stdout)


def _put(bench: Bench, size: int, found: Mapping[str, float], where: Path) -> None:
    doubt = "foreign load above 10 %" if found["foreign"] > stats.FOREIGN_ABOVE else ""
    for name in SHOWN:
        bench.results.put(f"growth.{size}.{name.removesuffix('_s')}_ms", found[name] * 1000, "ms", doubt)
    held = sum((where / name).stat().st_size for name in ("kiitos.db", "inbox.db"))
    bench.results.put(f"growth.{size}.bytes", held / size, "bytes an order")


def ratios(found: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """Each figure at the largest size over the same at the smallest."""
    least, most = found[min(found)], found[max(found)]
    return {name: stats.ratio(most[name], least[name]) for name in SHOWN}


def _put_ratios(bench: Bench, found: Mapping[int, Mapping[str, float]]) -> None:
    foreign = max(figures["foreign"] for figures in found.values())
    doubt = "foreign load above 10 %" if foreign > stats.FOREIGN_ABOVE else ""
    for name, value in ratios(found).items():
        bench.results.put(f"growth.ratio.{name.removesuffix('_s')}", value, f"x, {min(found)} to {max(found)}", doubt)


def table(found: Mapping[int, Mapping[str, float]]) -> str:
    """Milliseconds by size, in Markdown."""
    sizes: Sequence[int] = sorted(found)
    lines = [["ms", *(f"{size:,}" for size in sizes), "largest over smallest"], ["---"] * (len(sizes) + 2)]
    grown = ratios(found)
    for name, title in SHOWN.items():
        lines.append([title, *(f"{found[size][name] * 1000:.3g}" for size in sizes), f"{grown[name]:.2f}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _draw(bench: Bench, found: Mapping[int, Mapping[str, float]]) -> None:
    lines = {title: [(size, found[size][name] * 1000) for size in sorted(found)] for name, title in SHOWN.items()}
    path = native.CACHE / f"growth-{bench.began:%Y%m%dT%H%M%S}.svg"
    path.write_text(plot.draw("What an answer takes while orders grow", "orders kept", "milliseconds", lines), "utf-8")
    bench.results.remark(
        f"growth: drawn in {path.relative_to(native.HERE.parent)}; docs/images/growth.svg is a copy of the latest"
    )

"""The program before the newest migration, out of the repository's history, at work on the schema after it.

`lead` is one upgrade that is taken back and made again while orders come in: this program, the older one on the same
database, this program. Run by hand (`make older`) it prints the figures for docs/keeping.md.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from connector.app import load as load_app
from connector.config import load_config
from connector.store import Store, inbox
from connector.store.sql import MIGRATIONS
from connector.store.way_back import breaks, files_of
from connector.testing.fakes.smtp import MailSink
from tests.kill.load import Load
from tests.kill.product import Product

ROOT = Path(__file__).parents[2]
FOLDER = MIGRATIONS.relative_to(ROOT).as_posix()
PROGRAM = ("connector", "flows", "platforms", "webhooks", "pyproject.toml")
START = "from connector.cli import main; main()"
CONFIRMED, ASKED = "order-confirmation", "thanks"
PATIENCE = 120.0
LEG = 4
"""Orders of each leg at least."""


class NoHistory(Exception):
    """The repository's history is not here, or has no program the newest schema was made for."""


class Broken(AssertionError):
    """The older program does not work on the newer schema."""


@dataclass
class Upgrade:
    """What happened: orders posted in each leg, their webhooks, what the database has of them, and the mails."""

    orders: dict[str, int] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    customers: set[str] = field(default_factory=set)
    mails: Counter[tuple[str, str]] = field(default_factory=Counter)
    unknown: list[str] = field(default_factory=list)
    """Migrations of the database the older program has never heard of."""
    seconds: float = 0.0

    def lost(self) -> set[str]:
        return self.acknowledged - self.stored

    def not_once(self) -> dict[tuple[str, str], int]:
        """Mails that did not come exactly once to those whose whole order was acknowledged."""
        wanted = [(who, flow) for who in self.customers for flow in (CONFIRMED, ASKED)]
        return {mail: self.mails[mail] for mail in wanted if self.mails[mail] != 1}


def commit_before() -> str:
    """The last commit whose migrations are the first of today's and not all of them, and that today's schema admits.
    Raises `NoHistory`."""
    if not (ROOT / ".git").exists() or _git("rev-parse", "--is-shallow-repository") != "false":
        raise NoHistory("the repository's history is not here")
    now = list(files_of("work"))
    broken = [name for name in now if breaks(name, "work", "sqlite")]
    for commit in _git("log", "--format=%H", "--", f"{FOLDER}/work").split():
        listed = _git("ls-tree", "--name-only", f"{commit}^", f"{FOLDER}/work/").split()
        then = sorted(Path(name).stem for name in listed if name.endswith(".sql"))
        if then and then != now and then == now[: len(then)]:
            if any(name not in then for name in broken):
                raise NoHistory("the newest migration refuses the programs before it, and says so")
            return f"{commit}^"
    raise NoHistory("no commit has the schema before the newest")


def unpack(commit: str, folder: Path) -> Path:
    """The program of `commit` in `folder`, with the entry points it was installed with."""
    packed = subprocess.run(["git", "archive", commit, *PROGRAM], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tar.extractall(folder, filter="data")
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    installed = folder / f"kiitos-{project['version']}.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: kiitos\nVersion: {project['version']}\n")
    groups = {"console_scripts": project["scripts"], **project["entry-points"]}
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()) for group, points in groups.items()]
    (installed / "entry_points.txt").write_text("\n".join(lines))
    return folder


def lead(
    folder: Path, older: Path, *, database: str = "", spoil: Callable[[Store], None] | None = None, leg: int = LEG
) -> Upgrade:
    """This program, the one in `older`, this program again, on one database while orders come in. With `spoil` this
    program only makes the schema, and `spoil` changes it. Raises `Broken` when the older one cannot work."""
    done = Upgrade()
    began = monotonic()
    with MailSink() as sink:
        product = Product.set_up(folder, sink.port)
        new = (product.receiver, product.worker)
        app = folder / "app.toml"
        if database:
            app.write_text(app.read_text("utf-8").replace("sqlite:///kiitos.db", database), "utf-8")
        old = [sys.executable, "-c", START, "-c", str(app)]
        environ = {**os.environ, "PYTHONPATH": str(older), "PYTHONSAFEPATH": "1"}
        try:
            with Load(product.port, rate=6, threads=2) as load:
                if spoil is None:
                    product.start()
                    done.orders["this"] = _orders(load, leg, product)
                    _end(product)
                else:
                    _spoil(app, spoil)
                done.unknown = _unknown(old, environ)
                (folder / "log.jsonl").unlink(missing_ok=True)
                product.receiver, product.worker, product.environ = [*old, "serve"], [*old, "worker"], environ
                product.start()
                done.orders["older"] = _orders(load, leg, product, working=True)
                _wait("their mails", lambda: _mailed(sink, load) >= done.orders["older"], product, working=True)
                _end(product)
                product.receiver, product.worker, product.environ = *new, None
                product.start()
                done.orders["this again"] = _orders(load, leg, product)
                _finish(load, sink, product)
                done.acknowledged, done.customers = load.acknowledged.webhooks, load.acknowledged.customers
        finally:
            product.kill()
        done.mails, done.stored = _counted(sink), _stored(app)
    done.seconds = monotonic() - began
    return done


def _spoil(app: Path, spoil: Callable[[Store], None]) -> None:
    load_app(app, {}).close()
    with closing(Store.attach(load_config(app).app.database)) as store:
        spoil(store)


def _stored(app: Path) -> set[str]:
    with closing(Store.attach(load_config(app).app.database)) as store, store.inbox.read() as tx:
        return {entry.dedup_key for entry in inbox.after(tx, 0, 100_000)}


def _finish(load: Load, sink: MailSink, product: Product) -> None:
    """No more orders; wait for every mail of those that came."""
    load.stop()
    assert load.wait(), product.log()
    wanted = {(who, flow) for who in load.acknowledged.customers for flow in (CONFIRMED, ASKED)}
    _wait("the mails", lambda: wanted <= _counted(sink).keys(), product)
    _end(product)


def _orders(load: Load, count: int, product: Product, *, working: bool = False) -> int:
    """Wait for that many more orders; how many there are."""
    wanted = len(load.acknowledged.customers) + count
    _wait("orders", lambda: len(load.acknowledged.customers) >= wanted, product, working=working)
    return len(load.acknowledged.customers)


def _end(product: Product) -> None:
    codes = product.stop()
    assert codes == [0, 0], f"ended with {codes}\n{product.log()}"


def _wait(what: str, done: Callable[[], bool], product: Product, *, working: bool = False) -> None:
    end = monotonic() + PATIENCE
    while not done():
        if working and '"level":"error"' in product.log().replace('": "', '":"'):
            raise Broken(product.log())
        for process in product.running:
            if process.poll() is not None:
                raise Broken(f"ended with {process.returncode}\n{product.log()}")
        assert monotonic() < end, f"waited {PATIENCE:.0f} s for {what}\n{product.log()}"
        threading.Event().wait(0.05)


def _unknown(old: list[str], environ: Mapping[str, str]) -> list[str]:
    told = subprocess.run([*old, "db", "status", "--json"], env=environ, capture_output=True, text=True, timeout=60)
    try:
        return list(json.loads(told.stdout)["work"]["unknown"])
    except (ValueError, KeyError) as error:
        raise Broken(told.stdout + told.stderr) from error


def _counted(sink: MailSink) -> Counter[tuple[str, str]]:
    """Mails by who got them and which flow they are of: only those of advertising's class can be unsubscribed."""
    return Counter(
        (m.recipients[0], ASKED if b"list-unsubscribe" in m.content.split(b"\r\n\r\n")[0].lower() else CONFIRMED)
        for m in list(sink.messages)
    )


def _mailed(sink: MailSink, load: Load) -> int:
    """How many of those whose order was acknowledged have their confirmation."""
    return len({who for who, flow in _counted(sink) if flow == CONFIRMED} & load.acknowledged.customers)


def main() -> None:
    """Print the figures for docs/keeping.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=30, help="At least so many in each leg.")
    parser.add_argument("--database", default="", help="A PostgreSQL DSN with an empty database; otherwise SQLite.")
    asked = parser.parse_args()
    commit = commit_before()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        done = lead(Path(one), unpack(commit, Path(other)), database=asked.database, leg=asked.orders)
    subject = _git("log", "-1", "--format=%h %s", commit)
    print(f"the program before: {subject}\nmigrations it does not know: {', '.join(done.unknown)}")
    print(f"orders after each leg: {done.orders}; {sum(done.mails.values())} mails, {done.seconds:.0f} s")
    print(f"acknowledged and lost: {len(done.lost())}; mails that did not come once: {len(done.not_once())}")
    sys.exit(bool(done.lost() or done.not_once()))


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoHistory(f"git {words[0]}: {error}") from error
    return done.stdout.strip()


if __name__ == "__main__":
    main()

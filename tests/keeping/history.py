"""An installation with a long history: an order lived through by the product, and copies of its rows; how long it takes
to back up and to put back, and how long `kiitos db copy` freezes it.

    python -m tests.keeping.history --orders 100000 [--to postgresql://...]

An empty PostgreSQL database is filled from SQLite, and an empty SQLite file from that. Nobody is served meanwhile.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from bench import cloning
from connector.clock import SystemClock
from connector.keeping.moving import Moved, move
from connector.store.packing import PLAIN
from connector.store.sqlite import Sqlite
from connector.store.store import Store
from connector.store.tables import count_rows, tables_of
from connector.testing.fakes.smtp import MailSink
from tests.kill.load import MAIN, Load, _Client
from tests.kill.product import KIITOS, Product

LEAST = 6
"""Letters of a name that is replaced wherever it stands."""


def grow(folder: Path, orders: int) -> int:
    """Add that many copies of the newest order to the databases of a product that does not run; how many rows both have
    then."""
    with closing(Sqlite(folder / "kiitos.db")) as work, work.read() as tx:
        order_id = str(tx.fetch("SELECT order_id FROM runs ORDER BY created_at DESC LIMIT 1")[0][0])
    template = cloning.read_template(folder, order_id)
    # A short name, such as a guest's customer id 0, stands in the middle of times and amounts.
    template = replace(template, names={name: sql for name, sql in template.names.items() if len(name) >= LEAST})
    cloning.grow(folder, template, 1, orders + 1)
    with closing(Sqlite(folder / "inbox.db")) as inbox, inbox.transaction() as tx:
        tx.script("UPDATE inbox SET encoding = ? WHERE length(body) = 0", (PLAIN,))  # so that an erasure can read them
    rows = 0
    for name in ("kiitos.db", "inbox.db"):
        with closing(Sqlite(folder / name)) as database, database.read() as tx:
            rows += sum(count_rows(tx, tables_of(tx, database)).values())
    return rows


def lived(folder: Path, orders: int) -> int:
    """An installation of the product with that many orders behind it; its rows."""
    with MailSink() as sink:
        product = Product.set_up(folder, sink.port)
        product.start()
        try:
            load = Load(product.port, rate=1)
            _, paid = next(load._bodies)
            assert load._post(_Client(product.port), MAIN, "orders/paid", paid, "the-one")
            while len(sink.messages) < 2:
                SystemClock().sleep(0.1)
            SystemClock().sleep(1)
            product.stop()
        finally:
            product.kill()
    return grow(folder, orders)


def told(way: str, moved: Moved) -> str:
    rows = sum(moved.rows.values())
    return (
        f"{way}: {rows} rows; {moved.copying:.1f} s while everything went on, frozen for {moved.frozen:.1f} s,"
        f" of which webhooks were refused for {moved.closed:.1f} s"
    )


def put_back(folder: Path) -> None:
    """Back up, lose the files, restore; by command, as an operator does."""
    for words in (("backup", "--json"), ("restore", "from", "latest", "--json")):
        if words[0] == "restore":
            for pattern in ("kiitos.db*", "inbox.db*"):
                for path in filter(Path.is_file, folder.glob(pattern)):
                    path.unlink()
        began = SystemClock().monotonic()
        command = [str(KIITOS), "-c", str(folder / "app.toml"), *words]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
        print(f"kiitos {' '.join(words)}: {SystemClock().monotonic() - began:.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--to", default="", help="An empty PostgreSQL database to move to, and back from.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{asked.orders} orders, {lived(folder, asked.orders)} rows", flush=True)
        if not asked.to:
            put_back(folder)
            return
        clock = SystemClock()
        with (
            closing(Store.attach(f"sqlite:///{folder / 'kiitos.db'}")) as first,
            closing(Store.open(asked.to)) as second,
            closing(Store.open(f"sqlite:///{folder / 'back' / 'kiitos.db'}")) as third,
        ):
            print(told("SQLite to PostgreSQL", move(first, second, clock)), flush=True)
            print(told("PostgreSQL to SQLite", move(second, third, clock)))


if __name__ == "__main__":
    main()

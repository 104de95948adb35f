"""The floor without a compiler: one selectors loop, hmac, sqlite3, one COMMIT per round. Same arguments as floor.c.

It is lower than the machine's limit, so the run says which floor it used and the floor ratios are not gated.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import selectors
import socket
import sqlite3
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import sql

ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
PASSIVE_ABOVE = 4 << 20


class Client:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.data = b""
        self.headers: dict[bytes, bytes] = {}
        self.body = b""

    def parse(self) -> bool:
        """Whether a whole request has come."""
        head, mark, rest = self.data.partition(b"\r\n\r\n")
        if not mark:
            return False
        pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
        self.headers = {name.lower(): value.strip() for name, _, value in pairs}
        length = int(self.headers.get(b"content-length", b"0"))
        self.body = rest[:length]
        return len(rest) >= length

    def answer(self, text: bytes) -> None:
        self.data = b""
        self.sock.sendall(text)


class Floor:
    def __init__(self, options: argparse.Namespace) -> None:
        self.mode, self.secret, self.database = options.m, options.k.encode(), options.d
        self.sql = sql.statements(Path(options.q))
        self.writing = threading.Lock()
        if self.mode == "store":
            self.db = self.connect()
            self.db.execute(self.sql["schema"])
            threading.Thread(target=self.checkpoint_forever, daemon=True).start()

    def connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.database, isolation_level=None, check_same_thread=False)
        for pragma in (*sql.PRAGMAS, "PRAGMA wal_autocheckpoint=0"):
            db.execute(pragma)
        return db

    def checkpoint_forever(self) -> None:
        db, wal = self.connect(), Path(f"{self.database}-wal")
        while True:
            time.sleep(0.1)
            if wal.exists() and wal.stat().st_size > PASSIVE_ABOVE:
                db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                if wal.stat().st_size > 16 * PASSIVE_ABOVE:
                    with self.writing:
                        db.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()

    def wanted(self, client: Client) -> bool:
        """Answers at once what needs no storage; `True` for what must be committed first."""
        if client.data.startswith(b"GET ") or self.mode == "echo":
            client.answer(ACCEPTED)
            return False
        expected = base64.b64encode(hmac.new(self.secret, client.body, hashlib.sha256).digest())
        if not hmac.compare_digest(expected, client.headers.get(b"x-shopify-hmac-sha256", b"")):
            client.answer(REFUSED)
            return False
        if self.mode == "hmac":
            client.answer(ACCEPTED)
        return bool(self.mode == "store")

    def store(self, clients: list[Client]) -> None:
        at = datetime.now(UTC).isoformat()
        rows = [
            {
                "shop_id": client.headers.get(b"x-shopify-shop-domain", b"").decode(),
                "topic": client.headers.get(b"x-shopify-topic", b"").decode(),
                "dedup_key": client.headers.get(b"x-shopify-webhook-id", b"").decode(),
                "received_at": at,
                "headers": "{}",
                "encoding": 0,
                "body": client.body,
            }
            for client in clients
        ]
        with self.writing:
            self.db.execute("BEGIN IMMEDIATE")
            self.db.executemany(self.sql["insert"], rows)
            self.db.execute("COMMIT")
        for client in clients:
            client.answer(ACCEPTED)

    def serve(self, port: int) -> None:
        listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            while True:
                whole = [c for key, _ in selector.select() if (c := self.readable(selector, key, listener)) is not None]
                batch = [client for client in whole if self.wanted(client)]
                if batch:
                    self.store(batch)

    def readable(
        self, selector: selectors.DefaultSelector, key: selectors.SelectorKey, listener: socket.socket
    ) -> Client | None:
        if key.fileobj is listener:
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(sock, selectors.EVENT_READ, Client(sock))
            return None
        client: Client = key.data
        try:
            data = client.sock.recv(262144)
        except ConnectionError:
            data = b""
        if not data:
            selector.unregister(client.sock)
            client.sock.close()
            return None
        client.data += data
        return client if client.parse() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-p", type=int, required=True)
    parser.add_argument("-m", choices=("echo", "hmac", "store"), default="store")
    parser.add_argument("-d", default="floor.db")
    parser.add_argument("-q", default=str(sql.INBOX_SQL))
    parser.add_argument("-k", default="")
    options = parser.parse_args()
    Floor(options).serve(options.p)


if __name__ == "__main__":
    main()

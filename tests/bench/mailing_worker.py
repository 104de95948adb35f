"""A worker for the harness's own tests: mails each order of an inbox once. `--drop N` forgets every Nth order."""

from __future__ import annotations

import argparse
import json
import select
import smtplib
import sqlite3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--inbox", required=True)
    parser.add_argument("--sent", required=True)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--drop", type=int, default=0)
    options = parser.parse_args()
    sent = sqlite3.connect(options.sent, isolation_level=None)
    sent.execute("CREATE TABLE IF NOT EXISTS sent (id INTEGER PRIMARY KEY)")
    smtp = smtplib.SMTP("127.0.0.1", options.smtp_port)
    while True:
        (last,) = sent.execute("SELECT COALESCE(MAX(id), 0) FROM sent").fetchone()
        for number, body in waiting(options.inbox, last):
            order = json.loads(body)
            if not options.drop or number % options.drop:
                text = (
                    f"Subject: Order {order['name']}\r\nMessage-ID: <{order['id']}@example.com>\r\n\r\nThank you!\r\n"
                )
                smtp.sendmail("hello@example.com", [order["email"]], text)
            sent.execute("INSERT INTO sent VALUES (?)", (number,))
        select.select([], [], [], 0.02)


def waiting(inbox: str, last: int) -> list[tuple[int, bytes]]:
    """Rows after `last`; none while the receiver has not made its table yet."""
    try:
        with sqlite3.connect(f"file:{inbox}?mode=ro", uri=True, timeout=10) as db:
            rows = db.execute("SELECT id, body FROM inbox WHERE id > ? ORDER BY id", (last,)).fetchall()
        db.close()
    except sqlite3.OperationalError:
        return []
    return rows


if __name__ == "__main__":
    main()

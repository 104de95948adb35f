"""The least a rendered order confirmation can cost in Python: orjson, str.join, html.escape, prepared MIME bytes.

No template language, no locale, no policy. It is a yardstick for the render phase, not something anyone should ship.
"""

from __future__ import annotations

import base64
from html import escape
from typing import Any

import orjson

_ROW = (
    '<tr><td style="padding:8px;border-bottom:1px solid #eee">{}</td><td style="padding:8px;text-align:right">{}</td>'
    '<td style="padding:8px;text-align:right">{} €</td></tr>'
)
_STYLE = "".join(f".block-{n}{{font-family:Helvetica,Arial,sans-serif;padding:{n % 24}px}}" for n in range(160))
_TOP = f'<!doctype html><html><head><meta charset="utf-8"><style>{_STYLE}</style></head><body>'


def html_of(order: dict[str, Any]) -> str:
    """About 10 KB of HTML with a row for every line item."""
    name, first = escape(order["name"]), escape(order["customer"]["first_name"])
    rows = [_ROW.format(escape(line["title"]), line["quantity"], line["price"]) for line in order["line_items"]]
    parts = [_TOP, f"<h1>Thank you, {first}!</h1><p>Your order {name} is confirmed.</p><table>", *rows]
    parts.append(f"</table><p>Total {order['total_price']} €</p></body></html>")
    return "".join(parts)


def message_of(body: bytes) -> bytes:
    """A finished MIME message (text and HTML part) from the body of an orders/create delivery."""
    order = orjson.loads(body)
    text = f"Thank you, {order['customer']['first_name']}!\r\nYour order {order['name']} is confirmed.\r\n"
    head = (
        f"From: Bench <hello@bench.example.com>\r\nTo: <{order['email']}>\r\nSubject: Order {order['name']}\r\n"
        f"Message-ID: <{order['id']}@bench.example.com>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/alternative; boundary="=_bench"\r\n\r\n'
    )
    part = '--=_bench\r\nContent-Type: text/{}; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    sections = (("plain", text), ("html", html_of(order)))
    encoded = (
        part.format(kind).encode() + base64.encodebytes(content.encode()).replace(b"\n", b"\r\n")
        for kind, content in sections
    )
    return head.encode() + b"".join(encoded) + b"--=_bench--\r\n"

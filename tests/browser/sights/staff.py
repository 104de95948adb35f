"""What the merchant's people are sent: deliveries that could not be used, a task, a customer's data."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlsplit

from connector.pages import failed
from connector.testing.demo.mailbox import read_mail
from connector.testing.world import SHOPIFY, World
from tests.pages.test_failed import bury

TASK = """
id = "sweep-task"
title = "Ask a person"
trigger = "order.delivered"
purpose = "transactional"
subject = "order"
reentry = "once"

[[steps]]
id = "ask"
do = "task"
to = "anna"
ask = "May {order.number} have 100 points?"
timeout = "60d"
otherwise = "refused"
"""
FLOWS = {"sweep-task": TASK}
SETTINGS = {"people": {"anna": {"email": "anna@example.test", "name": "Anna"}}}
REASON = "line_items[0].price: <b>'twelve'</b> is no amount of money; expected a text like \"12.00\""


def prepare(world: World) -> None:
    world.shopify.request_data(next(iter(world.shopify.customers.values())))


def pages(world: World) -> dict[str, str]:
    bury(world, SHOPIFY, 3, REASON)
    dead = failed.new_link(world.kiitos, SHOPIFY, timedelta(days=3650))
    texts = [read_mail(number, kept).text for number, kept in enumerate(world.sink.messages)]
    found = {"dead": urlsplit(dead).path}
    for kind in ("task", "data"):
        addresses = (address for text in texts for address in re.findall(rf"https?://\S+/p/{kind}/\w+", text))
        found[kind] = urlsplit(next(addresses)).path
    return found

"""A notification on its way: the browsers it goes to are read right before it leaves, and kept nowhere else."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from connector.app import Kiitos
from connector.contracts import Accepted, Message, Outcome, Rejected
from connector.model import email_key
from connector.store import push_subscriptions
from connector.store.db import Tx

PUSH = "push"


def addressed(kiitos: Kiitos, message: Message) -> Message:
    """The message as its channel needs it. Any but a notification goes as it is."""
    if message.channel != PUSH:
        return message
    with kiitos.store.work.read() as tx:
        found = push_subscriptions.of(tx, kiitos.vault, message.shop_id, email_key(message.recipient) or "")
    told = [{"id": each.id, **asdict(each)} for each in found]
    return replace(message, headers={**message.headers, "subscriptions": json.dumps(told)})


def forget_gone(tx: Tx, shop_id: str, outcome: Outcome) -> None:
    """Browsers that a push service knows no more."""
    if isinstance(outcome, Accepted | Rejected) and outcome.gone:
        push_subscriptions.drop(tx, shop_id, outcome.gone)

"""After a standstill: what is overdue is worked off in the order of what was promised, order messages first.

How fast a hundred thousand due among a million sleepers are met is a phase of the bench (`--phase restart`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from connector.contracts import Message
from connector.working.intake import Intake
from tests.kill.product import THANKS

from .installation import Counting, Installation

ORDERS = 500
ROUNDS = 1
"""Batches woken before messages are sent: to a thousand what the product's fifty are to a hundred thousand."""
LATER = """
id = "{id}"
title = "Later"
trigger = "order.paid"
purpose = "{purpose}"
subject = "order"
reentry = "once"

[[steps]]
id = "pause"
do = "wait"
span = "{span}"

[[steps]]
id = "tell"
do = "send"
template = "{template}"
"""
FLOWS = {
    "thanks.toml": {"id": THANKS, "purpose": "review", "span": "1d", "template": "review_request"},
    "confirm.toml": {
        "id": "order-confirmation",
        "purpose": "transactional",
        "span": "30h",
        "template": "order_confirmation",
    },
}


class Noting(Counting):
    """Notes of each message, in order, whether it is of the marketing class."""

    def __init__(self) -> None:
        super().__init__()
        self.marketing: list[bool] = []

    def take(self, message: Message) -> None:
        super().take(message)
        self.marketing.append(message.purpose.needs_consent)


@pytest.fixture
def channel() -> Noting:
    return Noting()


@pytest.fixture
def here(tmp_path: Path, channel: Noting) -> Iterator[Installation]:
    """A thousand runs overdue: half of them since hours with a question, half since an hour with news of the order."""
    Installation(tmp_path, channel).close()
    for name, flow in FLOWS.items():
        (tmp_path / name).write_text(LATER.format(**flow), encoding="utf-8")
    config = tmp_path / "app.toml"
    config.write_text(
        config.read_text("utf-8").replace('file = "order_confirmation"', 'file = "confirm.toml"'), "utf-8"
    )
    with closing(Installation(tmp_path, channel)) as made:
        assert set(made.receive(made.orders(ORDERS))) == {200}
        made.worker().drain()
        assert not channel.taken
        made.clock.advance(timedelta(hours=31))
        yield made


def test_of_a_thousand_overdue_every_order_message_goes_first(
    here: Installation, channel: Noting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.worker.WAKE_ROUNDS", ROUNDS)
    here.worker().drain()
    assert channel.marketing == [False] * ORDERS + [True] * ORDERS


def test_control_without_the_order_messages_flows_first_they_wait(
    here: Installation, channel: Noting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.worker.WAKE_ROUNDS", ROUNDS)
    monkeypatch.setattr(Intake, "wake_first", lambda self: 0)
    here.worker().drain()
    assert channel.marketing[:ORDERS] != [False] * ORDERS
    assert sorted(channel.marketing) == [False] * ORDERS + [True] * ORDERS

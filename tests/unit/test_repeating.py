"""What a lost answer leaves in doubt."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connector.model import by_itself
from flows.sending.repeating import in_doubt

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "request_", "tainted", "doubt"),
    [
        ("message", {"template": "thanks"}, True, True),
        ("message", {"template": "thanks"}, False, False),
        ("platform", {"do": "give_reward", "grant": "store_credit"}, True, True),
        ("platform", {"do": "issue_gift_card", "grant": "gift_card"}, True, True),
        ("platform", {"do": "issue_gift_card", "grant": "gift_card"}, False, False),
        # Done again it is the same, and nobody was told of it: a code without a reader, a tag.
        ("platform", {"do": "create_discount", "discount": {"code": "A"}}, True, False),
        ("platform", {"do": "tag_order"}, True, False),
    ],
)
def test_messages_and_money_are_in_doubt(kind: str, request_: dict[str, object], *, tainted: bool, doubt: bool) -> None:
    effect = replace(by_itself("shop", "e1", kind, request_, NOW), tainted=tainted)
    assert in_doubt(effect) is doubt

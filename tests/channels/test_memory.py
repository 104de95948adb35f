"""The channel that keeps messages, and its scripted answers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector.clock import ManualClock
from connector.contracts import Accepted, Rejected, Retry, Unknown
from connector.errors import ConfigError
from flows.channels.memory import Memory

from .conftest import message

CLOCK = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


def test_messages_are_kept_in_order():
    channel = Memory.from_settings({}, CLOCK)
    assert [type(o) for o in channel.send_all([message("a"), message("b")])] == [Accepted, Accepted]
    assert [kept.key for kept in channel.messages] == ["a", "b"]


def test_a_scripted_answer_is_given_once():
    channel = Memory()
    for answer in (
        Rejected(key="a", code="550", text="no"),
        Retry(key="b", text="later"),
        Unknown(key="c", text="no answer"),
    ):
        channel.script(answer)
    batch = [message(key) for key in "abc"]
    assert [type(o) for o in channel.send_all(batch)] == [Rejected, Retry, Unknown]
    assert [kept.key for kept in channel.messages] == ["c"]  # the server took it, only its answer was lost
    assert [type(o) for o in channel.send_all(batch)] == [Accepted, Accepted, Accepted]


def test_an_unknown_may_also_mean_not_taken():
    channel = Memory()
    channel.accepts_unknown = False
    channel.script(Unknown(key="a", text="no answer"))
    assert [type(o) for o in channel.send_all([message("a")])] == [Unknown]
    assert channel.messages == []


def test_an_unknown_key_is_an_error():
    with pytest.raises(ConfigError):
        Memory.from_settings({"hots": "x"}, CLOCK)

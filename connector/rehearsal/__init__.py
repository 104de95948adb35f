"""Rehearsing flows: given what happens, who hears what and when. The production code path on a clock of its own.

A flow's file may carry its own tests:

    [[tests]]
    name = "asked ten days after the parcel arrived, reminded once"
    given = ["0d order", "1d shipped", "3d delivered"]
    expect = ["13d review_request", "20d review_reminder"]

    [[tests]]
    name = "a refund before the question"
    given = ["0d order", "1d shipped", "3d delivered", "5d refunded"]
    expect = []
    why = "refund.created"

`kiitos flows test` runs them in milliseconds each: real runner, policy, outbox and templates, a store in memory, and a
platform and a mail channel that only keep what they are given.
"""

from connector.rehearsal.life import Life
from connector.rehearsal.script import FlowTest, Happening, read_happening, read_tests
from connector.rehearsal.stage import Outcome, Stage
from connector.rehearsal.vocabulary import VOCABULARY

__all__ = [
    "VOCABULARY",
    "FlowTest",
    "Happening",
    "Life",
    "Outcome",
    "Stage",
    "read_happening",
    "read_tests",
]

"""The same lines for people: one line each, through the same net."""

from __future__ import annotations

import io
import logging

import pytest

from connector import log


@pytest.fixture
def written():  # type: ignore[no-untyped-def]
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    ours = logging.getLogger("kiitos")
    before = ours.level
    log.configure(stream=stream, form="text")
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(before)


def test_a_line_for_people(written: io.StringIO) -> None:
    log.get_log("here").warning("went_wrong", shop_id="s", reason="no aino@example.com\nsecond line", email="x")
    line = written.getvalue()
    assert line.endswith(
        'warning here: went_wrong  shop_id="s"  reason="no [email]\\nsecond line"  email="[redacted]"\n'
    )
    assert line.count("\n") == 1

"""Log lines: their shape, bound fields, and what the net catches."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.errors import StoreUnavailable
from connector.log import JsonFormatter, bound, get_log, redact


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What goes to the handler of `kiitos.probe`."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("kiitos.probe")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield stream
    logger.removeHandler(handler)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_its_fields(written: io.StringIO) -> None:
    at = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    get_log("probe").info("stored", rows=3, ready=True, at_time=at, ids=("a", "b"), nothing=None)
    (line,) = lines(written)
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "info",
        "log": "probe",
        "event": "stored",
        "rows": 3,
        "ready": True,
        "at_time": "2026-11-22T08:00:00.000000Z",
        "ids": ["a", "b"],
        "nothing": None,
    }


def test_bound_fields_are_on_every_line_inside_and_on_none_outside(written: io.StringIO) -> None:
    log = get_log("probe")
    with bound(shop_id="s1"), bound(delivery_id=7):
        log.warning("inside", shop_id="s2")
    log.warning("outside")
    inside, outside = lines(written)
    assert (inside["shop_id"], inside["delivery_id"]) == ("s2", 7), "a line's own field is nearer than a bound one"
    assert "shop_id" not in outside


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("no such user aino.k+x@mail.example.com!", "no such user [email]!"),
        ("call +358 40 123 4567 now", "call [phone] now"),
        ("token shpat_0123456789abcdef", "token [credential]"),
        ("ck_0123456789abcdef0123456789abcdef01234567", "[credential]"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer [credential]"),
        ("POST /hooks/shopify/k1shoponeone 404", "POST /hooks/shopify/[key] 404"),
        ("GET /x?a=1&access_token=abc&b=2", "GET /x?a=1&access_token=[redacted]&b=2"),
        ("postgresql://kiitos:hunter2@db/kiitos", "postgresql://kiitos:[redacted]@db/kiitos"),
        ("line 12 of 2026-11-22 took 120 ms", "line 12 of 2026-11-22 took 120 ms"),
        ("lone \ud800 surrogate", "lone \\ud800 surrogate"),
    ],
)
def test_the_net(text: str, clean: str) -> None:
    assert redact(text) == clean


def test_fields_are_hidden_by_name_and_caught_by_content(written: io.StringIO) -> None:
    get_log("probe").info(
        "odd", email="a", webhook_secret="b", email_key="k9", note="to a@b.example", deep={"phone": "1"}, body=b"12345"
    )
    (line,) = lines(written)
    assert (line["email"], line["webhook_secret"], line["email_key"]) == ("[redacted]", "[redacted]", "k9")
    assert (line["note"], line["deep"], line["body"]) == ("to [email]", {"phone": "[redacted]"}, "[redacted]")


def test_an_error_keeps_its_places_and_only_our_own_words(written: io.StringIO) -> None:
    log = get_log("probe")
    for error in (StoreUnavailable("inbox.db: the disk is full"), KeyError("aino@example.com")):
        try:
            raise error
        except (StoreUnavailable, KeyError) as caught:
            log.exception("failed", caught)
    ours, foreign = lines(written)
    assert (ours["error"], ours["error_text"]) == ("StoreUnavailable", "inbox.db: the disk is full")
    assert (foreign["error"], foreign["error_text"]) == ("KeyError", "")
    assert "test_an_error_keeps" in foreign["trace"][-1]
    assert "aino" not in written.getvalue()


def test_lines_of_other_libraries_pass_the_same_net(written: io.StringIO) -> None:
    logging.getLogger("kiitos.probe").warning("sent to %s", "a@b.example")
    assert lines(written)[0]["event"] == "sent to [email]"

"""Cells that a spreadsheet would run are made text, and are read back as they were."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.lists import consent_lists
from connector.lists.spreadsheet import guard, unguard
from connector.model import Channel, Consent, ConsentState, Purpose
from connector.store import Store, consents

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
EVIL = ["=cmd|' /C calc'!A0", "+358401234567", "-2+3", "@SUM(A1)", "\t=1", "\r=1"]


@pytest.mark.parametrize("text", EVIL)
def test_what_would_run_does_not(text: str) -> None:
    assert guard(text) == f"'{text}"


@pytest.mark.parametrize("text", ["Katu 1", "", "aino@example.com", "'quoted'", "2026-11-23"])
def test_what_is_plain_stays(text: str) -> None:
    assert guard(text) == text


@given(st.text(alphabet=st.sampled_from("=+-@\t\r'ab1 "), max_size=8))
@settings(max_examples=200)
def test_what_was_guarded_is_read_as_it_was(text: str) -> None:
    assert unguard(guard(text)) == text or text.startswith("'")
    assert guard(text)[:1] not in ("=", "+", "-", "@", "\t", "\r")


def test_a_ledger_with_numbers_and_formulas_goes_out_and_comes_back(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/a.db")
    with store.work.transaction() as tx:
        for channel, address, evidence in (
            (Channel.SMS, "+358401234567", EVIL[0]),
            (Channel.EMAIL, "a@example.com", "x"),
        ):
            decided = Consent(
                channel=channel,
                purpose=Purpose.MARKETING,
                state=ConsentState.GRANTED,
                raw_state="granted",
                at=NOW,
                source="form",
                address=address,
                evidence=evidence,
            )
            consents.record(tx, "shop", decided, NOW)
    out = io.StringIO()
    assert consent_lists.write(store, "shop", out) == 2
    cells = [cell for row in csv.reader(io.StringIO(out.getvalue())) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
    back = list(consent_lists.read(io.StringIO(out.getvalue()), "a.csv", NOW))
    assert [(one.address, one.evidence) for one in back if isinstance(one, Consent)] == [
        ("+358401234567", EVIL[0]),
        ("a@example.com", "x"),
    ]
    store.close()

"""Every reason of referrals and vouchers is told in words: in `kiitos`, and on the page of the shop's people."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.config.referrals import RULES
from connector.explaining import explain
from connector.model import EventKind
from connector.pages.frame import languages, strings
from connector.referring import because
from connector.store import vouchers
from connector.store.events import EventRow
from connector.store.referrals import ReferralRow
from connector.store.vouchers import Voucher
from flows.referring import programme, reasons
from flows.referring.reasons import reason_text, voucher_text
from flows.value.exchanging import RETURNED

_CODE = re.compile(r"[a-z]+([._][a-z]+)+")
_SAYS = {
    "flows/referring/rules.py": {"_no_referral", "_not_wanted"},
    "flows/referring/programme.py": {"_why", "_counted_once", "_judged", "_earlier_came", "decide"},
    "flows/referring/programmes.py": {"ended"},
}
"""The functions that name a reason."""
_NO_REASONS = {"held", "refused", "reversed", "rewarded", "review", "order", "referral_id", "code", "reason", "kind"}


def said_in(repo: Path) -> set[str]:
    """The codes that stand in those functions."""
    found: set[str] = set()
    for path, names in _SAYS.items():
        for each in ast.walk(ast.parse((repo / path).read_text("utf-8"))):
            if isinstance(each, ast.FunctionDef) and each.name in names:
                texts = (part.value for part in ast.walk(each) if isinstance(part, ast.Constant))
                found |= {text for text in texts if isinstance(text, str) and _CODE.fullmatch(text)}
    return found - _NO_REASONS


def test_every_code_is_told_in_words() -> None:
    written = said_in(Path(__file__).parents[2])
    assert {"test_order", "existing_customer", "over_cap", "refused_by_person", "below_minimum"} <= written, "the walk"
    kinds = {str(kind) for kind in programme._TAKES_BACK} | {str(EventKind.ORDER_UPDATED)}
    codes = written | set(RULES) | set(reasons.REASONS) | kinds | {reasons.NOT_MADE, reasons.NOT_GIVEN, reasons.UNDONE}
    codes |= {reasons.FORGOTTEN}
    raw = {code for code in codes if _CODE.search(reason_text(code)) or reason_text(code) == code}
    assert raw == set()
    assert reason_text("nobody_knows") == "nobody_knows", "the control: what is not in the table would be seen"
    assert reason_text("the shop said: no") == "the shop said: no"


def test_several_signs_are_several_sentences() -> None:
    assert reason_text("velocity same_device").count(";") == 1
    assert "_" not in reason_text(" ".join(RULES))


def row(state: str, reason: str = "", signs: tuple[str, ...] = ()) -> ReferralRow:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    return ReferralRow("r", "C", "a@x.test", None, "17", state, reason, at, at, signs=signs)


@pytest.mark.parametrize("code", sorted(reasons.REASONS))
def test_referrals_and_explain_say_the_same(code: str) -> None:
    text = reasons.REASONS[code]
    assert because(row("refused", code)) == [text]
    assert because(row("review", signs=(code,))) == [text]
    at = datetime(2026, 3, 2, tzinfo=UTC)
    told = EventRow(kind="referral.refused", key="k", subject_kind="order", subject_id="17", at=at, recorded_at=at, delivery_id=None, data={"reason": code})  # fmt: skip # noqa: E501
    line = explain._of_event(told, "17")
    assert line.text == f"referral.refused (order 17): {text}"


@pytest.mark.parametrize("sign", sorted({*RULES, "over_cap"}))
def test_the_staffs_page_has_words_for_what_may_wait(sign: str) -> None:
    for language in languages():
        text = strings(language)[f"queue.{sign}"]
        assert not _CODE.search(text)
        assert text != sign


STATES = (vouchers.ISSUED, vouchers.USED, vouchers.VOIDING, vouchers.VOIDED, vouchers.KEPT)


def test_what_became_of_a_voucher() -> None:
    assert set(reasons.STATES) == set(STATES)
    given = Voucher(key="THANKS-1", account="a", effect_id="e", kind="discount", worth="10 %", cause="referral/r")
    for state in STATES:
        for reason in ("", RETURNED, "refund.created", "advocate_forgotten", "it was used, or is not there any more"):
            text = voucher_text(replace(given, state=state, reason=reason))
            assert not _CODE.search(text), text
    kept = replace(given, state=vouchers.KEPT, used_order="17", reason="refund.created")
    expected = "could not be taken back: it was used in order 17 and is owed (money went back to the friend)"
    assert voucher_text(kept) == expected
    assert json.dumps(voucher_text(given)) == '"not used yet"'

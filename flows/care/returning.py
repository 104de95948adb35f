"""An approved return is opened in the shop, where its platform has returns: once a case, looked for before it is asked.

The effect is no run's. What became of it is read from the outbox for people (`standing`), so it is never told wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connector.clock import from_text, to_text
from connector.contracts import Access, OpensReturns, PlatformAdapter, ReturnRequest
from connector.errors import Refused
from connector.model import Effect, EffectStatus, by_itself
from connector.model.case import ACCEPTED, ARRIVED, RETURN
from connector.store import cases, effects
from connector.store.cases import CaseRow
from connector.store.db import Tx

OPEN_RETURN = "return"
"""The kind of effect that opens a return in the platform."""
MOST_TRIES = 20
"""How often a person may ask the shop again after a refusal, for one case."""
ASKED, OPENED, REFUSED, UNCLEAR = "asked", "opened", "refused", "unclear"
_STANDS = {
    EffectStatus.PENDING: ASKED,
    EffectStatus.SENDING: ASKED,
    EffectStatus.SENT: OPENED,
    EffectStatus.UNCERTAIN: UNCLEAR,
}


@dataclass(frozen=True, slots=True)
class InShop:
    """How a case's return stands in the shop: `asked`, `opened`, `refused` or `unclear`; `told` is its name there, or
    why it was refused."""

    state: str
    told: str


def wants_return(row: CaseRow) -> bool:
    """Whether a case is a return that a person has approved."""
    return row.kind == RETURN and row.state in (ACCEPTED, ARRIVED) and bool(row.lines)


def ask_shop(tx: Tx, adapter: PlatformAdapter, row: CaseRow, now: datetime) -> bool:
    """Have the shop open a return for an approved case; `False` where its platform has none, where it is being asked,
    and where it has been opened. After a refusal it is asked anew."""
    if not isinstance(adapter, OpensReturns) or not wants_return(row):
        return False
    tries = _tries(tx, row)
    if len(tries) >= MOST_TRIES or (tries and _STANDS.get(tries[-1].status) in (ASKED, OPENED)):
        return False
    pieces: dict[str, int] = {}
    for line in row.lines:
        pieces[line.line_id] = pieces.get(line.line_id, 0) + line.quantity
    request = {"do": OPEN_RETURN, "case": row.case_id, "lines": pieces, "reason": row.reason}
    request |= {"asked_at": to_text(row.opened_at), "platform_id": row.platform_id}
    name = _name(row, len(tries))
    return effects.put(tx, by_itself(row.shop_id, name, OPEN_RETURN, request, now, order_id=row.order_id))


def write_return(adapter: PlatformAdapter, access: Access, effect: Effect) -> dict[str, str]:
    """Carry such an effect out. Raises what the adapter raises."""
    if not isinstance(adapter, OpensReturns):
        raise Refused(f"platform '{adapter.name}' has no returns")
    told = effect.request
    made = adapter.open_return(
        access,
        ReturnRequest(
            key=f"{effect.shop_id}/case/{told['case']}",
            order_id=effect.order_id or "",
            lines={str(line): int(quantity) for line, quantity in told["lines"].items()},
            requested_at=from_text(str(told["asked_at"])),
            reason=str(told["reason"]),
            note=f"Kiitos case {told['case']}",
            platform_id=str(told["platform_id"]),
        ),
    )
    return {"return_id": made.platform_id, "name": made.name}


def opened(tx: Tx, effect: Effect, values: Mapping[str, str]) -> None:
    """Keep the platform's id: its news of this return are the case's from now on, and nobody else's."""
    cases.link(tx, effect.shop_id, str(effect.request["case"]), values["return_id"])


def standing(tx: Tx, row: CaseRow) -> InShop | None:
    """How it stands in the shop; `None` where the shop was never asked."""
    tries = _tries(tx, row)
    if not tries:
        return None
    last = tries[-1]
    state = _STANDS.get(last.status, REFUSED)
    return InShop(state, last.result.get("name", "") if state == OPENED else last.reason)


def _name(row: CaseRow, number: int) -> str:
    return f"return:{row.case_id}" + (f":{number + 1}" if number else "")


def _tries(tx: Tx, row: CaseRow) -> list[Effect]:
    found: list[Effect] = []
    while len(found) < MOST_TRIES and (effect := effects.get(tx, row.shop_id, _name(row, len(found)))) is not None:
        found.append(effect)
    return found

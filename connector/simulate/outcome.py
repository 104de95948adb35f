"""What came of a life: messages, acts in the shop, what was kept back and why, who never began and why."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector import codec
from connector.clock import from_text
from connector.model.changing import quick
from connector.simulate.held import HeldTx
from connector.store.runs import NEVER, NOT_STARTED

SENT, DROPPED, HELD, WAITING = "sent", "dropped", "held", "waiting"
_STATES = {"sent": SENT, "skipped": DROPPED, "failed": DROPPED, "uncertain": DROPPED, "held": HELD}


@quick
@dataclass(frozen=True, slots=True)
class Deed:
    """One message or act. `what` is a template, or the word of the step that acts on the shop.

    `who` is a keyless digest of the address: enough to count people, not to read who they are. `state` is `sent`,
    `dropped` or `held` for a person (for `why`), or `waiting` (not yet due, or put off, when the look ended).
    """

    at: datetime
    flow: str
    version: str
    step: str
    what: str
    kind: str
    channel: str
    purpose: str
    to: str
    order_id: str
    who: str
    state: str
    why: str = ""
    worth: str = ""

    @property
    def place(self) -> tuple[str, str, str, str, str]:
        """What makes it the same message in another version of the playbook: whose it is, and from which step."""
        return (self.who, self.order_id, self.flow, self.step, self.what)


@dataclass(slots=True)
class Lived:
    """`started` counts runs by flow; `refused` those that never began by flow and rule; `ended` by flow and reason.
    `long_way` is why the product's own runner was asked, empty where it was not (`connector.simulate.swift`)."""

    deeds: list[Deed] = field(default_factory=list)
    started: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    long_way: str = ""


def lived(tx: HeldTx, shop_id: str, shown: Collection[str]) -> Lived:
    """Read a life that is over. `shown` are the flows to tell of; empty tells of all."""
    found = Lived()
    runs = {row["run_id"]: row for row in tx.rows("runs")}
    never = {row["run_id"] for row in runs.values() if row["reason"] == NEVER}
    for row in tx.rows("journal") if never else ():
        if row["what"] == NOT_STARTED and row["run_id"] in never:
            flow = runs[row["run_id"]]["flow_id"]
            if not shown or flow in shown:
                found.refused[flow, _rule(row["detail"])] += 1
    for run in runs.values():
        if run["run_id"] not in never and (not shown or run["flow_id"] in shown):
            found.started[run["flow_id"]] += 1
            if run["status"] in ("cancelled", "exited", "failed"):
                found.ended[run["flow_id"], run["reason"] or run["status"]] += 1
    for row in tx.rows("effects"):
        if row["run_id"] in runs and (not shown or row["flow_id"] in shown):
            found.deeds.append(_deed(row, runs[row["run_id"]], shop_id))
    return found


def _rule(detail: str) -> str:
    return codec.decode(detail, dict[str, str]).get("rule", "")


def _deed(row: Mapping[str, Any], run: Mapping[str, Any], shop_id: str) -> Deed:
    request = codec.decode(row["request"], dict[str, Any])
    person = row["recipient_key"] or run["email_key"] or run["customer_id"] or run["subject_id"]
    return Deed(
        at=from_text(row["done_at"] or row["due_at"]),
        flow=row["flow_id"],
        version=row["version"],
        step=row["step_id"],
        what=str(request.get("template") or request.get("do") or row["kind"]),
        kind=row["kind"],
        channel=row["channel"],
        purpose=row["purpose"],
        to=str(request.get("to", "")),
        order_id=run["order_id"] or "",
        who=hashlib.sha256(f"{shop_id}|{person}".encode()).hexdigest()[:12],
        state=_STATES.get(row["status"], WAITING),
        why=row["reason"].partition(":")[0],
        worth=worth_of(request),
    )


def worth_of(request: Mapping[str, Any]) -> str:
    """What a reward promises, as the step asked for it: "10 %", "5 EUR"."""
    for terms in (request.get("discount"), request):
        if isinstance(terms, Mapping):
            if terms.get("percent"):
                return f"{terms['percent']} %"
            amount = terms.get("amount")
            if isinstance(amount, Mapping):
                return f"{amount.get('amount')} {amount.get('currency')}"
            if amount:
                return str(amount)
    return ""

"""How many may sign up: a pace that all processes keep together, one row a place (GCRA, as for providers' accounts)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from connector.clock import from_text, to_text
from connector.store.db import Tx
from connector.store.sql import id_list


def take(tx: Tx, shop_id: str, most: Mapping[str, int], window: timedelta, now: datetime) -> bool:
    """Whether one more may sign up: at most so many of each place at once, and so many again in each `window`.

    Nothing is counted for one who may not. Of two processes at once one waits for the other.
    """
    tx.hold([f"signup {shop_id}"])
    rows = tx.all("signup_pace_of", shop_id=shop_id, places=id_list(most))
    known = {row["place"]: from_text(row["full_until"]) for row in rows}
    begun = {place: max(known.get(place, now), now) for place in most}
    intervals = {place: window / count for place, count in most.items()}
    if any(begun[place] - now > intervals[place] * (count - 1) for place, count in most.items()):
        return False
    tx.run("signup_pace_forget", shop_id=shop_id, now=to_text(now))
    for place in most:
        tx.run("signup_pace_put", shop_id=shop_id, place=place, full_until=to_text(begun[place] + intervals[place]))
    return True

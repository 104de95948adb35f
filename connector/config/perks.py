"""`[loyalty.perks]`: what is not money. Early access: a tier's people see something before everybody else.

perks.autumn = { kind = "early_access", tiers = ["gold"], begins = "2026-11-20 10:00", opens = "2026-11-27 10:00",
                 link = "https://shop.example/autumn", tag = "early-autumn" }
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

EARLY_ACCESS = "early_access"
KINDS = (EARLY_ACCESS,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Perk:
    """From `begins` until it `opens` to everybody, whoever stands in one of `tiers` (none named: everybody in the
    programme) is tagged with `tag` in the shop and told of `link`, once; whoever comes to stand there later, then."""

    name: str
    title: str
    begins: datetime
    opens: datetime
    link: str = ""
    tag: str = ""
    tiers: tuple[str, ...] = ()

    def is_for(self, tier: str, now: datetime) -> bool:
        return self.begins <= now < self.opens and (not self.tiers or tier in self.tiers)


def moment_fault(value: Any) -> str:
    return "" if _local(value) is not None else 'should be a time of the shop\'s clock such as "2026-11-20 10:00"'


def link_fault(value: Any) -> str:
    fits = (
        isinstance(value, str) and value.startswith("https://") and len(value) <= 500 and not set(value) & set(" <>\"'")
    )
    return "" if fits else "should be an address that begins with https://"


def _local(value: Any) -> datetime | None:
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is None else None


def read_perk(
    name: str, table: Mapping[str, Any], timezone: str, tiers: Collection[str], note: Callable[[str, str], None]
) -> Perk | None:
    """One perk of checked shapes; `None` where a time is missing. `note(path, text)` hears what only the whole can
    tell."""
    path = f"perks.{name}"
    if table.get("kind") not in KINDS:
        note(path, f'needs kind = "{EARLY_ACCESS}"')
    if not (table.get("link") or table.get("tag")):
        note(path, "needs a link to be told of, or a tag to be had in the shop")
    for tier in table.get("tiers", ()):
        if tier not in tiers:
            note(f"{path}.tiers", f"no tier '{tier}' in loyalty.tiers")
    begins, opens = (_local(table.get(key)) for key in ("begins", "opens"))
    if begins is None or opens is None or begins >= opens:
        note(path, 'needs begins = "2026-11-20 10:00" and a later opens = "2026-11-27 10:00"')
        return None
    zone = ZoneInfo(timezone)
    return Perk(
        name=name,
        title=table.get("title", name.replace("_", " ").replace("-", " ").title()),
        begins=begins.replace(tzinfo=zone).astimezone(UTC),
        opens=opens.replace(tzinfo=zone).astimezone(UTC),
        link=table.get("link", ""),
        tag=table.get("tag", ""),
        tiers=tuple(table.get("tiers", ())),
    )

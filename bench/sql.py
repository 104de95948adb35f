"""Reads bench/inbox.sql: one text for every system that is not ours."""

from __future__ import annotations

from pathlib import Path

INBOX_SQL = Path(__file__).resolve().parent / "inbox.sql"
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    "PRAGMA busy_timeout=10000",
)


def statements(path: Path = INBOX_SQL) -> dict[str, str]:
    """Statement text by name, from `-- name: <name>` marks."""
    parts = path.read_text().split("-- name: ")[1:]
    return {name.strip(): text.strip().rstrip(";") for name, _, text in (part.partition("\n") for part in parts)}

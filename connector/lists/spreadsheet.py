"""Cells of CSV files that people open in spreadsheets: none of them runs what a customer wrote.

A spreadsheet takes a cell that begins with one of `= + - @`, a tab or a carriage return for a formula
(https://owasp.org/www-community/attacks/CSV_Injection). Such a cell gets an apostrophe before it, which spreadsheets do
not show, and which is taken away again where we read our own files; so does one with apostrophes before such a
character, so that nothing is taken away that somebody wrote.
"""

from __future__ import annotations

_STARTS = ("=", "+", "-", "@", "\t", "\r")


def guard(text: str) -> str:
    """The text as a cell.

    >>> guard("=HYPERLINK(1)"), guard("Katu 1")
    ("'=HYPERLINK(1)", 'Katu 1')
    """
    return f"'{text}" if text.lstrip("'").startswith(_STARTS) else text


def unguard(text: str) -> str:
    """The inverse of `guard`; what was written by others stays as it is.

    >>> unguard("'+358401234567"), unguard("'tis")
    ('+358401234567', "'tis")
    """
    return text[1:] if text[:1] == "'" and text.lstrip("'").startswith(_STARTS) else text

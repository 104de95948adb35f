"""Reads a query as far as it takes to say whether every table in it is bound to one shop."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_COMMENT = re.compile(r"--[^\n]*")
_TEXT = re.compile(r"'[^']*'")
_TABLE = re.compile(
    r"\b(?:FROM|JOIN|INTO|UPDATE|USING)\s+(\w+)(?:\s+(?:AS\s+)?(?!ON\b|WHERE\b|SET\b|JOIN\b|LEFT\b|ORDER\b|GROUP\b|LIMIT\b|VALUES\b|SELECT\b|UNION\b|FOR\b|CROSS\b|DEFAULT\b|OFFSET\b|HAVING\b)(\w+))?",
    re.I,
)
_BOUND = re.compile(r"(?<!OR )(?<!\w)(?:(\w+)\.)?shop_id\s*=\s*:(\w+)", re.I)
_SAME = re.compile(r"(?<!OR )(?<!\w)(?:(\w+)\.)?shop_id\s*=\s*(\w+)\.shop_id", re.I)
_INSERT = re.compile(r"\bINSERT INTO (\w+)\s*\(([^)]*)\)", re.I)


@dataclass
class Scope:
    """One SELECT, UPDATE, DELETE or INSERT: its tables by what they are called here, and what ties them to a shop."""

    text: str
    outer: Scope | None = None
    inner: list[Scope] = field(default_factory=list)

    def tables(self) -> dict[str, str]:
        return {(alias or name): name for name, alias in _TABLE.findall(self.text)}

    def resolve(self, alias: str) -> tuple[Scope, str] | None:
        scope: Scope | None = self
        while scope is not None:
            if alias in scope.tables():
                return scope, alias
            scope = scope.outer
        return None

    def all(self) -> Iterator[Scope]:
        yield self
        for each in self.inner:
            yield from each.all()


def scopes_of(sql: str) -> Scope:
    """The statement's scopes. What stands in brackets is one of its own when it selects."""
    text = _TEXT.sub("''", _COMMENT.sub("", sql))
    root, i = Scope(""), 0
    stack: list[Scope] = [root]
    opened: list[bool] = []
    while i < len(text):
        char = text[i]
        if char == "(":
            nested = re.match(r"\(\s*(SELECT|WITH|UPDATE|INSERT)\b", text[i:], re.I) is not None
            opened.append(nested)
            if nested:
                one = Scope("", stack[-1])
                stack[-1].inner.append(one)
                stack.append(one)
            else:
                stack[-1].text += "("
        elif char == ")":
            if opened.pop():
                stack.pop()
                stack[-1].text += " '' "
            else:
                stack[-1].text += ")"
        else:
            stack[-1].text += char
        i += 1
    return root


def unbound(sql: str, sharded: Mapping[str, object]) -> list[str]:
    """The tables of `sharded` (those with a shop_id) that the statement touches beyond one shop."""
    root = scopes_of(sql)
    bound: set[tuple[int, str]] = set()
    named = {match[1] for match in re.finditer(r"\b(\w+)\s*(?:\([^)]*\))?\s+AS\s*\(?", root.text, re.I)}
    pieces = [piece for scope in root.all() for piece in _unions(scope)]
    links: list[tuple[tuple[int, str], tuple[int, str]]] = []
    for scope in pieces:
        tables = scope.tables()
        for alias, _ in _BOUND.findall(scope.text):
            for name in [alias] if alias else list(tables):
                place = scope.resolve(name)
                if place is not None:
                    bound.add((id(place[0]), place[1]))
        for left, right in _SAME.findall(scope.text):
            one, other = (scope.resolve(left) if left else None), scope.resolve(right)
            if not left and len(tables) >= 1:
                mine = [name for name in tables if name != right]
                one = (scope, mine[0]) if mine else None
            if one is not None and other is not None:
                links.append(((id(one[0]), one[1]), (id(other[0]), other[1])))
        for table, columns in _INSERT.findall(scope.text):
            if re.search(r"\bshop_id\b", columns):
                bound.add((id(scope), table))
    loose: list[str] = []
    rows = {(id(scope), alias): table for scope in pieces for alias, table in scope.tables().items()}
    # What a WITH makes is bound when what it is made of is: its tables are looked at where it is written.
    bound |= {place for place, table in rows.items() if table in named or table not in sharded}
    grown = True
    while grown:
        grown = False
        for one, other in links:
            for a, b in ((one, other), (other, one)):
                if a in bound and b not in bound and rows.get(a) in sharded:
                    bound.add(b)
                    grown = True
                if a in bound and b not in bound and rows.get(a) in named:
                    bound.add(b)
                    grown = True
    loose += [rows[place] for place in rows if place not in bound]
    return sorted(loose)


def _unions(scope: Scope) -> list[Scope]:
    """The parts of a UNION are scopes of their own, with the same outer one."""
    parts = re.split(r"\bUNION(?: ALL)?\b", scope.text, flags=re.I)
    if len(parts) == 1:
        return [scope]
    made = []
    for part in parts:
        one = Scope(part, scope.outer)
        made.append(one)
    return made

"""The search of tests/tokens/lives.py: nothing is found in the product, and what is broken on purpose is found.

make tokens-search                        10,000 lives; KIITOS_TOKEN_LIVES and KIITOS_TOKEN_SEED choose others
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.tokens import planted
from tests.tokens.lives import Life
from tests.tokens.search import Plan, search

LIVES = int(os.environ.get("KIITOS_TOKEN_LIVES", "300"))
SEED = int(os.environ.get("KIITOS_TOKEN_SEED", "0"))

PLANTED = {
    "no lease": Plan(tokens=planted.WithoutLease),
    "last wins": Plan(tokens=planted.LastWins),
    "two transactions": Plan(tokens=planted.InTwoTransactions),
    "no previous token": Plan(shopify=planted.WithoutPrevious),
    "no keep-alive": Plan(tokens=planted.WithoutKeepAlive),
    "a code an attempt": Plan(shopify=planted.WithFreshCodes),
}


def told(lives: list[Life]) -> str:
    return "\n".join(f"seed {life.seed}: {life.faults} after {dict(life.troubles)}" for life in lives if life.faults)


def test_no_shop_is_disconnected_and_each_order_has_one_code(tmp_path: Path) -> None:
    lives = search(tmp_path, range(SEED, SEED + LIVES))
    assert not told(lives)
    assert len(lives) == LIVES
    troubles = sum((life.troubles for life in lives), Counter[str]())
    print(f"{LIVES} lives, {sum(life.orders for life in lives)} orders: {dict(troubles.most_common())}")
    # What was to be survived did happen.
    wanted = {"died after token", "lost after token", "overtaken before token", "died after api", "died after a commit"}
    assert wanted <= set(troubles)


# Where the search for one begins: idleness of ninety days is rare, and was met in life 1205.
FIRST = {"no keep-alive": 1000}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_broken_on_purpose_is_found(name: str, tmp_path: Path) -> None:
    first = FIRST.get(name, 0)
    lives = search(tmp_path, range(first, first + 2000), PLANTED[name], until=lambda life: bool(life.faults))
    assert lives[-1].faults, f"{name}: not found in {len(lives)} lives"
    print(f"{name}: found in life {first + len(lives)}: {lives[-1].faults[0]}")

"""The program before the newest migration on the schema after it: real processes of both, orders all the while."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from connector.store import Store

from .older import Broken, NoHistory, commit_before, lead, unpack

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="processes are ended by signals"),
]


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        commit = commit_before()
    except NoHistory as why:
        pytest.skip(str(why))
    return unpack(commit, tmp_path_factory.mktemp("older"))


def test_an_upgrade_taken_back_and_made_again_loses_nothing_and_sends_nothing_twice(
    tmp_path: Path, older: Path
) -> None:
    done = lead(tmp_path, older)
    assert done.unknown, "the older program knows this schema: this shows nothing"
    assert done.orders["this"] < done.orders["older"] < done.orders["this again"]
    assert done.lost() == set()
    assert done.not_once() == {}


def rename(store: Store) -> None:
    with store.work.transaction() as tx:
        tx.script("ALTER TABLE effects RENAME COLUMN due_at TO due_since")


def test_a_schema_without_what_the_older_one_uses_is_found_out(tmp_path: Path, older: Path) -> None:
    with pytest.raises(Broken, match="OperationalError"):
        lead(tmp_path, older, spoil=rename)

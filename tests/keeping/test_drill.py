"""Backup under load, kill -9, files lost, restored, caught up, released: nothing twice, nothing lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.keeping.drill import SHOP, Drill, lead

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")]


def test_a_restored_installation_sends_nothing_twice_and_misses_nobody(tmp_path: Path) -> None:
    drill = lead(tmp_path)
    assert drill.restored["sent_since"] > 0, "nothing left after the backup: this drill shows nothing"
    assert drill.restored["gaps"] == []
    assert drill.refused_early, "released before anything was caught up"
    assert drill.sent_while_held == 0
    assert drill.unconfirmed() == []
    assert len([1 for (_, flow) in drill.mails if flow == "thanks"]) >= len(drill.bought) - drill.restored["in_doubt"]
    # One SMTP connection has one message in the open window when it is killed; order mail may then go once more.
    assert len(drill.twice()) <= drill.restored["in_doubt"] <= 1, drill.twice()
    assert all(flow == "order-confirmation" for (_, flow) in drill.twice())
    assert drill.mails[drill.refused, "thanks"] == 1, "who unsubscribed after the backup was asked again"
    assert drill.restored["refused_since"] == 1
    assert not drill.known_again, "somebody forgotten after the backup is known again"
    assert drill.status["shops"] == {SHOP: "asked what happened since the backup"}
    assert drill.status["ledger"]["sent"]["effects"] == drill.restored["sent_since"]


@pytest.mark.postgres
def test_a_dump_put_back_into_postgres_sends_nothing_twice(tmp_path: Path, schema_dsn: str) -> None:
    """Nothing is said of a ledger in app.toml: it is on by itself."""
    drill = lead(tmp_path, dsn=schema_dsn)
    assert drill.restored["sent_since"] > 0, "nothing left after the backup: this drill shows nothing"
    assert drill.restored["gaps"] == []
    assert drill.refused_early
    assert drill.sent_while_held == 0
    assert drill.unconfirmed() == []
    assert len(drill.twice()) <= drill.restored["in_doubt"] <= 1, drill.twice()
    assert drill.mails[drill.refused, "thanks"] == 1, "who unsubscribed after the backup was asked again"
    assert not drill.known_again, "somebody forgotten after the backup is known again"


@pytest.mark.postgres
def test_without_the_send_ledger_a_dump_put_back_into_postgres_doubles(tmp_path: Path, schema_dsn: str) -> None:
    doubles(lead(tmp_path, dsn=schema_dsn, ledger=False))


def test_without_the_send_ledger_it_doubles(tmp_path: Path) -> None:
    """The control: the same drill with `ledger = "off"`."""
    doubles(lead(tmp_path, ledger=False))


def doubles(drill: Drill) -> None:
    assert drill.restored["gaps"], "nobody was told that nobody knows"
    assert drill.refused_unknown, "it was released without a person's word"
    assert drill.twice(), "the control sent nothing twice: the drill proves nothing"
    assert drill.mails[drill.refused, "thanks"] > 1, "the control heeds somebody it cannot know of"
    assert drill.known_again, "without the list nobody could know whom to forget again"
    assert drill.unconfirmed() == []


def test_what_litestream_had_copied_when_everything_was_killed_comes_back(tmp_path: Path) -> None:
    """No backup at all: the last second is missing from the copies, and the platform and the send ledger have it."""
    drill = lead(tmp_path, stream=True)
    assert drill.restored["backup"].startswith("litestream-")
    assert drill.sent_while_held == 0
    assert drill.unconfirmed() == []
    # The one message of the open window may be known to the ledger alone, or to the copy as well, as being sent: then
    # its lease tells, and nothing is counted as in doubt. Order mail goes once more in either case.
    assert drill.restored["in_doubt"] <= 1, "more than one message was between the wire and its answer"
    assert len(drill.twice()) <= 1, drill.twice()
    assert all(flow == "order-confirmation" for (_, flow) in drill.twice())
    assert drill.mails[drill.refused, "thanks"] == 1, "who had unsubscribed was asked again"
    assert not drill.known_again, "somebody who was forgotten is known again"

"""`kiitos suppressions` and `kiitos bounces`: lists in and out, bad rows named and kept apart, mail from a pipe."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.app import load
from connector.cli import cli
from connector.errors import ConfigError
from connector.model import Channel
from connector.store import inbox, suppressions
from connector.worker import Worker
from flows.people.imported import Fault, Listed, columns_of, listed
from tests.channel_events.signing import NOW
from tests.channel_events.test_returned import report
from tests.cli.test_commands import APP, SHOP

Kiitos = Callable[..., Result]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "app.toml"
    path.write_text(APP.replace("FOLDER", str(tmp_path)), "utf-8")
    return path


@pytest.fixture
def kiitos(app: Path, monkeypatch: pytest.MonkeyPatch) -> Kiitos:
    monkeypatch.delenv("KIITOS_CONFIG", raising=False)

    def run(*words: str, given: bytes | None = None) -> Result:
        return CliRunner().invoke(cli, ["--config", str(app), *words], input=given)

    return run


def told(kiitos: Kiitos) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(kiitos("suppressions", "list", SHOP, "--json").output)
    return found


def test_by_hand(kiitos: Kiitos) -> None:
    assert kiitos("suppressions", "add", SHOP, "Aino@Example.test").exit_code == 0
    assert kiitos("suppressions", "add", SHOP, "+358 40 123 4567", "--scope", "marketing").exit_code == 0
    found = {(row["address"], row["channel"], row["scope"], row["reason"]) for row in told(kiitos)}
    assert found == {("aino@example.test", "email", "all", "manual"), ("+358401234567", "sms", "marketing", "manual")}
    assert kiitos("suppressions", "remove", SHOP, "aino@example.test").exit_code == 0
    assert [row["address"] for row in told(kiitos)] == ["+358401234567"]
    assert kiitos("suppressions", "remove", SHOP, "aino@example.test").exit_code == 1


@pytest.mark.parametrize("words", [("no address",), ("a@b.test", "--scope", "everything"), ("1234",)])
def test_what_cannot_be_is_said(kiitos: Kiitos, words: tuple[str, ...]) -> None:
    assert kiitos("suppressions", "add", SHOP, *words).exit_code == 2
    assert told(kiitos) == []


CSV = """email;reason;created;note
aino@example.test;bounce;1795424400;x
Eino@Example.test;spamreport;2026-01-02T03:04:05Z;y
not an address;bounce;;z
vaino@example.test;bonce;;
ilma@example.test;unsubscribed;;
;bounce;;
lumi@example.test;;yesterday;
"""


def test_a_list_of_another_tool(kiitos: Kiitos, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(CSV, "utf-8")
    result = kiitos("suppressions", "import", SHOP, str(file))
    assert result.exit_code == 1
    assert "3 taken in, 4 left out" in result.output
    for line in ("line 4: the address is no e-mail", "line 5: no reason 'bonce'", "line 7: there is no address"):
        assert line in result.output
    assert "yesterday" not in result.output
    found = {row["address"]: (row["scope"], row["reason"]) for row in told(kiitos)}
    assert found == {
        "aino@example.test": ("all", "hard_bounce"),
        "eino@example.test": ("all", "complaint"),
        "ilma@example.test": ("marketing", "unsubscribe"),
    }
    apart = list(csv.reader(io.StringIO((tmp_path / "list.rejected.csv").read_text("utf-8"))))
    assert [row[0] for row in apart] == ["line", "4", "5", "7", "8"]
    assert apart[1][2].startswith("not an address;")


def test_what_was_exported_can_be_imported(kiitos: Kiitos, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(CSV, "utf-8")
    kiitos("suppressions", "import", SHOP, str(file))
    before = told(kiitos)
    out = tmp_path / "out.csv"
    out.write_text(kiitos("suppressions", "export", SHOP).output, "utf-8")
    for row in before:
        kiitos("suppressions", "remove", SHOP, row["address"])
    assert told(kiitos) == []
    assert kiitos("suppressions", "import", SHOP, str(out)).exit_code == 0
    assert sorted(map(str, told(kiitos))) == sorted(map(str, before))


def test_a_heading_without_addresses_is_refused_with_a_hint(kiitos: Kiitos, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("emial,reason\na@b.test,bounce\n", "utf-8")
    result = kiitos("suppressions", "import", SHOP, str(file))
    assert result.exit_code != 0
    with pytest.raises(ConfigError, match="did you mean 'email'"):
        columns_of(["emial", "reason"])


def test_the_forgotten_are_shown_and_never_exported(kiitos: Kiitos, app: Path) -> None:
    kiitos("suppressions", "add", SHOP, "aino@example.test")
    built = load(app)
    with built.store.work.transaction() as tx:
        suppressions.add(tx, SHOP, "#abc", Channel.EMAIL, "all", "complaint", NOW)
    built.close()
    assert {row["address"] for row in told(kiitos)} == {"#abc", "aino@example.test"}
    assert "#abc" not in kiitos("suppressions", "export", SHOP).output


@settings(max_examples=80, deadline=None)
@given(
    values=st.dictionaries(
        st.sampled_from(["address", "channel", "scope", "reason", "at"]),
        st.text(max_size=30) | st.sampled_from(["a@b.test", "email", "all", "bounce", "2026-01-01", "9999999999"]),
    )
)
def test_any_row_is_used_or_named(values: dict[str, str]) -> None:
    found = listed(values, NOW, 7)
    if isinstance(found, Fault):
        assert found.line == 7
        assert found.text
    else:
        assert isinstance(found, Listed)
        assert found.at <= NOW


def test_a_mail_from_a_pipe_is_kept_as_it_came(kiitos: Kiitos, app: Path) -> None:
    mail = report() + b"\xff\x00"
    assert kiitos("bounces", "read", given=mail).exit_code == 0
    assert kiitos("bounces", "read", given=mail).exit_code == 0
    assert kiitos("bounces", "read", given=b"").exit_code == 1
    assert kiitos("bounces", "read", "--channel", "other", given=mail).exit_code == 75, "the mail server keeps it"
    built = load(app)
    with built.store.inbox.read() as tx:
        rows = inbox.after(tx, 0, 10)
    built.close()
    assert [(row.shop_id, row.platform, row.body) for row in rows] == [("channel:mail", "channel.mail", mail)]


def test_without_a_mailbox_there_is_nothing_to_fetch(kiitos: Kiitos) -> None:
    assert kiitos("bounces", "fetch").exit_code != 0


def test_where_providers_tell_and_what_they_told_of_nobody(kiitos: Kiitos, app: Path) -> None:
    text = app.read_text("utf-8").replace('tls = "none"\n', 'tls = "none"\n[channels.other]\nkind = "ses"\n', 1)
    app.write_text(text.replace('kind = "ses"', 'kind = "postmark"\napi_key = { file = "FOLDER/k" }'), "utf-8")
    key = app.with_name("k")
    key.write_text("secret", "utf-8")
    app.write_text(app.read_text("utf-8").replace("FOLDER", str(app.parent)), "utf-8")
    rows = json.loads(kiitos("channels", "hooks", "--json").output)
    assert [(row["channel"], row["kind"]) for row in rows] == [("mail", "smtp"), ("other", "postmark")]
    assert rows[0]["url"] == "nowhere: bounces is not set"
    assert rows[1]["url"].startswith("http://127.0.0.1:8321/hooks/channel.other/")
    assert len(rows[1]["url"].rpartition("/")[2]) == 32
    assert json.loads(kiitos("channels", "hooks", "--json").output) == rows
    kiitos("bounces", "read", given=report())
    built = load(app)
    worker = Worker(built)
    worker.drain()
    built.close()
    assert kiitos("channels", "unmatched", "mail", "--json").exit_code == 0
    assert kiitos("channels", "unmatched", "mial").exit_code != 0

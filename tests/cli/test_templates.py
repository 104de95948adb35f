"""`kiitos templates`: what an agency sees, hands to a translator, tries and sends to itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from email import message_from_bytes
from email.message import Message as EmailMessage
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.cli import cli
from connector.cli.context import App
from connector.cli.preview import in_mode, preview_app
from connector.cli.templates import renderer_of
from connector.cli.test_message import JOURNAL, send
from connector.contracts import Accepted, Message, Outcome
from connector.contracts.channel import OnWire
from connector.errors import ConfigError, Refused, TemplateError
from connector.store import effects, runs
from flows.channels.memory import Memory
from flows.render.sources import Sources
from flows.render.translation import entries, export_po, import_po, missing, write_language

ROOT = Path(__file__).parents[2]
FILE = """
schema = 1
[app]
database = "sqlite:///kiitos.db"
master_key = { file = "master.key", generate = true }
[channels.mail]
kind = "memory"
[brands.night]
accent = "#ffd60a"
signature = "The night crew"
[clients.acme.shops.main]
platform = "woocommerce"
url = "https://acme.example"
name = "Acme"
sender = "Acme <mail@acme.example>"
webhook_secret = { file = "hook", generate = true }
brand = "night"
templates = "own"
"""
GREY = "---\nsubject: Mine\npreheader: p\n---\n<p style='color:#bbbbbb'>{{ order.number }}</p>"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.toml").write_text(FILE, "utf-8")
    (tmp_path / "own" / "en").mkdir(parents=True)
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["templates", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit | TemplateError), result.output
    return result.exit_code, result.output


def test_the_list_says_in_which_languages_and_whose(folder: Path) -> None:
    (folder / "own" / "en" / "mine.html.liquid").write_text(GREY, "utf-8")
    code, output = run("list", "acme-main", "--json")
    rows = {row["template"]: row for row in json.loads(output)}
    assert code == 0
    assert rows["order_confirmation"]["languages"] == ["ar", "de", "en", "fi", "ja", "sv"]
    assert rows["loyalty_welcome"]["languages"] == ["en", "fi"]
    assert rows["mine"] == {"template": "mine", "languages": ["en"], "own": ["en"]}


def test_a_shops_own_templates_are_checked(folder: Path) -> None:
    path = folder / "own" / "en" / "mine.html.liquid"
    path.write_text(GREY, "utf-8")
    code, output = run("check", "acme-main", "mine", "--json")
    found = json.loads(output)
    assert code == 1
    assert [(fault["template"], fault["kind"]) for fault in found["faults"]] == [("mine", "contrast")]
    path.write_text(GREY.replace("#bbbbbb", "#444444"), "utf-8")
    assert run("check", "acme-main", "mine") == (0, "1 checked, 0 to mend, 0 to know\n")


FLOW = """
[clients.acme.shops.main.flows.order-confirmation]
file = "order_confirmation"
"""


def test_config_check_tries_what_shops_changed(folder: Path) -> None:
    (folder / "app.toml").write_text(FILE + FLOW, "utf-8")
    path = folder / "own" / "en" / "order_confirmation.html.liquid"
    path.write_text(GREY.replace("number", "nmber"), "utf-8")
    result = CliRunner().invoke(cli, ["config", "check"])
    assert "en/order_confirmation.html.liquid:5:" in str(result.exception)
    assert "did you mean 'number'?" in str(result.exception)
    path.write_text(GREY.replace("#bbbbbb", "#333333"), "utf-8")
    result = CliRunner().invoke(cli, ["config", "check"])
    assert (result.exit_code, result.output) == (0, "app.toml: 1 shops, 1 flows, no faults\n")


def test_a_flow_may_send_a_template_of_the_shops_own(folder: Path) -> None:
    text = (ROOT / "flows" / "library" / "order_confirmation.toml").read_text("utf-8")
    (folder / "ours.toml").write_text(text.replace('"order_confirmation"', '"mine"'), "utf-8")
    (folder / "app.toml").write_text(FILE + FLOW.replace('"order_confirmation"', '"ours.toml"'), "utf-8")
    assert "no template 'mine'" in str(CliRunner().invoke(cli, ["config", "check"]).exception)
    (folder / "own" / "en" / "mine.html.liquid").write_text(GREY.replace("#bbbbbb", "#333333"), "utf-8")
    assert CliRunner().invoke(cli, ["config", "check"]).exit_code == 0


def test_what_is_missing_is_told(folder: Path) -> None:
    code, output = run("missing", "--language", "fi")
    assert (code, output) == (0, "fi: 0 texts missing\n")
    code, output = run("missing", "--language", "nl", "--json")
    assert code == 1
    assert "order_confirmation.title" in json.loads(output)["nl"]


@pytest.mark.parametrize("language", ["ar", "fi", "ja"])
def test_a_translators_file_comes_back_as_it_went(language: str) -> None:
    sources = Sources()
    raw = export_po(sources, language)
    assert export_po(sources, language) == raw
    imported = import_po(raw, sources)
    assert imported.faults == []
    assert imported.language == language
    back = {f"{name}.{key}": text for name, texts in imported.texts.items() for key, text in texts.items()}
    for key, value in imported.strings.items():
        many = isinstance(value, dict)
        back |= {f"strings.{key}[{form}]": text for form, text in value.items()} if many else {f"strings.{key}": value}
    assert back == entries(sources, language)


def test_a_new_language_is_whole_after_its_file_was_taken_in(folder: Path) -> None:
    sources = Sources()
    raw = re.sub(rb'msgid "((?:[^"\\]|\\.)+)"\nmsgstr ""', rb'msgid "\1"\nmsgstr "\1"', export_po(sources, "nl"))
    (folder / "nl.po").write_bytes(raw)
    code, output = run("import", "nl.po", "own")
    assert code == 0, output
    dutch = Sources(own=(folder / "own",))
    assert missing(dutch, "nl") == []
    assert "nl" in dutch.languages()
    assert dutch.has("order_confirmation", "nl")


def test_a_translation_that_lost_a_value_is_refused_and_nothing_is_written(folder: Path) -> None:
    raw = export_po(Sources(), "sv").replace(b"Din best\xc3\xa4llning {{ order.number }}", b"Din {{ order.nummer }}")
    (folder / "sv.po").write_bytes(raw)
    code, output = run("import", "sv.po", "new")
    assert code == 1
    assert "order_cancelled.subject: has order.nummer, which the English text has not" in output
    assert not (folder / "new").exists()
    for wrong in (b"", b"\xff\xfe", b'msgid "x"\nmsgstr "y"\n', b"msgid 5"):
        with pytest.raises(TemplateError):
            import_po(wrong, Sources())


def test_an_import_keeps_what_the_file_does_not_have(tmp_path: Path) -> None:
    (tmp_path / "sv").mkdir()
    (tmp_path / "sv" / "texts.json").write_text('{"order_refunded": {"title": "x", "extra": "y"}, "z": {}}', "utf-8")
    write_language(tmp_path, import_po(export_po(Sources(), "sv"), Sources()))
    table = json.loads((tmp_path / "sv" / "texts.json").read_text("utf-8"))
    assert table["order_refunded"]["extra"] == "y"
    assert table["order_refunded"]["title"] == "Dina pengar är på väg tillbaka"


def pages(folder: Path, shop: str | None = "acme-main") -> Any:
    app = App(str(folder / "app.toml"))
    return preview_app(app, shop, renderer_of(app, shop), "w0rd").test_client()


def test_the_preview_shows_a_message_in_frames_that_run_nothing(folder: Path) -> None:
    client = pages(folder)
    page = client.get("/w0rd/?template=order_confirmation&language=ar&sample=hostile")
    assert page.status_code == 200
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.text.count("<iframe") == 4
    assert "<script" not in page.text
    assert "kB of HTML" in page.text
    assert "SMS: UCS-2" in page.text
    frame = client.get("/w0rd/frame?template=order_confirmation&language=ar&mode=dark")
    assert frame.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert 'dir="rtl"' in frame.text
    assert "The night crew" in frame.text
    assert "#ffd60a" in frame.text
    assert "@media all" in frame.text


def test_the_preview_is_for_this_machine_only(folder: Path) -> None:
    client = pages(folder)
    assert client.get("/w0rd/", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("/other/").status_code == 404
    assert client.get("/").status_code == 404


def test_the_preview_shows_faults_and_orders_there_are_none_of(folder: Path) -> None:
    (folder / "own" / "en" / "mine.html.liquid").write_text(GREY.replace("number", "nmber"), "utf-8")
    assert "order.nmber is undefined" in pages(folder).get("/w0rd/?template=mine&language=en").text
    assert "acme-main has no order 77" in pages(folder).get("/w0rd/?template=order_confirmation&order=77").text


def test_light_and_dark_are_what_was_asked_for() -> None:
    html = "<style>:root{color-scheme: light dark}@media (prefers-color-scheme: dark){p{color:#fff}}</style>"
    assert "@media all" in in_mode(html, dark=True)
    assert "@media not all" in in_mode(html, dark=False)


def test_a_test_goes_through_the_shops_channel_marked_and_counted_nowhere(folder: Path) -> None:
    app = App(str(folder / "app.toml"))
    sent: list[Message] = []

    class Post(Memory):
        def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
            for message in messages:
                sent.append(message)
                yield Accepted(key=message.key, provider_id="p1")

    app.kiitos.use_channel("mail", Post())
    assert send(app, "acme-main", "review_request", "me@acme.example", "", "five_lines") == "p1"
    message = message_from_bytes(bytes(sent[0].content))
    assert message["Subject"].startswith("[Test] ")
    assert message["X-Kiitos-Test"] == "yes"
    assert message["List-Unsubscribe"]
    plain = message.get_payload(0)
    assert isinstance(plain, EmailMessage)
    assert b"The night crew" in plain.get_payload(decode=True)
    with app.kiitos.store.work.read() as tx:
        rows = runs.journal_of(tx, "acme-main", JOURNAL)
        assert [(row.step_id, row.what, row.detail["outcome"]) for row in rows] == [
            ("review_request", "test message", "accepted")
        ]
        assert "me@acme.example" not in str(rows)
        assert effects.troubled(tx, "acme-main", "", 9) == []


def test_a_test_of_what_is_not_there_is_refused(folder: Path) -> None:
    app = App(str(folder / "app.toml"))
    with pytest.raises(ConfigError, match="did you mean 'review_request'"):
        send(app, "acme-main", "review_reqest", "me@acme.example", "", "five_lines")
    with pytest.raises(ConfigError, match="no sample 'six_lines'"):
        send(app, "acme-main", "review_request", "me@acme.example", "", "six_lines")
    with pytest.raises(Refused):
        send(app, "acme-main", "review_request", "no address", "", "five_lines")
    result = CliRunner().invoke(
        cli, ["templates", "send-test", "acme-main", "order_refunded", "--to", "me@acme.example"]
    )
    assert (result.exit_code, result.output.startswith("order_refunded: the channel took it")) == (0, True)

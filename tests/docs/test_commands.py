"""Every command that a document, a help text or a message names exists; those in blocks are run on the demo's file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from connector import worker
from connector.cli import cli
from connector.serving import serve
from tests.docs.documents import ROOT, Command, blocks, commands, committed, documents, mentions, name_of, words_of

PLACEHOLDERS = {
    "SHOP": "demo-aurora",
    "WHO": "1042",
    "PATH": "sender",
    "DELIVERY": "4711",
    "MESSAGE": "01jd3k:ask",
    "acme-main": "demo-aurora",
    "next.toml": "app.toml",
    "customers.csv": str(ROOT / "tests" / "docs" / "lists" / "customers.csv"),
    "reviews.csv": str(ROOT / "tests" / "docs" / "lists" / "reviews.csv"),
    "spa-codes.txt": str(ROOT / "tests" / "docs" / "lists" / "spa-codes.txt"),
    "flows/our-review.toml": str(ROOT / "flows" / "library" / "review_request.toml"),
    "3f2a9c41d07b": "now",
    **dict.fromkeys(("FOLDER", "ledgers/worker2", "ledgers/worker3"), str(ROOT / "tests" / "docs" / "lists")),
}
SWITCHED_ON = ("audience", "signup")
DEFAULTS = ("[defaults]\n", '[defaults]\nsignup = true\nflows.opt-in = { file = "opt_in" }\n')
TABLES = """
[segments.vip]
when = ["customer.lifetime.orders >= 3"]
[defaults.audiences]
ground = "consent"
"""
"""What the demo's shops have not, for the commands that need it."""
PRODUCT = ("connector/", "flows/", "platforms/", "webhooks/")


def command_tree(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from command_tree(found, (*path, name))
        else:
            yield (*path, name), found


COMMANDS = dict(command_tree(cli))
GROUPS = {words[:1] for words in COMMANDS if len(words) > 1}


def from_documents(program: str) -> list[Command]:
    texts = [(path.read_text("utf-8"), name_of(path)) for path in documents()]
    found = [command for text, where in texts for command in commands(text, where, program)]
    for number, line in enumerate((ROOT / "app.toml").read_text("utf-8").split("\n"), start=1):
        found.extend(mentions(line, f"app.toml:{number}", program))
    return found


def from_help() -> list[Command]:
    """The examples of the help texts, and of the top one."""
    texts = [((), cli.help or ""), *((words, command.help or "") for words, command in COMMANDS.items())]
    return [
        Command(f"help of {' '.join(('kiitos', *words))}", tuple(words_of(shown[0])[1:]), typed=True)
        for words, text in texts
        for line in text.split("\n")
        if (shown := re.split(r"\s{2,}", line.strip())) and shown[0].startswith("kiitos ")
    ]


def from_sources() -> list[Command]:
    """What messages and docstrings of the product tell people to type."""
    found = []
    for path in committed():
        name = name_of(path)
        if name.startswith(PRODUCT) and path.suffix in (".py", ".toml", ".html", ".sql"):
            for number, line in enumerate(path.read_text("utf-8").split("\n"), start=1):
                found.extend(mentions(line.replace("``", "`"), f"{name}:{number}", "kiitos"))
    return found


def is_known(words: tuple[str, ...]) -> bool:
    """Whether the words begin with a command, or are a group's name alone."""
    return words in GROUPS or any(words[: len(known)] == known for known in COMMANDS)


@pytest.mark.parametrize("command", [*from_documents("kiitos"), *from_help(), *from_sources()], ids=str)
def test_the_command_exists(command: Command) -> None:
    words = tuple(word for word in command.words if not word.startswith("-"))
    assert not words or is_known(words), f"{command.place}: there is no command 'kiitos {' '.join(words)}'"


@pytest.mark.parametrize("words", [("begin",), ("flow", "check"), ("shops",), ("deliveries", "failed", "--shop", "x")])
def test_which_commands_exist(words: tuple[str, ...]) -> None:
    assert is_known(words) == (words[0] in ("shops", "deliveries"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[str, ...]], Result]:
    """Runs a command in a folder that holds a copy of app.toml. Neither process goes on for ever."""
    plain = (ROOT / "app.toml").read_text("utf-8")
    (tmp_path / "app.toml").write_text(plain, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KIITOS_CONFIG", raising=False)
    monkeypatch.setattr(serve, "run_server", lambda *_args, **_options: None)
    monkeypatch.setattr(worker.Worker, "run", lambda *_args: None)
    # The demo has no dispatcher; tests/dispatch runs this one.
    monkeypatch.setattr(import_module("connector.cli.serve"), "execute_steps", lambda *_args: None)

    def invoke(words: tuple[str, ...]) -> Result:
        if words and words[0] in SWITCHED_ON:
            (tmp_path / "app.toml").write_text(plain.replace(*DEFAULTS, 1) + TABLES, "utf-8")
        typed = [PLACEHOLDERS.get(word, word) for word in words]
        return CliRunner().invoke(cli, typed)

    return invoke


def runnable() -> list[Command]:
    """What stands in blocks and help texts, and what the text mentions with arguments."""
    found = (*from_documents("kiitos"), *from_help())
    # The page about platforms installs "corner" first, and has a test of its own that does (test_adding_a_platform).
    here = [command for command in found if command.words != ("adapters", "check", "corner")]
    return [c for c in here if c.typed or (c.words not in GROUPS and c.words not in COMMANDS)]


@pytest.mark.parametrize("command", runnable(), ids=str)
def test_the_command_runs(command: Command, run: Callable[[tuple[str, ...]], Result]) -> None:
    """0 or, where the answer is that there is nothing yet, 1. Never wrong usage, never an error."""
    result = run(command.words)
    assert result.exception is None or isinstance(result.exception, SystemExit), f"{command}: {result.exception!r}"
    assert result.exit_code in (0, 1), f"{command}: {result.output}"


def test_a_command_with_a_wrong_shop_would_be_found(run: Callable[[tuple[str, ...]], Result]) -> None:
    assert run(("explain", "aurora", "1042")).exception is not None
    assert run(("explain", "demo-aurora")).exit_code == 2


def test_the_file_at_the_root_is_right_as_it_is(run: Callable[[tuple[str, ...]], Result]) -> None:
    result = run(("config", "check"))
    assert (result.exit_code, result.output) == (0, "app.toml: 2 shops, 10 flows, no faults\n")


def test_a_fault_in_the_file_is_found(run: Callable[[tuple[str, ...]], Result]) -> None:
    path = Path("app.toml")
    path.write_text(path.read_text("utf-8").replace('platform = "shopify"', 'platform = "shopfy"'), "utf-8")
    assert "shopify" in str(run(("config", "check")).exception)


@pytest.mark.parametrize("words", list(COMMANDS), ids=" ".join)
def test_every_command_is_described(words: tuple[str, ...]) -> None:
    described = {c.words[: len(words)] for c in from_documents("kiitos") if c.place.startswith(("docs/", "README"))}
    assert words in described, f"no document says what 'kiitos {' '.join(words)}' is for"
    assert COMMANDS[words].help


def targets() -> dict[str, str]:
    """The Makefile's targets and their first prerequisites' line."""
    text = (ROOT / "Makefile").read_text("utf-8")
    return dict(re.findall(r"^([a-z][a-z-]*):(?!=)(.*)$", text, re.MULTILINE))


def make_words(words: tuple[str, ...]) -> list[str]:
    return [word for word in words if "=" not in word and not word.startswith("-")]


@pytest.mark.parametrize("command", from_documents("make"), ids=str)
def test_the_target_exists(command: Command) -> None:
    assert set(make_words(command.words)) <= set(targets()), f"{command.place}: make {' '.join(command.words)}"


def test_make_describes_every_target_and_declares_it_phony() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    phony = set(re.search(r"^\.PHONY:(.*)$", text, re.MULTILINE)[1].split())  # type: ignore[index]
    assert phony == set(targets())
    assert [name for name, rest in targets().items() if "##" not in rest] == []


def test_documents_show_commands_at_all() -> None:
    """Without this, a change in how documents are read could leave the tests above with nothing to do."""
    assert sum(command.typed for command in from_documents("kiitos")) >= 10
    assert len(from_documents("make")) >= 5
    assert any(blocks(path.read_text("utf-8"), path.name) for path in documents())
    assert len(from_help()) >= 8
    assert len(from_sources()) >= 5

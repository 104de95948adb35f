"""The lock files: hashes for every package, and the same packages as pyproject.toml says."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docs.documents import ROOT

LOCKS = {
    "requirements.lock": (),
    "requirements-dev.lock": ("dev",),
    "requirements-image.lock": ("procrastinate", "celery", "s3", "litestream", "otel"),
}
"""The extras in each."""
NOT_IN_THE_IMAGE = {"dev", "kit", "print"}
"""For developers, for who writes adapters, and what needs Pango from the system."""
OURS = "kiitos (pyproject.toml)"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)")
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


@dataclass(slots=True)
class Pinned:
    """One package of a lock file. `wanted_by` are the packages that need it."""

    version: str
    hashes: int
    wanted_by: set[str]


def parse(text: str) -> dict[str, Pinned]:
    """The packages of a lock file by name. Raises `ValueError` for any line that is not the form of a lock."""
    found: dict[str, Pinned] = {}
    current: Pinned | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if pin := _PIN.match(line):
            current = found.setdefault(canonicalize_name(pin[1]), Pinned(pin[2], 0, set()))
        elif current is not None and _HASH.match(line):
            current.hashes += 1
        elif current is not None and line.startswith("    #"):
            current.wanted_by |= {line.strip("# ").removeprefix("via").strip()} - {""}
        elif line and not line.startswith("#"):
            raise ValueError(f"line {number}: {line}")
    return found


def locked(name: str) -> dict[str, Pinned]:
    return parse((ROOT / name).read_text("utf-8"))


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def declared(name: str) -> dict[str, Requirement]:
    """What pyproject.toml asks for: the run-time dependencies and those of the lock's extras."""
    extras = project()["optional-dependencies"]
    lines = [*project()["dependencies"], *(line for extra in LOCKS[name] for line in extras[extra])]
    return {canonicalize_name(one.name): one for one in map(Requirement, lines)}


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_hashes(name: str) -> None:
    packages = locked(name)
    assert len(packages) > 20
    assert [package for package, pinned in packages.items() if not pinned.hashes] == []


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_agrees_with_pyproject(name: str) -> None:
    packages, wanted = locked(name), declared(name)
    direct = {package for package, pinned in packages.items() if any(OURS in one for one in pinned.wanted_by)}
    assert direct == set(wanted), "run `make lock`"
    outside = [f"{n} {packages[n].version}" for n, one in wanted.items() if packages[n].version not in one.specifier]
    assert outside == []


def test_the_image_has_every_extra_but_those_with_a_reason() -> None:
    assert set(project()["optional-dependencies"]) == {*LOCKS["requirements-image.lock"]} | NOT_IN_THE_IMAGE


def test_make_lock_writes_each_with_its_extras() -> None:
    lines = re.findall(r"^write (\S+)(.*)$", (ROOT / "scripts" / "lock.sh").read_text("utf-8"), re.MULTILINE)
    assert {name: tuple(re.findall(r"--extra (\S+)", rest)) for name, rest in lines} == LOCKS


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-image.lock"])
def test_development_uses_the_versions_that_run(name: str) -> None:
    runs, develops = locked(name), locked("requirements-dev.lock")
    assert {name: pinned.version for name, pinned in runs.items()}.items() <= {
        name: pinned.version for name, pinned in develops.items()
    }.items()


def test_a_package_without_a_hash_or_an_index_address_would_be_found() -> None:
    flask = f"flask==3.1.2 \\\n    --hash=sha256:{'0' * 64}\n    # via {OURS}\n"
    packages = parse(f"{flask}click==8.3.0\n    # via flask\n")
    assert (packages["flask"].hashes, packages["click"].hashes) == (1, 0)
    assert packages["click"].wanted_by == {"flask"}
    with pytest.raises(ValueError, match="line 1"):
        parse("--index-url https://example.com/simple\n")

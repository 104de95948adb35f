"""The wheel: the same bytes from the same sources wherever it is built, whole, and enough to run by itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest

from tests.docs.documents import ROOT, committed, name_of
from tests.packaging.repacked import needed, repack

PACKAGES = ("connector/", "platforms/", "flows/", "webhooks/")
BESIDE = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")
STORE = """
[clients.own.shops.main]
platform = "woocommerce"
url = "https://own.example"
name = "Own"
webhook_secret = { file = "var/hook", generate = true }
"""
EPOCH = "1764547200"  # 2025-12-01


def sources(target: Path) -> Path:
    """A copy of what the wheel is made of, in another place."""
    for path in committed():
        name = name_of(path)
        if name.startswith(PACKAGES) or name in BESIDE:
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    return target


def build(folder: Path, **environ: str) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    plain = {"PATH": os.environ["PATH"], "SOURCE_DATE_EPOCH": EPOCH, **environ}
    subprocess.run(command, cwd=folder, env=plain, check=True, capture_output=True, timeout=120)
    return next((folder / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(sources(tmp_path_factory.mktemp("sources")))


def test_the_same_sources_give_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    again = sources(tmp_path / "another place")
    for path in again.rglob("*"):
        os.utime(path, (1, 1))
    assert build(again, TZ="Asia/Tokyo", LC_ALL="C").read_bytes() == wheel.read_bytes()


def test_a_changed_byte_gives_another_wheel(wheel: Path, tmp_path: Path) -> None:
    changed = sources(tmp_path / "changed")
    with (changed / "connector" / "__init__.py").open("a") as out:
        out.write("\n")
    assert build(changed).read_bytes() != wheel.read_bytes()


def test_everything_is_inside_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == {name for path in committed() if (name := name_of(path)).startswith(PACKAGES)}
    licences = {name.rpartition("/")[2] for name in zipfile.ZipFile(wheel).namelist() if "/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}
    assert {Path(name).suffix for name in names} >= {".py", ".sql", ".toml", ".json", ".liquid", ".typed", ".graphql"}


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment that has the wheel, and the locked packages of this one: no network is needed."""
    home = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True, timeout=120)
    python = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True, timeout=120)
    site = next(home.glob("lib/python*/site-packages"))
    (site / "locked.pth").write_text(f"{Path(click.__file__).parents[1]}\n", "utf-8")
    return home / "bin"


def run(fresh: Path, folder: Path, *words: str, environ: Mapping[str, str] | None = None) -> tuple[int, str]:
    plain = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **(environ or {})}
    done = subprocess.run(
        [str(fresh / words[0]), *words[1:]], cwd=folder, env=plain, capture_output=True, text=True, timeout=200
    )
    return done.returncode, done.stdout + done.stderr


def test_it_runs_without_the_checkout(fresh: Path, tmp_path: Path) -> None:
    """From nothing to a running installation: the file, the database, flows and templates are all in the wheel."""
    where = "import connector, flows; print(connector.__file__, flows.__file__)"
    code, told = run(fresh, tmp_path, "python", "-c", where)
    assert code == 0
    assert str(ROOT) not in told
    code, told = run(fresh, tmp_path, "kiitos", "init")
    assert (code, "app.toml is written" in told) == (0, True)
    path = tmp_path / "app.toml"
    path.write_text(path.read_text("utf-8").replace("[clients.own]\n", f"[clients.own]\n{STORE}"), "utf-8")
    assert run(fresh, tmp_path, "kiitos", "config", "check") == (0, "app.toml: 1 shops, 2 flows, no faults\n")
    code, told = run(fresh, tmp_path, "kiitos", "worker", "--once")
    assert (code, told.splitlines()[-1]) == (0, "0 deliveries, 0 runs woken, 0 effects")
    code, told = run(fresh, tmp_path, "kiitos", "status", "--json")
    assert [shop["shop"] for shop in json.loads(told)["shops"]] == ["own-main"]
    words = ("templates", "check", "own-main", "order_confirmation", "--language", "fi")
    assert run(fresh, tmp_path, "kiitos", *words)[0] == 0


@pytest.fixture(scope="module")
def shelf(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a wheel of everything ours says it needs, and of nothing else."""
    folder = tmp_path_factory.mktemp("shelf")
    for dist in needed(wheel).values():
        repack(dist, folder)
    yield folder
    shutil.rmtree(folder)  # two hundred megabytes


def installer(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run_once(tool: str, wheel: Path, shelf: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of the wheel by `uvx` or `pipx run`, from that folder of wheels alone."""
    options = {
        "uvx": ["--offline", "--no-index", "--find-links", str(shelf), "--python", sys.executable, "--from"],
        "pipx": ["run", "--python", sys.executable, "--spec"],
    }
    command = [installer(tool), *options[tool], str(wheel), "kiitos"]
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(shelf),
        "UV_PYTHON_DOWNLOADS": "never",
        "PIPX_HOME": str(shelf / "pipx"),
        "PIPX_DEFAULT_BACKEND": "pip",  # by uv it is as `uvx` does it
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(shelf),
    }
    return subprocess.run(
        [*command, *words], cwd=folder, env=environ, capture_output=True, text=True, timeout=250, check=False
    )


@pytest.mark.parametrize("tool", ["uvx", "pipx"])
def test_it_runs_without_being_installed_for_good(tool: str, wheel: Path, shelf: Path, tmp_path: Path) -> None:
    """What it says it needs is all it needs: nothing else is there."""
    done = run_once(tool, wheel, shelf, tmp_path, "init")
    assert (done.returncode, "app.toml is written" in done.stdout) == (0, True), done.stderr
    done = run_once(tool, wheel, shelf, tmp_path, "worker", "--once")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "0 deliveries, 0 runs woken, 0 effects"


def test_a_missing_package_would_be_found(wheel: Path, shelf: Path, tmp_path: Path) -> None:
    poorer = tmp_path / "poorer"
    poorer.mkdir()
    for path in shelf.glob("*.whl"):
        if not path.name.startswith("nh3-"):
            (poorer / path.name).symlink_to(path)
    done = run_once("uvx", wheel, poorer, tmp_path, "init")
    assert done.returncode != 0
    assert "nh3" in done.stderr

"""Files that several processes make at once: one is first, and nobody reads half of what it wrote."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from connector import whole
from connector.config.generated import generate_secret
from connector.keeping.archive import make_key
from connector.whole import write_first

TOGETHER, ROUNDS = 6, 40


def under_its_own_name(path: Path, text: str) -> bool:
    """What stood here before, as a control: the file is there before its content is."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    os.sched_yield()  # what a busy machine does by itself now and then
    with os.fdopen(handle, "w") as file:
        file.write(text)
    return True


def read_by_all(folder: Path, write: Callable[[Path, str], bool]) -> tuple[set[int], int]:
    """How many different texts were read a round, and how many readings were empty."""
    kinds, empty = set(), 0
    with ThreadPoolExecutor(TOGETHER) as threads:
        for number in range(ROUNDS):
            path, ready = folder / f"{number}.key", Barrier(TOGETHER)

            def start(name: int, path: Path = path, ready: Barrier = ready) -> str:
                ready.wait(30)
                if not path.exists():
                    write(path, f"{name}" * 40)
                return path.read_text()

            found = list(threads.map(start, range(TOGETHER)))
            kinds.add(len(set(found)))
            empty += sum(len(text) < 40 for text in found)
    return kinds, empty


def test_all_that_start_together_read_the_same_whole_text(tmp_path: Path) -> None:
    assert read_by_all(tmp_path, write_first) == ({1}, 0)
    assert len(list(tmp_path.iterdir())) == ROUNDS, "no draft stays"


def test_a_file_written_under_its_own_name_is_read_empty(tmp_path: Path) -> None:
    assert read_by_all(tmp_path, under_its_own_name)[1] > 0


def test_it_is_not_there_before_its_content_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, seen = tmp_path / "new" / "a.key", []
    sync = os.fsync
    monkeypatch.setattr(whole.os, "fsync", lambda handle: (seen.append(place.exists()), sync(handle)))
    assert write_first(place, "content\n")
    assert seen == [False, True], "the content, then the name"
    assert place.read_text() == "content\n"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_what_exists_is_never_changed(tmp_path: Path) -> None:
    place = tmp_path / "a.key"
    assert write_first(place, "first")
    assert not write_first(place, "second")
    assert place.read_text() == "first"


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(whole.os, "link", refused)
    place = tmp_path / "a.key"
    assert write_first(place, "first")
    assert not write_first(place, "second")
    assert place.read_text() == "first"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["a.key"]


@pytest.mark.parametrize("make", [lambda path: generate_secret(path, key=True), make_key], ids=["master", "backup"])
def test_keys_are_made_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object]) -> None:
    place, seen = tmp_path / "a.key", []
    link = os.link

    def linked(draft: str, path: Path) -> None:
        seen.append((place.exists(), Path(draft).read_text()))
        link(draft, path)

    monkeypatch.setattr(whole.os, "link", linked)
    make(place)
    assert seen == [(False, place.read_text())]
    assert place.read_text()

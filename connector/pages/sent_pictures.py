"""Pictures that a form sends: read without looking into them, then made anew outside any transaction."""

from __future__ import annotations

from collections.abc import Sequence

from werkzeug.datastructures import FileStorage

from connector.clock import Clock
from connector.photos.making import MOST_BYTES, Developed, develop
from connector.store.review_photos import Photo


def read_files(files: Sequence[FileStorage]) -> tuple[bytes, ...]:
    """The bytes of each. A field nobody used comes as a file without a name. One byte more than is taken tells that it
    is too heavy."""
    found = []
    for file in files:
        with file.stream as stream:
            if file.filename:
                found.append(stream.read(MOST_BYTES + 1))
    return tuple(found)


def develop_all(files: Sequence[bytes]) -> tuple[Developed, ...] | str:
    """All of them, or the first fault, a word of `connector.photos.making.FAULTS`. It takes a second: outside
    transactions."""
    made: list[Developed] = []
    for source in files:
        picture = develop(source)
        if isinstance(picture, str):
            return picture
        made.append(picture)
    return tuple(made)


def as_photos(made: Sequence[Developed], clock: Clock) -> list[Photo]:
    """With an unguessable id each."""
    return [
        Photo(id=clock.token(), width=each.width, height=each.height, picture=each.picture, small=each.small)
        for each in made
    ]

"""What the review form sends: stars, words, pictures and a video's address a product, and a story about the shop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from werkzeug.datastructures import FileStorage, ImmutableMultiDict

from connector.config.reviews import ReviewSettings
from connector.pages.frame import clean
from connector.pages.sent_pictures import develop_all, read_files
from connector.photos.making import Developed
from connector.store.review_photos import Photo
from flows.reviews.moderation import video_fault

MAX_TEXT = 4000
MAX_TITLE = 120
MAX_AUTHOR = 80
MAX_VIDEO = 500
STORY = "story"
"""What stands in the names of fields in the place of a product's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One product's part of the form, or the story's. `rating` counts from 1 to 5, 0 is none. `photos` are there
    already, `files` came now; `fault` is why they, or the video, were not taken."""

    product_id: str
    title: str = ""
    rating: int = 0
    heading: str = ""
    text: str = ""
    video: str = ""
    photos: Sequence[Photo] = ()
    dropped: tuple[str, ...] = ()
    files: tuple[bytes, ...] = field(default=(), repr=False)
    made: tuple[Developed, ...] = field(default=(), repr=False)
    fault: str = ""

    @property
    def name(self) -> str:
        """What its fields are called."""
        return self.product_id or STORY

    @property
    def is_story(self) -> bool:
        return not self.product_id

    @property
    def said(self) -> bool:
        """Whether anything was written or sent besides stars: none of it may vanish in silence."""
        return bool(self.text or self.heading or self.video or self.files)

    @property
    def incomplete(self) -> bool:
        """Words without stars; of a story, anything without words."""
        return self.said and not (self.text if self.is_story else self.rating)

    @property
    def wanted(self) -> bool:
        """Whether it is to be kept."""
        return bool(self.text) if self.is_story else bool(self.rating)


def stars(text: str | None) -> int:
    return int(text) if text in ("1", "2", "3", "4", "5") else 0


def filled(
    part: Part, form: Mapping[str, str], files: ImmutableMultiDict[str, FileStorage], settings: ReviewSettings
) -> Part:
    """The part as it was filled in. Pictures are read and not yet looked into: see `with_pictures`."""
    name = part.name
    found = replace(
        part,
        rating=0 if part.is_story else stars(form.get(f"rating-{name}")),
        heading=" ".join(clean(form.get(f"title-{name}", ""), MAX_TITLE).split()),
        text=clean(form.get(f"text-{name}", ""), MAX_TEXT),
        video=clean(form.get(f"video-{name}", ""), MAX_VIDEO),
        dropped=tuple(photo.id for photo in part.photos if form.get(f"drop-{photo.id}")),
        files=read_files(files.getlist(f"photos-{name}")) if settings.photos else (),
    )
    return replace(found, fault=_fault(found, settings))


def _fault(part: Part, settings: ReviewSettings) -> str:
    if part.video and (wrong := video_fault(part.video, settings)):
        return f"video_{wrong}"
    if len(part.photos) - len(part.dropped) + len(part.files) > settings.photos:
        return "photo_many"
    return ""


def with_pictures(parts: Sequence[Part]) -> list[Part]:
    """The parts with their pictures made anew, or why not. Outside any transaction: it takes a second."""
    found = []
    for part in parts:
        made = develop_all(part.files if part.wanted else ())
        fault = f"photo_{made}" if isinstance(made, str) else ""
        found.append(replace(part, made=() if isinstance(made, str) else made, fault=part.fault or fault))
    return found


def problem_of(parts: Sequence[Part]) -> str:
    """The first thing wrong with what was sent, as a text's key; empty when it can be kept."""
    if any(part.incomplete for part in parts):
        return "review.missing"
    if not any(part.wanted for part in parts):
        return "review.pick"
    fault = next((part.fault for part in parts if part.fault), "")
    return f"review.{fault}" if fault else ""

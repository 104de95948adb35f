"""Strangers' pictures: made anew from their pixels, or refused; whatever is in them, nothing of the file is kept."""

from __future__ import annotations

import io
import struct
import subprocess
import zlib

import pytest
from PIL import Image

from connector.photos import making as photos
from connector.photos.darkroom import LONG_SIDE, MOST_PIXELS
from connector.photos.making import MOST_BYTES, Developed, develop


def saved(picture: Image.Image, form: str, **how: object) -> bytes:
    target = io.BytesIO()
    picture.save(target, form, **how)
    return target.getvalue()


def opened(found: Developed | str) -> Image.Image:
    assert isinstance(found, Developed), found
    return Image.open(io.BytesIO(found.picture), formats=("JPEG",))


def png_of(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG's head for any size, with whatever data: what it claims costs nothing to write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_phones_photo_is_turned_made_smaller_and_cleaned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[1] = "N"
    wide = Image.new("RGB", (3000, 2000), "red")
    wide.paste("blue", (0, 0, 1500, 2000))
    source = saved(wide, "JPEG", exif=exif, comment=b"at home")
    found = develop(source)
    picture = opened(found)
    assert picture.size == (1067, LONG_SIDE), "upright, and no larger than is shown"
    top, bottom = picture.getpixel((500, 100)), picture.getpixel((500, 1500))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert top[2] > 200
    assert bottom[0] > 200
    assert isinstance(found, Developed)
    for made in (found.picture, found.small):
        assert not {b"SecretCamera", b"at home", b"Exif"} & {
            word for word in (b"SecretCamera", b"at home", b"Exif") if word in made
        }
    assert dict(picture.getexif()) == {}
    assert max(Image.open(io.BytesIO(found.small)).size) == 320


@pytest.mark.parametrize(
    "tail", [b"<script>alert(1)</script>", b"PK\x03\x04 a zip", b"%PDF-1.7", b"<?php system($_GET[0]);"]
)
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_polyglot_is_only_its_picture(form: str, tail: bytes) -> None:
    found = develop(saved(Image.new("RGB", (20, 20), "teal"), form) + tail * 10)
    assert isinstance(found, Developed)
    assert tail not in found.picture + found.small
    assert found.picture.startswith(b"\xff\xd8\xff")
    assert found.picture.endswith(b"\xff\xd9")


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (b"", "broken"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "broken"),
        (b"GIF89a" + b"\0" * 40, "broken"),
        (b"\xff\xd8\xff\xe0 not really", "broken"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "broken"),
        (png_of(5000, 4001), "large"),
        (png_of(100_000, 100_000, zlib.compress(b"\0" * 1_000_000)), "large"),
        (png_of(100, 100), "broken"),
    ],
    ids=["nothing", "svg", "gif", "no-jpeg", "eps", "20-megapixels-and-more", "bomb", "no-pixels"],
)
def test_what_is_no_picture_we_can_use(source: bytes, fault: str) -> None:
    assert develop(source) == fault


def test_films_are_refused() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green")]
    assert develop(saved(frames[0], "WEBP", save_all=True, append_images=frames[1:])) == "moving"
    assert develop(saved(frames[0], "PNG", save_all=True, append_images=frames[1:])) == "moving"
    assert develop(saved(frames[0], "GIF", save_all=True, append_images=frames[1:])) == "broken"


def test_a_picture_that_was_cut_off() -> None:
    whole = saved(Image.effect_noise((300, 300), 60).convert("RGB"), "JPEG")
    assert develop(whole[: len(whole) // 2]) == "broken"
    assert isinstance(develop(whole), Developed)


def test_twenty_million_pixels_are_taken_and_one_row_more_is_not() -> None:
    assert isinstance(develop(saved(Image.new("1", (5000, MOST_PIXELS // 5000)), "PNG")), Developed)
    assert develop(saved(Image.new("1", (5000, MOST_PIXELS // 5000 + 1)), "PNG")) == "large"


def test_more_than_a_camera_makes_is_not_even_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos.subprocess, "run", lambda *_, **__: pytest.fail("looked at"))
    assert develop(b"\xff\xd8\xff" + b"\0" * MOST_BYTES) == "heavy"


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "CMYK", "I;16", "1", "L"])
def test_every_kind_of_colours(mode: str) -> None:
    source = saved(Image.new(mode, (30, 20)), "JPEG" if mode == "CMYK" else "PNG")
    assert opened(develop(source)).mode == "RGB"


def test_a_decoder_that_dies_or_hangs_is_the_files_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def died(*_: object, **__: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], -11, b"", b"")

    monkeypatch.setattr(photos.subprocess, "run", died)
    assert develop(b"x") == "broken"

    def hangs(*_: object, **__: object) -> subprocess.CompletedProcess[bytes]:
        raise subprocess.TimeoutExpired("x", 1)

    monkeypatch.setattr(photos.subprocess, "run", hangs)
    assert develop(b"x") == "broken"

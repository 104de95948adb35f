"""A stranger's picture, decoded where it can hurt nothing: in a process of its own with little time and memory.

    python -m connector.photos.darkroom < picture      one line of JSON, then the picture and a small one, both JPEG

What comes out was painted anew from the pixels alone: no EXIF, no position, no comment, nothing behind the end. Size
and kind are read from the head before a pixel is; more than `MOST_PIXELS` are never decoded. Only run as a program.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import warnings
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

KINDS = ("JPEG", "PNG", "WEBP")
MOST_PIXELS = 20_000_000
LONG_SIDE, SMALL_SIDE = 1600, 320
QUALITY = 82
SECONDS = 10
"""Of processor time: 20 million pixels need one or two."""
MEMORY = 512 << 20
"""Bytes of address space beyond what the program itself takes."""


class Unusable(Exception):
    """Why a picture is not taken: a word of `connector.photos.making.FAULTS`."""


def develop(source: bytes) -> tuple[tuple[int, int], bytes, bytes]:
    """Size, picture and small picture. Raises `Unusable`."""
    try:
        with Image.open(io.BytesIO(source), formats=KINDS) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise Unusable("large")
            if getattr(opened, "n_frames", 1) > 1:
                raise Unusable("moving")
            # JPEG can be decoded smaller at once: a phone's 12 million pixels are shown as 2.
            opened.draft("RGB", (LONG_SIDE, LONG_SIDE))
            painted = _flat(ImageOps.exif_transpose(opened))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise Unusable("large") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, Warning) as error:
        raise Unusable("broken") from error
    painted.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    small = painted.copy()
    small.thumbnail((SMALL_SIDE, SMALL_SIDE), Image.Resampling.LANCZOS)
    return painted.size, _jpeg(painted), _jpeg(small)


def _flat(picture: Image.Image) -> Image.Image:
    """As colours without transparency: what was see-through becomes white."""
    if picture.mode in ("RGB", "L"):
        return picture.convert("RGB")
    clear = picture.convert("RGBA")
    ground = Image.new("RGB", clear.size, "white")
    ground.paste(clear, mask=clear.getchannel("A"))
    return ground


def _jpeg(picture: Image.Image) -> bytes:
    clean = Image.new("RGB", picture.size)  # a fresh one: `info` of the opened one would be written with it
    clean.paste(picture)
    target = io.BytesIO()
    clean.save(target, "JPEG", quality=QUALITY, optimize=True)
    return target.getvalue()


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, resource.RLIM_INFINITY))
    except OSError:  # a system that does not tell; the limits of time and pixels remain
        return


def main() -> None:
    """The fault or the sizes as a line, then the bytes."""
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    Image.preinit()
    source = sys.stdin.buffer.read()
    _limit()
    out = sys.stdout.buffer
    try:
        (width, height), picture, small = develop(source)
    except (Unusable, MemoryError) as error:
        fault = str(error) if isinstance(error, Unusable) else "large"
        out.write(json.dumps({"fault": fault}).encode() + b"\n")
        return
    head = {"width": width, "height": height, "picture": len(picture), "small": len(small)}
    out.write(json.dumps(head).encode() + b"\n" + picture + small)


if __name__ == "__main__":
    main()

"""Wheels of what is installed here, so that installers can be run for real without a network."""

from __future__ import annotations

import zipfile
from email import message_from_bytes
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_INSTALLERS = {"INSTALLER", "REQUESTED", "direct_url.json"}


def needed(wheel: Path) -> dict[str, Distribution]:
    """The distributions a wheel says it needs, and those they need, without any extras of its own."""
    found: dict[str, Distribution] = {}
    with zipfile.ZipFile(wheel) as packed:
        told = next(name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(packed.read(told))
    left = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    while left:
        one = left.pop()
        if one.marker is not None and not any(one.marker.evaluate({"extra": extra}) for extra in (*one.extras, "")):
            continue
        key = canonicalize_name(one.name)
        if key in found and not one.extras:
            continue
        known = key in found
        found[key] = distribution(one.name)
        extras = {"", *one.extras} if not known else set(one.extras)
        for text in found[key].requires or ():
            more = Requirement(text)
            if more.marker is None or any(more.marker.evaluate({"extra": extra}) for extra in extras):
                more.marker = None
                left.append(more)
    return found


def repack(dist: Distribution, folder: Path) -> Path:
    """The wheel a distribution was installed from, but for scripts and what Python compiled."""
    name, version = str(dist.metadata["Name"]).replace("-", "_"), dist.version
    tags = [line.removeprefix("Tag: ") for line in (dist.read_text("WHEEL") or "").splitlines() if "Tag: " in line]
    parts = [sorted(set(column)) for column in zip(*(tag.split("-") for tag in tags), strict=True)]
    path = folder / f"{name}-{version}-{'-'.join('.'.join(part) for part in parts)}.whl"
    lines = []
    with zipfile.ZipFile(path, "w") as wheel:
        for file in dist.files or ():
            inside = file.as_posix()
            if inside.startswith("..") or "__pycache__" in inside or file.name in {*_INSTALLERS, "RECORD"}:
                continue
            wheel.write(str(dist.locate_file(file)), inside)
            lines.append(f"{inside},,\n")
        record = next(file.as_posix() for file in dist.files or () if file.name == "RECORD")
        wheel.writestr(record, "".join([*lines, f"{record},,\n"]))
    return path

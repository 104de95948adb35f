"""Print where the Shopify Admin schema 2026-10 lies, fetching it once when it is nowhere.

    .venv/bin/python scripts/shopify_schema.py            the path on standard output
    .venv/bin/python scripts/shopify_schema.py --fetch    fetch again, whatever is there

The schema is Shopify's own (in their npm package @shopify/dev-mcp) and is not kept in this repository. It is looked
for in ../shared/data and .cache/shopify, else fetched with `npm pack` from whatever registry npm is set to. When that
cannot be, one line on standard error says why and the exit code is 0: what needs the schema is then skipped.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from connector.testing.fakes.shopify.schema import API_VERSION, FILE_NAME, find_schema  # noqa: E402

PACKAGE = "@shopify/dev-mcp@1.16.0"
MEMBER = f"data/admin_{API_VERSION}.json.gz"
CACHE = ROOT / ".cache" / "shopify"
SECONDS = 180


class NotToBeHad(Exception):
    """The schema cannot be fetched here; the message is one line."""


def pack(folder: Path) -> Path:
    """Download the package with npm into `folder`; the tarball."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotToBeHad("npm is not installed")
    command = [npm, "pack", PACKAGE, "--silent", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=SECONDS)
    except subprocess.CalledProcessError as error:
        raise NotToBeHad(f"npm pack {PACKAGE} failed with code {error.returncode}") from error
    except subprocess.TimeoutExpired as error:
        raise NotToBeHad(f"npm pack {PACKAGE} took more than {SECONDS} s") from error
    found = sorted(folder.glob("*.tgz"))
    if not found:
        raise NotToBeHad(f"npm pack {PACKAGE} left no file")
    return found[0]


def introspection(tarball: Path) -> bytes:
    """The gzipped introspection result inside the package."""
    with tarfile.open(tarball) as archive:
        for member in archive.getmembers():
            if member.isfile() and member.name.endswith(MEMBER):
                stream = archive.extractfile(member)
                if stream is not None:
                    return gzip.decompress(stream.read())
    raise NotToBeHad(f"{tarball.name} has no {MEMBER}")


def as_sdl(raw: bytes) -> str:
    """The schema language for an introspection result, with or without its `data` wrapper."""
    try:
        from graphql import build_client_schema, print_schema
    except ImportError:
        raise NotToBeHad("graphql-core is not installed (kiitos[dev])") from None
    found = json.loads(raw)
    return print_schema(build_client_schema(found.get("data", found), assume_valid=True))


def fetch(cache: Path) -> Path:
    """Fetch, convert and keep the schema; its path. Raises `NotToBeHad`."""
    with tempfile.TemporaryDirectory() as folder:
        sdl = as_sdl(introspection(pack(Path(folder))))
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / FILE_NAME
    # Written beside and renamed: a half-written schema would be found by the next run.
    draft = target.with_suffix(".part")
    draft.write_bytes(gzip.compress(sdl.encode(), mtime=0))
    return draft.replace(target)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fetch", action="store_true", help="fetch even when a schema is there")
    options = parser.parse_args(arguments)
    found = None if options.fetch else find_schema()
    try:
        print(found or fetch(CACHE))
    except NotToBeHad as reason:
        print(f"no Shopify schema: {reason}; checks against it are skipped", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Secrets that are made where the configuration says `generate = true`."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from connector.whole import write_first


def generate_secret(file: Path, *, key: bool) -> None:
    """Make a secret once, readable by its owner only; a second process that races loses and reads the first's.

    A master key is 32 bytes in base64; any other secret is 40 letters and digits, which no shop escapes or trims.
    """
    chance = os.urandom(32)
    text = "k1=" + base64.b64encode(chance).decode() if key else chance.hex()[:40]
    write_first(file, text + "\n")

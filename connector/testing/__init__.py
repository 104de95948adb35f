"""What an outsider needs to prove a platform adapter: the conformance kit, recordings, golden files, fake shops.

Imported by test suites and the demo only; nothing else in the product imports it. The kit needs pytest, the fakes
do not, and the demo runs from a wheel without it: hence names are loaded when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connector.testing.platform import PlatformConformance, run_conformance
    from connector.testing.profile import conformance_of
    from connector.testing.recording import Recording, find_recordings, golden, golden_update_allowed

__all__ = [
    "PlatformConformance",
    "Recording",
    "conformance_of",
    "find_recordings",
    "golden",
    "golden_update_allowed",
    "run_conformance",
]

_HOMES = {"PlatformConformance": "platform", "run_conformance": "platform", "conformance_of": "profile"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"connector.testing.{_HOMES.get(name, 'recording')}"), name)

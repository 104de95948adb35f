"""What an outsider needs to prove a platform adapter: the conformance kit, recordings, golden files.

Imported by test suites only; needs pytest and hypothesis. Nothing in the product imports it.
"""

from connector.testing.platform import PlatformConformance, run_conformance
from connector.testing.recording import Recording, find_recordings, golden, golden_update_allowed

__all__ = [
    "PlatformConformance",
    "Recording",
    "find_recordings",
    "golden",
    "golden_update_allowed",
    "run_conformance",
]

"""All planted bugs of the ledger, and the search for one: `python -m tests.swarm.value.bugs.garden --most 300`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.swarm.bugs.garden import Garden
from tests.swarm.value.bugs import gifts, points
from tests.swarm.value.search import LIVES

GARDEN = Garden(
    "tests.swarm.value.bugs.garden",
    LIVES,
    (*points.BUGS, *gifts.BUGS),
    Path(__file__).with_name("known.json"),
    most=300,
)

if __name__ == "__main__":
    sys.exit(GARDEN.main())

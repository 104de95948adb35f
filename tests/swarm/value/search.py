"""Lives of the ledger by the thousand: `python -m tests.swarm.value.search --seeds 2000` (`make swarm-value`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.swarm.lives import Lives, stories
from tests.swarm.value.house import ValueHouse
from tests.swarm.value.life import ValueLife
from tests.swarm.value.oracles import check


def story(life: ValueLife) -> Iterator[str]:
    yield from stories(life)
    for name in ("merged", "forgotten", "words", "uses", "off"):
        yield f"{name} {getattr(life, name)}"


LIVES: Lives[ValueHouse, ValueLife] = Lives(
    "tests.swarm.value.search", ValueHouse, ValueLife, check, ValueLife.happened, story
)

if __name__ == "__main__":
    sys.exit(LIVES.main(__doc__))

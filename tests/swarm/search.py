"""Lives by the thousand, in two processes: `python -m tests.swarm.search --seeds 50000` (`make swarm SEEDS=50000`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.swarm.house import House
from tests.swarm.life import Life
from tests.swarm.lives import Lives, stories
from tests.swarm.oracles import check


def story(life: Life) -> Iterator[str]:
    yield from stories(life)
    for letter in life.post.letters:
        yield f"  {letter}{' (word lost)' if letter.word_lost else ''}"


LIVES: Lives[House, Life] = Lives("tests.swarm.search", House, Life, check, Life.decisions, story)

if __name__ == "__main__":
    sys.exit(LIVES.main(__doc__))

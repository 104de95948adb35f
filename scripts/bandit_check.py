"""What bandit finds beyond this list, or no longer finds, fails `make lint`. Each entry has its reason.

ruff's S rules are bandit's too and hold everywhere; here are those of medium weight and more that ruff does not know or
that we allow in a place.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT = ("connector", "flows", "platforms", "webhooks")
KNOWN: dict[tuple[str, str], tuple[int, str]] = {
    ("connector/simulate/held.py", "B608"): (1, "names come from our own SQL files, never from outside"),
    ("connector/dispatchers/procrastinate.py", "B608"): (1, "the name of the queue is a constant of ours"),
    ("connector/pages/theme.py", "B704"): (1, "colours are #rrggbb, fonts matched their pattern when they were read"),
    ("connector/keeping/upgrading.py", "B608"): (1, "tables and conditions stand in our own migrations"),
    ("connector/store/aligning.py", "B608"): (4, "tables and columns are named by our own schema"),
    ("connector/store/moving.py", "B608"): (5, "tables and columns are named by our own schema"),
    ("connector/store/postgres_snapshots.py", "B608"): (4, "tables are named by our own schema"),
    ("connector/store/tables.py", "B608"): (3, "tables are named by our own schema"),
    ("connector/pages/shown_reviews.py", "B704"): (1, "every letter that could end the element is its number"),
    ("flows/channels/ses_events.py", "B303"): (1, "Amazon signs version 1 notifications with SHA-1; 2 is preferred"),
    ("flows/render/compiled.py", "B102"): (1, "the source is made by our compiler from a parsed template"),
    ("flows/render/compiled.py", "B704"): (1, "a literal of the template itself: its author wrote markup"),
    ("flows/render/filters.py", "B704"): (3, "what is marked is escaped in the same expression"),
    ("flows/render/strings.py", "B704"): (1, "our own texts"),
}


def found() -> Counter[tuple[str, str]]:
    command = [str(Path(sys.executable).with_name("bandit")), "-q", "-ll", "-f", "json", "-r", *PRODUCT]
    told = subprocess.run([*command, "-x", "connector/testing"], cwd=ROOT, capture_output=True, check=False)
    return Counter((one["filename"].removeprefix("./"), one["test_id"]) for one in json.loads(told.stdout)["results"])


def main() -> int:
    known = Counter({place: count for place, (count, _) in KNOWN.items()})
    now = found()
    for (name, rule), count in sorted((now - known).items()):
        sys.stdout.write(f"{name}: {count} x {rule} is new: mend it, or give it a reason in scripts/bandit_check.py\n")
    for (name, rule), count in sorted((known - now).items()):
        sys.stdout.write(f"{name}: {count} x {rule} is gone: take it out of scripts/bandit_check.py\n")
    return int(now != known)


if __name__ == "__main__":
    sys.exit(main())

"""The fault table.

    python -m tests.stress                                  # all of it: about an hour on two cores
    python -m tests.stress --only inputs                    # thousands of bad inputs: a minute
    python -m tests.stress --only kills --kills 200
    python -m tests.stress --only damage --damage 300

Exit status 1 if anything was lost, silently wrong, or a traceback. Not part of the test suite.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.stress.table import HEAD, Row, total

PARTS = ("inputs", "damage", "kills")


def rows_of(part: str, options: argparse.Namespace, place: Path) -> list[Row]:
    """The rows of one part; each has a folder of its own."""
    if part == "inputs":
        from tests.stress.inputs import all_inputs

        return all_inputs(place, options.seed)
    if part == "damage":
        from tests.stress.damage import of_runs, of_studies

        return of_runs(place, options.damage, options.seed) + of_studies(place, options.damage, options.seed)
    from tests.stress.kills import run_kills, sweep_kills

    found = run_kills(place, options.kills * 0.75, options.seed)
    found.append(sweep_kills(place, options.kills * 0.2, options.seed, jobs=1))
    return [*found, sweep_kills(place, options.kills * 0.05, options.seed, jobs=2)]


def main() -> int:
    """Print the table, and below it what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--damage", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows: list[Row] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for part in options.only:
            (place := Path(folder) / part).mkdir()
            rows += rows_of(part, options, place)
    print(HEAD)
    for row in [*rows, total(rows)]:
        print(row)
    for row in rows:
        print(*row.notes, sep="\n", end="\n" if row.notes else "")
    print(f"{time.monotonic() - began:.0f} s")
    return 0 if all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Seal stored studies anew, after a change by hand that is meant to stay.

    python -m klcourse.studies.reseal phase_diagram          # without a name: all of them

A study whose files are not what its record was written with is refused by every reader; this says that they are right.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .read import RESULTS, seal


def reseal(name: str, folder: Path = RESULTS) -> None:
    """Put today's checksums of a study's files into its record. Raises OSError and ValueError if there is no such record."""
    record = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise ValueError(f"{name}.json holds no record")
    seal(name, record, folder)


def main(arguments: list[str] | None = None) -> int:
    """Command line; 1 if a study cannot be sealed."""
    parser = argparse.ArgumentParser(description="Put today's checksums of stored studies into their records.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a study in notebooks/results; default: all")
    names = parser.parse_args(arguments).names
    for name in names or sorted(path.stem for path in RESULTS.glob("*.json") if not path.stem.endswith("_samples")):
        try:
            reseal(name)
        except (OSError, ValueError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

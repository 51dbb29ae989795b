"""python -m klcourse.studies NAME: run a study, store its results; after an interruption it goes on."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from .definitions import STUDIES
from .runner import run_study
from .store import RESULTS


def main(argv: list[str] | None = None) -> int:
    """Run the study named; returns the exit status: 0, 1 if a run failed, 130 after Ctrl-C."""
    listing = "\n".join(f"  {name:<16}{len(s.runs):>3} runs  {s.about}" for name, s in STUDIES.items())
    parser = argparse.ArgumentParser(
        prog="python -m klcourse.studies",
        description=__doc__,
        epilog=f"studies:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=STUDIES, metavar="NAME", help="one of the studies below")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where to (default: notebooks/results)")
    parser.add_argument("--work", type=Path, help="folder for finished runs (default: runs/studies/NAME)")
    cores = os.cpu_count() or 1
    parser.add_argument("--jobs", type=positive, default=cores, help="processes (default: one a core)")
    parser.add_argument("--fresh", action="store_true", help="repeat runs that were finished before")
    options = parser.parse_args(argv)
    work = options.work or Path("runs") / "studies" / options.name
    if options.fresh:
        shutil.rmtree(work, ignore_errors=True)
    try:
        failed = run_study(options.name, STUDIES[options.name], options.out, work, options.jobs)
    except KeyboardInterrupt:
        print("stopped; finished runs are kept, the same command goes on", file=sys.stderr)
        return 130
    for run, error in failed.items():
        print(f"run {run} failed: {error}", file=sys.stderr)
    return 1 if failed else 0


def positive(text: str) -> int:
    """A number of processes."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes: choose 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())

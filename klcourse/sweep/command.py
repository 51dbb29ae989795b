"""The command `klcourse sweep`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import grid as grid_files
from .drive import SweepError, plan, sweep


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command, and what a grid file looks like."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"{parser.epilog}\n\n{grid_files.__doc__}"
    parser.add_argument("grid", metavar="GRID.toml", help="what to run; an example is below")
    parser.add_argument(
        "--out", required=True, type=folder, help="folder for the runs and the table; the same again goes on"
    )
    parser.add_argument("--table", type=folder, help="copy the finished table there too, such as notebooks/results")
    parser.add_argument(
        "--backend", choices=["loky", "stacked", "dask"], default="loky",
        help="local processes; or many MLPs on images at once, the rest as before; or a dask cluster",
    )  # fmt: skip
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of the dask cluster, such as tcp://127.0.0.1:8786")
    parser.add_argument("--jobs", type=positive, help="local processes at a time (default: one a core)")
    parser.add_argument("--threads", type=positive, default=1, help="threads a run (default: 1; other last digits)")
    parser.add_argument("--adopt", nargs="+", default=[], metavar="DIR", help="copy finished runs found there")
    parser.add_argument("--dry-run", action="store_true", help="list the runs and what is left, do nothing")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def folder(text: str) -> Path:
    """The path of a folder, which has a name."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} names no folder: give one, such as runs/first")
    return Path(text)


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: choose a whole number from 1")
    return int(text)


def main(arguments: argparse.Namespace) -> int:
    """Do what the arguments say; returns the exit status: 0, 1 if a run failed, 2 if nothing could run, 130 after Ctrl-C."""
    a = arguments
    if (a.backend == "dask") != (a.scheduler is not None):
        print("klcourse sweep: --backend dask and --scheduler ADDRESS go together: give both or neither", file=sys.stderr)
        return 2
    try:
        if a.dry_run:
            print(plan(a.grid, a.out, a.jobs, a.threads))
            return 0
        result = sweep(
            a.grid, a.out, table=a.table, jobs=a.jobs, threads=a.threads, scheduler=a.scheduler,
            stack=a.backend == "stacked", adopt_from=a.adopt, progress=not a.quiet,
        )  # fmt: skip
    except SweepError as error:
        print(f"klcourse sweep: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("klcourse sweep: stopped at once; the same command goes on from the last checkpoints", file=sys.stderr)
        return 130
    grid, total = result.grid, len(result.grid.runs)
    for run, why in result.failed.items():
        print(f"failed: run {grid.runs.index(run)} ({grid.describe(run)}): {why}", file=sys.stderr)
    missing = f"; {result.missing} of {total} runs are missing" if result.missing else ""
    if result.missing < total:
        print(f"{result.table / grid.name}.csv: {total - result.missing} runs{missing}")
    if result.stopped:
        print(f"klcourse sweep: stopped, nothing is lost{missing}; the same command goes on", file=sys.stderr)
        return 128 + result.signal
    if result.failed:
        print("each failed run's folder in --out has an error.txt; the same command tries them again", file=sys.stderr)
    return 1 if result.failed else 0

"""A sweep from its grid file to its table."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import joblib

from klcourse.runs.files import CHECKPOINT
from klcourse.system import reason, remove_leftovers, write_atomically

from .cluster import BackendError, cluster, connect
from .folder import FolderError, adopt, finished, held, prepare, set_aside
from .gather import gather
from .grid import Grid, GridError, GridRun, read_grid
from .keep import copy_models, keep_models
from .local import local
from .progress import Progress, in_words, seconds_left
from .stacked import stacked
from .stop import Stop, stop_on_interrupt
from .worker import Outcome, Task

AGE = 3600.0  # seconds after which nobody still writes a file
SweepError = (GridError, FolderError, BackendError)
"""What a sweep raises when it cannot be done; the message says why and what to do."""


@dataclass
class Result:
    """How a sweep ended: where the table is, how many runs it lacks, which failed, the signal that stopped it if one did."""

    grid: Grid
    table: Path
    missing: int = 0
    failed: dict[GridRun, str] = field(default_factory=dict)
    stopped: bool = False
    signal: int = 0


def sweep(
    path: str | Path,
    out: str | Path,
    *,
    table: str | Path | None = None,
    jobs: int | None = None,
    threads: int = 1,
    scheduler: str | None = None,
    stack: bool = False,
    adopt_from: Sequence[str | Path] = (),
    progress: bool = True,
) -> Result:
    """Do the runs of a grid file that `out` does not hold yet, gather all in one table there, and copy that to `table`.

    `jobs` processes (default: one a core) of `threads` threads each on this machine; or, with `scheduler`, the
    workers of the dask cluster there, which need the same packages and data but not the same file system (without
    it a run that is cut off starts afresh). With `stack`, processes on this machine train runs that differ only in
    seed and objective together; see klcourse.sweep.stacked. A run that fails is reported,
    left out of the table and tried again the next time; Ctrl-C keeps everything. The table in `out` is renewed every
    minute. `adopt_from` are folders with finished runs, copied instead of repeated. Raises GridError, FolderError or
    BackendError before anything runs.
    """
    grid, out = read_grid(path), Path(out)
    table = out if table is None else Path(table)
    keys, steps = prepare(grid)
    with ExitStack() as exits:
        token = exits.enter_context(held(out))
        client = exits.enter_context(connect(scheduler)) if scheduler else None
        try:
            table.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FolderError(f"cannot write to {table}: {reason(error)}; choose another --table") from None
        remove_leftovers(table, older=AGE)
        runs, result = out / "runs", Result(grid, out)
        todo = distinct(keys)
        if adopted := adopt([Path(place) for place in adopt_from], todo, runs, grid):
            print(f"{adopted} finished runs copied")
        for key, run in todo.items():
            if finished(runs / key, run.config, grid.store_of(run)):  # killed between its last file and this
                (runs / key / CHECKPOINT).unlink(missing_ok=True)
            elif (runs / key).exists() and not (runs / key).is_dir():
                set_aside(runs / key)
        tasks = [
            Task(key, run.config, grid.store_of(run), str((runs / key).resolve()), token, threads)
            for key, run in todo.items()
            if not finished(runs / key, run.config, grid.store_of(run))
        ]
        jobs = sum(client.ncores().values()) if client else jobs or default_jobs(threads)
        with Progress(grid.name, todo, steps, runs, jobs, progress) as bar, stop_on_interrupt(bar.say) as stop:
            bar.bar.update(len(todo) - len(tasks))
            if client:
                outcomes = cluster(tasks, client, stop)
            else:
                outcomes = stacked(tasks, jobs, stop, bar.say) if stack else local(tasks, jobs, stop)
            gathered = time.monotonic()
            for outcome in outcomes:
                take_in(outcome, result, keys, runs, bar, stop)
                if time.monotonic() > gathered + 60:  # so that there is something to look at
                    gather(grid, keys, runs, out, result.failed)
                    gathered = time.monotonic()
            result.stopped, result.signal = bool(stop), stop.signal
        result.missing = gather(grid, keys, runs, out, result.failed)
        keep_models(grid, keys, runs, out)
        complete = not result.stopped and result.missing < len(grid.runs)
        if complete and table.resolve() != out.resolve():  # a stored table is not replaced by half of one
            for ending in ".csv", ".json", "_history.csv", "_samples.json", "_scores.npz":
                if (made := out / f"{grid.name}{ending}").exists():
                    write_atomically(table / made.name, made.read_bytes())
            copy_models(grid, out, table)
            result.table = table
    return result


def distinct(keys: dict[GridRun, str]) -> dict[str, GridRun]:
    """Key -> run, once where two tables of a grid have the same run under different names."""
    todo: dict[str, GridRun] = {}
    for run, key in keys.items():
        todo.setdefault(key, run)
    return todo


def take_in(outcome: Outcome, result: Result, keys: dict[GridRun, str], runs: Path, bar: Progress, stop: Stop) -> None:
    """Note how a run ended; write its files, if its worker could not."""
    folder, grid = runs / outcome.key, result.grid
    folder.mkdir(exist_ok=True)
    for name, content in outcome.files.items():
        write_atomically(folder / name, content)
    if outcome.status == "interrupted":
        stop.now()
    elif outcome.status == "failed":
        write_atomically(folder / "error.txt", f"{outcome.error}\n\n{outcome.trace}".encode())
        alike = [run for run, key in keys.items() if key == outcome.key]
        result.failed |= dict.fromkeys(alike, outcome.error)
        bar.say(f"run {grid.runs.index(alike[0])} ({grid.describe(alike[0])}) failed: {outcome.error}")
    else:
        (folder / "error.txt").unlink(missing_ok=True)
        bar.bar.update()


def default_jobs(threads: int) -> int:
    """As many processes as the cores can carry."""
    return max(1, joblib.cpu_count() // threads)


def plan(path: str | Path, out: str | Path, jobs: int | None = None, threads: int = 1) -> str:
    """What `sweep` would do, as text: every run, whether it is finished, and how long the rest takes. Writes nothing."""
    grid, runs = read_grid(path), Path(out) / "runs"
    keys, steps = prepare(grid)
    lines, done = [], 0
    for i, (run, key) in enumerate(keys.items()):
        state = "begun" if (runs / key).exists() else "missing"
        if finished(runs / key, run.config, grid.store_of(run)):
            state, done = "finished", done + 1
        lines.append(f"{i:>4}  {key}  {state:<9} {steps[key]:>7} steps  {grid.describe(run)}")
    left = seconds_left(distinct(keys), steps, runs)
    jobs = jobs or default_jobs(threads)
    when = "unknown until one has finished" if left is None else f"about {in_words(left / jobs)} with --jobs {jobs}"
    return "\n".join([*lines, f"{done} of {len(keys)} runs finished; time left: {when}"])

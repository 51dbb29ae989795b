"""The folder of a sweep: DIR/runs/<key>/ holds each run as `klcourse run` writes it; a lock; what is finished; costs."""

from __future__ import annotations

import json
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from klcourse.data import DataError, load
from klcourse.runs import Run, RunError, build_trainer

from .grid import Grid, GridError, GridRun, Store, run_key


class FolderError(Exception):
    """The folder of a sweep cannot be used; the message says why and what to do."""


@contextmanager
def locked(folder: Path) -> Iterator[str]:
    """Hold a sweep's folder; yields the token written into its lock file. Raises FolderError if another one has it.

    The operating system drops the lock with the process, so none is left behind by a kill.
    """
    try:
        (folder / "runs").mkdir(parents=True, exist_ok=True)
        file = open(folder / ".lock", "a+")
    except OSError as error:
        raise FolderError(f"cannot write to {folder}: {error.strerror}; choose another --out") from None
    with file:
        if not take(file):
            file.seek(0)
            who = file.read().split()
            raise FolderError(
                f"another sweep (process {who[0] if who else 'unknown'}) is at work in {folder}: wait for it, "
                "stop it, or choose another --out"
            )
        token = uuid.uuid4().hex
        file.truncate(0)
        file.write(f"{os.getpid()} {token}\n")
        file.flush()
        yield token


def take(file) -> bool:
    """Lock an open file for this process; False if another has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(2**30)  # far behind the text, which others may read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def prepare(grid: Grid) -> tuple[dict[GridRun, str], dict[str, int]]:
    """Each run's key, and the training steps a key takes; finds out what does not fit its data. Raises GridError."""
    keys, steps, data, fits = {}, {}, {}, {}
    for run in grid.runs:
        config = run.config
        which = config.data, config.limit
        shape = replace(config, seed=0, epochs=1)
        try:
            if which not in data:  # one at a time in memory
                data = {which: load(config.data, limit=config.limit)}
            if shape not in fits:
                fits[shape] = build_trainer(config, data[which]).steps_per_epoch
        except (DataError, RunError) as error:
            raise GridError(f"{run.where}: {error}") from None
        keys[run] = run_key(config, data[which].fingerprint)
        steps[keys[run]] = config.epochs * fits[shape]
    return keys, steps


def finished(folder: Path, config: Run, store: Store) -> bool:
    """Whether a folder holds that run, whole, with everything to be stored."""
    record = read_record(folder)
    if not record.get("finished") or not (folder / "metrics.json").exists() or not (folder / "history.csv").exists():
        return False
    if recorded(record) != config:
        return False
    if store.models and not (folder / "model.safetensors").exists():
        return False
    return not store.samples or wanted_samples(folder / "samples.json", store.samples)


def recorded(record: dict) -> Run | None:
    """The configuration in a run.json; None if it is none of today's."""
    try:
        return Run(**record["config"])
    except (KeyError, TypeError, RunError):
        return None


def read_record(folder: Path) -> dict:
    """A run's run.json; empty where there is none."""
    try:
        return json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}


def wanted_samples(path: Path, n: int) -> bool:
    """Whether a samples.json is there that was drawn with the n of today."""
    return path.exists() and json.loads(path.read_text(encoding="utf-8")).get("asked") == n


def adopt(places: list[Path], todo: dict[str, GridRun], runs: Path, store: Store) -> int:
    """Copy runs that `klcourse run` or another sweep has finished into this sweep; returns how many."""
    found = 0
    for path in sorted(path for place in places for path in place.rglob("run.json")):
        record = read_record(path.parent)
        if (config := recorded(record)) is None:  # not a run of this course
            continue
        versions = record["versions"]
        key = run_key(config, record["data"]["fingerprint"], versions["torch"], versions["klcourse"])
        if key in todo and record.get("finished") and not finished(runs / key, config, store):
            shutil.copytree(path.parent, runs / key, dirs_exist_ok=True)
            found += 1
    return found

"""The folder of a sweep: DIR/runs/<key>/ holds each run as `klcourse run` writes it; a lock; what is finished; costs."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from klcourse.data import DataError
from klcourse.runs import Run, RunError, build_trainer
from klcourse.runs.files import SCORES, WEIGHTS
from klcourse.system import take

from .entries import GridError
from .grid import Grid, GridRun, run_key
from .store import AUTO, Store

MOST_KEPT = 20e6  # bytes of the models that a study keeps


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


def prepare(grid: Grid) -> tuple[dict[GridRun, str], dict[str, int]]:
    """Each run's key, and the training steps a key takes; finds out what does not fit its data. Raises GridError."""
    keys, steps, data, fits = {}, {}, {}, {}
    sizes: dict[GridRun, int] = {}
    for run in grid.runs:
        config = run.config
        which = config.data, config.limit, config.hold_out
        shape = replace(config, seed=0, epochs=config.pretrain + 1)
        try:
            if which not in data:  # one at a time in memory
                data = {which: config.load_data()}
            if shape not in fits:
                trainer = build_trainer(config, data[which])
                fits[shape] = trainer.steps_per_epoch, sum(p.numel() for p in trainer.model.parameters())
        except (DataError, RunError) as error:
            raise GridError(f"{run.where}: {error}") from None
        keys[run] = run_key(config, data[which].fingerprint)
        per_epoch, sizes[run] = fits[shape]
        steps[keys[run]] = config.epochs * per_epoch
        if grid.store.keep == "chosen" and ((valid := data[which].valid) is None or len(valid) < 2):
            remedy = "leave hold_out = 0 out, or choose keep = 'first seed'"
            raise GridError(
                f"{run.where}: keep = 'chosen' asks the validation part, and there is none to speak of: {remedy}"
            )
        if grid.store.scores and AUTO not in grid.store.scores and "iw_nll" in grid.store.scores and not config.iw_samples:
            raise GridError(f"{run.where}: scores = ['iw_nll'] with iw_samples = 0: choose more, or keep 'elbo'")
    check_size(grid, sizes)
    return keys, steps


def check_size(grid: Grid, sizes: dict[GridRun, int]) -> None:
    """GridError if the models to be kept would be too large for a repository; `sizes` in parameters."""
    width = grid.store.keep_bits / 8
    kept = [width * sizes[run] for run in grid.first_seeds]
    if grid.store.keep == "chosen":  # one of every method; the largest, to be safe
        names = dict.fromkeys(run.name for run in grid.first_seeds)
        kept = [max(width * sizes[run] for run in grid.first_seeds if run.name == name) for name in names]
    if grid.store.keep and sum(kept) > MOST_KEPT:
        total, most = sum(kept) / 1e6, max(kept) / 1e6
        size = f"{len(kept)} models of up to {most:.1f} MB are {total:.1f}, more than {MOST_KEPT / 1e6:.0f}"
        remedy = "'chosen', one of every method, or " if grid.store.keep != "chosen" else ""
        bits = ", or keep_bits = 8" if width > 1 else ""
        raise GridError(f"{grid.name}, [store]: keep = {grid.store.keep!r}: {size}: choose {remedy}fewer keep_methods{bits}")


def finished(folder: Path, config: Run, store: Store) -> bool:
    """Whether a folder holds that run, whole, with everything to be stored."""
    record = read_record(folder)
    if not record.get("finished") or not (folder / "metrics.json").exists() or not (folder / "history.csv").exists():
        return False
    if recorded(record) != config:
        return False
    if store.models and not (folder / WEIGHTS).exists():
        return False
    if store.scores and not (folder / SCORES).exists():
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


def adopt(places: list[Path], todo: dict[str, GridRun], runs: Path, grid: Grid) -> int:
    """Copy runs that `klcourse run` or another sweep has finished into this sweep; returns how many."""
    found = 0
    for path in sorted(path for place in places for path in place.rglob("run.json")):
        record = read_record(path.parent)
        if (config := recorded(record)) is None:  # not a run of this course
            continue
        versions = record["versions"]
        key = run_key(config, record["data"]["fingerprint"], versions["torch"], versions["klcourse"])
        if key in todo and record.get("finished") and not finished(runs / key, config, grid.store_of(todo[key])):
            shutil.copytree(path.parent, runs / key, dirs_exist_ok=True)
            found += 1
    return found

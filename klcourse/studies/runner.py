"""Run a study: several processes, finished runs kept; then one table and a record of where it comes from."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import platform
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch
from tqdm.auto import tqdm

from klcourse import __version__, metrics
from klcourse.data import load
from klcourse.objectives import Objective
from klcourse.runs import DISTRIBUTIONS, RunConfig, build_trainer, peak_memory_mib, test_tensors, write_json
from klcourse.training import PROBE, Trainer, seeded, write_atomically

from .definitions import Study, StudyRun
from .store import command

STEP_MEANS = {"rate": "train_rate", "distortion": "train_distortion", "penalty_on": "duty", "lam": "lam"}


def measure(run: StudyRun) -> dict:
    """Train one run; returns its metrics, the curve if it keeps one, and what it cost.

    duty, train_rate, train_distortion and lam_mean are means over the last epoch's steps.
    """
    started, cpu = time.perf_counter(), time.process_time()
    config = run.config
    data = load(config.data, limit=config.limit)
    trainer = build_trainer(config, data)
    steps: list[dict[str, float]] = []
    curve: list[dict[str, float]] = []
    ascent = DualAscent(run, trainer.objective) if run.eta else None
    for _ in range(config.epochs * trainer.steps_per_epoch):
        lam = ascent.lam if ascent else getattr(trainer.objective, "lam", 0.0)
        steps.append(trainer.step() | {"lam": lam})
        if ascent:
            ascent.step(steps[-1]["rate"])
        if run.trace and trainer.steps % run.trace == 0:
            curve.append(probe(trainer) | step_means(steps[-run.trace :]))
    x, y = test_tensors(data, config, next(trainer.model.parameters()).device)
    text = data.kind == "text"
    row = metrics.evaluate(trainer.model, x, y, iw_samples=config.iw_samples, seed=config.seed, text=text)
    row |= step_means(steps[-trainer.steps_per_epoch :])
    row["lam_mean"] = row.pop("lam")
    return {
        "row": row,
        "curve": curve,
        "fingerprint": data.fingerprint,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "peak_memory_mib": peak_memory_mib(),
    }


class DualAscent:
    """lam <- clip(lam + eta (c - R), 0, beta) between steps, by the objective's live knob; see StudyRun."""

    def __init__(self, run: StudyRun, objective: Objective):
        self.objective, self.eta, self.beta = objective, run.eta, objective.beta
        self.on_hinge = hasattr(objective, "lam")
        lam, self.c = (objective.lam, objective.c) if self.on_hinge else (run.lam, run.c)
        self.set(lam)

    def set(self, lam: float) -> None:
        """Put lam in force."""
        self.lam = lam
        if self.on_hinge:
            self.objective.lam = lam
        else:
            self.objective.beta = self.beta - lam

    def step(self, rate: float) -> None:
        """One step of the ascent, after a batch of that rate."""
        self.set(min(max(self.lam + self.eta * (self.c - rate), 0.0), self.beta))


def step_means(steps: list[dict[str, float]]) -> dict[str, float]:
    """Means over training steps, under the names a study uses."""
    return {new: sum(s[old] for s in steps) / len(steps) for old, new in STEP_MEANS.items()}


def probe(trainer: Trainer) -> dict[str, float]:
    """Rate and information now, on the trainer's probe examples, so that both are of the same posteriors."""
    mu, logvar = metrics.posteriors(trainer.model, *trainer.probe)
    mi = metrics.mutual_information(mu, logvar, seeded(trainer.seed, PROBE, trainer.steps))
    return {
        "step": trainer.steps,
        "epoch": trainer.steps / trainer.steps_per_epoch,
        "rate": metrics.rate(mu, logvar),
        "mi": mi.lower,
        "mi_upper": mi.upper,
    }


# ---------------------------------------------------------------------------------------------- many runs


def run_study(
    name: str, study: Study, out: Path, work: Path, jobs: int = 1, progress: bool = True
) -> dict[str, str]:
    """Do the runs of a study that are not in `work` yet, then write NAME.csv, .json, _history.csv to `out`.

    Returns what went wrong: a run's number and settings -> the error. A failed run is left out of the table
    and tried again the next time; the others are kept in `work` and not repeated, also if this process is
    killed.
    """
    work.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    todo = {run: work / f"{key(run)}.json" for run in study.runs}
    waiting = [run for run, path in todo.items() if not path.exists()]
    failed = {}
    before = len(todo) - len(waiting)
    with tqdm(total=len(todo), initial=before, desc=name, unit="run", disable=not progress) as bar:
        for run, result in attempts(waiting, jobs):
            if isinstance(result, Exception):
                label = f"{study.runs.index(run)} ({settings(study, run)})"
                failed[label] = f"{type(result).__name__}: {result}"
                bar.write(f"run {label} failed: {failed[label]}")
            else:
                write_json(todo[run], result)
            bar.update()
    done = {i: json.loads(todo[run].read_text()) for i, run in enumerate(study.runs) if todo[run].exists()}
    if done:
        write_results(name, study, done, failed, out)
    return failed


def attempts(runs: list[StudyRun], jobs: int) -> Iterator[tuple[StudyRun, dict | Exception]]:
    """Every run with its result, or the exception that ended it, as they finish; one thread a process."""
    if jobs == 1 or len(runs) < 2:
        single_thread()
        for run in runs:
            yield run, attempt(run)
        return
    # spawned, not forked: a process forked after torch has started its threads can hang
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(runs)), spawn, initializer=single_thread)
    try:
        futures = {pool.submit(attempt, run): run for run in runs}
        for future in as_completed(futures):
            yield futures[future], future.exception() or future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def attempt(run: StudyRun) -> dict | Exception:
    """measure(run), with the exception as a value: one bad run must not end the others."""
    try:
        return measure(run)
    except Exception as error:
        return error


def single_thread() -> None:
    """One core a process: more threads would fight for the cores, and change the last digits."""
    torch.set_num_threads(1)


def key(run: StudyRun) -> str:
    """What a finished run is kept under: all that decides its numbers, except the code."""
    what = {k: v for k, v in asdict(run).items() if v is not None}
    what |= {"klcourse": __version__, "torch": version("torch")}
    what["fingerprint"] = load(run.config.data, limit=run.config.limit).fingerprint
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


def settings(study: Study, run: StudyRun) -> str:
    """What sets this run apart, in words."""
    return ", ".join(f"{k}={v}" for k, v in varying(study, run).items() if v not in (None, ""))


def varying(study: Study, run: StudyRun) -> dict:
    """The values of the study's varying fields in this run."""
    mine, config = asdict(run), asdict(run.config)
    return {name: config.get(name) if mine.get(name) is None else mine[name] for name in study.varies}


# ------------------------------------------------------------------------------------------------ results


def write_results(name: str, study: Study, done: dict[int, dict], failed: dict[str, str], out: Path) -> None:
    """The table, the curves and the record of a study. No dates: made again, only its cost differs."""
    rows = [{"run": i} | varying(study, study.runs[i]) | result["row"] for i, result in done.items()]
    if not any(run.eta for run in study.runs):  # lam_mean says something only where lam moves
        rows = [{k: v for k, v in row.items() if k != "lam_mean"} for row in rows]
    curves = [{"run": i} | point for i, result in done.items() for point in result["curve"]]
    write_csv(out / f"{name}.csv", rows)
    if curves:
        write_csv(out / f"{name}_history.csv", curves)
    write_json(out / f"{name}.json", provenance(name, study, done, failed))


def write_csv(path: Path, rows: list[dict]) -> None:
    """Six digits are more than the seeds leave standing."""
    text = pd.DataFrame(rows).to_csv(index=False, float_format="%.6g", lineterminator="\n")
    write_atomically(path, text.encode())


def provenance(name: str, study: Study, done: dict[int, dict], failed: dict[str, str]) -> dict:
    """Where the numbers come from and what they cost."""
    default = asdict(RunConfig())
    data = {
        (c.data, c.limit): {"name": c.data, "limit": c.limit, "fingerprint": done[i]["fingerprint"]}
        for i in done
        for c in [study.runs[i].config]
    }
    runs = []
    for i, result in done.items():
        options = asdict(study.runs[i])
        config = {k: v for k, v in options.pop("config").items() if v != default[k]}
        cost = {k: round(result[k], 1) for k in ("seconds", "cpu_seconds")}
        options = {k: v for k, v in options.items() if v not in (None, "")}
        runs.append({"run": i, "config": config} | options | cost)
    return {
        "study": name,
        "about": study.about,
        "command": command(name),
        "versions": {"python": platform.python_version(), "klcourse": __version__}
        | {d: version(d) for d in DISTRIBUTIONS},
        "data": list(data.values()),
        "seeds": sorted({study.runs[i].config.seed for i in done}),
        "varies": list(study.varies),
        "rows": len(done),
        "failed": failed,
        "threads": 1,
        "seconds": round(sum(r["seconds"] for r in done.values()), 1),
        "cpu_seconds": round(sum(r["cpu_seconds"] for r in done.values()), 1),
        "peak_memory_mib": max(r["peak_memory_mib"] or 0 for r in done.values()),
        "runs": runs,
    }

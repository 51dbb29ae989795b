"""One table of all runs, their curves, samples and scores, and a record of where the numbers come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from klcourse.runs import write_json
from klcourse.runs.files import SCORES
from klcourse.studies import RESULTS, command
from klcourse.studies.read import seal
from klcourse.studies.scores import pack
from klcourse.system import write_atomically

from .folder import finished, read_record
from .grid import Grid, GridRun, sha256
from .store import AUTO

# names in a run's history -> names in tables
TRAINING = {"rate": "train_rate", "distortion": "train_distortion", "penalty_on": "duty", "lam": "lam"}
# on the validation part; runs of an earlier time were measured on test examples
MEASURED = {"valid_rate": "rate", "test_rate": "rate", "mi": "mi", "mi_upper": "mi_upper", "valid_loss": "valid_loss"}


def gather(grid: Grid, keys: dict[GridRun, str], runs: Path, out: Path, failed: dict[GridRun, str]) -> int:
    """Write NAME.csv, NAME.json and what [store] asks for, from the runs finished so far; returns how many are missing.

    No dates and no paths: made again, only the costs differ (the column `seconds`, and seconds and memory in NAME.json).
    """
    numbers = {run: i for i, run in enumerate(grid.runs)}
    done = {run: runs / keys[run] for run in grid.runs if finished(runs / keys[run], run.config, grid.store_of(run))}
    records = {run: read_record(folder) for run, folder in done.items()}
    rows, curves, samples, scores = [], [], {}, {}
    for run, folder in done.items():
        history = pd.read_csv(folder / "history.csv")
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        row = {"run": numbers[run]} | {name: exact(value) for name, value in grid.settings(run).items()} | metrics
        rows.append(row | last_epoch(history, records[run]) | {"seconds": records[run]["seconds"]})
        if grid.store.history:
            table = curve(history)
            table.insert(0, "run", numbers[run])
            curves.append(table)
        if grid.store.scores:
            scores[keys[run]] = records[run]["data"]["fingerprint"], read_scores(folder, grid.store.scores)
        if grid.store.samples:
            samples[numbers[run]] = json.loads((folder / "samples.json").read_text(encoding="utf-8"))
    if rows:
        write_csv(out / f"{grid.name}.csv", tidy(rows))
        if curves:
            table = pd.concat(curves)
            unknown = [name for name in ("valid_loss",) if name in table and table[name].isna().all()]
            write_csv(out / f"{grid.name}_history.csv", table.drop(columns=unknown))
        if samples:
            write_json(out / f"{grid.name}_samples.json", samples)
        if scores:
            write_atomically(out / f"{grid.name}_scores.npz", pack(scores))
        remove_stale(grid, out, {"_history.csv": curves, "_samples.json": samples, "_scores.npz": scores})
        seal(grid.name, provenance(grid, keys, records, failed), out)
    return len(grid.runs) - len(done)


def remove_stale(grid: Grid, out: Path, kept: dict[str, Any]) -> None:
    """Remove what an earlier grid of that name kept beside its table, and this one does not."""
    for ending, content in kept.items():
        if not content:
            (out / f"{grid.name}{ending}").unlink(missing_ok=True)


def read_scores(folder: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """What is wanted of a run's scores of test examples, name -> (N,); the ELBO is made of its parts."""
    with np.load(folder / SCORES, allow_pickle=False) as found:
        kept = {name: found[name] for name in found.files}
    if {"distortion", "rate"} <= kept.keys():
        kept.setdefault("elbo", -(kept["distortion"] + kept["rate"]))
    if AUTO in names:
        names = ("iw_nll",) if "iw_nll" in kept else ("elbo",)
    return {name: kept[name] for name in names if name in kept}


def tidy(rows: list[dict]) -> pd.DataFrame:
    """A row a run; the cost comes last, and a column that no run fills is left out."""
    columns = dict.fromkeys(name for row in rows for name in row if name != "seconds")
    table = pd.DataFrame(rows, columns=[*columns, "seconds"])
    return table.drop(columns=[name for name in ("lam_mean",) if name in table and table[name].isna().all()])


def exact(value: Any) -> Any:
    """A setting as tables have it: a number with six digits where that is all of it, and with all others where not.

    >>> exact(0.5), exact(1 / 3), exact(3), exact("a")
    (0.5, '0.3333333333333333', 3, 'a')
    """
    return repr(value) if isinstance(value, float) and float(f"{value:.6g}") != value else value


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Six digits are more than the seeds leave standing."""
    text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    write_atomically(path, text.encode())


def means(history: pd.DataFrame, group: pd.Series) -> pd.DataFrame:
    """Means over training steps for each group of rows; a row stands for the steps since the row before."""
    weight = history["step"].diff().fillna(history["step"])
    columns = [name for name in TRAINING if name in history]
    total = history[columns].mul(weight, axis=0).groupby(group).sum(min_count=1)
    return total.div(weight.groupby(group).sum(), axis=0).rename(columns=TRAINING)


def last_epoch(history: pd.DataFrame, record: dict) -> dict[str, float]:
    """duty, train_rate, train_distortion and lam_mean: means over the steps of the last epoch.

    >>> history = pd.DataFrame({"step": [20, 30, 40], "rate": [9.0, 2.0, 4.0], "penalty_on": [1.0, 0.5, 0.7]})
    >>> last_epoch(history, {"steps": 40, "config": {"epochs": 2}})
    {'train_rate': 3.0, 'duty': 0.6}
    """
    epochs = record.get("epochs_done") or record["config"]["epochs"]  # a run may stop early
    first = record["steps"] - round(record["steps"] / epochs)
    found = means(history, history["step"] > first).loc[True].to_dict()
    return {"lam_mean" if name == "lam" else name: float(value) for name, value in found.items()}


def curve(history: pd.DataFrame) -> pd.DataFrame:
    """The rows with a measurement while training, beside means over the training steps since the one before."""
    measured = history["mi"].notna()
    leads_to = measured.cumsum().shift(fill_value=0)  # the number of the measurement that a row leads to
    training = means(history, leads_to).iloc[: measured.sum()]  # the last rows may lead to none
    at = history.loc[measured, ["step", "epoch", *(name for name in MEASURED if name in history)]]
    return at.rename(columns=MEASURED).reset_index(drop=True).join(training)


def provenance(grid: Grid, keys: dict, records: dict[GridRun, dict], failed: dict[GridRun, str]) -> dict:
    """Where the numbers come from and what they cost."""
    data = {}
    for run, record in records.items():
        limit = run.config.limit
        data[run.config.data, limit] = record["data"] | {"limit": limit}
    runs = []
    for i, run in enumerate(grid.runs):
        if run in records:
            labels = {k: v for k in ("name", "role") if (v := getattr(run, k))}
            cost = {k: records[run][k] for k in ("parameters", "steps", "seconds", "peak_memory_mib")}
            runs.append({"run": i, "key": keys[run]} | labels | {"config": run.written()} | cost)
    return {
        "study": grid.name,
        "about": grid.about,
        "command": command(grid.name) if stored_grid(grid) else f"klcourse sweep {grid.name}.toml --out DIR",
        "grid_sha256": grid.sha256,
        "versions": unique(record["versions"] for record in records.values()),
        "devices": sorted({record["device"] for record in records.values()}),
        "threads": max(record["threads"] for record in records.values()),
        "data": list(data.values()),
        "seeds": sorted({run.config.seed for run in records}),
        "varies": grid.varies,
        "rows": len(records),
        "missing": len(grid.runs) - len(records),
        "failed": {f"{grid.runs.index(run)} ({grid.describe(run)})": error for run, error in failed.items()},
        "seconds": round(sum(record["seconds"] for record in records.values()), 2),
        "peak_memory_mib": max(record["peak_memory_mib"] or 0 for record in records.values()),
        "runs": runs,
    }


def stored_grid(grid: Grid) -> bool:
    """Whether a grid is one of the course's own, as it is today."""
    path = RESULTS / f"{grid.name}.toml"
    return path.exists() and sha256(path.read_text(encoding="utf-8-sig")) == grid.sha256


def unique(versions) -> dict[str, str]:
    """One version a package; more than one, if runs were made with different ones, separated by a comma."""
    found: dict[str, dict] = {}
    for each in versions:
        for name, value in each.items():
            found.setdefault(name, {})[value] = None
    return {name: ", ".join(sorted(values)) for name, values in found.items()}

"""The runs of a stored study over lam and c, as the phase diagram shows them: regimes, curves, and what they draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from klcourse import studies

CUT = 0.95  # a penalty off for more than 5 % of the batches says that the target is held (notebook 07)
NO_RATE = 0.05  # nats
PARTS = {"table": "runs", "history": "training curves", "samples": "drawings"}
CURVE = ("run", "rate", "mi")


def run_regime(duty: ArrayLike, rate: ArrayLike) -> np.ndarray:
    """What training shows: regimes by the duty cycle and the mean rate of the last epoch, as notebook 07 names them.

    inactive: the penalty was never on; held: it was off in more than 5 % of the mini-batches; else collapsed, if the
    rate is below 0.05 nats, or partial.

    >>> run_regime([0, 0.6, 1, 1], [3.0, 3.0, 2.0, 0.01]).tolist()
    ['inactive', 'held', 'partial', 'collapsed']
    """
    duty, rate = np.asarray(duty, float), np.asarray(rate, float)
    never_held = np.where(rate < NO_RATE, "collapsed", "partial")
    return np.where(duty == 0, "inactive", np.where(duty < CUT, "held", never_held))


@dataclass(frozen=True)
class StoredRuns:
    """A study whose runs vary in lam, c and, perhaps, seed; what it does not keep is empty.

    `table` has a row a run: run, lam, c, seed, regime, rate, mi, duty ...; `history` the curves of all runs (run, epoch,
    rate, mi ...); `samples` what a run's model draws, as `studies.load_samples` returns it. `missing` says, for "table",
    "history" and "samples", what is not there.
    """

    study: str
    table: pd.DataFrame
    history: pd.DataFrame
    samples: dict[int, dict]
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def lams(self) -> np.ndarray:
        """The penalty weights of the grid, rising."""
        return np.unique(self.table["lam"])

    @property
    def cs(self) -> np.ndarray:
        """The targets of the grid, rising, nats."""
        return np.unique(self.table["c"])

    def nearest(self, lam: float, c: float) -> tuple[float, float]:
        """The point with runs that is nearest to (lam, c), as the map shows it: in c, and in log lam."""
        points = self.table[["lam", "c"]].drop_duplicates().to_numpy()
        place = np.column_stack([np.log(points[:, 0]), points[:, 1]])
        here = np.array([np.log(max(lam, points[:, 0].min())), c])
        far = np.abs(place - here) / np.maximum(np.ptp(place, axis=0), 1e-9)
        return tuple(points[np.argmin(far.sum(1))].tolist())

    def at(self, lam: float, c: float) -> pd.DataFrame:
        """The runs at a point of the grid, a row a seed."""
        return self.table[np.isclose(self.table["lam"], lam) & np.isclose(self.table["c"], c)]

    def curves(self, run: int, column: str) -> tuple[np.ndarray, np.ndarray]:
        """Epochs and values of one column of a run's history, where it was measured."""
        rows = self.history[self.history["run"] == run].dropna(subset=[column])
        return rows["epoch"].to_numpy(), rows[column].to_numpy()


def load_runs(study: str, folder: str | Path | None = None) -> StoredRuns:
    """The stored runs of a study over lam and c. What was not made yet is left empty, with the command that makes it."""
    missing = {}

    def read(part: str, load, empty):
        try:
            return load(study, folder)
        except studies.StudyError:
            missing[part] = f"No {PARTS[part]} stored yet. This makes them:\n{studies.command(study)}"
            return empty

    table = read("table", studies.load_study, pd.DataFrame(columns=[*CURVE, "lam", "c", "seed", "duty", "regime"]))
    history = read("history", studies.load_history, pd.DataFrame(columns=[*CURVE, "epoch"]))
    samples = read("samples", studies.load_samples, {})
    if len(table):
        table = table.assign(regime=run_regime(table["duty"], table["train_rate"]))
        if "seed" not in table:
            table["seed"] = studies.load_provenance(study, folder)["seeds"][0]
    return StoredRuns(study, table, history, samples, missing)

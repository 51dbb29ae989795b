"""Two tools for work in the background: a table that others may read meanwhile, and work that keeps to its share of time."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd


class Columns:
    """A table of numbers that one thread adds rows to while others read: readers see whole rows only.

    >>> table = Columns("step", "rate")
    >>> table.add(step=1, rate=0.5)
    >>> len(table), table["rate"]
    (1, array([0.5]))
    """

    def __init__(self, *names: str):
        self._columns = {name: array("d") for name in names}
        self._rows = 0

    def add(self, **row: float) -> None:
        """One more row; every column must be given."""
        for name, column in self._columns.items():
            column.append(row[name])
        self._rows += 1  # last: from here on readers see the row

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, name: str) -> np.ndarray:
        return np.array(self._columns[name][: self._rows])

    def frame(self) -> pd.DataFrame:
        """All rows so far."""
        rows = self._rows
        return pd.DataFrame({name: np.array(column[:rows]) for name, column in self._columns.items()})


@dataclass
class Extra:
    """Work beside the training (measuring, drawing samples) that is allowed a share of the training thread's time.

    `make()` starts the work: an iterator, one piece a `next`. A new round begins at most every `every` seconds, and no piece
    is done while what all pieces have cost is more than `share` of the time so far. So dear work comes rarely, cheap work
    often, and the training keeps its pace on any machine. All times are processor time of the thread, so that it does not
    matter what else the machine has to do.
    """

    make: Callable[[], Iterator]
    share: float
    every: float
    spent: float = field(default=0.0, init=False)
    _begun: float = field(default=-math.inf, init=False)
    _pieces: Iterator | None = field(default=None, init=False)

    def advance(self, clock: float) -> None:
        """Do one piece if one is due; `clock` is the time so far, seconds."""
        if self.spent > self.share * clock:
            return
        if self._pieces is None:
            if clock - self._begun < self.every:
                return
            self._begun, self._pieces = clock, self.make()
        started = time.thread_time()
        if next(self._pieces, self) is self:
            self._pieces = None
        self.spent += time.thread_time() - started

    def now(self) -> None:
        """Do a whole round at once, whatever it costs."""
        self._pieces = None
        for _ in self.make():
            pass

    def forget(self) -> None:
        """Drop the round in hand and the account: the run starts anew."""
        self.spent, self._begun, self._pieces = 0.0, -math.inf, None

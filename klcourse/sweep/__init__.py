"""Sweeps: a grid file's runs, done in parallel, none twice, gathered in one table.

    klcourse sweep GRID.toml --out DIR                       # the command; `grid` says what a grid file holds
    sweep("GRID.toml", "DIR", jobs=2)                        # the same from Python
    sweep("GRID.toml", "DIR", stack=True)                    # small models many at once; `stacked` says which
    load_model("DIR/runs/KEY")                               # with [store] models = true

DIR gets NAME.csv (a row a run), NAME.json (where the numbers come from, what they cost), NAME_history.csv and
NAME_samples.json if asked for, and runs/<key>/ with each run's own files. Stopped or killed, the same command goes on.
"""

from .drive import Result, SweepError, sweep
from .grid import Grid, GridError, read_grid

__all__ = ["Grid", "GridError", "Result", "SweepError", "read_grid", "sweep"]

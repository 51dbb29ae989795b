"""Stored studies: tables of many runs, made once by `klcourse sweep`, read and compared by the notebooks. No torch here.

`read` finds a study's files, `seeds` takes means over seeds, `methods` sets methods side by side, `compare` says which
differences the seeds can bear out.
"""

from .compare import (
    Difference,
    beat_in_every_seed,
    beaten,
    best_setting,
    excess_cost,
    from_elbo,
    front,
    paired,
)
from .methods import arrival, cost_line, curves, methods_table, settings, usual_columns
from .read import RESULTS, StudyError, command, load_history, load_provenance, load_samples, load_study, unpack
from .seeds import by_seed, count_seeds, interval, mean_sd, over_seeds

__all__ = [
    "Difference",
    "RESULTS",
    "StudyError",
    "arrival",
    "beat_in_every_seed",
    "beaten",
    "best_setting",
    "by_seed",
    "command",
    "cost_line",
    "count_seeds",
    "curves",
    "excess_cost",
    "from_elbo",
    "front",
    "interval",
    "load_history",
    "load_provenance",
    "load_samples",
    "load_study",
    "mean_sd",
    "methods_table",
    "over_seeds",
    "paired",
    "settings",
    "unpack",
    "usual_columns",
]

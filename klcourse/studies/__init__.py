"""Stored studies: tables of many runs, made once by `klcourse sweep`, read and compared by the notebooks. No torch here.

`read` finds a study's files, `scores` has those of single test examples, `seeds` takes means over seeds, `methods` sets
methods side by side. `selection` chooses settings on the validation part; `families` says which differences between them are
clear, by intervals over seeds and test examples (`crossed`). `compare` has the plainer tables and rules.
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
from .crossed import Crossed, crossed, holm
from .families import Comparison, Family, compare_methods, estimate
from .methods import arrival, cost_line, curves, methods_table, settings, usual_columns
from .read import (
    RESULTS,
    Study,
    StudyError,
    command,
    kept_models,
    load_history,
    load_provenance,
    load_samples,
    load_study,
    unpack,
)
from .seeds import by_seed, count_seeds, interval, mean_sd, over_seeds
from .selection import Choice, choose, choose_each, over_thresholds

__all__ = [
    "Choice",
    "Comparison",
    "Crossed",
    "Difference",
    "Family",
    "RESULTS",
    "Study",
    "StudyError",
    "arrival",
    "beat_in_every_seed",
    "beaten",
    "best_setting",
    "by_seed",
    "choose",
    "choose_each",
    "command",
    "compare_methods",
    "cost_line",
    "count_seeds",
    "crossed",
    "curves",
    "estimate",
    "excess_cost",
    "from_elbo",
    "front",
    "holm",
    "interval",
    "kept_models",
    "load_history",
    "load_provenance",
    "load_samples",
    "load_study",
    "mean_sd",
    "methods_table",
    "over_seeds",
    "over_thresholds",
    "paired",
    "settings",
    "unpack",
    "usual_columns",
]

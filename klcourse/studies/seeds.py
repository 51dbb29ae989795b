"""Studies with several seeds: what a figure's line shows, the mean over seeds, and how a caption names their number."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def over_seeds(runs: pd.DataFrame, by: str | Sequence[str]) -> pd.DataFrame:
    """Mean over seeds of all numbers in a table of runs: a row a setting, settings named by the columns `by`, rising.

    Columns that are the same in all runs of a setting, such as names, stay. One run a setting comes back as it was.

    >>> over_seeds(pd.DataFrame({"beta": [2, 1, 1], "seed": [0, 0, 1], "rate": [1.0, 2.0, 4.0]}), "beta")
       beta  rate
    0     1   3.0
    1     2   1.0
    """
    by = [by] if isinstance(by, str) else list(by)
    groups = runs.drop(columns=["seed", "run"], errors="ignore").groupby(by, dropna=False)
    words = groups.first().select_dtypes(exclude=["number", "bool"])
    return words.join(groups.mean(numeric_only=True)).reset_index()[[c for c in runs if c not in ("seed", "run")]]


def by_seed(runs: pd.DataFrame) -> list[pd.DataFrame]:
    """The runs of each seed; all of them in one table if the study has no column `seed`, as it was made with one.

    >>> [len(runs) for runs in by_seed(pd.DataFrame({"seed": [0, 1, 0], "rate": [1.0, 2.0, 3.0]}))]
    [2, 1]
    """
    return [found for _, found in runs.groupby("seed")] if "seed" in runs else [runs]


def count_seeds(runs: pd.DataFrame) -> str:
    """How many seeds a table of runs has, in words, for a caption.

    >>> count_seeds(pd.DataFrame({"seed": [0, 1, 2, 0]})), count_seeds(pd.DataFrame({"rate": [1.0]}))
    ('three seeds', 'one seed')
    """
    n = runs["seed"].nunique() if "seed" in runs else 1
    return f"{WORDS[n] if n < len(WORDS) else n} seed{'s' * (n != 1)}"


def mean_sd(values: pd.Series, digits: int = 2) -> str:
    """Mean ± standard deviation over seeds; of a single seed its value.

    >>> mean_sd(pd.Series([1.0, 2.0, 3.0])), mean_sd(pd.Series([1.0]))
    ('2.00 ± 1.00', '1.00')
    """
    mean = f"{values.mean():.{digits}f}"
    if float(mean) == 0:
        mean = mean.removeprefix("-")
    return (f"{mean} ± {values.std():.{digits}f}" if values.count() > 1 else mean).replace("-", "−")


def interval(values: Sequence[float], digits: int = 1) -> str:
    """The smallest and the largest of some numbers, for a sentence.

    >>> interval([2.26, 3.9, 3.0]), interval([0.5, 0.5])
    ('2.3 to 3.9', '0.5')
    """
    low, high = (f"{value:.{digits}f}".replace("-", "−") for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"

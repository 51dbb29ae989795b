"""Which method is better, and whether the seeds can carry that: paired differences, and rules that choose a setting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit  # quantiles of Student's t; scipy.stats has them too, and takes half a second to import


class Difference(NamedTuple):
    """A paired difference over seeds: its mean, the 95 % interval of Student's t, and how many seeds it has."""

    mean: float
    low: float
    high: float
    seeds: int

    @property
    def clear(self) -> bool:
        """Is zero outside the interval?"""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.mean:+.2f} [{self.low:+.2f}, {self.high:+.2f}]".replace("-", "−")


def paired(table: pd.DataFrame, one: str, other: str, column: str) -> Difference:
    """one − other in a column, seed by seed: runs of a seed start from the same weights and see the same batches.

    `table` is what `settings` returns. With three seeds the interval is 4.3 standard errors wide to each side: an honest
    reading of three numbers. Raises ValueError for fewer than two seeds in common. `compare_methods` covers test examples
    too, and corrects for the number of comparisons.

    >>> runs = pd.DataFrame({"method": ["a", "a", "b", "b"], "seed": [0, 1, 0, 1], "mi": [2.0, 3.1, 1.0, 2.0]})
    >>> found = paired(runs, "a", "b", "mi")
    >>> round(found.mean, 2), found.clear
    (1.05, True)
    """
    by_seed = [table[table["method"] == method].set_index("seed")[column] for method in (one, other)]
    differences = (by_seed[0] - by_seed[1]).dropna()
    n = len(differences)
    if n < 2:
        raise ValueError(f"{one!r} and {other!r} have {n} seeds in common: a paired difference needs 2 or more")
    half = stdtrit(n - 1, 0.975) * differences.std() / math.sqrt(n)
    mean = differences.mean()
    return Difference(float(mean), float(mean - half), float(mean + half), n)


def best_setting(table: pd.DataFrame, name: str, c: float, reached: float = 0.9) -> str:
    """The setting of a method that a fair referee would pick: information at the target, then the best likelihood.

    Of the settings whose mean I_q is at least `reached` of c, the one with the least IW-NLL; if none reaches it, the one
    with the most information. The rule looks at nothing else, and is the same for every method. It reads the test part, as
    studies without a validation part must; where there is one, `choose` and `over_thresholds` are the honest rules.

    >>> runs = pd.DataFrame({"name": "hinge", "method": ["λ = 1", "λ = 2", "λ = 4"], "mi": [1.0, 2.8, 3.0]})
    >>> best_setting(runs.assign(iw_nll=[90.0, 91.0, 95.0]), "hinge", c=3.0)
    'λ = 2'
    """
    means = table[table["name"] == name].groupby("method", sort=False)[["mi", "iw_nll"]].mean()
    there = means[means["mi"] >= reached * c]
    return str(there["iw_nll"].idxmin() if len(there) else means["mi"].idxmax())


def excess_cost(table: pd.DataFrame, reference: Sequence[str] = ("ELBO", "β-VAE")) -> pd.Series:
    """IW-NLL of each run above that of reference models with the same information, nats; nan where there are none.

    The reference curve, I_q -> IW-NLL, is drawn through the runs of the methods `reference` with the same seed: the oldest
    cure there is, a smaller beta. Between its points it is a straight line, above the last of them it is not continued;
    a run with less information than any of them is compared with the one that has least.

    >>> runs = pd.DataFrame({"name": ["ELBO", "β-VAE", "hinge"], "seed": 0, "mi": [0.0, 2.0, 1.0]})
    >>> excess_cost(runs.assign(iw_nll=[90.0, 94.0, 95.0])).tolist()         # 92 on the line between the first two
    [0.0, 0.0, 3.0]
    """
    found = pd.Series(np.nan, index=table.index)
    for _, runs in table.groupby("seed"):
        curve = runs[runs["name"].isin(reference)].sort_values("mi")
        at = np.interp(runs["mi"], curve["mi"], curve["iw_nll"])
        found.loc[runs.index] = (runs["iw_nll"] - at).where(runs["mi"] <= curve["mi"].max())
    return found


def from_elbo(table: pd.DataFrame) -> pd.DataFrame:
    """The table with two columns more, both against the ELBO's run of the same seed, nats.

    `saved`: how much smaller the distortion is, which is what the decoder makes of z; `cost`: how much larger the IW-NLL.

    >>> runs = pd.DataFrame({"name": ["ELBO", "hinge"], "seed": 0, "distortion": [90.0, 87.0], "iw_nll": [90.0, 91.0]})
    >>> from_elbo(runs)[["name", "saved", "cost"]]
        name  saved  cost
    0   ELBO    0.0   0.0
    1  hinge    3.0   1.0
    """
    elbo = table[table["name"] == "ELBO"].set_index("seed")
    saved = table["seed"].map(elbo["distortion"]) - table["distortion"]
    return table.assign(saved=saved, cost=table["iw_nll"] - table["seed"].map(elbo["iw_nll"]))


def front(table: pd.DataFrame) -> list[str]:
    """The settings that no other beats in both means, more I_q and a smaller IW-NLL, in order of information.

    >>> front(pd.DataFrame({"method": ["a", "b", "c"], "mi": [2.0, 1.0, 0.0], "iw_nll": [92.0, 93.0, 90.0]}))
    ['c', 'a']
    """
    means = table.groupby("method", sort=False)[["mi", "iw_nll"]].mean().sort_values("mi")
    beats = {m: (means["mi"] > means["mi"][m]) & (means["iw_nll"] < means["iw_nll"][m]) for m in means.index}
    return [method for method, others in beats.items() if not others.any()]


def beat_in_every_seed(table: pd.DataFrame, setting: str) -> list[str]:
    """The settings that have more I_q and a smaller IW-NLL than the given one, seed by seed, without exception.

    >>> runs = pd.DataFrame({"method": ["a", "a", "b", "b"], "seed": [0, 1, 0, 1], "mi": [2.0, 2.1, 1.0, 1.1]})
    >>> beat_in_every_seed(runs.assign(iw_nll=[92.0, 91.0, 93.0, 92.0]), "b")
    ['a']
    """
    wide = table.pivot(index="seed", columns="method", values=["mi", "iw_nll"])
    more = wide["mi"].gt(wide["mi"][setting], axis=0) & wide["iw_nll"].lt(wide["iw_nll"][setting], axis=0)
    return [method for method in dict.fromkeys(table["method"]) if more[method].all()]


def beaten(table: pd.DataFrame, name: str, by: str) -> tuple[int, int]:
    """How many runs of a method, and of how many, another method beats in both respects with the same seed.

    Beaten: some run of `by` with that seed has more information and a smaller IW-NLL, whatever its setting.

    >>> runs = pd.DataFrame({"run": [0, 1, 2], "name": ["hinge", "hinge", "β-VAE"], "seed": [0, 1, 0], "mi": [1, 1, 2]})
    >>> beaten(runs.assign(iw_nll=[93.0, 93.0, 92.0]), "hinge", by="β-VAE")
    (1, 2)
    """
    runs, others = table[table["name"] == name], table[table["name"] == by]
    pairs = runs.merge(others, on="seed", suffixes=("", "_other"))
    better = pairs[(pairs["mi_other"] > pairs["mi"]) & (pairs["iw_nll_other"] < pairs["iw_nll"])]
    return better["run"].nunique(), len(runs)

"""Families of comparisons, and the only rule by which one of them is called clear.

Two methods are compared seed by seed and, where a study keeps scores of test examples, example by example (`crossed`); the
p-values of all comparisons made together are corrected after Holm. Which comparisons belong to a family is said before the
numbers are seen: those against the same rivals, in the same column, in the same table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from .crossed import Crossed, crossed, holm
from .methods import settings
from .read import Study, StudyError

LEVEL = 0.05
"""How likely a family without any true difference may have a comparison that is called clear."""

LADDER = "iw_flat"  # of runs whose importance-weighted likelihood has stopped falling with more samples
EXAMPLES = ("data", "limit")  # settings that decide what the test examples are


@dataclass(frozen=True)
class Comparison:
    """one − other in a column: its mean, 95 % interval and p-value, and `adjusted`, Holm's p-value within its family.

    `examples` is how many test examples the interval covers beside the seeds; 0, if it covers seeds only. `flat` says
    whether both likelihoods have converged in the number of importance samples; None where the study does not say.
    """

    one: str
    other: str
    column: str
    mean: float
    low: float
    high: float
    p: float
    adjusted: float
    seeds: int
    examples: int = 0
    flat: bool | None = True

    @property
    def clear(self) -> bool:
        """Holm's p-value is at most .05, and the likelihoods compared are known to have converged."""
        return self.adjusted <= LEVEL and self.flat is True

    @property
    def covers(self) -> str:
        """What the interval covers, in words."""
        return f"{self.seeds} seeds" + (f", {self.examples} test examples" if self.examples else " only")

    @property
    def verdict(self) -> str:
        """Clear or not clear, with the reason if it is not the p-value."""
        if self.clear or self.adjusted > LEVEL:
            return "clear" if self.clear else "not clear"
        return "not clear: " + ("the ladder of samples is not flat" if self.flat is False else "no ladder of samples stored")

    @property
    def interval(self) -> str:
        """The mean with its 95 % interval."""
        return f"{self.mean:+.2f} [{self.low:+.2f}, {self.high:+.2f}]".replace("-", "−")

    def __str__(self) -> str:
        what = f"{self.one} − {self.other}, {self.column}: {self.interval}"
        return f"{what} over {self.covers}; Holm p {shown(self.adjusted)}, {self.verdict}"


class Family(Sequence[Comparison]):
    """Comparisons that were made together. Printed it is a table; `table()` gives that as a DataFrame."""

    def __init__(self, members: Sequence[Comparison]):
        adjusted = holm([each.p for each in members])
        self.members = tuple(replace(each, adjusted=p) for each, p in zip(members, adjusted))

    def __getitem__(self, which):
        """By place; or by names, ("hinge", "ELBO")."""
        if isinstance(which, tuple):
            for each in self.members:
                if (each.one, each.other) == which:
                    return each
            raise KeyError(f"no comparison of {which[0]!r} with {which[1]!r} in this family")
        return self.members[which]

    def __iter__(self) -> Iterator[Comparison]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def table(self) -> pd.DataFrame:
        """A row a comparison, in words."""
        rows = {
            f"{each.one} − {each.other}": {
                "difference [95 % interval]": each.interval,
                "p": shown(each.p),
                "Holm p": shown(each.adjusted),
                "covers": each.covers,
                "verdict": each.verdict,
            }
            for each in self.members
        }
        return pd.DataFrame.from_dict(rows, orient="index")

    def __str__(self) -> str:
        columns = ", ".join(dict.fromkeys(each.column for each in self.members))
        head = f"{columns}: {len(self)} comparisons, clear by Holm's p ≤ {shown(LEVEL)} of the whole family"
        return f"{head}\n{self.table().to_string()}"

    def _repr_html_(self) -> str:
        return self.table().to_html()


def shown(p: float) -> str:
    """A p-value as people write it: ".03", "< .001"."""
    return "< .001" if p < 0.001 else f"{p:.2g}".removeprefix("0")


def compare_methods(
    study: str | pd.DataFrame,
    pairs: Sequence[tuple[str, str]] | None = None,
    column: str = "iw_nll",
    *,
    against: str | Sequence[str] = (),
    among: Sequence[str] | None = None,
    scores: pd.DataFrame | None = None,
) -> Family:
    """All comparisons of a family in one column: `pairs` (one, other), or every method (`among`) with each of `against`.

    Methods go by the names in the column `method` of `settings(study)`. Runs are paired by seed: those of a seed start
    from the same weights and see the same batches; seeds that only one of them has are left out. Where the study keeps
    the column's scores of test examples, or `scores` gives them (rows `run`, columns examples), intervals cover seeds
    and examples, else seeds only, and say so. Importance-weighted columns are never clear before both ladders are flat
    (`iw_flat`). Raises ValueError for a method that is not there, fewer than two seeds in common, a setting with two
    runs of a seed, or examples that differ.

    >>> runs = pd.DataFrame({"name": ["hinge"] * 3 + ["ELBO"] * 3, "seed": [0, 1, 2] * 2, "mi": [3, 3.1, 2.9, 0, 0.2, 0]})
    >>> print(compare_methods(runs, against="ELBO", column="mi")[0])
    hinge − ELBO, mi: +2.93 [+2.79, +3.08] over 3 seeds only; Holm p < .001, clear
    """
    table = settings(study)
    rivals = [against] if isinstance(against, str) else list(against)
    if pairs is None:
        mine = list(dict.fromkeys(table["method"])) if among is None else list(among)
        pairs = [(one, other) for k, other in enumerate(rivals) for one in mine if one not in rivals[: k + 1]]
    elif rivals or among is not None:
        raise ValueError("give pairs, or against and among, not both")
    if not pairs:
        raise ValueError("no pairs to compare: name the rivals, against=...")
    return Family([compare_pair(table, one, other, column, scores) for one, other in pairs])


def estimate(
    study: str | pd.DataFrame, method: str, column: str = "iw_nll", *, scores: pd.DataFrame | None = None
) -> Crossed:
    """A method's own mean in a column with its 95 % interval over seeds and, where scores are kept, test examples.

    >>> runs = pd.DataFrame({"name": "hinge", "seed": [0, 1, 2], "mi": [3.0, 3.1, 2.9]})
    >>> print(estimate(runs, "hinge", "mi"))
    3.00 ± 0.25 (95 %, 3 seeds only)
    """
    table = settings(study)
    runs = runs_of(table, method, column)
    found = scores_of(table, runs, column, scores)
    return crossed(runs[column] if found is None else found)


def compare_pair(table: pd.DataFrame, one: str, other: str, column: str, scores: pd.DataFrame | None) -> Comparison:
    """One comparison, as if it were alone; `table` as `settings` gives it."""
    mine, theirs = runs_of(table, one, column), runs_of(table, other, column)
    seeds = [seed for seed in mine.index if seed in theirs.index]
    if len(seeds) < 2:
        raise ValueError(f"{one!r} and {other!r} have {len(seeds)} seeds in common: a comparison needs 2 or more")
    mine, theirs = mine.loc[seeds], theirs.loc[seeds]
    for name in set(EXAMPLES) & set(table.columns):
        if pd.concat([mine, theirs])[name].nunique(dropna=False) > 1:
            raise ValueError(
                f"{one!r} and {other!r} differ in {name}, so in their test examples: compare runs on the same data"
            )
    left, right = scores_of(table, mine, column, scores), scores_of(table, theirs, column, scores)
    if left is None or right is None:
        found = crossed(mine[column] - theirs[column])
    else:
        same_examples(left, right, one, other)
        found = crossed(left.to_numpy() - right.to_numpy())
    flat = ladders_flat(pd.concat([mine, theirs])) if column.startswith("iw_") else True
    p = found.p
    return Comparison(one, other, column, found.mean, found.low, found.high, p, p, found.seeds, found.examples, flat)


def runs_of(table: pd.DataFrame, method: str, column: str) -> pd.DataFrame:
    """The runs of a method by seed, those with a number in the column."""
    if column not in table:
        raise ValueError(f"the study has no column {column!r}: choose from {', '.join(table.columns)}")
    runs = table[table["method"] == method].dropna(subset=[column])
    if runs.empty:
        known = ", ".join(dict.fromkeys(table["method"]))
        raise ValueError(f"the study has no runs of {method!r} with a number in {column}: choose from {known}")
    if "seed" not in runs:
        raise ValueError("the study has one seed: an interval needs 2 or more")
    if (twice := runs["seed"][runs["seed"].duplicated()]).size:
        raise ValueError(f"{method!r} has several runs of seed {twice.iloc[0]}: choose the rows of one setting first")
    return runs.set_index("seed").sort_index()


def scores_of(table: pd.DataFrame, runs: pd.DataFrame, column: str, scores: pd.DataFrame | None) -> pd.DataFrame | None:
    """The scores of runs, a row a run in their order; None where there are none."""
    if scores is not None:
        return scores.loc[runs["run"]]
    if not isinstance(table, Study):
        return None
    try:
        return table[table["run"].isin(runs["run"])].scores(column).loc[runs["run"]]
    except StudyError:  # the study keeps none
        return None


def same_examples(left: pd.DataFrame, right: pd.DataFrame, one: str, other: str) -> None:
    """Raise ValueError if two tables of scores are not of the same examples, or hold what is not a number."""
    ours, theirs = (each.attrs.get("fingerprint", "") for each in (left, right))
    if ours != theirs or left.shape[1] != right.shape[1]:
        raise ValueError(
            f"{one!r} and {other!r} were measured on different examples (fingerprints {ours or '?'} and {theirs or '?'}): "
            "compare runs on the same data"
        )
    if not np.isfinite(left.to_numpy()).all() or not np.isfinite(right.to_numpy()).all():
        raise ValueError(f"some scores of {one!r} or {other!r} are not a number: look at those runs first")


def ladders_flat(runs: pd.DataFrame) -> bool | None:
    """Whether all runs have a likelihood that more importance samples would not change; None if that is not known."""
    if LADDER not in runs or runs[LADDER].isna().any():
        return None
    return bool((runs[LADDER] == 1).all())

"""Settings chosen on the validation part, by a rule that was there before the results; the test part is only reported.

`choose` picks one setting, `choose_each` one for every method, `over_thresholds` shows what a rule with a threshold would
have picked at every value of it, so that nobody need believe in one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from .methods import settings
from .seeds import mean_sd

VALID = "valid_"
LARGER_IS_BETTER = ("valid_elbo",)


@dataclass(frozen=True)
class Choice:
    """The setting with the best mean in `by` over `seeds` seeds; `means` has all that were eligible, best first.

    `refused` are the settings that a condition excludes, or that have fewer runs with a number than others.
    """

    setting: str
    by: str
    means: pd.Series
    seeds: int
    refused: tuple[str, ...] = ()

    def __str__(self) -> str:
        others = f", the best of {len(self.means)}" if len(self.means) > 1 else ""
        best = f"{self.means.iloc[0]:.2f}".replace("-", "−")
        found = f"{self.setting}: mean {self.by} {best} over {self.seeds} seed{'s' * (self.seeds != 1)}{others}"
        return found + (f"; not eligible: {', '.join(self.refused)}" if self.refused else "")


def choose(
    study: str | pd.DataFrame,
    by: str = "valid_iw_nll",
    among: str | Sequence[str] | None = None,
    at_least: Mapping[str, float] | None = None,
) -> Choice:
    """The setting with the best mean over seeds in `by`, a column of the validation part: the least, or the largest ELBO.

    `among`: names of methods (column `name`) or of settings (column `method` of `settings(study)`), by default all.
    `at_least`: validation column -> what a setting's mean must exceed to be eligible, such as {"valid_shuffle_gap": .5}.
    A setting that has a number in fewer runs than others is not eligible: a run that blew up is not forgotten. Columns of
    the test part are never looked at. Raises ValueError for a column that is none of the validation part, a name the
    study does not have, and where nothing is eligible.

    >>> runs = pd.DataFrame({"name": "hinge", "lam": [1.0, 1.0, 2.0, 2.0], "seed": [0, 1, 0, 1]})
    >>> print(choose(runs.assign(valid_iw_nll=[90.0, 92.0, 91.5, 90.0], iw_nll=[99.0, 99.0, 1.0, 1.0])))
    hinge, λ = 2: mean valid_iw_nll 90.75 over 2 seeds, the best of 2
    """
    table = settings(study)
    if among is not None:
        wanted = [among] if isinstance(among, str) else list(among)
        if missing := [each for each in wanted if not (table["name"].eq(each) | table["method"].eq(each)).any()]:
            known = ", ".join(dict.fromkeys([*table["name"], *table["method"]]))
            raise ValueError(f"the study has no method or setting {missing[0]!r}: choose from {known}")
        table = table[table["name"].isin(wanted) | table["method"].isin(wanted)]
    means, eligible, runs = candidates(table, by, at_least or {})
    if not eligible.any():
        wanted = [f"{column} above {limit:g}" for column, limit in (at_least or {}).items()] or [f"all its runs, with {by}"]
        best = ", ".join(f"{column} {value:.2f}" for column, value in means.max().items())
        raise ValueError(f"none of {len(means)} settings has {' and '.join(wanted)}: the largest means are {best}")
    ordered = means.loc[eligible, by].sort_values(ascending=by not in LARGER_IS_BETTER, kind="stable")
    return Choice(str(ordered.index[0]), by, ordered, runs, tuple(means.index[~eligible]))


def candidates(table: pd.DataFrame, by: str, at_least: Mapping[str, float]) -> tuple[pd.DataFrame, pd.Series, int]:
    """Settings with their means in the columns that decide, which of them are eligible, and how many runs each of those has.

    Nothing else of the table is looked at.
    """
    columns = list(dict.fromkeys([by, *at_least]))
    for column in columns:
        if not column.startswith(VALID):
            raise ValueError(f"{column!r} is not of the validation part: settings are chosen by a column {VALID}...")
        if column not in table:
            known = ", ".join(name for name in table if name.startswith(VALID)) or "none at all"
            raise ValueError(f"the study has no column {column!r}; of the validation part it has {known}")
    groups = pd.DataFrame(table[["method", *columns]]).groupby("method", sort=False)
    counts, means = groups.count(), groups.mean()
    most = int(counts.to_numpy().max(initial=0))
    eligible = counts.eq(most).all(axis=1) & (most > 0)
    for column, limit in at_least.items():
        eligible &= means[column] > limit
    return means, eligible, most


def choose_each(
    study: str | pd.DataFrame,
    by: str = "valid_iw_nll",
    names: Sequence[str] | None = None,
    at_least: Mapping[str, float] | None = None,
) -> dict[str, Choice]:
    """`choose` for every method by itself, name -> Choice; methods none of whose settings is eligible are left out.

    >>> runs = pd.DataFrame({"name": ["ELBO", "hinge", "hinge"], "lam": [None, 1.0, 2.0], "valid_iw_nll": [3.0, 2.0, 1.0]})
    >>> [choice.setting for choice in choose_each(runs).values()]
    ['ELBO', 'hinge, λ = 2']
    """
    table = settings(study)
    found = {}
    for name in dict.fromkeys(table["name"]) if names is None else names:
        runs = table[table["name"] == name]
        if runs.empty or candidates(runs, by, at_least or {})[1].any():
            found[name] = choose(table, by, name, at_least)
    return found


def over_thresholds(
    study: str | pd.DataFrame,
    column: str = "valid_shuffle_gap",
    at: Sequence[float] = (0.0, 0.1, 0.5, 1.0, 2.0),
    *,
    by: str = "valid_iw_nll",
    report: str = "iw_nll",
    names: Sequence[str] | None = None,
    digits: int = 2,
) -> pd.DataFrame:
    """What is chosen for every method when only settings above a threshold count, for several thresholds: a row a method.

    Each cell has the `report` of the setting with the best `by` among those whose mean `column` is above the threshold,
    mean ± standard deviation over seeds, and which setting it is, if there are several; "–" where there is none.

    >>> runs = pd.DataFrame({"name": "hinge", "lam": [1.0, 2.0], "valid_iw_nll": [1.0, 2.0], "iw_nll": [1.5, 2.5]})
    >>> over_thresholds(runs.assign(valid_shuffle_gap=[0.2, 3.0]), at=(0, 1, 5))
          valid_shuffle_gap > 0 valid_shuffle_gap > 1 valid_shuffle_gap > 5
    hinge          1.50 (λ = 1)          2.50 (λ = 2)                     –
    """
    table = settings(study)
    known = list(dict.fromkeys(table["name"])) if names is None else list(names)
    cells: dict[str, dict[str, str]] = {name: {} for name in known}
    for threshold in at:
        found = choose_each(table, by, known, {column: threshold})
        for name in known:
            cells[name][f"{column} > {threshold:g}"] = reported(table, found[name], report, digits) if name in found else "–"
    return pd.DataFrame.from_dict(cells, orient="index")


def reported(table: pd.DataFrame, choice: Choice, report: str, digits: int) -> str:
    """A cell of `over_thresholds`."""
    runs = table[table["method"] == choice.setting]
    name = runs["name"].iloc[0]
    setting = choice.setting.removeprefix(name).removeprefix(", ")
    return mean_sd(runs[report], digits) + (f" ({setting})" if setting else "")

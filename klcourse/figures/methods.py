"""Tables of notebooks 08 to 10: the methods of a stored study side by side, and differences that seeds can bear out.

A study has one row a run. Runs that differ in their seed only are one *setting*; a *method* (the column `name`) may have
been run at several settings, such as four values of lam.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t as student

from klcourse.figures.seeds import mean_sd
from klcourse.studies import load_history, load_provenance, load_study

KNOBS = {"lam": "λ", "c": "c", "beta": "β", "word_dropout": "share"}
SWITCHES = {"bn_gamma": "bn", "delta": "delta", "encoder_steps": "lagging", "word_dropout": "word-dropout"}


def settings(study: str | pd.DataFrame) -> pd.DataFrame:
    """The table of a study with a column `method`, each setting's name, and `style`, its key in klcourse.plots.STYLES.

    A method with one setting is called by its name; with several, what differs is added: "hinge on R, λ = 2".

    >>> runs = pd.DataFrame({"name": ["ELBO", "hinge", "hinge"], "objective": ["elbo", "mi", "mi"], "lam": [np.nan, 1, 2.0]})
    >>> settings(runs)["method"].tolist()
    ['ELBO', 'hinge, λ = 1', 'hinge, λ = 2']
    """
    table = (load_study(study) if isinstance(study, str) else study).copy()

    def method(runs: pd.DataFrame) -> pd.Series:
        varies = [knob for knob in KNOBS if knob in runs and runs[knob].nunique() > 1]
        parts = [f", {KNOBS[knob]} = " + runs[knob].map("{:g}".format) for knob in varies]
        return runs["name"] + sum(parts[1:], start=parts[0]) if parts else runs["name"]

    table["method"] = pd.concat([method(runs) for _, runs in table.groupby("name", sort=False)])
    table["style"] = table["objective"] if "objective" in table else "elbo"
    for column, style in SWITCHES.items():
        if column in table:
            off = 1 if column == "encoder_steps" else 0
            table.loc[table[column].notna() & (table[column] != off), "style"] = style
    return table


def methods_table(
    study: str | pd.DataFrame, names: Sequence[str] | None = None, columns: Mapping[str, tuple[str, int]] | None = None
) -> pd.DataFrame:
    """Every method of a study, mean ± standard deviation over its seeds, in nats per example: a table to be shown.

    `names` chooses methods by the column `name`; `columns`, column -> (heading, digits), what is shown. By default that is
    what every model is measured by: the headings say the cap of the estimate of I_q, and the number K of samples behind the
    importance-weighted NLL; M is the rate less the lower bound of I_q. Raises ValueError for a name the study does not have.
    """
    table = settings(study)
    if names is not None:
        if missing := [name for name in names if name not in set(table["name"])]:
            known = ", ".join(dict.fromkeys(table["name"]))
            raise ValueError(f"the study has no method {missing[0]!r}: choose from {known}")
        table = table[table["name"].isin(names)]
    groups = table.groupby("method", sort=False)
    shown = {}
    for column, (heading, digits) in (usual_columns(table) if columns is None else columns).items():
        shown[heading] = pd.Series({method: mean_sd(values, digits) for method, values in groups[column]})
    return pd.DataFrame(shown)


def usual_columns(table: pd.DataFrame) -> dict[str, tuple[str, int]]:
    """Column -> (heading, digits) of what a study has of the course's metrics."""
    samples = f" (K = {table['iw_samples'].iloc[0]:.0f})" if "iw_samples" in table else ""
    columns = {
        "distortion": ("D", 1),
        "rate": ("R", 2),
        "mi": (f"I_q (at most {table['mi_cap'].iloc[0]:.1f})", 2),
        "mi_upper": ("I_q, upper", 2),
        "marginal_kl": ("M", 2),
        "active_units": ("active", 1),
        "shuffle_gap": ("D shuffled − D", 1),
        "iw_nll": (f"IW-NLL{samples}", 1),
        "iw_ppl": ("IW-PPL", 1),
        "seconds": ("seconds", 0),
    }
    return {column: look for column, look in columns.items() if column in table}


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
    reading of three numbers. Raises ValueError for fewer than two seeds in common.

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
    half = student.ppf(0.975, n - 1) * differences.std() / math.sqrt(n)
    mean = differences.mean()
    return Difference(float(mean), float(mean - half), float(mean + half), n)


def best_setting(table: pd.DataFrame, name: str, c: float, reached: float = 0.9) -> str:
    """The setting of a method that a fair referee would pick: information at the target, then the best likelihood.

    Of the settings whose mean I_q is at least `reached` of c, the one with the least IW-NLL; if none reaches it, the one
    with the most information. The rule looks at nothing else, and is the same for every method.
    """
    means = table[table["name"] == name].groupby("method", sort=False)[["mi", "iw_nll"]].mean()
    there = means[means["mi"] >= reached * c]
    return str(there["iw_nll"].idxmin() if len(there) else means["mi"].idxmax())


def excess_cost(table: pd.DataFrame, reference: Sequence[str] = ("ELBO", "β-VAE")) -> pd.Series:
    """IW-NLL of each run above that of reference models with the same information, nats; nan where there are none.

    The reference curve, I_q -> IW-NLL, is drawn through the runs of the methods `reference` with the same seed: the oldest
    cure there is, a smaller beta. Between its points it is a straight line, above the last of them it is not continued;
    a run with less information than any of them is compared with the one that has least.
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
    """
    elbo = table[table["name"] == "ELBO"].set_index("seed")
    saved = table["seed"].map(elbo["distortion"]) - table["distortion"]
    return table.assign(saved=saved, cost=table["iw_nll"] - table["seed"].map(elbo["iw_nll"]))


def front(table: pd.DataFrame) -> list[str]:
    """The settings that no other beats in both means, more I_q and a smaller IW-NLL, in order of information."""
    means = table.groupby("method", sort=False)[["mi", "iw_nll"]].mean().sort_values("mi")
    beats = {m: (means["mi"] > means["mi"][m]) & (means["iw_nll"] < means["iw_nll"][m]) for m in means.index}
    return [method for method, others in beats.items() if not others.any()]


def beat_in_every_seed(table: pd.DataFrame, setting: str) -> list[str]:
    """The settings that have more I_q and a smaller IW-NLL than the given one, seed by seed, without exception."""
    wide = table.pivot(index="seed", columns="method", values=["mi", "iw_nll"])
    more = wide["mi"].gt(wide["mi"][setting], axis=0) & wide["iw_nll"].lt(wide["iw_nll"][setting], axis=0)
    return [method for method in dict.fromkeys(table["method"]) if more[method].all()]


def beaten(table: pd.DataFrame, name: str, by: str) -> tuple[int, int]:
    """How many runs of a method, and of how many, another method beats in both respects with the same seed.

    Beaten: some run of `by` with that seed has more information and a smaller IW-NLL, whatever its setting.
    """
    runs, others = table[table["name"] == name], table[table["name"] == by]
    pairs = runs.merge(others, on="seed", suffixes=("", "_other"))
    better = pairs[(pairs["mi_other"] > pairs["mi"]) & (pairs["iw_nll_other"] < pairs["iw_nll"])]
    return better["run"].nunique(), len(runs)


def curves(study: str, chosen: Callable[[pd.DataFrame], pd.Series], folder=None) -> pd.DataFrame:
    """The curves of the chosen runs of a study, with `name`, `method`, `lam` and `seed` beside each row."""
    table = settings(load_study(study, folder))
    history = load_history(study, folder).drop(columns="lam", errors="ignore")  # there it is the value in force
    return table.loc[chosen(table), ["run", "name", "method", "lam", "seed"]].merge(history, on="run")


def arrival(history: pd.DataFrame, c: float, share: float = 0.9) -> pd.DataFrame:
    """What each setting has when its rate first reaches `share` of c, mean over seeds: a row a setting.

    Columns: `step` of that measurement, `I/R` there, and `step, I = c/2`, when information first reaches half of the
    target. nan where a run never gets there (the mean is over those that do; `reached` says how many did).
    """

    def first(run: pd.DataFrame) -> pd.Series:
        there, half = run[run["rate"] >= share * c], run[run["mi"] >= 0.5 * c]
        at = there.iloc[0] if len(there) else None
        return pd.Series({
            "R at c: step": np.nan if at is None else at["step"],
            "I/R there": np.nan if at is None else at["mi"] / at["rate"],
            "I at c/2: step": half["step"].iloc[0] if len(half) else np.nan,
        })

    runs = history.groupby(["method", "seed"], sort=False)[["rate", "mi", "step"]].apply(first)
    found = runs.groupby("method", sort=False).mean()
    found["seeds with I ≥ c/2"] = runs["I at c/2: step"].notna().groupby("method", sort=False).sum()
    return found.rename_axis(None)


def cost_line(*studies: str) -> str:
    """Which studies are read, the command that redoes each, and what it cost when it was made, as Markdown."""
    lines = []
    for study in studies:
        record = load_provenance(study)
        where = "GPU" if any("cuda" in str(device) for device in record["devices"]) else "one CPU core"
        hours = record["seconds"] / 3600
        spent = f"{hours:.1f} hours" if hours >= 1 else f"{record['seconds'] / 60:.0f} minutes"
        sizes = " and ".join(dict.fromkeys(f"{data['train']} training examples" for data in record["data"]))
        seeds = f"{len(record['seeds'])} seed{'s' * (len(record['seeds']) > 1)}"
        made = f"{record['rows']} runs, {seeds}, {sizes}, {spent} of {where}"
        lines.append(f"- study `{study}` ({made}): `{record['command']}`")
    return "\n".join(lines)

"""The methods of a stored study side by side: their names, their tables, their curves, what they cost.

A study has one row a run. Runs that differ in their seed only are one *setting*; a *method* (the column `name`) may have
been run at several settings, such as four values of lam.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from klcourse.objectives import SWITCHES, all_knobs

from .read import load_history, load_provenance, load_study
from .seeds import mean_sd


def symbols() -> dict[str, str]:
    """How knobs are written in the name of a setting, knob -> symbol; those without a symbol are not.

    >>> symbols()["lam"], symbols()["word_dropout"]
    ('λ', 'share')
    """
    found = {name: what.symbol for name, users in all_knobs().items() for what in users.values() if what.symbol}
    return found | {switch.setting: switch.knob.symbol for switch in SWITCHES.values() if switch.knob.symbol}


def settings(study: str | pd.DataFrame) -> pd.DataFrame:
    """The table of a study with a column `method`, each setting's name, and `style`, its key in klcourse.plots.STYLES.

    A method with one setting is called by its name; with several, what differs is added: "hinge on R, λ = 2".

    >>> runs = pd.DataFrame({"name": ["ELBO", "hinge", "hinge"], "lam": [np.nan, 1, 2.0]})
    >>> settings(runs)["method"].tolist()
    ['ELBO', 'hinge, λ = 1', 'hinge, λ = 2']
    """
    table = (load_study(study) if isinstance(study, str) else study).copy()
    written = symbols()

    def method(runs: pd.DataFrame) -> pd.Series:
        varies = [knob for knob in written if knob in runs and runs[knob].nunique() > 1]
        parts = [f", {written[knob]} = " + runs[knob].map("{:g}".format) for knob in varies]
        return runs["name"] + sum(parts[1:], start=parts[0]) if parts else runs["name"]

    table["method"] = pd.concat([method(runs) for _, runs in table.groupby("name", sort=False)])
    table["style"] = table["objective"] if "objective" in table else "elbo"
    for switch in SWITCHES.values():
        if (setting := switch.setting) in table:
            on = table[setting].notna() & (table[setting] != switch.knob.default)
            table.loc[on, "style"] = switch.name
    return table


def methods_table(
    study: str | pd.DataFrame, names: Sequence[str] | None = None, columns: Mapping[str, tuple[str, int]] | None = None
) -> pd.DataFrame:
    """Every method of a study, mean ± standard deviation over its seeds, in nats per example: a table to be shown.

    `names` chooses methods by the column `name`; `columns`, column -> (heading, digits), what is shown. By default that is
    what every model is measured by: the headings say the cap of the estimate of I_q, and the number K of samples behind the
    importance-weighted NLL; M is the rate less the lower bound of I_q. Raises ValueError for a name the study does not have.

    >>> runs = pd.DataFrame({"name": ["ELBO", "ELBO", "hinge", "hinge"], "rate": [0.0, 0.1, 3.0, 3.1]})
    >>> methods_table(runs, columns={"rate": ("R", 2)})
                     R
    ELBO   0.05 ± 0.07
    hinge  3.05 ± 0.07
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
    """Column -> (heading, digits) of what a study has of the course's metrics; for `methods_table`.

    >>> usual_columns(pd.DataFrame({"rate": [3.0], "iw_nll": [90.0], "iw_samples": [100], "mi_cap": [6.9]}))
    {'rate': ('R', 2), 'iw_nll': ('IW-NLL (K = 100)', 1)}

    Where K was raised until the bound had settled, the heading has the least and the largest.
    """
    draws = sorted({round(k) for k in table["iw_samples"].dropna()}) if "iw_samples" in table else []
    samples = f" (K = {draws[0]}{f' to {draws[-1]}' if len(draws) > 1 else ''})" if draws else ""
    columns = {
        "distortion": ("D", 1),
        "rate": ("R", 2),
        "mi": (f"I_q (at most {table['mi_cap'].iloc[0]:.1f})", 2),
        "mi_upper": ("I_q, upper", 2),
        "marginal_kl": ("M", 2),
        "active_units": ("active", 1),
        "shuffle_gap": ("D shuffled − D", 1),
        "prior_gap": ("D(z ~ p) − D", 1),
        "iw_nll": (f"IW-NLL{samples}", 1),
        "iw_ppl": ("IW-PPL", 1),
        "seconds": ("seconds", 0),
    }
    return {column: look for column, look in columns.items() if column in table}


def curves(study: str, chosen: Callable[[pd.DataFrame], pd.Series], folder: str | Path | None = None) -> pd.DataFrame:
    """The curves of the chosen runs of a study, with `name`, `method`, `lam` and `seed` beside each row.

    `chosen` takes the table that `settings` gives and says which runs, True or False each. Raises StudyError where the
    study is not there or keeps no history.
    """
    table = settings(load_study(study, folder))
    history = load_history(study, folder).drop(columns="lam", errors="ignore")  # there it is the value in force
    return table.loc[chosen(table), ["run", "name", "method", "lam", "seed"]].merge(history, on="run")


def arrival(history: pd.DataFrame, c: float, share: float = 0.9) -> pd.DataFrame:
    """What each setting has when its rate first reaches `share` of c, mean over seeds: a row a setting.

    Columns: "R at c: step", the step of that measurement; "I/R there"; "I at c/2: step", when information first reaches
    half of the target, nan where a run never gets there (the mean is over those that do); "seeds with I ≥ c/2", how many.

    >>> run = pd.DataFrame({"method": "hinge", "seed": 0, "step": [0, 10, 20], "rate": [0, 2.9, 3], "mi": [0, 0.5, 1.6]})
    >>> arrival(run, c=3.0).round(2).T
                        hinge
    R at c: step        10.00
    I/R there            0.17
    I at c/2: step      20.00
    seeds with I ≥ c/2   1.00
    """

    def first(run: pd.DataFrame) -> pd.Series:
        there, half = run[run["rate"] >= share * c], run[run["mi"] >= 0.5 * c]
        at = there.iloc[0] if len(there) else None
        return pd.Series(
            {
                "R at c: step": np.nan if at is None else at["step"],
                "I/R there": np.nan if at is None else at["mi"] / at["rate"],
                "I at c/2: step": half["step"].iloc[0] if len(half) else np.nan,
            }
        )

    runs = history.groupby(["method", "seed"], sort=False)[["rate", "mi", "step"]].apply(first)
    found = runs.groupby("method", sort=False).mean()
    found["seeds with I ≥ c/2"] = runs["I at c/2: step"].notna().groupby("method", sort=False).sum()
    return found.rename_axis(None)


def cost_line(*studies: str) -> str:
    """Which studies are read, the command that redoes each, and what it cost when it was made, as Markdown.

    Raises StudyError for a study that is not there.
    """
    lines = []
    for study in studies:
        record = load_provenance(study)
        where = "one CPU core" if record["devices"] == ["cpu"] else " and ".join(record["devices"])
        hours = record["seconds"] / 3600
        spent = f"{hours:.1f} hours" if hours >= 1 else f"{record['seconds'] / 60:.0f} minutes"
        sizes = " and ".join(dict.fromkeys(f"{data['train']} training examples" for data in record["data"]))
        seeds = f"{len(record['seeds'])} seed{'s' * (len(record['seeds']) > 1)}"
        made = f"{record['rows']} runs, {seeds}, {sizes}, {spent} of {where}"
        lines.append(f"- study `{study}` ({made}): `{record['command']}`")
    return "\n".join(lines)

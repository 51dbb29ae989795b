"""The capstone: an objective of the reader's own, trained through the public door and set beside stored methods.

look(Mine())                      what is wrong with it, without training
mine = judge(Mine(c=2))           digits and sentences, several seeds; the same settings as the study `capstone`
mine.board()                      beside the methods of that study
mine.save("mine.json")            a file to hand in
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from klcourse.objectives import Objective
from klcourse.objectives.knobs import knobs_of
from klcourse.studies import from_elbo, load_provenance, load_study, settings

from . import handin
from .faults import faults
from .page import Card

if TYPE_CHECKING:
    from klcourse.runs import Run

STUDY = "capstone"
KINDS = {"mnist": "digits", "text": "sentences"}
SHOWN = {
    "rate": "R", "mi": "I_q, lower", "mi_upper": "upper", "mi_cap": "cap", "shuffle_gap": "gap: another's z",
    "prior_gap": "prior's z", "iw_nll_k4": "NLL at K/4", "iw_nll_k2": "K/2", "iw_nll": "K", "iw_flat": "flat",
    "cost": "above the ELBO's",
}  # fmt: skip


def look(objective: Any) -> Card:
    """What is wrong with an objective, found on made-up mini-batches; nothing is trained. Never raises for the objective.

    >>> from klcourse.objectives import ELBO
    >>> look(ELBO()).head
    'elbo: nothing wrong was found.'
    """
    found, name = faults(objective), getattr(objective, "name", "") or "This"
    if found:
        return Card("bad", f"{name}: {len(found)} thing{'s' * (len(found) > 1)} to mend.", found)
    return Card("good", f"{name}: nothing wrong was found.", ("Loss, signs, target and knobs do what they should.",))


@dataclass(frozen=True)
class Result:
    """What became of an objective.

    about     its name, formula, knobs and code
    runs      a row a run: data, seed and all metrics; empty if it was not trained
    settings  data -> the settings of its runs
    trouble   sentences on what went wrong
    stored    whether the settings are those of the stored methods, so that the two can be compared
    """

    about: dict[str, Any]
    runs: pd.DataFrame
    settings: dict[str, dict[str, Any]]
    trouble: Sequence[str] = ()
    stored: bool = True
    target: float = field(default=float("nan"))

    def board(self) -> pd.DataFrame:
        """Your objective beside the stored methods, means over seeds, nats per example; the most information first.

        "above the ELBO's" is the NLL less that of the stored ELBO, seed by seed. Where the ladder K/4, K/2, K is not
        flat in every seed, the NLL is a bound with slack.
        """
        tables = []
        for data in KINDS:
            table = _stored(data)
            if len(self.runs) and self.stored and (self.runs["data"] == data).any():
                mine = self.runs[self.runs["data"] == data].assign(name="yours", method="yours")
                table = from_elbo(pd.concat([table, mine], ignore_index=True))
            columns = table.groupby("method", sort=False)[[name for name in SHOWN if name in table]]
            means = columns.mean().sort_values("mi", ascending=False)
            means["iw_flat"] = np.where(means["iw_flat"] == 1, "yes", "no")
            tables.append(pd.concat({KINDS[data]: means.rename(columns=SHOWN)}, names=["data", "method"]))
        return pd.concat(tables)

    def said(self) -> list[str]:
        """The four questions and their answers, a sentence for each kind of data."""
        board = self.board()
        return [self._sentence(kind, rows, board) for data, kind in KINDS.items()
                if len(rows := self.runs[self.runs["data"] == data] if len(self.runs) else self.runs)]  # fmt: skip

    def _sentence(self, kind: str, rows: pd.DataFrame, board: pd.DataFrame) -> str:
        m = rows.mean(numeric_only=True)
        held = "" if np.isnan(self.target) else f", target {self.target:g}"
        cost = "other settings than the stored runs', so there is no price to tell"
        if self.stored:
            cost = f"NLL {board.loc[(kind, 'yours'), SHOWN['cost']]:+.2f} to the ELBO's"
        flat = "a flat ladder" if (rows["iw_flat"] == 1).all() else "a ladder that still falls, so a bound with slack"
        return (
            f"{kind.capitalize()}, {len(rows)} seed{'s' * (len(rows) > 1)}: rate {m['rate']:.2f} nats{held}; "
            f"information {m['mi']:.2f} to {m['mi_upper']:.2f} (cap {m['mi_cap']:.1f}); another example's z costs the "
            f"decoder {m['shuffle_gap']:.2f}, one from the prior {m['prior_gap']:.2f}; {cost}, with {flat}."
        ).replace("-", "−")

    def save(self, path: str | Path) -> Path:
        """Write the file to hand in, klcourse.exercises.handin says what is in it. Raises OSError, HandInError."""
        work = {"objective": self.about, "seeds": sorted({*self.runs.get("seed", ())}), "settings": self.settings}
        work |= {"trouble": list(self.trouble), "runs": self.runs.to_dict("records")}
        return handin.write(path, capstone=work)

    def card(self) -> Card:
        """What there is to say, in sentences."""
        if self.trouble:
            return Card("bad", f"{self.about['name']} was not judged.", self.trouble)
        return Card("good", f"{self.about['name']}: {self.about['formula'] or 'no formula given'}", self.said())

    def __repr__(self) -> str:
        return repr(self.card())

    def _repr_html_(self) -> str:
        return self.card()._repr_html_()


def judge(
    objective: Objective,
    data: Sequence[str] = tuple(KINDS),
    seeds: Sequence[int] = (0, 1),
    *,
    anyway: bool = False,
    **changed: Any,
) -> Result:
    """Train an objective on each kind of data and with each seed, and measure it on the test part.

    The settings are those of the stored study `capstone`; what is given in `changed`, such as epochs=1, replaces them,
    and then there is no comparison. An objective in which `look` finds a fault is not trained, unless `anyway`. What goes
    wrong in a training is told in the result: nothing is raised for the objective. ValueError for data without a board.
    """
    if unknown := [name for name in data if name not in KINDS]:
        raise ValueError(f"there is no board for data {unknown[0]!r}: choose from {', '.join(KINDS)}")
    about, used = _about(objective), {name: board_settings(name) | changed for name in data}
    trouble = [] if anyway else faults(objective)
    rows: list[dict[str, Any]] = []
    if not trouble:
        try:
            rows = _train(objective, used, seeds)
        except Exception as error:  # the reader's code may do anything
            trouble = [f"Training stopped with {type(error).__name__}: {error}"]
    target = getattr(objective, "target", float("nan"))
    target = float(getattr(objective, "c", target)) if np.isnan(target) else target
    return Result(about, pd.DataFrame(rows), used, trouble, not changed, target)


def _train(objective: Objective, used: dict[str, dict[str, Any]], seeds: Sequence[int]) -> list[dict[str, Any]]:
    from klcourse.runs import Run, train

    rows = []
    for name, chosen in used.items():
        examples = Run(**chosen).load_data()
        for seed in seeds:
            run: Run = Run(**chosen, seed=seed)
            metrics = train(run, objective=objective, data=examples, progress=False).metrics
            rows.append({"data": name, "seed": int(seed)} | metrics)
    return rows


def board_settings(data: str) -> dict[str, Any]:
    """The settings of the stored runs on one kind of data, but for objective and seed.

    >>> board_settings("text")["limit"], board_settings("mnist")["decoder"]
    (600, 'ar')
    """
    configs = [run["config"] for run in load_provenance(STUDY)["runs"] if run["name"] == "ELBO"]
    found = next(config for config in configs if config.get("data", "mnist") == data)
    return {"data": data} | {name: value for name, value in found.items() if name not in ("objective", "seed")}


def _stored(data: str) -> pd.DataFrame:
    """The stored runs on one kind of data, with the name of every setting and the cost against the ELBO."""
    table = load_study(STUDY)
    return from_elbo(settings(table[table["data"] == data]))


def _about(objective: Any) -> dict[str, Any]:
    """What a hand-in says of an objective."""
    cls = type(objective)
    known = knobs_of(cls) if isinstance(objective, Objective) else {}
    try:
        code = textwrap.dedent(inspect.getsource(cls.__call__))
    except (OSError, TypeError, AttributeError):  # typed into a plain Python prompt, or built in
        code = ""
    about = {"name": getattr(cls, "name", cls.__name__), "formula": getattr(cls, "formula", "")}
    return about | {"knobs": {name: getattr(objective, name) for name in known}, "code": code}

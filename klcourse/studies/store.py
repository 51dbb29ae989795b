"""The files of a study: where they are, and how to read them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).parents[2] / "notebooks" / "results"
"""Where a checkout keeps its studies."""


class StudyError(Exception):
    """A study is unknown, or was not made yet; the message says what to do."""


def load_study(name: str, folder: str | Path | None = None) -> pd.DataFrame:
    """The table of a study, a row a run: what varies, then the metrics on the test set in nats per example.

    Reads `folder`, by default notebooks/results of the checkout. Warns if some of its runs had failed.
    Raises StudyError for a study that is not there, with the command that makes it.

    >>> load_study("phase_digram")
    Traceback (most recent call last):
    ...
    klcourse.studies.store.StudyError: unknown study 'phase_digram': choose one of beta_curve, ...
    """
    table = pd.read_csv(find(name, ".csv", folder))
    if failed := load_provenance(name, folder)["failed"]:
        share = f"{len(failed)} of {len(failed) + len(table)} runs failed and are not in its table"
        warnings.warn(f"study {name}: {share}; {command(name)} tries them again", stacklevel=2)
    return table


def load_history(name: str, folder: str | Path | None = None) -> pd.DataFrame:
    """The curves of a study that keeps them: a row a measurement while training, `run` as in its table.

    rate, mi and mi_upper are measured on test examples after that step, the rest are means over the training
    steps since the row before. Raises StudyError as `load_study` does.
    """
    return pd.read_csv(find(name, "_history.csv", folder))


def load_provenance(name: str, folder: str | Path | None = None) -> dict:
    """Where a study's numbers come from: command, versions, data, seeds, settings, cost; or StudyError."""
    return json.loads(find(name, ".json", folder).read_text(encoding="utf-8"))


def find(name: str, ending: str, folder: str | Path | None) -> Path:
    """The path of a study's file; StudyError if it is not there."""
    folder = RESULTS if folder is None else Path(folder)
    path = folder / f"{name}{ending}"
    if path.is_file():
        return path
    from .definitions import STUDIES  # only here, because it needs torch

    if name not in STUDIES:
        raise StudyError(f"unknown study {name!r}: choose one of {', '.join(sorted(STUDIES))}")
    if ending == "_history.csv" and not any(run.trace for run in STUDIES[name].runs):
        raise StudyError(f"study {name} keeps no curves: use load_study({name!r})")
    raise StudyError(f"no {path.name} in {folder}: make it with {command(name)} --out {folder}")


def command(name: str) -> str:
    """The command that makes a study."""
    return f"python -m klcourse.studies {name}"

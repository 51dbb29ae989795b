"""Stored studies: tables of many runs, made once by `klcourse sweep` and read by the notebooks. Reading needs no torch.

    load_study("phase_diagram")      # the table, a row a run
    load_history("lambda_star")      # the curves, for a study that keeps them
    load_samples("methods_ar")       # what its models draw
    load_study("...").scores()       # the IW-NLL of every test example, for a study that keeps it
    load_provenance("beta_curve")    # where the numbers come from, and what they cost

notebooks/results/ has what each study runs, NAME.toml, beside its results NAME.csv, NAME.json and so on.
"""

from __future__ import annotations

import base64
import json
import tomllib
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from klcourse.objectives import all_knobs, canonical
from klcourse.seals import FILES, SEAL, Altered, checksum_of, checksums, read_sealed, sealed
from klcourse.system import reason, write_atomically

from .scores import read_scores

RESULTS = Path(__file__).parents[2] / "notebooks" / "results"
"""Where a checkout keeps its studies."""


WORDS = ("name", "role", "data", "decoder", "objective", "binarisation", "device")
"""Columns of a study's table that hold words, beside the knobs that do."""


class StudyError(Exception):
    """A study is unknown, or was not made yet; the message says what to do."""


class Study(pd.DataFrame):
    """The table of a study, a row a run, which knows where it is from; choosing rows and adding columns keep that.

    Everything else is pandas' own: `load_study` gives one.
    """

    _metadata = ["_source"]
    _source: tuple[str, Path] | None = None  # its name and folder

    @property
    def _constructor(self) -> type[Study]:
        return Study

    def scores(self, name: str = "iw_nll") -> pd.DataFrame:
        """A score of every test example in nats, (runs of this table, N), indexed by `run`; "elbo" is made of its parts.

        Read when it is asked for, from NAME_scores.npz, to a hundredth of a nat. `attrs["fingerprint"]` says of which
        data. Raises StudyError where the study keeps no such score; ValueError if the runs were measured on different
        data, since their examples are not the same.
        """
        if self._source is None or "run" not in self:
            raise StudyError("this table is of no stored study: load_study(...) gives one whose scores are known")
        study, folder = self._source
        path = own(study, "_scores.npz", folder)
        keys = {each["run"]: each["key"] for each in load_provenance(study, folder)["runs"]}
        try:
            return read_scores(path, {run: keys[run] for run in self["run"].unique()}, name)
        except KeyError as error:
            raise StudyError(str(error.args[0])) from None


def load_study(name: str, folder: str | Path | None = None) -> Study:
    """The table of a study, a row a run: what varies, then the metrics on the test set in nats per example.

    `duty`, `train_rate`, `train_distortion` and `lam_mean` are means over the training steps of the last epoch;
    `objective` has today's names, whatever the table was stored with. Reads `folder`, by default notebooks/results of
    the checkout. Warns if some of its runs are missing. Raises StudyError for a study that is not there, with the
    command that makes it.

    >>> load_study("phase_digram")
    Traceback (most recent call last):
    ...
    klcourse.studies.read.StudyError: unknown study 'phase_digram': choose one of beta_curve, ...
    """
    table = Study(read_table(own(name, ".csv", folder)))
    table._source = name, RESULTS if folder is None else Path(folder)
    if "objective" in table:  # stored tables keep the names of their time
        table["objective"] = table["objective"].map(canonical)
    record = load_provenance(name, folder)
    if missing := record.get("missing", len(record["failed"])):
        share = f"{missing} of {missing + len(table)} runs are missing from its table, {len(record['failed'])} failed"
        warnings.warn(f"study {name}: {share}; {record['command']} tries again", stacklevel=2)
    return table


def load_history(name: str, folder: str | Path | None = None) -> pd.DataFrame:
    """The curves of a study that keeps them: a row a measurement while training, `run` as in its table.

    `rate`, `mi`, `mi_upper` and `valid_loss`, if it is there, are of the validation part after that step (in studies made
    before there was one, of test examples); `train_rate`, `train_distortion`, `duty` and `lam` are means over the training
    steps since the row before. Raises StudyError as `load_study` does.
    """
    return read_table(own(name, "_history.csv", folder))


def load_samples(name: str, folder: str | Path | None = None) -> dict[int, dict]:
    """What the models of a study draw: run -> {"samples", "reconstructions", "originals"}, `run` as in its table.

    Images are (n, 784) uint8, 0/1; sentences are lists of text. `samples` come from the prior, `reconstructions`
    from the posterior of the `originals`, the first test examples. A conditional model has their "labels" too, which
    it was given for both. Raises StudyError as `load_study` does.
    """
    found = json.loads(own(name, "_samples.json", folder).read_text(encoding="utf-8"))
    kinds = ("samples", "reconstructions", "originals")
    read: dict[str, Callable[[Any], Any]] = {"image": unpack, "text": list}
    return {
        int(run): {k: read[each["kind"]](v) if k in kinds else v for k, v in each.items() if k in (*kinds, "labels")}
        for run, each in found.items()
    }


def load_provenance(name: str, folder: str | Path | None = None) -> dict:
    """Where a study's numbers come from: command, versions, data, seeds, settings, cost. Raises StudyError as `load_study`.

    `command` is a line for the shell, `seconds` the time of all runs, `rows` how many there are, `failed` those that failed,
    `runs` the settings of each.
    """
    path = find(name, ".json", folder)
    try:
        record = read_sealed(path)
    except OSError as error:
        raise StudyError(f"cannot read {path}: {reason(error)}") from None
    except Altered as error:
        raise StudyError(f"{error}: take it from where it came from again, or make it with {command(name)}") from None
    return {key: value for key, value in record.items() if key != SEAL}


def read_table(path: Path) -> pd.DataFrame:
    """A table of runs as it was written: numbers to the last digit, words as they are, be they NA, nan or 1.

    Only what is empty is missing.
    """
    try:
        columns = pd.read_csv(path, nrows=0).columns
        words = {*WORDS, *(name for name, users in all_knobs().items() if any(each.kind is str for each in users.values()))}
        kinds: dict[Any, Any] = {name: str for name in columns if name in words}
        return pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:  # pandas' own errors are of the second kind
        raise StudyError(f"{path} cannot be read as a table: {error}") from None


def own(name: str, ending: str, folder: str | Path | None) -> Path:
    """The path of a file of a study; StudyError if it is not there, or not what the study's record was written with."""
    path, record = find(name, ending, folder), load_provenance(name, folder)
    if (kept := record.get(FILES, {}).get(path.name)) is None and FILES not in record:
        return path  # of a time without checksums
    try:
        if checksum_of(path) == kept:
            return path
    except OSError as error:
        raise StudyError(f"cannot read {path}: {reason(error)}") from None
    raise StudyError(
        f"{path} is not what {name}.json was written with: take both from where they came from again, "
        f"or make them with {command(name)}"
    )


ENDINGS = (".csv", "_history.csv", "_samples.json", "_scores.npz", "_free.csv")
"""Of the files whose checksums a study's record holds."""


def seal(name: str, record: dict[str, Any], folder: Path) -> None:
    """Write NAME.json, with the checksums of the files beside it as they are now. Raises OSError."""
    whole = sealed(record | {FILES: checksums(folder, [f"{name}{ending}" for ending in ENDINGS])})
    write_atomically(folder / f"{name}.json", (json.dumps(whole, indent=2) + "\n").encode())


def kept_models(name: str, folder: str | Path | None = None) -> dict[int, Path]:
    """The models a study keeps: run, as in its table, -> file of weights; `klcourse.runs.load_model` makes models of them.

    Raises StudyError for a study that keeps none, or is not there.
    """
    place = (RESULTS if folder is None else Path(folder)) / f"{name}_models"
    runs = load_provenance(name, folder)["runs"]
    found = {each["run"]: place / f"{each['key']}.safetensors" for each in runs}
    if not (kept := {run: path for run, path in found.items() if path.is_file()}):
        find(name, "_models", folder)
    return kept


def unpack(text: str, pixels: int = 784) -> np.ndarray:
    """Images from base64 of one bit a pixel: (n, pixels) uint8, 0/1.

    >>> unpack(base64.b64encode(bytes([0b10100000, 0b01000000])).decode(), pixels=3)
    array([[1, 0, 1],
           [0, 1, 0]], dtype=uint8)
    """
    rows = np.frombuffer(base64.b64decode(text), dtype=np.uint8).reshape(-1, (pixels + 7) // 8)
    return np.unpackbits(rows, axis=1, count=pixels)


def find(name: str, ending: str, folder: str | Path | None) -> Path:
    """The path of a study's file; StudyError if it is not there."""
    folder = RESULTS if folder is None else Path(folder)
    path = folder / f"{name}{ending}"
    with suppress(OSError):  # a name that is too long for a file
        if path.is_file():
            return path
    known = sorted(grid.stem for grid in RESULTS.glob("*.toml"))
    if name not in known and not (len(name) < 200 and (folder / f"{name}.csv").is_file()):
        raise StudyError(f"unknown study {name!r}: choose one of {', '.join(known)}")
    what = {"_history.csv": "history", "_samples.json": "samples", "_scores.npz": "scores", "_models": "keep"}.get(ending)
    if what and name in known and not stored(name).get(what):
        kind = "models" if what == "keep" else what
        raise StudyError(f"study {name} keeps no {kind}: use load_study({name!r}), or set {what} in [store] of {name}.toml")
    raise StudyError(f"no {path.name} in {folder}: make it with {command(name)}")


def stored(name: str) -> dict:
    """The table [store] of a study's grid file: what it keeps beside its table, e.g. {"history": True}."""
    return tomllib.loads((RESULTS / f"{name}.toml").read_text(encoding="utf-8")).get("store", {})


def command(name: str) -> str:
    """The command that makes a study.

    >>> command("phase_diagram")
    'klcourse sweep notebooks/results/phase_diagram.toml --out runs/phase_diagram --table notebooks/results'
    """
    return f"klcourse sweep notebooks/results/{name}.toml --out runs/{name} --table notebooks/results"

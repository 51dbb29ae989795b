"""A grid file: which runs a sweep makes. Everything that can be wrong with it is found before anything runs.

about = "Rate and information over the constraint's knobs"
[store]
samples = 8            # images or sentences drawn from every model (and as many reconstructions); default none
history = true         # keep the curves too; default false
models = false         # keep every model's weights; default false
scores = true          # keep the IW-NLL of every test example (the ELBO, if none is measured), for paired comparisons;
                       # or name what to keep, ["iw_nll", "distortion"]; default false
keep = "first seed"    # small copies of models beside the table: of every setting's first seed; or "chosen", of the setting
                       # of every method that is best on the validation part; default none
keep_methods = ["hinge"]   # only models of these; default all
keep_bits = 8          # of a weight in them: half as large as with 16, and almost as good; default 16
[common]               # settings of all runs, as `klcourse run --help` lists them
data = "mnist"
[[grid]]               # one or more; a list is an axis, and every combination of the axes is a run
name = "hinge"         # optional: what the method is called, the column `name`
role = "sweep"         # optional: what these runs are for, the column `role`
objective = "mi"
lam = [0.5, 1, 2]
c = [3, 5]
seed = [0, 1, 2]
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

from klcourse.objectives import Knob, find_objective, knobs_of
from klcourse.objectives.knobs import Value
from klcourse.runs import Run, RunError
from klcourse.runs.config import names
from klcourse.version import __version__

from .entries import GridError, refuse_unknown, typed
from .store import Store, read_store

LABELS = ("name", "role")  # of a [[grid]] table, beside the settings of a run


@dataclass(frozen=True)
class GridRun:
    """One run of a grid: its configuration, the labels of its table, that table's place in the file.

    `objective` is the objective's name as the file has it, perhaps an older one: tables repeat it.
    """

    config: Run
    name: str = ""
    role: str = ""
    where: str = ""
    objective: str = ""

    def value(self, column: str) -> Any:
        """What a column of the table says of this run."""
        if column in LABELS or (column == "objective" and self.objective):
            return getattr(self, column)
        return getattr(self.config, column)

    def written(self) -> dict[str, Any]:
        """The settings that differ from the default, the objective under the name that the file has."""
        found = self.config.identity()
        return found | ({"objective": self.objective} if "objective" in found else {})


@dataclass(frozen=True)
class Grid:
    """A grid file as read: `name` is the file's own, `sha256` that of its text."""

    name: str
    about: str
    store: Store
    runs: tuple[GridRun, ...]
    sha256: str

    @cached_property
    def varies(self) -> list[str]:
        """The columns that tell the runs apart: labels, then settings with more than one value."""
        labels = [label for label in LABELS if any(getattr(run, label) for run in self.runs)]
        return labels + [name for name in names() if len({getattr(run.config, name) for run in self.runs}) > 1]

    @cached_property
    def first_seeds(self) -> tuple[GridRun, ...]:
        """Of all runs that differ in their seed only, under the same labels, the one with the smallest: what may be kept."""
        first: dict[tuple, GridRun] = {}
        for run in sorted(self.runs, key=lambda run: run.config.seed):
            if not self.store.keep_methods or run.name in self.store.keep_methods:
                first.setdefault((run.name, run.role, replace(run.config, seed=0)), run)
        kept = {id(run) for run in first.values()}
        return tuple(run for run in self.runs if id(run) in kept)

    @cached_property
    def may_be_kept(self) -> frozenset[Run]:
        """The configurations of first seeds."""
        return frozenset(run.config for run in self.first_seeds)

    def store_of(self, run: GridRun) -> Store:
        """What is to be stored of one run: weights too, if they may have to be kept."""
        if self.store.keep and run.config in self.may_be_kept:
            return replace(self.store, models=True)
        return self.store

    def settings(self, run: GridRun) -> dict:
        """What tells a run apart, column -> value."""
        return {name: run.value(name) for name in self.varies}

    def describe(self, run: GridRun) -> str:
        """The settings of a run in one line, for people."""
        settings = {k: v for k, v in self.settings(run).items() if v not in (None, "")}
        return ", ".join(f"{k}={v}" for k, v in settings.items()) or "the only run"


def read_grid(path: str | Path) -> Grid:
    """Read and check a grid file. Raises GridError.

    >>> folder = getfixture("tmp_path")
    >>> _ = (folder / "g.toml").write_text('[[grid]]\\nobjective = "rate-hinge"\\nlam = [1, 2]\\nc = 3\\nseed = [0, 1]')
    >>> [(run.config.lam, run.config.seed) for run in read_grid(folder / "g.toml").runs]
    [(1.0, 0), (1.0, 1), (2.0, 0), (2.0, 1)]
    >>> _ = (folder / "g.toml").write_text('[[grid]]\\nlamda = 1')
    >>> read_grid(folder / "g.toml")
    Traceback (most recent call last):
    ...
    klcourse.sweep.entries.GridError: ...g.toml, [[grid]] 1: unknown field 'lamda'. Did you mean 'lam'?
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")  # without the mark some editors put in front
        content = tomllib.loads(text)
    except FileNotFoundError:
        raise GridError(f"no grid file {path}") from None
    except OSError as error:
        raise GridError(f"cannot read the grid file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GridError(f"{path} is not TOML: {error}") from None
    refuse_unknown(f"{path}", content, ("about", "store", "common", "grid"))
    about = content.get("about", "")
    if not isinstance(about, str):
        raise GridError(f"{path}: about = {about!r}: write text in quotes")
    for table in "store", "common":
        if not isinstance(content.get(table, {}), dict):
            raise GridError(f"{path}: {table} is not a table: write [{table}]")
    tables = content.get("grid", [])
    if not (isinstance(tables, list) and tables and all(isinstance(table, dict) for table in tables)):
        raise GridError(f"{path} has no [[grid]] table: add one, with double brackets")
    common = content.get("common", {})
    refuse_unknown(f"{path}, [common]", common, known_settings(f"{path}, [common]", common))
    runs: list[GridRun] = []
    for number, table in enumerate(tables, start=1):
        label = table.get("name") or table.get("role")
        where = f"{path}, [[grid]] {number}" + (f" ({label})" if label else "")
        known = known_settings(where, common | table)
        refuse_unknown(where, table, (*LABELS, *known))
        runs += expand(where, common, table, known)
    first: dict[tuple, GridRun] = {}
    for run in runs:
        twin = first.setdefault((run.config, run.name, run.role), run)
        if twin is not run:
            raise GridError(
                f"{run.where}: {settings_text(run.config)} is already in {twin.where}: leave it out of one of them, "
                "or give them different names"
            )
    store = read_store(path, content.get("store", {}))
    if unknown := [name for name in store.keep_methods if name not in {run.name for run in runs}]:
        raise GridError(f"{path}, [store]: keep_methods: no [[grid]] has the name {unknown[0]!r}")
    if store.keep == "chosen" and (nameless := [run for run in runs if not run.name]):
        raise GridError(f"{nameless[0].where}: keep = 'chosen' is about methods, and this table has no name: give it one")
    return Grid(path.stem, about, store, tuple(runs), sha256(text))


def sha256(text: str) -> str:
    """Of a text as read, so that it is the same whatever ends the lines of the file."""
    return hashlib.sha256(text.encode()).hexdigest()


def known_settings(where: str, table: dict) -> dict[str, Knob]:
    """What may stand in a table: the settings of a run, the knobs of all objectives, and those of objectives it names."""
    known = names()
    named = table.get("objective", [])
    for objective in named if isinstance(named, list) else [named]:
        if isinstance(objective, str):
            try:
                known = knobs_of(find_objective(objective)) | known
            except ValueError as error:
                raise GridError(f"{where}: {error}") from None
    return known


def expand(where: str, common: dict, table: dict, known: dict[str, Knob]) -> list[GridRun]:
    """All runs of one [[grid]] table, the last axis fastest; `known` are the settings there may be."""
    labels = {}
    for label in LABELS:
        labels[label] = table.get(label, "")
        if not isinstance(labels[label], str) or any(ord(sign) < 32 for sign in labels[label]):
            raise GridError(f"{where}: {label} = {labels[label]!r}: write one text in quotes, on one line")
    axes: dict[str, list[Value]] = {}
    for name, value in (common | table).items():
        if name in LABELS:
            continue
        values = value if isinstance(value, list) else [value]
        if not values:
            raise GridError(f"{where}: {name} = []: an axis needs at least one value")
        axes[name] = [typed(where, name, known[name], each) for each in values]
        if len(set(axes[name])) < len(values):
            raise GridError(f"{where}: {name} = {value}: a value is there twice")
    runs = []
    for combination in product(*axes.values()):
        try:
            settings: dict[str, Any] = dict(zip(axes, combination))
            runs.append(GridRun(Run(**settings), where=where, objective=settings.get("objective", ""), **labels))
        except (RunError, TypeError, ValueError) as error:
            raise GridError(f"{where}: {error}") from None
    return runs


def settings_text(config: Run) -> str:
    """A configuration in one line."""
    return ", ".join(f"{k}={v}" for k, v in config.given().items()) or "the default run"


def run_key(config: Run, fingerprint: str, torch: str | None = None, klcourse: str = __version__) -> str:
    """The folder name of a run: a hash of all that decides its numbers, except the code between two releases.

    `Run.identity` says what counts of the settings. The build of torch does not (2.13.0+cpu, 2.13.0+cu130), so that a
    run made on another machine is found.
    """
    torch = (torch or version("torch")).partition("+")[0]
    what = {"config": config.identity(), "data": fingerprint, "torch": torch, "klcourse": klcourse}
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]

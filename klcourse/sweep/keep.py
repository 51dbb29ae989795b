"""Models that a study keeps beside its table: few, with few digits, to be looked into without training again."""

from __future__ import annotations

from pathlib import Path

from klcourse.runs.files import WEIGHTS
from klcourse.runs.weights import smaller
from klcourse.studies import choose_each, settings
from klcourse.studies.read import read_table
from klcourse.system import write_atomically

from .folder import finished
from .grid import Grid, GridRun

BY = ("valid_iw_nll", "valid_elbo")  # what "chosen" goes by: the first of these that the table has


def keep_models(grid: Grid, keys: dict[GridRun, str], runs: Path, out: Path) -> None:
    """Write NAME_models/KEY.safetensors for the finished runs whose models the grid keeps; remove others from there."""
    place = out / f"{grid.name}_models"
    wanted = {f"{keys[run]}.safetensors": runs / keys[run] / WEIGHTS for run in to_keep(grid, keys, runs, out)}
    if wanted:
        place.mkdir(exist_ok=True)
    for name, weights in wanted.items():
        write_atomically(place / name, smaller(weights, grid.store.keep_bits))
    remove_others(place, set(wanted))


def to_keep(grid: Grid, keys: dict[GridRun, str], runs: Path, out: Path) -> list[GridRun]:
    """The finished runs whose models are kept: first seeds; if chosen, those of the settings that are best on validation."""
    if not grid.store.keep:
        return []
    done = [run for run in grid.first_seeds if finished(runs / keys[run], run.config, grid.store_of(run))]
    if not done or grid.store.keep != "chosen":
        return done
    table = settings(read_table(out / f"{grid.name}.csv"))
    table = table[table["name"].isin({run.name for run in done})]
    by = next(column for column in BY if column in table)
    chosen = {choice.setting for choice in choose_each(table, by).values()}
    rows = set(table.loc[table["method"].isin(chosen), "run"])
    return [run for run in done if grid.runs.index(run) in rows]


def copy_models(grid: Grid, out: Path, table: Path) -> None:
    """The kept models beside a table elsewhere, and no others."""
    place, made = table / f"{grid.name}_models", sorted((out / f"{grid.name}_models").glob("*.safetensors"))
    if made:
        place.mkdir(exist_ok=True)
    for path in made:
        write_atomically(place / path.name, path.read_bytes())
    remove_others(place, {path.name for path in made})


def remove_others(place: Path, wanted: set[str]) -> None:
    """Of a folder of kept models, remove those that are not wanted any more, and the folder if none is left."""
    for path in place.glob("*.safetensors"):
        if path.name not in wanted:
            path.unlink()
    if place.is_dir() and not any(place.iterdir()):
        place.rmdir()

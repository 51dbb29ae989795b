"""Stored studies as they are: old names are read, keys and columns are those that today's code would give."""

import json
from importlib.metadata import version

import pandas as pd
import pytest

from klcourse.objectives import OBJECTIVES
from klcourse.seals import FILES, altered, read_sealed
from klcourse.studies import RESULTS, load_study
from klcourse.sweep.grid import read_grid, run_key

# A grid file may wait for its runs.
STUDIES = sorted(path.stem for path in RESULTS.glob("*.toml") if path.with_suffix(".json").exists())


@pytest.mark.parametrize("name", STUDIES)
def test_keys_settings_and_columns_are_as_stored(name):
    """Of every run: its key, and what the record and the table say of its settings."""
    grid, record = read_grid(RESULTS / f"{name}.toml"), json.loads((RESULTS / f"{name}.json").read_text())
    fingerprints = {(data["name"], data["limit"]): data["fingerprint"] for data in record["data"]}
    torch, klcourse = record["versions"]["torch"], record["versions"]["klcourse"]
    assert grid.sha256 == record["grid_sha256"] and grid.varies == record["varies"]
    assert [grid.runs[stored["run"]].written() for stored in record["runs"]] == [
        stored["config"] for stored in record["runs"]
    ]
    for stored in record["runs"]:
        config = grid.runs[stored["run"]].config
        assert run_key(config, fingerprints[config.data, config.limit], torch, klcourse) == stored["key"]
    table = pd.read_csv(RESULTS / f"{name}.csv")
    assert list(table)[: 1 + len(grid.varies)] == ["run", *grid.varies]
    settings = pd.DataFrame([grid.settings(run) for run in grid.runs]).loc[table["run"]].reset_index(drop=True)
    for column in grid.varies:
        assert plain(settings[column]) == plain(table[column]), column


def plain(column: pd.Series) -> list:
    """Values that can be compared: 1 is 1.0, and what is not there is None."""
    return [None if value == "" or pd.isna(value) else value for value in column]


def test_stored_studies_are_what_was_written():
    """After a change by hand that is meant: python -m klcourse.studies.reseal."""
    records = {path: read_sealed(path) for path in RESULTS.glob("*.json") if not path.stem.endswith("_samples")}
    assert [path.name for path, record in records.items() if FILES not in record] == []
    assert {path.name: bad for path, record in records.items() if (bad := altered(RESULTS, record))} == {}
    beside = {name for record in records.values() for name in record[FILES]}
    assert {path.name for ending in ("csv", "npz") for path in RESULTS.glob(f"*.{ending}")} <= beside


@pytest.mark.parametrize("name", STUDIES)
def test_objectives_are_read_under_todays_names(name):
    table = load_study(name)
    assert set(table.get("objective", ["elbo"])) <= set(OBJECTIVES)


def test_the_pinned_torch_is_the_one_of_the_stored_keys():
    """Else a sweep would find none of its stored runs. What ran on a GPU has the PyTorch of that machine."""
    records = [json.loads((RESULTS / f"{name}.json").read_text()) for name in STUDIES]
    torch = {record["versions"]["torch"].partition("+")[0] for record in records if record["devices"] == ["cpu"]}
    assert torch == {version("torch").partition("+")[0]}

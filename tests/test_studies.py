"""Stored studies: read without torch, errors with the command that helps, results that are what their grid files say."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from klcourse.data import load
from klcourse.runs import Run
from klcourse.studies import RESULTS, StudyError, load_history, load_provenance, load_samples, load_study
from klcourse.sweep import read_grid

GRIDS = sorted(path.stem for path in RESULTS.glob("*.toml"))
STORED = sorted(path.stem for path in RESULTS.glob("*.toml") if path.with_suffix(".json").exists())


def test_a_missing_study_names_the_command_that_makes_it(tmp_path):
    command = "klcourse sweep notebooks/results/phase_diagram.toml --out runs/phase_diagram --table notebooks/results"
    with pytest.raises(StudyError, match=f"no phase_diagram.csv in .*: make it with {command}"):
        load_study("phase_diagram", tmp_path)
    with pytest.raises(StudyError, match="unknown study 'phase': choose one of .*phase_diagram"):
        load_study("phase", tmp_path)
    with pytest.raises(StudyError, match="measured_game keeps no history: use load_study"):
        load_history("measured_game", tmp_path)
    with pytest.raises(StudyError, match="measured_game keeps no samples: use load_study"):
        load_samples("measured_game", tmp_path)


def test_a_table_of_an_earlier_time_has_todays_names_of_the_objectives(tmp_path):
    (tmp_path / "old.csv").write_text("run,objective\n0,mi\n1,mi-hinge\n2,elbo\n3,my_module.Mine\n")
    (tmp_path / "old.json").write_text('{"failed": {}, "command": "klcourse sweep"}')
    assert load_study("old", tmp_path)["objective"].tolist() == ["rate-hinge", "info-hinge", "elbo", "my_module.Mine"]


def test_reading_a_study_does_not_import_torch():
    code = "import sys, klcourse.studies as s; s.load_study('phase_diagram'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1]).returncode == 0


@pytest.mark.parametrize("name", GRIDS)
def test_a_studys_columns_tell_its_runs_apart(name):
    grid = read_grid(RESULTS / f"{name}.toml")
    rows = [tuple(grid.settings(run).items()) for run in grid.runs]
    assert len(set(rows)) == len(rows) and grid.about


@pytest.mark.parametrize("name", STORED)
def test_a_stored_study_is_what_its_grid_file_says(name):
    record, table = load_provenance(name), load_study(name)
    assert record["failed"] == {} and record["study"] == name and name in GRIDS
    assert record["rows"] == len(table)
    assert np.allclose(table["elbo"], -(table["distortion"] + table["rate"]), atol=1e-2)
    assert (table["mi"] <= table["mi_cap"] + 1e-6).all() and table["duty"].between(0, 1).all()
    if "grid_sha256" not in record:
        pytest.skip("made before there were grid files")
    grid = read_grid(RESULTS / f"{name}.toml")
    assert record["grid_sha256"] == grid.sha256, f"{name}.toml has changed since: {record['command']} does the rest"
    assert record["missing"] == 0 and record["varies"] == grid.varies and list(table["run"]) == list(range(len(grid.runs)))
    for run, row, stored in zip(grid.runs, table.to_dict("records"), record["runs"]):
        assert Run(**stored["config"]) == run.config
        for field, value in (grid.settings(run) | {"objective": run.config.objective}).items():
            if field not in row:
                continue
            shown = None if isinstance(row[field], float) and np.isnan(row[field]) else row[field]
            assert shown == value or (shown is None and value == ""), (field, value)


@pytest.mark.parametrize("name", STORED)
def test_a_stored_study_was_made_from_todays_data(name):
    pinned = json.loads(Path(__file__).with_name("data_fingerprints.json").read_text())
    record = load_provenance(name)
    whole = 0 if record["versions"]["klcourse"] == "0.1.0" else None  # the validation part is younger than that
    for data in record["data"]:
        if data["name"] not in ("mnist", "text", "grammar"):
            continue  # fetched, and checked against its sha256 then
        if data["name"] in pinned and load(data["name"]).fingerprint != pinned[data["name"]]["fingerprint"]:
            pytest.skip(f"{data['name']} differs here, as other versions of the packages are installed")
        assert data["fingerprint"] == load(data["name"], limit=data["limit"], hold_out=whole).fingerprint


@pytest.mark.parametrize("name", STORED)
def test_what_a_stored_study_keeps_belongs_to_its_runs(name):
    """Curves and samples: where the grid file asks for them, and of the runs in the table."""
    store, runs = read_grid(RESULTS / f"{name}.toml").store, set(load_study(name)["run"])
    if "grid_sha256" not in load_provenance(name):
        pytest.skip("made before there were grid files")
    assert (RESULTS / f"{name}_history.csv").exists() == store.history
    assert (RESULTS / f"{name}_samples.json").exists() == bool(store.samples)
    assert (RESULTS / f"{name}_scores.npz").exists() == bool(store.scores)
    assert (RESULTS / f"{name}_models").exists() == bool(store.keep)
    if store.scores:
        assert (RESULTS / f"{name}_scores.npz").stat().st_size < 400e3 * max(1, len(runs) / 50) * len(store.scores)
    if store.history:
        assert set(load_history(name)["run"]) == runs
    if store.samples:
        samples = load_samples(name)
        assert set(samples) == runs and all(len(each["samples"]) == store.samples for each in samples.values())


def test_the_stored_studies_are_small():
    """What a clone has to carry: tables and samples, and the models that notebooks look into again."""
    files = [path for path in RESULTS.rglob("*") if path.is_file()]
    models = sum(path.stat().st_size for path in files if path.suffix == ".safetensors")
    assert models < 20e6 and sum(path.stat().st_size for path in files) - models < 20e6

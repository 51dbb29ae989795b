"""Studies: a table of many runs, none done twice, failures reported, stored ones what the code describes."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from klcourse.data import load
from klcourse.runs import RunConfig, train
from klcourse.studies import StudyError, load_history, load_provenance, load_study, runner
from klcourse.studies.__main__ import main
from klcourse.studies.definitions import STUDIES, Study, StudyRun, grid
from klcourse.studies.store import RESULTS

SMALL = dict(limit=200, hidden=16, latent_dim=4, epochs=2, iw_samples=0)
STORED = sorted(path.stem for path in RESULTS.glob("*.json"))


def tiny(*configs, varies=("objective", "lam"), **options):
    configs = configs or grid(SMALL, objective=["mi"], lam=[0.5, 2.0])
    return Study("A test.", varies, tuple(StudyRun(c, **options) for c in configs))


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.json")}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished tiny study."""
    out, work = tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("work")
    assert runner.run_study("tiny", tiny(), out, work, progress=False) == {}
    return out, work


def test_the_files_of_a_study(made):
    out, _ = made
    assert sorted(path.name for path in out.iterdir()) == ["tiny.csv", "tiny.json"]  # no curves asked for
    table, record = load_study("tiny", out), load_provenance("tiny", out)
    assert list(table["lam"]) == [0.5, 2.0] and list(table["run"]) == [0, 1]
    assert np.isfinite(table.drop(columns="objective")).all().all()
    fingerprint = load("mnist", limit=200).fingerprint
    assert record["data"] == [{"name": "mnist", "limit": 200, "fingerprint": fingerprint}]
    assert record["seeds"] == [0] and record["failed"] == {} and record["rows"] == 2
    assert [run["config"]["lam"] for run in record["runs"]] == [0.5, 2.0] and record["seconds"] > 0


def test_a_row_says_what_the_run_says(made):
    """The table against klcourse.runs.train, whose own loop and history are tested elsewhere."""
    row = load_study("tiny", made[0]).iloc[1]
    run = train(tiny().runs[1].config, progress=False)
    for name, value in run.metrics.items():
        assert row[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
    last = run.history[run.history["epoch"] > 1]  # one row an epoch: 4 steps of 50
    assert len(last) == 1
    pairs = [("duty", "penalty_on"), ("train_rate", "rate"), ("train_distortion", "distortion")]
    for name, column in pairs:
        assert row[name] == pytest.approx(last[column].item(), rel=1e-4)


def test_two_processes_give_the_same_table(made, tmp_path):
    runner.run_study("tiny", tiny(), tmp_path, tmp_path / "work", jobs=2, progress=False)
    again, before = load_study("tiny", tmp_path), load_study("tiny", made[0])
    pd.testing.assert_frame_equal(again, before, rtol=1e-3, atol=1e-4)  # this process may use more threads


def test_finished_runs_are_skipped_and_changed_ones_are_not(made, monkeypatch, tmp_path):
    out, work = made
    calls = []
    original = runner.measure
    monkeypatch.setattr(runner, "measure", lambda run: calls.append(run) or original(run))
    before = stamps(work)
    runner.run_study("tiny", tiny(), out, work, progress=False)
    assert calls == [] and stamps(work) == before
    more = tiny(*(run.config for run in tiny().runs), RunConfig(**SMALL, objective="mi", lam=3.0))
    runner.run_study("more", more, tmp_path, work, progress=False)
    assert [run.config.lam for run in calls] == [3.0]
    assert list(load_study("more", tmp_path)["lam"]) == [0.5, 2.0, 3.0]


def test_the_key_changes_with_everything_that_changes_the_numbers():
    run = tiny().runs[0]
    others = [
        replace(run, eta=0.1),
        replace(run, trace=5),
        replace(run, lam=0.5),
        *(replace(run, config=replace(run.config, **{name: value}))
          for name, value in dict(lam=0.6, seed=1, epochs=3, limit=150, lr=1e-3, decoder="ar").items()),
    ]  # fmt: skip
    assert len({runner.key(each) for each in [run, *others]}) == 1 + len(others)
    assert runner.key(run) == runner.key(tiny().runs[0])


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
def test_a_killed_study_goes_on_where_it_was(tmp_path):
    work, out = tmp_path / "work", tmp_path / "out"
    lams = [float(lam) for lam in range(1, 9)]
    code = f"""
from pathlib import Path
from tests.test_studies import SMALL, grid, runner, tiny
study = tiny(*grid(SMALL | dict(epochs=20), objective=["mi"], lam={lams}))
runner.run_study("killed", study, Path({str(out)!r}), Path({str(work)!r}), progress=False)
"""
    root = Path(__file__).parents[1]
    path = os.pathsep.join([str(root), str(root / "tests" / "notebooks")])
    process = subprocess.Popen([sys.executable, "-c", code], cwd=root, env=os.environ | {"PYTHONPATH": path})
    try:
        until = time.monotonic() + 120
        while not (work.exists() and len(stamps(work)) >= 2):
            assert process.poll() is None and time.monotonic() < until, "it ended before it was killed"
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = stamps(work)
    assert 2 <= len(before) < len(lams) and not (out / "killed.csv").exists()
    study = tiny(*grid(SMALL | dict(epochs=20), objective=["mi"], lam=lams))
    assert runner.run_study("killed", study, out, work, progress=False) == {}
    after = stamps(work)
    assert len(after) == len(lams) and before.items() <= after.items()
    assert list(load_study("killed", out)["lam"]) == lams


def test_one_failed_run_is_reported_and_does_not_stop_the_rest(tmp_path):
    bad = RunConfig(**SMALL | dict(limit=20, batch_size=50), objective="mi", lam=1.0)  # batches of 50 from 20 examples
    study = tiny(bad, *grid(SMALL, objective=["mi"], lam=[2.0]))
    failed = runner.run_study("broken", study, tmp_path, tmp_path / "work", progress=False)
    assert list(failed) == ["0 (objective=mi, lam=1.0)"]
    assert "batch_size = 50 with 20 training examples" in failed.popitem()[1]
    with pytest.warns(UserWarning, match="1 of 2 runs failed.*python -m klcourse.studies broken"):
        table = load_study("broken", tmp_path)
    assert list(table["run"]) == [1] and list(table["lam"]) == [2.0]


@pytest.mark.parametrize("objective", ["mi", "beta"])
def test_the_curve_and_dual_ascent(tmp_path, objective):
    config = RunConfig(**SMALL | dict(epochs=10), objective="mi", lam=0.5, c=4.0)
    ascent = StudyRun(config, role="dual", eta=0.1, trace=1)
    if objective == "beta":  # the Lagrangian: lam and c belong to the ascent
        config = RunConfig(**SMALL | dict(epochs=10), objective="beta", beta=1.0)
        ascent = StudyRun(config, role="dual", eta=0.1, trace=1, lam=0.5, c=4.0)
    study = Study("A test.", ("role", "eta", "lam", "c"), (StudyRun(config, role="fixed", trace=4), ascent))
    assert runner.run_study("dual", study, tmp_path, tmp_path / "work", progress=False) == {}
    table, curves = load_study("dual", tmp_path).set_index("role"), load_history("dual", tmp_path)
    fixed, dual = (curves[curves["run"] == i] for i in (0, 1))
    assert list(fixed["step"]) == list(range(4, 41, 4)) and fixed["lam"].nunique() == 1
    assert table.loc["dual", "lam"] == 0.5 and table.loc["dual", "c"] == 4.0
    assert table.loc["dual", "lam_mean"] == pytest.approx(dual["lam"][-4:].mean(), abs=1e-5)
    # the rule, replayed from what was logged: trace = 1, so train_rate is the rate of that very batch
    lam = 0.5
    for logged, rate in zip(dual["lam"], dual["train_rate"]):
        assert logged == pytest.approx(lam, abs=1e-4)
        lam = np.clip(lam + 0.1 * (4.0 - rate), 0, 1)
    assert np.isfinite(curves).all().all()
    assert (fixed["mi"] <= fixed["mi_upper"] + 1e-3).all()  # the order holds in expectation


def test_dual_ascent_on_the_lagrangian_trains_a_beta_vae_of_weight_beta_minus_lam():
    config = RunConfig(**SMALL, objective="beta", beta=1.0)
    held = runner.measure(StudyRun(config, eta=1e-12, lam=0.7, c=3.0))["row"]
    plain = runner.measure(StudyRun(replace(config, beta=0.3)))["row"]
    for name in "rate", "distortion":
        assert held[name] == pytest.approx(plain[name], rel=1e-5)


# ------------------------------------------------------------------------------------ reading, the command


def test_a_missing_study_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(StudyError, match="make it with python -m klcourse.studies phase_diagram --out .*"):
        load_study("phase_diagram", tmp_path)
    with pytest.raises(StudyError, match="unknown study 'phase': choose one of .*phase_diagram"):
        load_study("phase", tmp_path)
    with pytest.raises(StudyError, match="phase_diagram keeps no curves"):
        load_history("phase_diagram", tmp_path)


def test_reading_a_study_does_not_import_torch():
    code = "import sys, klcourse.studies as s; s.store.RESULTS; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1]).returncode == 0


def test_the_command(made, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["phase"])
    error = capsys.readouterr().err
    assert "phase_diagram" in error and "measured_game" in error
    monkeypatch.setitem(STUDIES, "tiny", tiny())
    options = ["tiny", f"--out={tmp_path}", f"--work={made[1]}", "--jobs=1"]
    assert main(options) == 0 and len(load_study("tiny", tmp_path)) == 2
    with pytest.raises(SystemExit, match="2"):
        main(["tiny", "--jobs=0"])
    assert "choose 1 or more" in capsys.readouterr().err
    monkeypatch.setitem(STUDIES, "tiny", tiny(RunConfig(**SMALL | dict(limit=20, batch_size=50))))
    assert main(options) == 1 and "failed: RunError" in capsys.readouterr().err


def test_ctrl_c_keeps_what_is_done(tmp_path, monkeypatch, capsys):
    def measure(run):
        if run.config.lam == 2.0:
            raise KeyboardInterrupt
        return {"row": {}, "curve": []}

    monkeypatch.setattr(runner, "measure", measure)
    monkeypatch.setitem(STUDIES, "tiny", tiny())
    assert main(["tiny", f"--out={tmp_path}", f"--work={tmp_path / 'work'}", "--jobs=1"]) == 130
    assert "the same command goes on" in capsys.readouterr().err and len(stamps(tmp_path / "work")) == 1


# ------------------------------------------------------------------------- the studies as defined and stored


@pytest.mark.parametrize("name", STUDIES)
def test_a_studys_varying_fields_tell_its_runs_apart(name):
    study = STUDIES[name]
    rows = [tuple(runner.varying(study, run).items()) for run in study.runs]
    assert len(set(rows)) == len(rows)
    assert all(hasattr(RunConfig(), field) or hasattr(study.runs[0], field) for field in study.varies)


@pytest.mark.parametrize("name", STORED)
def test_a_stored_study_is_what_the_code_describes(name):
    study, table, record = STUDIES[name], load_study(name), load_provenance(name)
    assert record["failed"] == {} and record["rows"] == len(table) == len(study.runs)
    assert record["study"] == name and record["varies"] == list(study.varies)
    for run, row, stored in zip(study.runs, table.to_dict("records"), record["runs"]):
        for field, value in runner.varying(study, run).items():
            shown = "" if isinstance(row[field], float) and np.isnan(row[field]) else row[field]
            assert shown == ("" if value is None else value), (field, value)
        assert RunConfig(**stored["config"]) == run.config
    assert np.allclose(table["elbo"], -(table["distortion"] + table["rate"]), atol=1e-2)
    assert (table["mi"] <= table["mi_cap"] + 1e-6).all() and table["duty"].between(0, 1).all()


@pytest.mark.parametrize("name", STORED)
def test_a_stored_study_was_made_from_todays_data(name):
    pinned = json.loads(Path(__file__).with_name("data_fingerprints.json").read_text())
    for data in load_provenance(name)["data"]:
        if load(data["name"]).fingerprint != pinned[data["name"]]["fingerprint"]:
            pytest.skip(f"{data['name']} differs here, as other versions of the packages are installed")
        assert data["fingerprint"] == load(data["name"], limit=data["limit"]).fingerprint


@pytest.mark.parametrize("name", STORED)
def test_a_stored_studys_curves_belong_to_its_runs(name):
    traced = {i for i, run in enumerate(STUDIES[name].runs) if run.trace}
    assert (RESULTS / f"{name}_history.csv").exists() == bool(traced)
    if traced:
        assert set(load_history(name)["run"]) == traced

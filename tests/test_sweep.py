"""Sweeps: what a grid file may say, nothing done twice or lost, the same table whatever happened on the way."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from safetensors import safe_open

from klcourse import measure
from klcourse.__main__ import main
from klcourse.data import load
from klcourse.runs import Run, RunError, train
from klcourse.runs import load as load_run
from klcourse.runs.config import names
from klcourse.studies import load_history, load_provenance, load_samples, load_study
from klcourse.sweep import GridError, cluster, folder, gather, local, read_grid, stop, sweep, worker
from klcourse.sweep.grid import GridRun, Store, run_key
from klcourse.sweep.progress import Progress, seconds_left
from klcourse.training import Trainer
from tests.limits import limit, long_only

COMMON = """
[common]
data = "mnist"
decoder = "mlp"
limit = 100
hidden = 16
latent_dim = 4
epochs = 2
iw_samples = 0
"""
TWO = COMMON + '[[grid]]\nobjective = "rate-hinge"\nlam = [0.5, 2.0]\n'
LONG = (
    COMMON.replace("epochs = 2", "epochs = 60\nbatch_size = 10")
    + '[[grid]]\nobjective = "rate-hinge"\nlam = [0.5, 1, 2, 4]\n'
)
ENDLESS = LONG.replace("epochs = 60", "epochs = 10000")
posix = pytest.mark.skipif(os.name == "nt", reason="no such signals on Windows")


@pytest.fixture
def grid(tmp_path):
    """Writes a grid file."""

    def write(text: str, name: str = "g") -> Path:
        path = tmp_path / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def table_of(place: Path, name: str = "g") -> str:
    """The table as it is on disk, without what it cost."""
    lines = (place / f"{name}.csv").read_text().splitlines()
    assert lines[0].endswith(",seconds")
    return "\n".join(line.rpartition(",")[0] for line in lines)


def numbers_of(place: Path, name: str = "g") -> dict:
    """Everything a sweep stored, without what it cost: equal for equal sweeps, byte for byte."""
    record = load_provenance(name, place)
    for each in [record, *record["runs"]]:
        del each["seconds"], each["peak_memory_mib"]
    del record["files"]  # checksums of what has costs in it
    others = {ending: (place / f"{name}{ending}") for ending in ("_history.csv", "_samples.json")}
    return {"csv": table_of(place, name), "json": record} | {k: p.read_text() for k, p in others.items() if p.exists()}


def stamps(place: Path) -> dict:
    """When each finished run was finished. Its checkpoint goes last."""
    records = [path for path in (place / "runs").glob("*/run.json") if json.loads(path.read_text())["finished"]]
    whole = [path for path in records if not (path.parent / "checkpoint.safetensors").exists()]
    return {path.parent.name: path.stat().st_mtime_ns for path in whole}


# -------------------------------------------------------------------------------------------------- the grid file


def test_axes_multiply_and_labels_stay(grid):
    text = '[common]\nlatent_dim = 4\n[[grid]]\nname = "a"\nobjective = "rate-hinge"\nlam = [1, 2]\nc = [3, 5]\n'
    text += "[[grid]]\nseed = [0, 1]"
    found = read_grid(grid(text))
    assert [(r.name, r.config.lam, r.config.c, r.config.seed) for r in found.runs] == [
        ("a", 1, 3, 0), ("a", 1, 5, 0), ("a", 2, 3, 0), ("a", 2, 5, 0), ("", None, None, 0), ("", None, None, 1),
    ]  # fmt: skip
    assert found.varies == ["name", "objective", "lam", "c", "seed"]
    assert all(run.config.latent_dim == 4 for run in found.runs)


BAD = {
    '[[grid]]\nlamda = 1': r"g\.toml, \[\[grid\]\] 1: unknown field 'lamda'\. Did you mean 'lam'\?",
    '[[grid]]\n[[grid]]\nname = "x"\nsede = 1': r"\[\[grid\]\] 2 \(x\): unknown field 'sede'\. Did you mean 'seed'\?",
    '[comon]\n[[grid]]': r"unknown field 'comon'\. Did you mean 'common'\?",
    '[common]\nname = "x"\n[[grid]]': r"\[common\]: unknown field 'name'",
    '[store]\nsample = 3\n[[grid]]': r"\[store\]: unknown field 'sample'\. Did you mean 'samples'\?",
    '[store]\nsamples = -3\n[[grid]]': r"\[store\]: samples = -3: choose 0 or more",
    '[store]\nmodels = 1\n[[grid]]': r"\[store\]: models = 1: write true or false",
    '[[grid]]\nepochs = "3"': r"\[\[grid\]\] 1: epochs = '3': write a whole number",
    '[[grid]]\nepochs = 2.5': r"epochs = 2\.5: write a whole number",
    '[[grid]]\nseed = true': r"seed = True: write a whole number",
    '[[grid]]\nlr = "big"': r"lr = 'big': write a number",
    '[[grid]]\nconditional = 1': r"conditional = 1: write true or false",
    '[[grid]]\ndata = 5': r"data = 5: write text in quotes",
    '[[grid]]\nseed = []': r"seed = \[\]: an axis needs at least one value",
    '[[grid]]\nseed = [0, 1, 0]': r"seed = \[0, 1, 0\]: a value is there twice",
    '[[grid]]\nname = ["a", "b"]': r"name = \['a', 'b'\]: write one text in quotes",
    '[[grid]]\nname = "a\\nb"': r"name = 'a\\nb': write one text in quotes, on one line",
    '[[grid]]\nlam = 2': r"\[\[grid\]\] 1: .*lam",
    '[[grid]]\nobjective = "mii"': r"\[\[grid\]\] 1: .*'mii'",
    '[[grid]]\nepochs = -1': r"\[\[grid\]\] 1: epochs = -1: choose a whole number above 0",
    '[[grid]]\nseed = [0, 1]\n[[grid]]\nseed = 1': r"\[\[grid\]\] 2: seed=1 is already in .*\[\[grid\]\] 1",
    '[grid]\nseed = 1': r"no \[\[grid\]\] table: add one, with double brackets",
    'about = "nothing"': r"no \[\[grid\]\] table",
    'about = 3\n[[grid]]': r"about = 3: write text in quotes",
    'about = ,': r"g\.toml is not TOML: .*line 1",
}  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_a_bad_grid_file_is_refused_with_file_table_and_remedy(grid, text):
    with pytest.raises(GridError, match=BAD[text]):
        read_grid(grid(text))


MISFITS = {
    'data = "mnits"': "unknown data 'mnits'. Did you mean 'mnist'",
    'data = "mnist"\ndecoder = "lstm"': "unknown decoder 'lstm' for image data",
    'data = "mnist"\nlimit = 20\nbatch_size = 50': "batch_size = 50 with 20 training examples",
    'data = "mnist"\nword_dropout = 0.5': "word_dropout=0.5 needs text",
}


@pytest.mark.parametrize("text", MISFITS)
def test_what_does_not_fit_its_data_is_found_before_anything_runs(grid, tmp_path, capsys, text):
    path = grid(f'{COMMON.replace(chr(10) + "[common]", "[common]")}[[grid]]\n[[grid]]\nname = "odd"\n{text}')
    assert main(["sweep", str(path), f"--out={tmp_path / 'out'}"]) == 2
    error = capsys.readouterr().err
    assert "[[grid]] 2 (odd)" in error and MISFITS[text] in error
    assert not (tmp_path / "out").exists()


def test_the_same_run_under_two_names_is_done_once(grid, tmp_path):
    path = grid(COMMON + '[[grid]]\nname = "a"\n[[grid]]\nname = "b"\n')
    assert sweep(path, tmp_path, jobs=1, progress=False).missing == 0
    table = load_study("g", tmp_path)
    assert list(table["name"]) == ["a", "b"] and table["rate"].nunique() == 1 and len(stamps(tmp_path)) == 1


def test_the_key_changes_with_what_changes_the_numbers_and_only_then():
    config = Run(objective="rate-hinge", lam=1.0)
    changes = dict(lam=2.0, seed=1, epochs=3, limit=150, lr=1e-3, decoder="ar")
    others = [replace(config, **{name: value}) for name, value in changes.items()]
    keys = {run_key(each, "f") for each in [config, *others]} | {run_key(config, "g"), run_key(config, "f", torch="1.0")}
    assert len(keys) == len(others) + 3
    assert run_key(Run(objective="rate-hinge", lam=1), "f") == run_key(config, "f")
    assert run_key(config, "f", torch="2.9.0+cpu") == run_key(config, "f", torch="2.9.0+cu130")
    assert run_key(Run(objective="rate-hinge", lam=1.0, epochs=Run().epochs), "f") == run_key(config, "f")
    assert run_key(Run(objective="mi", lam=1.0), "f") == run_key(config, "f") == "408e6ccbaf2c54eb"
    assert run_key(config, "f", klcourse="0.1.0") == "47841f5d37b4e29d"  # as stored then


# ------------------------------------------------------------------------------------------------ the table


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished sweep with everything stored, and its grid file."""
    place = tmp_path_factory.mktemp("made")
    path = place / "g.toml"
    path.write_text("[store]\nsamples = 3\nhistory = true\nmodels = true\n" + TWO, encoding="utf-8")
    result = sweep(path, place, jobs=1, progress=False)
    assert result.missing == 0 and result.failed == {} and not result.stopped
    return place, path


def test_a_row_says_what_the_run_says(made):
    """The table against klcourse.runs.train, whose own loop and history are tested elsewhere."""
    row = load_study("g", made[0]).iloc[1]
    run = train(read_grid(made[1]).runs[1].config, progress=False)
    for name, value in run.metrics.items():
        assert row[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
    last = run.history[run.history["epoch"] > 1]  # one row an epoch: 2 steps of 50
    assert len(last) == 1
    for name, column in [("duty", "penalty_on"), ("train_rate", "rate"), ("train_distortion", "distortion")]:
        assert row[name] == pytest.approx(last[column].item(), rel=1e-4)
    assert list(load_study("g", made[0])["lam"]) == [0.5, 2.0]


def test_last_epoch_and_curve_weigh_rows_by_their_steps():
    rng = np.random.default_rng(0)
    steps = pd.DataFrame({"step": np.arange(1, 101), "rate": rng.random(100), "distortion": rng.random(100)})
    steps["penalty_on"], steps["lam"] = (steps["rate"] > 0.5).astype(float), np.nan
    ends = [20, 25, 40, 50, 60, 75, 80, 100]  # rows of a history: every 20 steps, and every epoch of 25
    rows, since = [], 0
    for end in ends:
        part = steps[since:end]
        rows.append(part.mean().to_dict() | {"step": end, "epoch": end / 25, "mi": end * 1.0 if end % 50 == 0 else np.nan})
        since = end
    history = pd.DataFrame(rows)
    last = gather.last_epoch(history, {"steps": 100, "config": {"epochs": 4}})
    assert last["train_rate"] == pytest.approx(steps["rate"][75:].mean())
    assert last["duty"] == pytest.approx(steps["penalty_on"][75:].mean()) and np.isnan(last["lam_mean"])
    curve = gather.curve(history)
    assert list(curve["step"]) == list(curve["mi"]) == [50, 100] and list(curve["epoch"]) == [2, 4]
    for row, part in zip(curve.to_dict("records"), (steps[:50], steps[50:])):
        assert row["train_rate"] == pytest.approx(part["rate"].mean())
        assert row["train_distortion"] == pytest.approx(part["distortion"].mean()) and np.isnan(row["lam"])


def test_a_history_that_ends_between_measurements():
    history = pd.DataFrame({"step": [2, 4, 6], "epoch": [1.0, 2, 3], "rate": [1.0, 3, 9], "mi": [np.nan, 1.0, np.nan]})
    assert gather.curve(history)[["step", "train_rate"]].values.tolist() == [[4, 2]]
    assert len(gather.curve(history.assign(mi=np.nan))) == 0


def test_the_record_of_a_sweep(made):
    place, path = made
    record, text = load_provenance("g", place), (place / "g.json").read_text()
    assert record["data"][0]["fingerprint"] == load("mnist", limit=100).fingerprint
    assert record["seeds"] == [0] and record["failed"] == {} and record["rows"] == 2 and record["missing"] == 0
    assert [run["config"]["lam"] for run in record["runs"]] == [0.5, 2.0] and record["varies"] == ["lam"]
    assert [Run(**run["config"]) for run in record["runs"]] == [run.config for run in read_grid(path).runs]
    assert record["seconds"] == pytest.approx(sum(run["seconds"] for run in record["runs"])) and record["threads"] == 1
    assert str(place) not in text and Path.home().name not in text  # nothing of this machine


def test_what_is_kept_of_a_finished_run(made):
    place, path = made
    for key in stamps(place):
        files = {file.name for file in (place / "runs" / key).iterdir()}
        assert files == {"run.json", "metrics.json", "history.csv", "samples.json", "model.safetensors", "scores.npz"}
    curves = load_history("g", place)
    assert {"run", "step", "epoch", "mi", "train_rate", "train_distortion", "duty"} <= set(curves)
    assert list(curves["run"]) == [0, 0, 1, 1] and list(curves["epoch"]) == [1, 2, 1, 2]


def test_a_kept_model_measures_as_it_did(made):
    place, path = made
    grid = read_grid(path)
    keys, _ = folder.prepare(grid)
    run = train(grid.runs[1].config, progress=False)
    model = load_run(place / "runs" / keys[grid.runs[1]]).model
    ours, theirs = model.state_dict(), run.model.state_dict()
    assert ours.keys() == theirs.keys() and not model.training
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-5) for name in ours)
    with pytest.raises(RunError, match="was trained on mnist with fingerprint"):
        load_run(place / "runs" / keys[grid.runs[1]], load("mnist", limit=50))


def test_samples_come_back_as_they_were_drawn(made):
    samples = load_samples("g", made[0])
    assert sorted(samples) == [0, 1] and samples[0].keys() == {"samples", "reconstructions", "originals"}
    data = load("mnist", limit=100)
    for each in samples.values():
        assert all(each[kind].shape == (3, 784) and each[kind].dtype == np.uint8 for kind in each)
        assert set(np.unique(each["samples"])) == {0, 1}
        assert (each["originals"] == data.test[:3]).all()
    assert (samples[0]["samples"] != samples[1]["samples"]).any()


def test_samples_of_text_are_sentences_and_a_conditional_model_names_its_labels(grid, tmp_path):
    common = COMMON.replace('"mnist"', '"text"').replace('"mlp"', '"lstm"')
    sweep(grid(f"[store]\nsamples = 2\n{common}[[grid]]\nconditional = true\n"), tmp_path, jobs=1, progress=False)
    each = load_samples("g", tmp_path)[0]
    data = load("text", limit=100)
    assert each["originals"] == [data.decode(row) for row in data.test[:2]]
    assert all(isinstance(sentence, str) for sentence in each["samples"] + each["reconstructions"])
    assert each["labels"] == [data.label_names[label] for label in data.test_labels[:2]]


def test_a_perfect_model_reconstructs(monkeypatch):
    """Reconstructions come from the posterior: where the decoder copies z, they are the originals; samples are not."""
    from types import SimpleNamespace

    from klcourse.sweep import samples

    class Copier(torch.nn.Linear):
        def encode(self, x, y=None):
            return 10 * x - 5, torch.full_like(x, -20.0)

        def sample(self, z, y=None, generator=None):
            return (z > 0).float()

    data = load("mnist", limit=5)
    run = SimpleNamespace(model=Copier(1, 1), data=data, config=Run(limit=5))
    drawn = samples.draw(run, 5)
    assert drawn["reconstructions"] == drawn["originals"] != drawn["samples"]
    assert (
        drawn == samples.draw(run, 5)
        and drawn["samples"] != samples.draw(SimpleNamespace(**vars(run) | {"config": Run(seed=1)}), 5)["samples"]
    )


# -------------------------------------------------------------------------------------- nothing twice, nothing lost


def test_finished_runs_are_skipped_and_new_ones_are_not(made, tmp_path, grid, monkeypatch):
    place, path = made
    done = []
    original = worker.do
    monkeypatch.setattr(worker, "do", lambda task: done.append(task.config) or original(task))
    before = stamps(place)
    sweep(path, place, jobs=1, progress=False)
    assert done == [] and stamps(place) == before
    more = grid(path.read_text() + '[[grid]]\nobjective = "rate-hinge"\nlam = 3.0\n', "more")
    sweep(more, place, table=tmp_path / "t", jobs=1, progress=False)
    assert [config.lam for config in done] == [3.0]
    assert list(load_study("more", tmp_path / "t")["lam"]) == [0.5, 2.0, 3.0]


def test_what_is_asked_for_later_is_made_later(grid, tmp_path):
    path = grid(TWO)
    sweep(path, tmp_path, jobs=1, progress=False)
    before = numbers_of(tmp_path)
    sweep(grid("[store]\nsamples = 1\n" + TWO), tmp_path, jobs=1, progress=False)
    assert load_samples("g", tmp_path)[1]["samples"].shape == (1, 784)
    assert numbers_of(tmp_path)["csv"] == before["csv"]


def test_a_failed_run_is_reported_kept_out_and_tried_again(grid, tmp_path, monkeypatch, capsys):
    path, out = grid(TWO), tmp_path / "out"

    def step(self):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        original = Trainer.step
        patch.setattr(Trainer, "step", lambda self: step(self) if self.objective.lam == 0.5 else original(self))
        assert main(["sweep", str(path), f"--out={out}", "--jobs=1", "--quiet"]) == 1
    printed = capsys.readouterr()
    assert "failed: run 0 (lam=0.5): RunError: cannot write to" in printed.err and "no space left" in printed.err
    assert "1 of 2 runs are missing" in printed.out
    key = folder.prepare(read_grid(path))[0][read_grid(path).runs[0]]
    assert "in step" in (out / "runs" / key / "error.txt").read_text()  # the traceback
    with pytest.warns(UserWarning, match="1 of 2 runs are missing.*1 failed; klcourse sweep"):
        table = load_study("g", out)
    assert list(table["run"]) == [1] and list(table["lam"]) == [2.0]
    assert main(["sweep", str(path), f"--out={out}", "--jobs=1", "--quiet"]) == 0
    assert list(load_study("g", out)["run"]) == [0, 1] and not (out / "runs" / key / "error.txt").exists()
    assert load_provenance("g", out)["failed"] == {}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The sweep LONG done without interruption, in this process."""
    place = tmp_path_factory.mktemp("whole")
    (place / "g.toml").write_text("[store]\nsamples = 2\nhistory = true\n" + LONG, encoding="utf-8")
    assert sweep(place / "g.toml", place, jobs=1, progress=False).missing == 0
    return place


def start(grid: Path, out: Path) -> subprocess.Popen:
    """The command in a process group of its own, two runs at a time."""
    command = [sys.executable, "-m", "klcourse", "sweep", str(grid), f"--out={out}", "--jobs=2", "--quiet"]
    streams = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, start_new_session=True, **streams)


def wait_until(condition, process, seconds=300):
    until = time.monotonic() + limit(seconds)
    while not condition():
        assert process.poll() is None, "it ended before it was stopped:\n" + process.stdout.read()
        assert time.monotonic() < until, "it hangs"
        time.sleep(0.01)


def under_way(out: Path) -> list[Path]:
    """Runs with a checkpoint that are not finished."""
    return [path.parent for path in (out / "runs").glob("*/checkpoint.safetensors") if path.parent.name not in stamps(out)]


def halfway(out: Path) -> bool:
    """A run is finished, and another one has written its first checkpoint of three."""
    return bool(stamps(out)) and any(first_checkpoint(path) for path in under_way(out))


def first_checkpoint(path: Path) -> bool:
    """Whether a run is at its first checkpoint; not one whose checkpoint goes just now, for it is finished."""
    try:
        return checkpoint_steps(path) == 200
    except (OSError, RuntimeError):
        return False


ENDS = {
    "kill -9 of the group": lambda process: os.killpg(process.pid, signal.SIGKILL),
    "Ctrl-C in a terminal": lambda process: os.killpg(process.pid, signal.SIGINT),
    "kill -9 of the command": lambda process: process.kill(),
}


@posix
@pytest.mark.parametrize("end", [*list(ENDS)[:2], pytest.param(list(ENDS)[2], marks=long_only)])
def test_stopped_in_the_middle_it_ends_with_the_same_table(whole, tmp_path, end, monkeypatch):
    printed, returncode = stop_it(whole / "g.toml", tmp_path, halfway, ENDS[end])
    before, checkpoints = stamps(tmp_path), {path.name: checkpoint_steps(path) for path in under_way(tmp_path)}
    assert 1 <= len(before) < 4 and checkpoints
    if "Ctrl-C" in end:
        assert returncode == 130 and "nothing is lost" in printed and "Traceback" not in printed, printed
        assert len(load_provenance("g", tmp_path)["runs"]) == len(before)
        # where it stopped is chance: also at step 200, if it was told to while it wrote that checkpoint
    trained = []
    original = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda self: trained.append(1) or original(self))
    assert sweep(whole / "g.toml", tmp_path, jobs=1, progress=False).missing == 0
    assert numbers_of(tmp_path) == numbers_of(whole)
    assert before.items() <= stamps(tmp_path).items()  # finished ones were left alone
    assert len(trained) == 600 * (4 - len(before)) - sum(checkpoints.values())  # the others went on where they were
    assert not list(tmp_path.glob("runs/*/.*.tmp"))


@posix
def test_ctrl_c_that_only_the_command_gets_reaches_its_workers(grid, tmp_path):
    printed, returncode = stop_it(grid(ENDLESS), tmp_path, under_way, lambda process: process.send_signal(signal.SIGINT))
    assert returncode == 130 and "nothing is lost; 4 of 4 runs are missing" in printed and "Traceback" not in printed
    # endless runs, so they were told; where they stopped is chance, often while a checkpoint of 200 steps is written
    assert len(under_way(tmp_path)) == 2 and all(checkpoint_steps(path) for path in under_way(tmp_path))


def stop_it(grid: Path, out: Path, when, how) -> tuple[str, int]:
    """Start the command, end it, and see that all its processes end with it; returns what it printed and its status."""
    process = start(grid, out)
    try:
        wait_until(lambda: when(out), process)
        family = psutil.Process(process.pid).children(recursive=True)
        how(process)
        printed, _ = process.communicate(timeout=limit(120))
    finally:
        process.kill()
    assert not psutil.wait_procs(family, timeout=limit(60))[1]  # no orphans
    return printed, process.returncode


def checkpoint_steps(path: Path) -> int:
    with safe_open(path / "checkpoint.safetensors", framework="pt") as file:
        return json.loads(file.metadata()["klcourse"])["steps"]


def test_processes_give_the_same_numbers_with_one_thread_each(made, tmp_path, monkeypatch):
    place, path = made
    assert sweep(path, tmp_path, jobs=2, progress=False).missing == 0
    assert numbers_of(tmp_path) == numbers_of(place)
    for record in (tmp_path / "runs").glob("*/run.json"):
        assert json.loads(record.read_text())["threads"] == 1


def test_a_worker_sets_its_threads_before_it_loads_libraries():
    """What loky is asked for, seen from inside a worker."""
    from joblib import Parallel, delayed, parallel_config

    with parallel_config("loky", n_jobs=2, inner_max_num_threads=1, initializer=worker.prepare_process):
        seen = Parallel()(delayed(seen_in_worker)() for _ in range(2))
    assert all(each == ("1", "1", 1, signal.SIG_IGN) for each in seen)


def seen_in_worker():
    threads = os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"], torch.get_num_threads()
    return *threads, signal.getsignal(signal.SIGINT)


def killed_by_memory(task):
    """Stands in for a run that the system kills."""
    if task.config.lam == 0.5:
        os.kill(os.getpid(), signal.SIGKILL)
    return worker.attempt(task)


@posix
def test_a_worker_that_dies_costs_its_own_run_only(grid, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "attempt", killed_by_memory)

    def alone(task, *_):
        return worker.Outcome(task.key, "failed", worker.died(-9)) if task.config.lam == 0.5 else worker.attempt(task)

    monkeypatch.setattr(local, "attempt_in_process", alone)
    text = COMMON + '[[grid]]\nobjective = "rate-hinge"\nlam = [0.25, 0.5, 1, 2, 4]\n'
    result = sweep(grid(text), tmp_path, jobs=2, progress=False)
    assert [run.config.lam for run in result.failed] == [0.5] and result.missing == 1
    assert "memory" in str(result.failed) and list(load_study_quietly(tmp_path)["lam"]) == [0.25, 1, 2, 4]


def load_study_quietly(place):
    with pytest.warns(UserWarning):
        return load_study("g", place)


def task_for(grid_path: Path, place: Path, token: str = "t", **changes) -> worker.Task:
    found = read_grid(grid_path)
    keys, _ = folder.prepare(found)
    run = found.runs[0]
    (place / "runs" / keys[run]).mkdir(parents=True, exist_ok=True)
    (place / ".lock").write_text("1 t\n")
    return replace(worker.Task(keys[run], run.config, Store(), str(place / "runs" / keys[run]), token), **changes)


@posix
def test_a_run_in_its_own_process_ends_when_it_is_told_to(grid, tmp_path):
    task = task_for(grid(ENDLESS), tmp_path)
    outcome = worker.attempt_in_process(task, lambda: bool(under_way(tmp_path)), patience=0.0)
    assert outcome.status == "interrupted" and checkpoint_steps(Path(task.folder)) % 200


def test_a_run_whose_process_dies_says_so(grid, tmp_path):
    def kill():
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess):  # one that has just ended is a zombie without a command
                if "klcourse.sweep.worker" in " ".join(child.cmdline()):
                    child.kill()

    outcome = worker.attempt_in_process(task_for(grid(TWO), tmp_path), kill)
    assert outcome.status == "failed" and "memory ran out" in outcome.error


def test_a_worker_with_other_data_refuses(grid, tmp_path):
    outcome = worker.attempt(task_for(grid(TWO), tmp_path, key="0" * 16))
    assert outcome.status == "failed" and "install the same requirements.txt on both" in outcome.error


def test_a_worker_that_does_not_see_the_folder_sends_the_files_back(grid, tmp_path):
    task = task_for(grid(TWO), tmp_path, token="of another machine", store=Store(samples=1, models=True))
    outcome = worker.attempt(task)
    assert list(outcome.files) == list(worker.SMALL_FILES) and outcome.files.keys() >= {"run.json", "scores.npz"}
    assert outcome.status == "finished" and not list(Path(task.folder).iterdir())


# ------------------------------------------------------------------------------------------------------- a cluster


@pytest.fixture(scope="module")
def local_cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster:
        yield cluster


def test_a_cluster_gives_the_same_numbers_as_this_machine(made, tmp_path, local_cluster, capsys):
    place, path = made
    options = ["--backend=dask", f"--scheduler={local_cluster.scheduler_address}", "--quiet"]
    assert main(["sweep", str(path), f"--out={tmp_path}", *options]) == 0, capsys.readouterr().err
    assert numbers_of(tmp_path) == numbers_of(place)


def test_a_cluster_without_a_common_file_system_gives_the_same(made, tmp_path, local_cluster, monkeypatch):
    """The workers look for a token that is not in the lock file they see: it might be another machine's."""
    place, path = made
    monkeypatch.setattr("klcourse.sweep.drive.Task", lambda *a: worker.Task(*a[:4], "another machine's", *a[5:]))
    sweep(path, tmp_path, scheduler=local_cluster.scheduler_address, progress=False)
    assert numbers_of(tmp_path) == numbers_of(place)
    assert all((tmp_path / "runs" / key / "model.safetensors").exists() for key in stamps(tmp_path))


def ended(out: Path, seconds: float = 120, still: float = 15) -> bool:
    """Whether a run on a cluster has stopped: between two checkpoints, written every 200 steps, or no more of them come."""
    until, seen, since = time.monotonic() + seconds, [], time.monotonic()
    while time.monotonic() < until:
        steps = [checkpoint_steps(path) for path in under_way(out)]
        if steps != seen:
            seen, since = steps, time.monotonic()
        if any(n % 200 for n in steps) or (steps and time.monotonic() > since + still):
            return True
        time.sleep(0.05)
    return False


@posix
def test_ctrl_c_stops_the_runs_on_a_cluster(grid, tmp_path, local_cluster, monkeypatch):
    monkeypatch.setattr(stop, "PATIENCE", 0.1)

    def press():
        while not under_way(tmp_path):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    text = ENDLESS.replace("[0.5, 1, 2, 4]", "1")
    result = sweep(grid(text), tmp_path, scheduler=local_cluster.scheduler_address, progress=False)
    assert result.stopped and result.failed == {} and result.missing == 1
    assert ended(tmp_path) and not stamps(tmp_path)


def test_a_run_on_a_cluster_stops_when_its_sweep_is_gone(grid, tmp_path, local_cluster):
    task = task_for(grid(ENDLESS), tmp_path)
    with cluster.connect(local_cluster.scheduler_address) as client:
        future = client.submit(cluster.attempt_on_worker, task, key="long", pure=False)
        while not under_way(tmp_path) and not future.done():
            time.sleep(0.01)
    assert ended(tmp_path) and not stamps(tmp_path)


def test_a_cluster_without_workers_is_named(grid, tmp_path, capsys, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "TIMEOUT", 1)
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as empty:
        address = empty.scheduler_address
        assert main(["sweep", str(grid(TWO)), f"--out={tmp_path}", "--backend=dask", f"--scheduler={address}"]) == 2
    assert f"has no workers: start some with `dask worker {address}`" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere", "ftp://x"])
def test_a_scheduler_that_does_not_answer_is_named(grid, tmp_path, capsys, monkeypatch, address):
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "TIMEOUT", 1)
    assert main(["sweep", str(grid(TWO)), f"--out={tmp_path}", "--backend=dask", f"--scheduler={address}"]) == 2
    error = capsys.readouterr().err
    assert f"no dask scheduler answers at {address}" in error and "dask scheduler" in error


def test_without_the_package_distributed_the_remedy_is_named(grid, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["sweep", str(grid(TWO)), f"--out={tmp_path}", "--backend=dask", "--scheduler=tcp://127.0.0.1:9"]) == 2
    assert 'pip install -e ".[cluster]"' in capsys.readouterr().err


# ----------------------------------------------------------------------------------------------------- the command


def test_two_sweeps_in_one_folder_do_not_collide(grid, tmp_path, capsys):
    with folder.held(tmp_path):
        assert main(["sweep", str(grid(TWO)), f"--out={tmp_path}"]) == 2
    assert f"another sweep (process {os.getpid()}) is at work" in capsys.readouterr().err
    with folder.held(tmp_path):  # free again
        pass


def test_errors_of_the_command(grid, tmp_path, capsys):
    path = grid(TWO)
    (tmp_path / "file").write_text("")
    assert main(["sweep", str(path), f"--out={tmp_path / 'file'}"]) == 2
    assert "choose another --out" in capsys.readouterr().err
    assert main(["sweep", str(path), f"--out={tmp_path}", f"--table={tmp_path / 'file'}", "--jobs=1"]) == 2
    assert "choose another --table" in capsys.readouterr().err
    assert main(["sweep", str(tmp_path / "no.toml"), f"--out={tmp_path}"]) == 2
    assert "no grid file" in capsys.readouterr().err
    assert main(["sweep", str(path), f"--out={tmp_path}", "--backend=dask"]) == 2
    assert "--scheduler ADDRESS go together" in capsys.readouterr().err
    for option in "--jobs=0", "--threads=x":
        with pytest.raises(SystemExit, match="2"):
            main(["sweep", str(path), f"--out={tmp_path}", option])
        assert "choose a whole number from 1" in capsys.readouterr().err


def test_a_dry_run_lists_and_does_nothing(made, grid, tmp_path, capsys):
    place, path = made
    assert main(["sweep", str(path), f"--out={tmp_path / 'new'}", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "lam=0.5" in printed and "0 of 2 runs finished; time left: unknown" in printed
    assert not (tmp_path / "new").exists()
    more = grid(path.read_text() + '[[grid]]\nobjective = "rate-hinge"\nlam = 7.0\n', "more")
    assert main(["sweep", str(more), f"--out={place}", "--dry-run", "--jobs=1"]) == 0
    printed = capsys.readouterr().out
    assert printed.count(" finished ") == 2 and "missing" in printed and "2 of 3 runs finished; time left: about" in printed


def test_the_estimate_goes_by_runs_of_the_same_make(tmp_path):
    fast, slow = Run(decoder="mlp"), Run(decoder="ar")
    todo = {"a": fast, "b": slow, "c": replace(fast, seed=1), "d": replace(slow, seed=1)}
    for key, seconds in {"a": 10.0, "b": 100.0}.items():
        (tmp_path / key).mkdir()
        (tmp_path / key / "run.json").write_text(json.dumps({"finished": True, "seconds": seconds, "steps": 1000}))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "history.csv").write_text("step,epoch\n250,1\n500,2\n")
    todo = {key: GridRun(config) for key, config in todo.items()}
    left = seconds_left(todo, dict.fromkeys(todo, 1000), tmp_path)
    assert left == pytest.approx(10.0 + 50.0)
    assert seconds_left(todo, dict.fromkeys(todo, 1000), tmp_path / "nowhere") is None


def test_the_bar_counts_runs_and_says_how_long(grid, tmp_path, capsys):
    sweep(grid(TWO), tmp_path, jobs=1)
    assert "g: 2/2 runs" in capsys.readouterr().err
    todo = {"a": GridRun(Run()), "b": GridRun(Run(seed=1))}
    bar = Progress("g", todo, dict.fromkeys(todo, 1000), tmp_path, jobs=2, show=True)
    assert bar.left() is None  # nothing to go by yet
    bar.started -= 10
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "history.csv").write_text("step,epoch\n500,1\n")
    assert bar.left() == pytest.approx(30, rel=0.1)  # 500 of 2000 steps took 10 s
    bar.bar.close()


def test_a_stopped_sweep_does_not_replace_a_stored_table(grid, tmp_path, monkeypatch, capsys):
    """Ctrl-C in the one process of --jobs 1: what is done is gathered in --out, --table stays as it was."""
    path, out, stored = grid(TWO), tmp_path / "out", tmp_path / "stored"
    original = measure.evaluate

    def evaluate(*args, **options):
        if (out / "runs").exists() and stamps(out):
            raise KeyboardInterrupt
        return original(*args, **options)

    monkeypatch.setattr(measure, "evaluate", evaluate)
    command = ["sweep", str(path), f"--out={out}", f"--table={stored}", "--jobs=1", "--quiet"]
    assert main(command) == 130
    printed = capsys.readouterr()
    assert "1 of 2 runs are missing; the same command goes on" in printed.err and not (stored / "g.csv").exists()
    assert len(load_study_quietly(out)) == 1
    monkeypatch.undo()
    assert main(command) == 0 and len(load_study("g", stored)) == 2


def test_runs_made_elsewhere_are_adopted(grid, tmp_path, monkeypatch):
    path = grid(TWO)
    train(read_grid(path).runs[0].config, tmp_path / "single" / "one", progress=False)
    train(Run(limit=100, epochs=1, iw_samples=0), tmp_path / "single" / "other", progress=False)
    done = []
    original = worker.do
    monkeypatch.setattr(worker, "do", lambda task: done.append(task.config.lam) or original(task))
    sweep(path, tmp_path / "out", jobs=1, adopt_from=[tmp_path / "single"], progress=False)
    assert done == [2.0] and list(load_study("g", tmp_path / "out")["lam"]) == [0.5, 2.0]


def test_a_wrong_run_in_a_runs_folder_is_not_taken_for_it(grid, tmp_path):
    path = grid(TWO)
    found = read_grid(path)
    keys, _ = folder.prepare(found)
    train(replace(found.runs[0].config, seed=5), tmp_path / "runs" / keys[found.runs[0]], progress=False)
    result = sweep(path, tmp_path, jobs=1, progress=False)
    assert "seed was 5, is 0" in result.failed[found.runs[0]] and result.missing == 1


def test_every_setting_and_knob_can_be_in_a_grid(grid):
    """Whatever there is tomorrow is known to the reader, with its kind."""
    assert {"data", "lr", "conditional"} <= names().keys() >= {"lam", "label", "eta"} and "knobs" not in names()
    assert {what.kind for what in names().values()} == {int, float, str, bool}
    for name, what in names().items():
        wrong = "1" if what.kind is str else '"x"'
        with pytest.raises(GridError, match=f"{name} = .*: write "):
            read_grid(grid(f"[[grid]]\n{name} = {wrong}"))

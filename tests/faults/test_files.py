"""Files that are damaged, foreign or written by two at once: whatever the course reads of its own, it notices."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from klcourse.__main__ import main
from klcourse.runs import Run, RunError, load, train
from klcourse.runs.files import DamagedRun, held
from klcourse.seals import altered, is_whole, read_sealed, sealed
from klcourse.studies import StudyError, load_history, load_samples, load_study
from klcourse.studies.read import read_table
from klcourse.studies.reseal import reseal
from klcourse.studies.scores import pack, unpack_scores
from klcourse.sweep import sweep
from klcourse.sweep.gather import exact, tidy, write_csv
from klcourse.system import Busy, locked, remove_leftovers
from klcourse.training import CheckpointError, checkpoint

TINY = dict(limit=60, batch_size=30, hidden=8, latent_dim=2, iw_samples=2)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a finished run, and that of one with another seed."""
    place = tmp_path_factory.mktemp("made")
    for seed in 0, 1:
        train(Run(**TINY, epochs=1, seed=seed), place / str(seed), progress=False)
    return place


@pytest.fixture
def run(made, tmp_path):
    return Path(shutil.copytree(made / "0", tmp_path / "run"))


def resume(folder, **more):
    return train(Run(**(TINY | dict(epochs=1) | more)), folder, resume=True, progress=False)


def flip(path, position, bit=0):
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1 << bit
    path.write_bytes(content)


# ---------------------------------------------------------------------------------------------------- checkpoints


def same(one, other):
    (tensors, meta), (others, meta2) = one, other
    return meta == meta2 and all(torch.equal(tensors[""][k], others[""][k]) for k in tensors[""] | others[""])


def test_no_changed_byte_of_a_checkpoint_is_believed(run):
    path = run / "checkpoint.safetensors"
    content, whole = path.read_bytes(), checkpoint.read(path, ("best.", ""))
    for position in [*range(0, 400, 20), *range(400, len(content), len(content) // 50)]:
        flip(path, position, bit=position % 8)
        with pytest.raises(CheckpointError, match="checkpoint.safetensors is damaged"):
            if same(checkpoint.read(path, ("best.", "")), whole):
                raise CheckpointError("checkpoint.safetensors is damaged nowhere")  # a blank more or less
        path.write_bytes(content)


DAMAGE = {
    "emptied": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "zeros at the end": lambda content: content[:-64] + bytes(64),
    "something else": lambda content: b"not a checkpoint",
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_checkpoint_is_named_with_the_remedy(run, how, capsys):
    path = run / "checkpoint.safetensors"
    path.write_bytes(DAMAGE[how](path.read_bytes()))
    with pytest.raises(DamagedRun, match="checkpoint.safetensors is damaged.* another --out"):
        resume(run)
    with pytest.raises(RunError, match="damaged"):
        load(run)
    options = [f"--{k.replace('_', '-')}={v}" for k, v in TINY.items()]
    assert main(["run", *options, "--epochs=1", f"--out={run}", "--resume", "--quiet"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    path.unlink()  # the remedy
    assert resume(run).metrics == json.loads((run / "metrics.json").read_text())


def test_a_checkpoint_of_another_run_is_refused(made, run):
    shutil.copy(made / "1" / "checkpoint.safetensors", run)
    with pytest.raises(RunError, match="seed was 1, is 0"):
        resume(run)
    with pytest.raises(RunError, match="seed was 1, is 0"):
        load(run)


@pytest.mark.parametrize("change", [dict(latent_dim=3), dict(conditional=True)])
def test_weights_of_another_model_are_refused_before_anything_changes(run, change):
    trainer = load(run).trainer
    other = train(Run(**(TINY | dict(epochs=1) | change)), progress=False).trainer
    before = {k: v.clone() for k, v in other.model.state_dict().items()}
    with pytest.raises(CheckpointError, match="of another model: .* was .*, is"):
        checkpoint.State.of(trainer.model, {}, trainer.optimizer).put_back(other.model, {}, other.optimizer)
    assert all(torch.equal(before[k], v) for k, v in other.model.state_dict().items())


def test_a_checkpoint_from_before_checksums_is_read(run):
    path = run / "checkpoint.safetensors"
    tensors, meta = checkpoint.unseal(path, ("klcourse",))
    save_file(tensors, path, meta)
    assert resume(run).trainer.steps == 2


# ---------------------------------------------------------------------------------------------------- a run's folder


BAD_RECORDS = ["", "{", "[]", "null", '{"config": 3}', "\x00\x01", '{"config": {"epochz": 1}, "data": {}}']


@pytest.mark.parametrize("text", BAD_RECORDS)
def test_a_damaged_record_is_made_good_by_the_checkpoint(run, text):
    metrics = (run / "metrics.json").read_text()
    (run / "run.json").write_text(text)
    with pytest.raises(RunError):
        load(run)
    resume(run)
    assert (run / "metrics.json").read_text() == metrics and load(run).metrics == json.loads(metrics)
    (run / "run.json").write_text(text)
    (run / "checkpoint.safetensors").unlink()
    with pytest.raises(RunError, match="run.json"):
        resume(run)


@pytest.mark.parametrize("name", ["metrics.json", "history.csv", "scores.npz"])
def test_a_changed_result_is_noticed_and_measured_again(run, name):
    before = (run / name).read_bytes()
    flip(run / name, -20)
    with pytest.raises(DamagedRun, match=f"{name} is not what was written"):
        load(run)
    resume(run)
    assert load(run).config.seed == 0 and (name == "scores.npz" or (run / name).read_bytes() == before)


@pytest.mark.parametrize("name", ["run.json", "checkpoint.safetensors", "metrics.json", "history.csv"])
def test_a_folder_in_the_place_of_a_file_is_said_in_one_sentence(run, name):
    (run / name).unlink()
    (run / name).mkdir()
    with pytest.raises(RunError, match=f"{name}"):
        resume(run)


def test_kept_weights_are_checked(run):
    from klcourse.runs.weights import smaller, weights

    (run / "model.safetensors").write_bytes(weights(load(run)))
    assert load(run / "model.safetensors").config.seed == 0
    (run / "small.safetensors").write_bytes(smaller(run / "model.safetensors", bits=8))
    assert load(run / "small.safetensors").config.seed == 0
    for name in "model.safetensors", "small.safetensors":
        flip(run / name, -9, bit=3)
        with pytest.raises(RunError, match="damaged"):
            load(run / name)


# ---------------------------------------------------------------------------------------------------- two writers


def test_two_runs_in_one_folder_do_not_collide(tmp_path, capsys):
    with held(tmp_path / "r"):
        with pytest.raises(RunError, match=r"another run \(process \d+\) is at work in .*choose another --out"):
            resume(tmp_path / "r")
    resume(tmp_path / "r")  # free again
    assert not list((tmp_path / "r").glob(".*"))


def test_what_killed_writers_left_is_removed(tmp_path):
    (tmp_path / ".metrics.json.123.tmp").write_text("half of")
    (tmp_path / ".lock").write_text("123 left by a kill\n")
    resume(tmp_path)
    assert not list(tmp_path.glob(".*"))
    (tmp_path / ".g.csv.1.tmp").write_text("")
    remove_leftovers(tmp_path, older=3600)
    assert list(tmp_path.glob(".*"))  # somebody may be writing it


def test_a_lock_that_was_let_go_between_opening_and_locking_is_not_held(tmp_path, monkeypatch):
    from klcourse import system

    real, opened = system.take, []

    def take(file):
        if not opened:  # the one who held it removes it now
            opened.append(file)
            (tmp_path / ".lock").unlink()
        return real(file)

    monkeypatch.setattr(system, "take", take)
    with locked(tmp_path), pytest.raises(Busy), locked(tmp_path):
        pass


# ---------------------------------------------------------------------------------------------------- sweeps


GRID = """
[store]
history = true
samples = 2
scores = true
[common]
limit = 60
batch_size = 30
hidden = 8
latent_dim = 2
epochs = 1
iw_samples = 2
[[grid]]
name = "NA"
objective = "rate-hinge"
lam = [0.3333333333, 2.0]
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    place = tmp_path_factory.mktemp("swept")
    (place / "g.toml").write_text(GRID)
    sweep(place / "g.toml", place / "out", jobs=1, progress=False)
    return place


@pytest.fixture
def study(swept, tmp_path):
    shutil.copytree(swept, tmp_path / "s")
    return tmp_path / "s"


def test_names_and_values_of_a_study_come_back(swept):
    table = load_study("g", swept / "out")
    assert list(table["name"]) == ["NA", "NA"] and list(table["lam"]) == [0.3333333333, 2.0]
    assert table.scores().shape == (2, 60) and len(load_samples("g", swept / "out")) == 2


@pytest.mark.parametrize("name", ["g.csv", "g_history.csv", "g_samples.json", "g_scores.npz", "g.json"])
def test_a_changed_file_of_a_study_is_noticed(study, name):
    flip(study / "out" / name, -30, bit=1)
    readers = {"g_history.csv": load_history, "g_samples.json": load_samples}
    read = readers.get(name, lambda *where: load_study(*where).scores())
    with pytest.raises(StudyError, match=f"{name} (is not what|is damaged)"):
        read("g", study / "out")


def test_a_change_that_is_meant_is_sealed(study):
    path = study / "out" / "g.csv"
    path.write_text(path.read_text().replace("NA", "nan"))
    reseal("g", study / "out")
    assert list(load_study("g", study / "out")["name"]) == ["nan", "nan"]


def test_a_study_whose_lines_end_otherwise_is_the_same(study):
    for path in (study / "out").glob("g*.[cj]s*"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(load_study("g", study / "out")) == 2 and len(load_samples("g", study / "out")) == 2


def test_one_bad_file_costs_its_own_run_only(study):
    """Of two runs one is damaged, time and again: it is made again, and the table is what it was."""
    out = study / "out"
    bad, good = sorted((out / "runs").iterdir())
    before, kept = pd.read_csv(out / "g.csv").drop(columns="seconds"), (good / "run.json").stat().st_mtime_ns
    for name, content in [("run.json", b""), ("metrics.json", b"{"), ("history.csv", b""), ("samples.json", b"[]")]:
        (bad / name).write_bytes(content)
        result = sweep(study / "g.toml", out, jobs=1, progress=False)
        assert not result.failed and not result.missing, name
        pd.testing.assert_frame_equal(pd.read_csv(out / "g.csv").drop(columns="seconds"), before)
    shutil.rmtree(bad)
    bad.write_text("a file where a folder was")
    assert not sweep(study / "g.toml", out, jobs=1, progress=False).missing
    assert (good / "run.json").stat().st_mtime_ns == kept and bad.with_name(f"{bad.name}.damaged").is_file()


def test_a_damaged_run_is_not_adopted(study):
    for path in (study / "out" / "runs").glob("*/metrics.json"):
        flip(path, 30)
        break
    found = sweep(study / "g.toml", study / "new", jobs=1, progress=False, adopt_from=[study / "out"])
    assert not found.missing
    assert sum(altered(path.parent, read_sealed(path)) == [] for path in (study / "new" / "runs").glob("*/run.json")) == 2


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


@settings(max_examples=30)
@given(NAMES, st.floats(allow_nan=False, allow_infinity=False))
@example("nan", 0.1)
@example("1", 1 / 3)
@example("1.0", 1e300)
@example("a,b\"c'", 2.0)
@example(" λ ", -0.0)
@example("#", 5e-324)
def test_any_name_and_any_setting_survive_a_table(tmp_path_factory, name, value):
    path = tmp_path_factory.getbasetemp() / "t.csv"
    write_csv(path, tidy([{"run": 0, "name": name, "role": "1", "lam": exact(value), "rate": 1.5, "seconds": 1.0}]))
    read = read_table(path)
    assert read["name"][0] == name and read["role"][0] == "1"
    assert float(read["lam"][0]) == value


@settings(max_examples=30)
@given(st.lists(st.lists(st.floats(width=32), min_size=3, max_size=3), min_size=1, max_size=4))
@example([[float("inf"), float("-inf"), float("nan")], [1e9, -1e12, 0.004]])
def test_any_score_comes_back_to_a_hundredth(rows):
    kept = unpack_scores(pack({str(i): ("data", {"a/b": np.array(row)}) for i, row in enumerate(rows)}))["data"]["a/b"]
    for i, row in enumerate(rows):
        np.testing.assert_allclose(kept[str(i)], row, rtol=1e-12, atol=0.0050001)


def test_a_record_is_sealed_with_all_that_is_in_it(tmp_path):
    record = sealed({"steps": 3, "files": {"a": "0"}, 5: [1.5, None]})
    assert is_whole(json.loads(json.dumps(record)))
    for change in {"steps": 4}, {"files": {}}, {"new": 1}:
        assert not is_whole(json.loads(json.dumps(record)) | change)
    assert not is_whole({"files": {}}) and is_whole({"steps": 3})

"""Scores of test examples in a sweep: asked for, gathered, small, read back lazily, compared only on the same data."""

import numpy as np
import pandas as pd
import pytest

from klcourse.data import load
from klcourse.runs import train
from klcourse.studies import (
    Study,
    StudyError,
    compare_methods,
    crossed,
    estimate,
    load_history,
    load_provenance,
    load_study,
    settings,
)
from klcourse.studies.read import seal
from klcourse.studies.scores import STEP, pack, unpack_scores
from klcourse.sweep import GridError, read_grid, sweep
from klcourse.sweep.gather import curve, last_epoch
from klcourse.sweep.store import AUTO, Store

COMMON = """
[common]
data = "mnist"
decoder = "mlp"
limit = 100
hidden = 8
latent_dim = 2
epochs = 1
iw_samples = 4
iw_tolerance = 1000.0
seed = [0, 1, 2]
"""
WITHOUT_IW = COMMON.replace("iw_samples = 4", "iw_samples = 0").replace("iw_tolerance = 1000.0\n", "")
TWO = '[[grid]]\nname = "ELBO"\n[[grid]]\nname = "hinge"\nobjective = "rate-hinge"\nlam = 2.0\nc = 3.0\n'


def write(place, text, name="g"):
    path = place / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished sweep of two methods that keeps scores."""
    place = tmp_path_factory.mktemp("scores")
    path = write(place, '[store]\nscores = ["iw_nll", "rate", "distortion"]\n' + COMMON + TWO)
    assert sweep(path, place, table=place / "table", jobs=1, progress=False).missing == 0
    return place, path


# ------------------------------------------------------------------------------------------------ the file


def test_scores_come_back_to_a_hundredth_of_a_nat():
    rng = np.random.default_rng(0)
    known = {f"run {i}": 90 + 25 * rng.standard_normal(500) for i in range(7)}
    found = unpack_scores(pack({key: ("f", {"iw_nll": values.astype(np.float32)}) for key, values in known.items()}))
    assert list(found) == ["f"] and list(found["f"]["iw_nll"]) == list(known)
    for key, values in known.items():
        assert np.abs(found["f"]["iw_nll"][key] - values).max() <= STEP / 2 + 1e-4
        assert found["f"]["iw_nll"][key].mean() == pytest.approx(values.mean(), abs=1e-3)


def test_data_and_scores_that_only_some_runs_have():
    kept = {
        "a": ("one", {"iw_nll": np.array([1.0, 2.0, 3.0]), "rate": np.array([0.0, 0.5, 1.0])}),
        "b": ("one", {"iw_nll": np.array([1.5, np.nan, np.inf])}),
        "c": ("two", {"iw_nll": np.array([-1e6, 1e6])}),  # far from each other: more than two bytes
    }
    found = unpack_scores(pack(kept))
    assert found["two"]["iw_nll"]["c"].tolist() == [-1e6, 1e6]
    assert found["one"]["iw_nll"]["b"][0] == 1.5 and np.isnan(found["one"]["iw_nll"]["b"][1])
    assert found["one"]["iw_nll"]["b"][2] == np.inf
    assert found["one"]["iw_nll"]["a"].tolist() == [1, 2, 3] and list(found["one"]["rate"]) == ["a"]
    assert pack(kept) == pack(kept)  # no dates


@pytest.mark.parametrize("spread", [1.0, 3.0, 6.0])
def test_fifty_runs_of_4000_examples_are_small(spread):
    """What runs of a study differ by, example by example: 1 to 6 nats, of scores that spread by 25."""
    rng = np.random.default_rng(0)
    scores = 90 + 25 * rng.standard_normal(4_000) + spread * rng.standard_normal((50, 4_000))
    assert len(pack({f"{i:016x}": ("0" * 16, {"iw_nll": row}) for i, row in enumerate(scores)})) < 330e3


# ------------------------------------------------------------------------------------------------ a study


def test_a_sweep_gathers_scores_and_the_study_reads_them(made):
    place, path = made
    for folder in (place, place / "table"):
        found = load_study("g", folder).scores()
        assert found.shape == (6, 100) and list(found.index) == list(range(6)) and found.index.name == "run"
        assert found.attrs["fingerprint"] == load("mnist", limit=100).fingerprint
    run = train(read_grid(path).runs[4].config, progress=False)
    assert np.abs(found.loc[4] - run.scores["iw_nll"]).max() < 0.02
    table = load_study("g", place)
    for name in ("iw_nll", "rate", "distortion", "elbo"):
        assert table.scores(name).mean(axis=1).to_numpy() == pytest.approx(table[name].to_numpy(), abs=2e-3), name


def test_chosen_rows_keep_their_scores(made):
    table = load_study("g", made[0])
    assert isinstance(table, Study)
    hinge = settings(table).query("name == 'hinge'").assign(more=1).sort_values("seed", ascending=False).copy()
    assert list(hinge.scores().index) == [5, 4, 3] and list(table[["run", "rate"]].scores().index) == list(range(6))
    with pytest.raises(StudyError, match="this table is of no stored study"):
        pd.concat([hinge, table]).pipe(Study).scores()
    with pytest.raises(StudyError, match="keeps no scores 'mi' of these runs, only distortion, iw_nll, rate"):
        table.scores("mi")


def test_comparisons_of_a_study_cover_its_examples(made):
    table = load_study("g", made[0])
    found = compare_methods(table, against="ELBO")[0]
    scores = table.scores()
    known = crossed(scores.loc[[3, 4, 5]].to_numpy() - scores.loc[[0, 1, 2]].to_numpy())
    assert (found.examples, found.seeds) == (100, 3) and found.mean == pytest.approx(known.mean)
    assert found.high - found.mean == pytest.approx(known.half_width()) and found.flat is True
    assert estimate(table, "hinge", "elbo").examples == 100
    assert compare_methods(table, against="ELBO", column="mi")[0].examples == 0


def test_data_that_differ_are_not_compared(tmp_path):
    limits = COMMON.replace("limit = 100", "limit = [100, 90]").replace("seed = [0, 1, 2]", "seed = [0, 1]")
    path = write(tmp_path, f'[store]\nscores = true\n{limits}[[grid]]\nname = "ELBO"\n')
    assert sweep(path, tmp_path, jobs=1, progress=False).missing == 0
    table = load_study("g", tmp_path)
    with pytest.raises(ValueError, match="measured on different examples"):
        table.scores()
    assert table[table["limit"] == 90].scores().shape == (2, 90)
    named = table.assign(name=np.where(table["limit"] == 90, "few", "many"))
    with pytest.raises(ValueError, match="differ in limit, so in their test examples"):
        compare_methods(named, against="few")
    with pytest.raises(ValueError, match=r"measured on different examples \(fingerprints \w{16} and \w{16}\)"):
        compare_methods(named.drop(columns="limit"), against="few")


def test_a_file_of_other_runs_is_noticed(made, tmp_path):
    place, _ = made
    for ending in (".csv", ".json", "_scores.npz"):
        (tmp_path / f"g{ending}").write_bytes((place / f"g{ending}").read_bytes())
    record = load_provenance("g", tmp_path)
    record["runs"][2]["key"] = "0" * 16
    seal("g", record, tmp_path)
    with pytest.raises(ValueError, match="lacks 'iw_nll' of run 2"):
        load_study("g", tmp_path).scores()


def test_only_where_the_grid_asks_for_them(made, tmp_path):
    path = write(tmp_path, COMMON + TWO)
    sweep(path, tmp_path, adopt_from=[made[0]], jobs=1, progress=False)
    assert not (tmp_path / "g_scores.npz").exists() and len(load_study("g", tmp_path)) == 6
    with pytest.raises(StudyError, match="no g_scores.npz in"):
        load_study("g", tmp_path).scores()
    found = compare_methods(load_study("g", tmp_path), against="ELBO")[0]
    assert found.examples == 0 and "over 3 seeds only" in str(found)
    with pytest.raises(StudyError, match="measured_game keeps no scores: .* or set scores in .store. of"):
        load_study("measured_game").scores()


def test_a_run_without_its_scores_is_not_finished(made, tmp_path):
    """Made before scores were kept: done again, and the table stays."""
    place, path = made
    sweep(path, tmp_path, adopt_from=[place], jobs=1, progress=False)
    for file in tmp_path.glob("runs/*/scores.npz"):
        file.unlink()
    sweep(path, tmp_path, jobs=1, progress=False)
    assert (tmp_path / "g_scores.npz").read_bytes() == (place / "g_scores.npz").read_bytes()


def test_curves_are_of_the_validation_part(tmp_path):
    """Rate and information of its examples, and its loss where a run stops by it; an older run's history is read too."""
    common = (
        COMMON.replace("epochs = 1", "epochs = 3").replace("seed = [0, 1, 2]", "limit = 400").replace("limit = 100\n", "")
    )
    grids = '[[grid]]\nname = "plain"\n[[grid]]\nname = "stops"\npatience = 2\n'
    path = write(tmp_path, f"[store]\nhistory = true\n{common}{grids}")
    assert sweep(path, tmp_path, jobs=1, progress=False).missing == 0
    curves, table = load_history("g", tmp_path), load_study("g", tmp_path)
    assert curves.groupby("run").size().tolist() == [3, 3] and curves[["rate", "mi", "mi_upper"]].notna().all(axis=None)
    plain = table.iloc[0]
    assert curves.query("run == 0")["rate"].iloc[-1] == pytest.approx(plain["valid_rate"], rel=1e-4)
    assert curves.query("run == 1")["valid_loss"].notna().any()
    old = pd.DataFrame({"step": [1, 2], "epoch": [1, 2], "test_rate": [3.0, 4.0], "rate": [2.0, 2.0], "mi": [1.0, 2.0]})
    assert curve(old)["rate"].tolist() == [3, 4] and "valid_loss" not in curve(old)


def test_the_last_epoch_of_a_run_that_stopped_early():
    history = pd.DataFrame({"step": [10, 20, 30], "rate": [1.0, 2.0, 3.0]})
    record = {"steps": 30, "config": {"epochs": 60}}
    assert last_epoch(history, record | {"epochs_done": 3.0}) == {"train_rate": 3.0}
    assert last_epoch(history, record | {"config": {"epochs": 1}})["train_rate"] == 2.0


# ------------------------------------------------------------------------------------------------ the grid file


def test_what_a_grid_may_say(tmp_path):
    def stored(line, common=COMMON):
        return read_grid(write(tmp_path, f"[store]\n{line}\n{common}{TWO}")).store

    assert stored("scores = true").scores == (AUTO,) and stored("scores = false") == stored("") == Store()
    assert stored('scores = ["elbo", "rate", "elbo"]').scores == ("elbo", "rate")
    with pytest.raises(GridError, match=r"\[store\]: scores = 'iw_nll': write true, false, or a list"):
        stored('scores = "iw_nll"')
    with pytest.raises(GridError, match="'nll' is no score of an example; choose from iw_nll, elbo, distortion, rate"):
        stored('scores = ["nll"]')
    path = write(tmp_path, f'[store]\nscores = ["iw_nll"]\n{WITHOUT_IW}[[grid]]\n')
    with pytest.raises(GridError, match=r"\[\[grid\]\] 1: scores = \['iw_nll'\] with iw_samples = 0: choose more, or"):
        sweep(path, tmp_path, progress=False)


def test_without_importance_weighting_the_elbo_is_kept(tmp_path):
    common = WITHOUT_IW.replace("seed = [0, 1, 2]", "")
    sweep(write(tmp_path, f"[store]\nscores = true\n{common}[[grid]]\n"), tmp_path, jobs=1, progress=False)
    table = load_study("g", tmp_path)
    assert table.scores("elbo").mean(axis=1)[0] == pytest.approx(table["elbo"][0], abs=2e-3)
    with pytest.raises(StudyError, match="keeps no scores 'iw_nll' of these runs, only elbo"):
        table.scores()

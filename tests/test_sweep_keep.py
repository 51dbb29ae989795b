"""Models that a study keeps: which, how large, that they are the trained ones, and that bad requests are found early."""

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from klcourse import measure
from klcourse.data import load
from klcourse.runs import RunError, load_model, train
from klcourse.runs.weights import smaller, whole
from klcourse.studies import StudyError, choose_each, kept_models, load_study, settings
from klcourse.sweep import GridError, folder, read_grid, sweep
from klcourse.sweep.keep import remove_others

COMMON = """
[common]
data = "mnist"
decoder = "mlp"
limit = 100
hidden = 16
latent_dim = 4
epochs = 2
iw_samples = 4
seed = [3, 1]
"""
METHODS = '[[grid]]\nname = "ELBO"\n[[grid]]\nname = "hinge"\nobjective = "rate-hinge"\nlam = [0.5, 40.0]\nc = 3.0\n'


def write(place, text, name="g"):
    path = place / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A sweep that keeps the first seed of every setting, and its table elsewhere."""
    place = tmp_path_factory.mktemp("keep")
    path = write(place, f'[store]\nkeep = "first seed"\n{COMMON}{METHODS}')
    assert sweep(path, place / "out", table=place / "table", jobs=1, progress=False).missing == 0
    return place, path


def test_the_first_seed_of_every_setting_is_kept(made):
    place, path = made
    grid = read_grid(path)
    assert [(run.name, run.config.lam, run.config.seed) for run in grid.first_seeds] == [
        ("ELBO", None, 1), ("hinge", 0.5, 1), ("hinge", 40.0, 1)
    ]  # fmt: skip
    keys, _ = folder.prepare(grid)
    wanted = {grid.runs.index(run): keys[run] for run in grid.first_seeds}
    for where in (place / "out", place / "table"):
        kept = kept_models("g", where)
        assert {run: path.stem for run, path in kept.items()} == wanted
        assert len(list((where / "g_models").iterdir())) == 3
    whole = place / "out" / "runs"
    assert {path.parent.name for path in whole.glob("*/model.safetensors")} == set(wanted.values())
    for run, small in kept.items():
        assert small.stat().st_size < 0.55 * (whole / keys[grid.runs[run]] / "model.safetensors").stat().st_size


def test_a_kept_model_is_the_trained_one(made):
    place, path = made
    run = read_grid(path).runs[4]  # hinge, λ = 0.5, seed 1
    trained = train(run.config, progress=False)
    found = load_model("g", "hinge, λ = 0.5", place / "table")
    assert found.config == run.config and not found.model.training
    ours, theirs = found.model.state_dict(), trained.model.state_dict()
    assert ours.keys() == theirs.keys()
    for name in theirs:
        assert ours[name].dtype == theirs[name].dtype == torch.float32
        assert torch.allclose(ours[name], theirs[name], rtol=1e-3, atol=1e-3), name
    row = load_study("g", place / "table").query("run == 4").iloc[0]
    assert found.metrics["iw_nll"] == row["iw_nll"] and found.metrics["valid_rate"] == row["valid_rate"]
    assert not {"run", "lam", "seed", "name"} & found.metrics.keys()
    x = torch.as_tensor(found.data.test, dtype=torch.float32)
    again = measure.evaluate(found.model, x, iw_samples=4, seed=run.config.seed)
    for name in ("rate", "distortion", "mi", "iw_nll"):
        assert again[name] == pytest.approx(row[name], rel=3e-3, abs=0.02), name


def test_a_model_is_found_by_method_setting_or_run(made):
    place, data = made[0] / "table", load("mnist", limit=100)
    by_run, by_name = load_model("g", 1, place, data), load_model("g", "ELBO", place, data)
    assert by_run.config == by_name.config and by_name.config.objective == "elbo" and by_name.config.seed == 1
    with pytest.raises(ValueError, match=r"2 models of 'hinge': choose one of 'ELBO' \(run 1\), 'hinge, λ = 0.5' \(run 4\)"):
        load_model("g", "hinge", place, data)
    with pytest.raises(ValueError, match="no model of 'hing'"):
        load_model("g", "hing", place, data)
    with pytest.raises(ValueError, match="no model of 0: choose one of 1, 4, 5"):
        load_model("g", 0, place, data)
    with pytest.raises(RunError, match="was trained on mnist with fingerprint"):
        load_model("g", 1, place, load("mnist", limit=50))


def test_a_study_without_models_says_so(tmp_path):
    with pytest.raises(StudyError, match="methods_ar keeps no models: use load_study.*, or set keep in .store. of"):
        load_model("methods_ar", "ELBO")
    with pytest.raises(StudyError, match="unknown study 'nothing'"):
        load_model("nothing", "ELBO", tmp_path)


def test_only_the_chosen_settings_are_kept(made, tmp_path):
    """By validation: one setting of a method with two. What was kept before goes, here and beside the table."""
    place, path = made
    text = path.read_text().replace('"first seed"', '"chosen"')
    options = dict(table=tmp_path / "table", adopt_from=[place / "out"], jobs=1, progress=False)
    assert sweep(write(tmp_path, path.read_text()), tmp_path / "out", **options).missing == 0
    assert len(kept_models("g", tmp_path / "table")) == 3
    assert sweep(write(tmp_path, text), tmp_path / "out", **options).missing == 0
    table = settings(load_study("g", tmp_path / "table"))
    chosen = {choice.setting for choice in choose_each(table).values()}
    kept = table.set_index("run").loc[list(kept_models("g", tmp_path / "table"))]
    assert set(kept["method"]) == chosen and len(kept) == 2 and set(kept["seed"]) == {1}
    assert load_model("g", "hinge", tmp_path / "table").config.objective == "rate-hinge"
    assert sweep(write(tmp_path, COMMON + METHODS), tmp_path / "out", **options).missing == 0
    assert not list(tmp_path.glob("*/g_models"))


def test_half_precision_keeps_what_it_can(tmp_path):
    tensors = {"a": torch.randn(5, 5), "large": torch.tensor([1e6, 1.0]), "count": torch.tensor([3, 70_000])}
    save_file(tensors, tmp_path / "m", {"config": "{}"})
    (tmp_path / "h").write_bytes(smaller(tmp_path / "m"))
    with safe_open(tmp_path / "h", framework="pt") as file:
        found = {name: file.get_tensor(name) for name in file.keys()}
        assert file.metadata()["config"] == "{}"
    assert found["a"].dtype == torch.float16 and torch.allclose(found["a"].float(), tensors["a"], atol=2e-3)
    assert found["large"].dtype == torch.float32 and found["count"].tolist() == [3, 70_000]


def test_eight_bits_are_close_and_a_quarter_of_the_size(made, tmp_path):
    """Through the whole sweep: the file, the loader, and what the model measures."""
    place, path = made
    text = path.read_text().replace('"first seed"', '"first seed"\nkeep_bits = 8')
    options = dict(adopt_from=[place / "out"], jobs=1, progress=False)
    assert sweep(write(tmp_path, text), tmp_path / "out", **options).missing == 0
    small, half = kept_models("g", tmp_path / "out"), kept_models("g", place / "table")
    assert all(small[run].stat().st_size < 0.7 * half[run].stat().st_size for run in small)
    found, row = (
        load_model("g", "hinge, λ = 0.5", tmp_path / "out"),
        load_study("g", place / "table").query("run == 4").iloc[0],
    )
    again = measure.evaluate(found.model, torch.as_tensor(found.data.test, dtype=torch.float32), iw_samples=4, seed=1)
    for name in ("rate", "distortion", "mi", "iw_nll"):
        assert again[name] == pytest.approx(row[name], rel=2e-3, abs=0.02), name


def test_rows_have_scales_of_their_own(tmp_path):
    rows = torch.randn(64, 128) * torch.logspace(-6, 3, 64)[:, None]
    save_file(
        {"w": rows, "b": rows[0].clone(), "conv": torch.randn(64, 4, 5, 5), "zero": torch.zeros(64, 64)}, tmp_path / "m", {}
    )
    (tmp_path / "q").write_bytes(smaller(tmp_path / "m", 8))
    with safe_open(tmp_path / "q", framework="pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}
    assert stored["w"].dtype == stored["conv"].dtype == torch.int8 and stored["b"].dtype == torch.float16
    found = whole(stored)
    assert found.keys() == {"w", "b", "conv", "zero"} and found["conv"].shape == (64, 4, 5, 5)
    worst = (found["w"] - rows).abs().amax(1) / rows.abs().amax(1)
    assert worst.max() <= 0.5 / 127 + 1e-6 and (found["zero"] == 0).all()


def test_only_models_are_removed(tmp_path):
    (tmp_path / "m").mkdir()
    for name in ("a.safetensors", "b.safetensors", "README"):
        (tmp_path / "m" / name).write_text("")
    remove_others(tmp_path / "m", {"a.safetensors"})
    assert {path.name for path in (tmp_path / "m").iterdir()} == {"a.safetensors", "README"}
    remove_others(tmp_path / "nowhere", set())


def test_bad_requests_are_found_before_anything_runs(tmp_path, monkeypatch):
    def refused(match, store='keep = "first seed"', common=COMMON, methods=METHODS):
        with pytest.raises(GridError, match=match):
            sweep(write(tmp_path, f"[store]\n{store}\n{common}{methods}"), tmp_path / "out", progress=False)
        assert not (tmp_path / "out").exists()

    refused("keep = 'last seed': choose 'first seed' or 'chosen', or leave it out", 'keep = "last seed"')
    refused("keep_bits = 4: choose 16, or 8", 'keep = "chosen"\nkeep_bits = 4')
    refused("keep = True: write text in quotes", "keep = true")
    refused("keep = 'chosen' is about methods, and this table has no name", 'keep = "chosen"', methods="[[grid]]\n")
    refused("'chosen' asks the validation part", 'keep = "chosen"', COMMON + "hold_out = 0\n")
    monkeypatch.setattr(folder, "MOST_KEPT", 1.2e5)
    remedy = "choose 'chosen', one of every method, or fewer keep_methods, or keep_bits = 8"
    refused(f"3 models of up to 0.1 MB are 0.2, more than 0: {remedy}")
    monkeypatch.setattr(folder, "MOST_KEPT", 1e4)
    refused("2 models of up to .* more than 0: choose fewer keep_methods$", 'keep = "chosen"\nkeep_bits = 8')


def test_methods_can_be_named(tmp_path):
    def kept(store, methods=METHODS):
        return [run.name for run in read_grid(write(tmp_path, f"[store]\n{store}\n{COMMON}{methods}")).first_seeds]

    assert kept('keep = "chosen"\nkeep_methods = ["hinge"]') == ["hinge", "hinge"] and len(kept('keep = "chosen"')) == 3
    with pytest.raises(GridError, match=r"keep_methods: no \[\[grid\]\] has the name 'hing'"):
        kept('keep = "chosen"\nkeep_methods = ["hing"]')
    with pytest.raises(GridError, match="keep_methods = 'hinge': write a list of names"):
        kept('keep = "chosen"\nkeep_methods = "hinge"')
    with pytest.raises(GridError, match="without keep: say of which models, keep = 'first seed'"):
        kept('keep_methods = ["hinge"]')

"""Presets: settings that belong together make runs that train; what no run can have is refused before it starts."""

import json

import pytest

from klcourse.__main__ import main
from klcourse.data import DataError
from klcourse.runs import Run, RunError, build_trainer
from klcourse.runs.presets import PRESETS, to_text, with_preset

NEED_NETWORK = {"ptb", "mnist-full"}
TINY = ("--hidden=8", "--embedding=4", "--latent-dim=2", "--iw-samples=4", "--batch-size=50")


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    """A text file with enough different sentences for a validation part of 67."""
    path = tmp_path_factory.mktemp("text") / "mine.txt"
    path.write_text("\n".join(f"sentence {i} is about {i % 7} things and {i % 11} more" for i in range(600)))
    return str(path)


# ------------------------------------------------------------------------------------------------------- settings


EVERY = [(name, data) for name, preset in PRESETS.items() for data in preset.settings]


@pytest.mark.parametrize("name, data", EVERY, ids="-".join)
def test_every_preset_is_a_run(name, data):
    run = with_preset(name, data="mine.txt" if data == "text files" else data)
    assert PRESETS[name].settings[data].items() <= run.as_dict().items()
    assert run.patience and run.halvings and run.iw_samples >= 512  # what presets are for


@pytest.mark.parametrize("name, data", [(name, data) for name, data in EVERY if data not in NEED_NETWORK], ids="-".join)
def test_every_preset_fits_its_data(name, data, sentences):
    """The trainer it describes is built, and makes a step."""
    config = with_preset(name, data=sentences if data == "text files" else data, limit=100)
    trainer = build_trainer(config, config.load_data())
    assert trainer.plateau is not None and trainer.plateau.patience == config.patience
    assert trainer.step()["distortion"] > 0


def test_published_settings_of_digits_fit_digits():
    """mnist-full needs a network; mnist has the same shape."""
    config = Run(**PRESETS["published"].settings["mnist-full"], data="mnist", limit=120)
    trainer = build_trainer(config, config.load_data())
    assert trainer.grey and trainer.model.latent_dim == 50 and trainer.step()["distortion"] > 0


def test_published_settings_of_text_fit_text():
    """Penn Treebank needs a network; the grammar is text too."""
    config = Run(**PRESETS["published"].settings["ptb"], data="grammar", limit=64)
    assert build_trainer(config, config.load_data()).step()["distortion"] > 0


def test_what_is_given_beside_a_preset_takes_precedence():
    run = with_preset("converged", data="grammar", objective="rate-hinge", lam=1, c=5, dropout=0.2, epochs=3, patience=None)
    assert (run.objective, run.lam, run.c, run.dropout, run.epochs, run.patience) == ("rate-hinge", 1, 5, 0.2, 3, None)
    settings = PRESETS["converged"].settings["grammar"]
    untouched = settings.keys() - {"dropout", "epochs", "patience"}
    assert {name: getattr(run, name) for name in untouched} == {name: settings[name] for name in untouched}


def test_a_preset_is_the_run_that_spells_it_out():
    """Same key, same folder, same numbers: nothing of the name is left."""
    spelled = Run(data="mnist", **PRESETS["converged"].settings["mnist"])
    assert with_preset("converged") == with_preset("converged", data="mnist") == spelled
    assert with_preset("converged").identity() == spelled.identity()


@pytest.mark.parametrize(
    "name, given, message",
    [
        ("converge", {}, "unknown preset 'converge': choose converged or published"),
        ("published", {}, "preset published does not fit data = 'mnist': it is for mnist-full, ptb"),
        ("published", {"data": "grammar"}, "does not fit data = 'grammar'"),
        ("published", {"data": "mine.txt"}, "does not fit data = 'mine.txt'"),
        ("converged", {"hold_out": 0}, "patience = 10 reads the loss on a validation part, and hold_out is 0"),
        ("converged", {"iw_samples": 1}, "choose 2 or more iw_samples, or iw_prior = 0"),
        ("converged", {"pretrain": 300}, "pretrain = 300 of 300 epochs leaves none for the model"),
        ("converged", {"hiden": 3}, "Did you mean 'hidden'?"),
        ("converged", {"lam": 2}, "objective elbo does not use lam"),
    ],
)
def test_what_does_not_fit_a_preset(name, given, message):
    with pytest.raises(RunError) as error:
        with_preset(name, **given)
    assert message in str(error.value)


def test_what_a_preset_says_goes_with_what_it_is_about():
    """No likelihood, nothing about its draws; no patience, nothing about halvings."""
    run = with_preset("converged", data="text", iw_samples=0, patience=None)
    assert run.given().keys() & {"iw_prior", "iw_tolerance", "halvings"} == set() and run.hidden == 256
    with pytest.raises(RunError, match="iw_prior = 0.3 with iw_samples = 0"):
        with_preset("converged", data="text", iw_samples=0, iw_prior=0.3)


# -------------------------------------------------------------------------------------------------------- command


def test_help_lists_every_preset_with_its_settings(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    printed = capsys.readouterr().out
    assert "--preset converged|published" in printed and to_text() in printed
    for name, preset in PRESETS.items():
        assert f"{name}: {preset.help}" in printed
        for data, settings in preset.settings.items():
            assert data in printed
            assert " ".join(f"{k}={v}" for k, v in settings.items()) in printed


def test_a_text_of_ones_own_with_a_preset(tmp_path, sentences, capsys):
    command = ["run", "--preset=converged", f"--data={sentences}", f"--out={tmp_path / 'r'}", "--quiet", "--limit=60"]
    assert main([*command, *TINY, "--epochs=3", "--halvings=1", "--patience=1", "--lr=0.1"]) == 0
    run = json.loads((tmp_path / "r" / "run.json").read_text())
    assert run["config"] == with_preset(
        "converged", data=sentences, limit=60, hidden=8, embedding=4, latent_dim=2, iw_samples=4,
        batch_size=50, epochs=3, halvings=1, patience=1, lr=0.1,
    ).as_dict()  # fmt: skip
    assert run["config"]["dropout"] == 0.5 and run["config"]["iw_prior"] == 0.5 and run["finished"]
    assert (run["data"]["train"], run["data"]["valid"]) == (60, 60)
    metrics = json.loads((tmp_path / "r" / "metrics.json").read_text())
    assert metrics["iw_samples"] >= 4 and metrics["iw_ppl"] > 1 and metrics["valid_elbo"] < 0
    assert "iw_ppl" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------- refused before training


@pytest.mark.parametrize(
    "more, messages",
    [
        (["--patience=2", "--hold-out=0"], ["patience = 2", "hold_out is 0", "leave hold_out = 0 out, or patience"]),
        (["--patience=2", "--hold-out=49"], ["patience = 2", "mnist has 49 examples", "at least 50", "larger hold_out"]),
        (["--patience=2", "--limit=40"], ["patience = 2", "mnist has 40 examples", "at least 50", "hold_out or limit"]),
        (["--halvings=2"], ["halvings = 2", "give patience too, or leave it out"]),
        (["--mi-every=5", "--hold-out=0"], ["mi_every = 5", "leave hold_out = 0 out, or mi_every"]),
        (["--iw-prior=0.5", "--iw-samples=0"], ["iw_prior = 0.5 with iw_samples = 0", "leave it out"]),
        (["--iw-tolerance=0.5", "--iw-samples=0"], ["iw_tolerance = 0.5 with iw_samples = 0", "leave it out"]),
        (["--patience=0"], ["patience = 0: choose a whole number above 0"]),
        (["--patience=2", "--halvings=-1"], ["halvings = -1: choose a whole number >= 0"]),
        (["--pretrain=2"], ["pretrain = 2 of 2 epochs leaves none for the model: choose fewer"]),
        (["--pretrain=3"], ["pretrain = 3 of 2 epochs leaves none for the model: choose fewer"]),
        (["--encoder-steps=2", "--hold-out=0"], ["encoder_steps = 2", "none are held out: leave hold_out = 0 out"]),
        (["--encoder-steps=2", "--hold-out=1"], ["a validation part of 1 example", "hold out more examples, or none"]),
        (["--iw-prior=0.995"], ["iw_prior = 0.995: choose a number from 0 to 0.99"]),
        (["--iw-prior=1"], ["iw_prior = 1.0: choose a number from 0 to 0.99"]),
        (["--iw-prior=0.5", "--iw-samples=1"], ["iw_samples = 1", "choose 2 or more iw_samples, or iw_prior = 0"]),
        (["--iw-tolerance=0"], ["iw_tolerance = 0.0: choose a finite number above 0"]),
        (["--data=text", "--dropout=1"], ["dropout = 1.0: choose a number from 0 to 0.95"]),
        (["--dropout=0.5"], ["dropout=0.5 needs text", "leave it out"]),
        (["--embedding=8"], ["embedding=8 needs text", "leave it out"]),
        (["--layers=2"], ["layers=2 needs text", "leave it out"]),
        (["--skip", "--decoder=ar"], ["skip=True with decoder 'ar'", "leave it out"]),
        (["--hold-out=2001"], ["hold_out = 2001 of 4000 training examples of mnist: choose 0 to 2000"]),
        (["--hold-out=-1"], ["hold_out = -1: choose a whole number >= 0"]),
        (["--hold-out=1"], ["a validation part of 1 example", "hold out more examples, or none"]),
        (["--preset=nothing"], ["unknown preset 'nothing': choose converged or published"]),
        (["--preset=published"], ["preset published does not fit data = 'mnist'", "mnist-full, ptb"]),
    ],
    ids=lambda value: " ".join(value) if value[0].startswith("--") else "",
)
def test_refused_before_training_with_value_and_remedy(tmp_path, capsys, monkeypatch, more, messages):
    monkeypatch.setattr("klcourse.training.Trainer.step", lambda self: pytest.fail("it trains"))
    options = ["run", f"--out={tmp_path / 'r'}", "--quiet", "--epochs=2", "--limit=300", "--iw-samples=4"]
    assert main(options + more) == 2
    error = capsys.readouterr().err
    assert error.startswith("klcourse run: ") and error.count("\n") == 1
    assert all(message in error for message in messages), error
    assert not (tmp_path / "r" / "run.json").exists()


def test_refused_from_python_too():
    with pytest.raises(DataError, match="hold_out = 2001 of 4000"):
        Run(hold_out=2001).load_data()
    with pytest.raises(RunError, match="encoder_steps = 2"):
        build_trainer(config := Run(encoder_steps=2, hold_out=0, limit=100), config.load_data())

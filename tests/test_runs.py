"""A run and its files: reproducible, resumable after kill -9, and clear about what it refuses."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from klcourse import training
from klcourse.__main__ import main
from klcourse.data import load
from klcourse.gaussians import gaussian_kl
from klcourse.measure import text
from klcourse.objectives import ELBO
from klcourse.runs import Interrupted, Run, build, train
from klcourse.training import TrainingDiverged
from klcourse.training.checkpoint import unseal
from tests.limits import limit, long_only

SMALL = dict(limit=300, batch_size=100, hidden=16, latent_dim=4, iw_samples=2)
METRICS = {
    "rate", "distortion", "elbo", "mi", "mi_upper", "mi_cap", "marginal_kl", "marginal_kl_lower", "total_correlation",
    "active_units", "shuffle_gap", "prior_gap", "iw_nll", "iw_samples", "iw_error", "iw_ess", "iw_flat",
    "valid_rate", "valid_distortion", "valid_elbo", "valid_mi", "valid_mi_upper", "valid_shuffle_gap", "valid_iw_nll",
    "largest_gradient", "loss_jumps",
}  # fmt: skip


def command(out, *more, epochs=2):
    options = [f"--{k.replace('_', '-')}={v}" for k, v in SMALL.items()]
    return ["run", f"--epochs={epochs}", f"--out={out}", "--quiet", *options, *more]


def final_weights(out):
    return load_file(out / "checkpoint.safetensors")


def test_the_files_of_a_run(tmp_path, capsys):
    assert main(command(tmp_path / "r", "--objective=rate-hinge", "--lam=1", "--c=5")) == 0
    out = tmp_path / "r"
    metrics = json.loads((out / "metrics.json").read_text())
    assert set(metrics) == METRICS and all(np.isfinite(v) for v in metrics.values())
    history = pd.read_csv(out / "history.csv")
    means, measured = ["loss", "rate", "distortion", "penalty_on", "lam"], ["mi", "mi_upper", "valid_rate", "valid_loss"]
    assert list(history) == ["step", "epoch", *means, "grad_norm", *measured]
    assert history["step"].iloc[-1] == 6 and (history[measured].notna().sum() == 2).all()
    last = history.iloc[-1]
    assert (history["lam"] == 1).all() and last["valid_rate"] == pytest.approx(metrics["valid_rate"], rel=1e-5)
    assert metrics["largest_gradient"] == history["grad_norm"].max() > 0 and metrics["loss_jumps"] == 0
    scores = np.load(out / "scores.npz")
    assert {name: values.shape for name, values in scores.items()} == dict.fromkeys(["rate", "distortion", "iw_nll"], (300,))
    for name, values in scores.items():
        assert values.mean() == pytest.approx(metrics[name], rel=1e-5)
    run = json.loads((out / "run.json").read_text())
    assert run["config"]["objective"] == "rate-hinge" and run["config"]["lam"] == 1 and run["finished"]
    assert run["data"]["fingerprint"] == load("mnist", limit=300).fingerprint
    assert {"torch", "numpy", "python", "klcourse"} <= set(run["versions"])
    assert run["seconds"] > 0 and run["parameters"] > 1000
    assert (run["data"]["train"], run["data"]["valid"], run["data"]["test"]) == (300, 300, 300)
    files = ["checkpoint.safetensors", "history.csv", "metrics.json", "run.json", "scores.npz"]
    assert sorted(p.name for p in out.iterdir()) == files
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert float(printed["rate"]) == pytest.approx(metrics["rate"], abs=1e-4)


@pytest.mark.parametrize(
    "more",
    [
        dict(data="mnist", decoder="ar", latent_dim=2),
        dict(data="mnist", conditional=True),
        dict(data="mnist", binarisation="dynamic"),
        dict(data="text", word_dropout=0.3),
        dict(data="text", dropout=0.5, embedding=5, layers=2, skip=True),
        dict(data="text", pretrain=1, epochs=2, objective="freebits-dim", c=2.0, patience=1),
        dict(data="mnist", skip=True, clip=1.0, patience=1, halvings=1, epochs=3),
        dict(data="text", conditional=True, objective="sl", label="alternating"),
        dict(data="mnist", objective="tc", beta=2),
        dict(data="mnist", objective="sl"),
        dict(data="mnist", objective="anneal", warmup=2.0, beta=4.0),
        dict(data="mnist", objective="cyclical", period=1.0, ratio=0.3),
        dict(data="mnist", objective="freebits", c=3.0),
        dict(data="mnist", objective="freebits-dim", c=3.0),
        dict(data="mnist", objective="capacity", lam=2.0, c=3.0),
        dict(data="mnist", objective="dual", c=3.0, eta=0.1, lam=0.5, beta=1.0),
        dict(data="mnist", objective="info-hinge", lam=2.0, c=2.0, beta=1.0),
        dict(data="mnist", objective="mmd", lam=50.0, beta=0.1),
        dict(data="mnist", bn_gamma=0.5, conditional=True),
        dict(data="mnist", delta=2.0, decoder="ar"),
        dict(data="mnist", encoder_steps=3, binarisation="dynamic"),
        dict(data="text", bn_gamma=0.5, delta=2.0, encoder_steps=3, objective="info-hinge", c=2.0, word_dropout=0.2),
        dict(data="text", conditional=True, objective="sl", label="alternating", encoder_steps=3, bn_gamma=0.5),
    ],
    ids=lambda m: " ".join(map(str, m.values())),
)
def test_everything_trains(more):
    run = train(Run(**(SMALL | dict(epochs=1, limit=100) | more)), progress=False)
    expected = METRICS | ({"elbo_ppl", "iw_ppl", "reconstruction_ppl"} if more["data"] == "text" else set())
    if more.get("conditional"):
        expected |= {"mi_given_y", "mi_given_y_upper", "mi_given_y_cap"}
    assert set(run.metrics) == expected and all(np.isfinite(v) for v in run.metrics.values())


def test_mi_every_measures_between_the_ends_of_epochs():
    """More rows, and the same training: measuring leaves the numbers alone."""
    config = SMALL | dict(batch_size=10, epochs=2, bn_gamma=0.5)  # 30 steps an epoch
    run = train(Run(**config, mi_every=8), progress=False)
    assert list(run.history["step"]) == [8, 16, 20, 24, 30, 32, 40, 48, 56, 60]
    measured = run.history.dropna(subset=["mi", "mi_upper", "valid_rate"])
    assert list(measured["step"]) == [8, 16, 24, 32, 40, 48, 56] and (measured["mi"] <= measured["mi_upper"]).all()
    plain = train(Run(**config), progress=False)
    assert plain.metrics == run.metrics and plain.history["mi"].notna().sum() == 2


def test_a_measured_row_is_of_the_model_after_that_step():
    run = train(Run(**SMALL, epochs=2, mi_every=2), progress=False)
    x, _ = build.tensors(run.data, "valid", run.config, "cpu")
    mu, logvar = run.model.encode(x)
    assert run.history["valid_rate"].iloc[-1] == pytest.approx(gaussian_kl(mu, logvar).mean().item(), rel=1e-5)
    assert not run.model.training  # whoever encodes or samples next gets the model as it is evaluated


def test_generate_adds_the_metrics_of_what_a_conditional_model_writes():
    config = Run(data="text", conditional=True, generate=2, **SMALL | dict(limit=100), epochs=1)
    run = train(config, progress=False)
    expected = text.diversity(run.model, run.data, per_condition=2, seed=0)
    assert expected and {k: run.metrics[k] for k in expected} == expected


def test_extra_encoder_steps_are_counted(tmp_path):
    run = train(Run(**SMALL, epochs=2, encoder_steps=4), tmp_path / "r", progress=False)
    counted = json.loads((tmp_path / "r" / "run.json").read_text())["encoder_steps_done"]
    assert counted == run.trainer.encoder_steps_done and counted in (12, 24)  # 3 steps an epoch, 1 or 2 epochs


def test_a_text_of_ones_own(tmp_path):
    """One sentence a line, fewer of them than a usual mini-batch holds."""
    path = tmp_path / "mine.txt"
    path.write_text("\n".join(f"sentence number {i} is about {i % 7} things" for i in range(60)))
    run = train(Run(data=str(path), epochs=2, hidden=8, latent_dim=2, iw_samples=2), progress=False)
    assert run.data.kind == "text" and np.isfinite(run.metrics["iw_ppl"])


def test_same_seed_same_numbers_and_the_callers_random_numbers_stay():
    before = torch.get_rng_state()
    config = Run(**SMALL, epochs=1)
    a, b = (train(config, progress=False) for _ in range(2))
    assert a.metrics == b.metrics and torch.equal(before, torch.get_rng_state())
    c = train(Run(**SMALL, epochs=1, seed=1), progress=False)
    assert c.metrics["rate"] != a.metrics["rate"]


def test_beta_eff_is_beta_minus_lam():
    """Below c the hinge with beta, lam is the beta-VAE with beta - lam: the same history, digit by digit."""
    more = dict(epochs=4, limit=500, hidden=32, latent_dim=8, iw_samples=0, lr=3e-3)
    hinge = train(Run(objective="mi", beta=40, lam=30, c=5, **more), progress=False).history
    plain = train(Run(objective="beta", beta=10, **more), progress=False).history
    assert (hinge["penalty_on"] == 1).all() and hinge["rate"].max() > 0.1  # below c all along, and something happened
    for column in ("rate", "distortion", "mi"):
        np.testing.assert_array_equal(hinge[column], plain[column])
    np.testing.assert_allclose(hinge["loss"] - plain["loss"], 30 * 5, rtol=1e-6)  # lam c apart


# ------------------------------------------------------------------------------------------------------ interruptions


def start(out, *more, epochs):
    return subprocess.Popen([sys.executable, "-m", "klcourse", *command(out, *more, epochs=epochs)], stderr=subprocess.PIPE)


def wait_for_steps(out, at_least, process, seconds=120):
    """Until the checkpoint has that many steps; the process must still be running."""
    from safetensors import safe_open

    path, end = out / "checkpoint.safetensors", time.monotonic() + limit(seconds)
    while time.monotonic() < end:
        assert process.poll() is None, process.stderr.read().decode()
        if path.exists():
            with safe_open(path, framework="pt") as file:
                if json.loads(file.metadata()["klcourse"])["steps"] >= at_least:
                    return
        time.sleep(0.02)
    raise AssertionError(f"no checkpoint with {at_least} steps within {seconds} s")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 on this system")
@pytest.mark.parametrize(
    "more",
    [
        pytest.param(["--objective=sl", "--label=alternating"], marks=long_only),
        pytest.param(
            ["--objective=dual", "--c=8", "--bn-gamma=0.5", "--encoder-steps=2", "--mi-every=100"], marks=long_only
        ),
        # 100 steps an epoch: killed in pre-training, then between the epoch of the best weights and the end
        ["--patience=4", "--halvings=1", "--pretrain=3", "--batch-size=3", "--lr=0.02"],
    ],
    ids=["sl", "dual bn lagging", "plateau pretrain"],
)
def test_kill_9_and_resume_is_bit_exact(more, tmp_path):
    """Killed twice in the middle, wherever that falls, and resumed: the weights of the run nobody disturbed."""
    epochs = 300
    assert main(command(tmp_path / "whole", *more, epochs=epochs)) == 0
    out, undisturbed = tmp_path / "cut", json.loads((tmp_path / "whole" / "run.json").read_text())
    if "--patience=4" in more:
        assert undisturbed["lr"] == 0.01 and undisturbed["epochs_done"] < epochs  # halved once, and stopped
    for at_least, resume in [(200, []), ((undisturbed["steps"] - 200) // 200 * 200, ["--resume"])]:
        process = start(out, *more, *resume, epochs=epochs)
        try:
            wait_for_steps(out, at_least, process)  # a checkpoint is written every 200 steps
        finally:
            process.kill()
            process.communicate()
        assert not (out / "metrics.json").exists()
        assert not json.loads((out / "run.json").read_text())["finished"]
    assert main(command(out, *more, "--resume", epochs=epochs)) == 0
    whole, cut = final_weights(tmp_path / "whole"), final_weights(out)
    assert whole.keys() == cut.keys() and all(torch.equal(whole[k], cut[k]) for k in whole)
    assert any(name.startswith("best.") for name in whole) == ("--patience=4" in more)
    assert json.loads((out / "run.json").read_text())["lr"] == undisturbed["lr"]
    assert (out / "metrics.json").read_text() == (tmp_path / "whole" / "metrics.json").read_text()
    assert (out / "history.csv").read_text() == (tmp_path / "whole" / "history.csv").read_text()


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_ctrl_c_keeps_everything_up_to_the_last_step(tmp_path):
    out = tmp_path / "r"
    process = start(out, epochs=100_000)
    try:
        wait_for_steps(out, 200, process)
        process.send_signal(signal.SIGINT)
        message = process.communicate(timeout=limit(60))[1].decode()
    finally:
        process.kill()
    assert process.returncode == 130 and "--resume" in message and "Traceback" not in message
    step = int(message.split("after step ")[1].split()[0])
    assert pd.read_csv(out / "history.csv")["step"].iloc[-1] >= step - 20
    assert step >= 200 and all(t.isfinite().all() for t in final_weights(out).values())


def test_ctrl_c_in_a_notebook_gives_the_run_so_far(monkeypatch):
    step = training.Trainer.step

    def press(self):
        if self.steps == 4:
            signal.raise_signal(signal.SIGINT)
        return step(self)

    monkeypatch.setattr(training.Trainer, "step", press)
    with pytest.raises(Interrupted, match="after step 5 of 6") as stop:
        train(Run(**SMALL, epochs=2), progress=False)
    assert stop.value.run.trainer.steps == 5 and stop.value.run.trainer.fit(2, progress=False)


def test_resume_may_add_epochs_and_equals_a_longer_run(tmp_path):
    assert main(command(tmp_path / "a", epochs=1)) == 0
    assert main(command(tmp_path / "a", "--resume", epochs=3)) == 0
    assert main(command(tmp_path / "b", epochs=3)) == 0
    a, b = final_weights(tmp_path / "a"), final_weights(tmp_path / "b")
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_divergence_names_step_objective_and_last_good_checkpoint(tmp_path, capsys):
    out = tmp_path / "r"
    assert main(command(out, epochs=1)) == 0
    (out / "metrics.json").unlink()
    good = (out / "checkpoint.safetensors").read_bytes()
    calls = []

    def broken(self, t):
        calls.append(1)
        return (t.rec + t.kl).mean() * (float("nan") if len(calls) == 3 else 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ELBO, "__call__", broken)
        with pytest.raises(TrainingDiverged) as error:
            train(Run(**SMALL, epochs=9), out, resume=True, progress=False)
    assert "nan at step 5" in str(error.value) and "ELBO()" in str(error.value)
    assert str(out / "checkpoint.safetensors") in str(error.value)
    assert (out / "checkpoint.safetensors").read_bytes() == good


# ------------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    "more, message",
    [
        (["--objective=elbo", "--lam=1"], "elbo does not use lam"),
        (["--objective=what"], "unknown objective 'what'"),
        (["--objective=rate-hinge", "--c=-1"], "c = -1.0"),
        (["--decoder=lstm"], "choose mlp or ar"),
        (["--data=nothing"], "nothing"),
        (["--word-dropout=0.5"], "has no words"),
        (["--lr=0"], "lr = 0.0"),
        (["--seed=-1"], "seed = -1"),
        (["--batch-size=5000"], "choose 1 to 300"),
        (["--binarisation=sometimes"], "static or dynamic"),
        (["--data=text", "--binarisation=dynamic"], "needs grey images"),
        (["--limit=0"], "limit = 0: choose"),
        (["--limit=1", "--batch-size=1"], "mnist has 1 test example, and its information takes 2: choose a larger limit"),
        (["--objective=elbo", "--warmup=1"], "does not use warmup; objectives that do: anneal"),
        (["--objective=cyclical", "--ratio=2"], "ratio = 2.0"),
        (["--objective=info-hinge", "--c=4.7"], "log 100 = 4.61"),
        (["--bn-gamma=0"], "bn_gamma = 0.0"),
        (["--bn-gamma=1", "--prior-encoder"], "leave out bn_gamma and delta"),
        (["--delta=-1"], "delta = -1.0"),
        (["--delta=nan"], "delta = nan"),
        (["--encoder-steps=0"], "encoder_steps = 0"),
        (["--mi-every=0"], "mi_every = 0"),
        (["--generate=-1"], "generate = -1"),
        (["--iw-prior=1.5"], "iw_prior = 1.5: choose a number from 0 to 0.99"),
        (["--iw-prior=0.5", "--iw-samples=1"], "one sample cannot come from both encoder and prior: choose 2 or more"),
        (["--iw-tolerance=0"], "iw_tolerance = 0.0: choose a finite number above 0"),
        (["--generate=5"], "generate = 5 needs a conditional text model"),
        (["--data=text", "--generate=5"], "generate = 5 needs a conditional text model"),
    ],
)
def test_bad_requests_are_refused_in_one_line(tmp_path, capsys, more, message):
    assert main(command(tmp_path / "r", *more)) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "r" / "run.json").exists()


def test_a_folder_with_a_run_is_not_overwritten(tmp_path, capsys):
    assert main(command(tmp_path / "r", epochs=1)) == 0
    before = (tmp_path / "r" / "metrics.json").read_text()
    assert main(command(tmp_path / "r", epochs=1)) == 2
    assert "--resume" in capsys.readouterr().err
    assert main(command(tmp_path / "r", "--resume", "--seed=3", epochs=1)) == 2
    assert "seed was 0, is 3" in capsys.readouterr().err
    assert main(command(tmp_path / "r", "--resume", epochs=1)) == 0  # finished already: measured again, the same
    assert (tmp_path / "r" / "metrics.json").read_text() == before


def test_a_run_from_before_a_field_existed_can_be_resumed(tmp_path, capsys):
    """What run.json does not name had its default."""
    assert main(command(tmp_path / "r", epochs=1)) == 0
    path = tmp_path / "r" / "run.json"
    content = json.loads(path.read_text())
    for name in ("bn_gamma", "delta", "encoder_steps", "mi_every", "generate"):
        del content["config"][name]
    del content["files"], content["sha256"]
    path.write_text(json.dumps(content))
    tensors, meta = unseal(tmp_path / "r" / "checkpoint.safetensors", ("klcourse",))
    meta = json.loads(meta["klcourse"])
    del meta["made_by"], meta["extra"]["config"]
    save_file(tensors, tmp_path / "r" / "checkpoint.safetensors", {"klcourse": json.dumps(meta)})
    assert main(command(tmp_path / "r", "--resume", "--delta=1", epochs=1)) == 2
    assert "delta was 0.0, is 1.0" in capsys.readouterr().err
    assert main(command(tmp_path / "r", "--resume", epochs=2)) == 0


def test_a_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(command(tmp_path / "file" / "r")) == 2
    assert "choose another --out" in capsys.readouterr().err


def test_every_option_has_help(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["run", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "--word-dropout" in text and "default: 1e" not in text.split("--lr")[0]

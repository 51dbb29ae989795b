"""A method is one file's business: an objective with a new knob, written in one file, is used everywhere at once."""

import os
import subprocess
import sys
from dataclasses import dataclass

import pandas as pd
import pytest
import torch

import klcourse as kl
from klcourse import plots
from klcourse.__main__ import main
from klcourse.objectives import OBJECTIVES, base
from klcourse.runs import Run, RunError, train
from klcourse.studies import load_provenance, load_study
from klcourse.sweep import read_grid

FILE = '''
"""A weight of the distortion, as somebody would add it."""

from dataclasses import dataclass

from klcourse.objectives import Objective, Terms, knob


@dataclass
class Weighted(Objective, name="weighted"):
    """Minimise R + omega D."""

    title, formula, paper = "weighted", "R + ω D", "nobody's"
    omega: float = knob(1.0, "weight ω of the distortion", symbol="ω", high=50.0)

    def __call__(self, t: Terms):
        return t.kl.mean() + self.omega * t.rec.mean()
'''
SMALL = dict(limit=100, hidden=16, latent_dim=4, epochs=1, iw_samples=0)
OPTIONS = ["--limit=100", "--hidden=16", "--latent-dim=4", "--epochs=1", "--iw-samples=0", "--quiet"]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The file in a folder of its own, which is the current one; afterwards the objective is forgotten."""
    (tmp_path / "mine.py").write_text(FILE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    before = dict(OBJECTIVES)
    yield tmp_path
    sys.modules.pop("mine", None)
    OBJECTIVES.clear()
    OBJECTIVES.update(before)


def test_run_and_help_know_it_by_its_dotted_name(module, capsys):
    assert main(["run", "--objective=mine.Weighted", "--omega=3", f"--out={module / 'r'}", *OPTIONS]) == 0
    assert kl.load(module / "r").config.omega == 3.0 and "rate" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["run", "--objective=mine.Weighted", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "--omega OMEGA weight ω of the distortion (weighted 1.0)" in shown
    assert main(["run", "--objective=mine.Weighted", "--omega=-1", f"--out={module / 's'}", *OPTIONS]) == 2
    assert "omega = -1.0 of objective weighted: choose a number from 0 to 50" in capsys.readouterr().err
    assert main(["run", "--objective=elbo", "--omega=1", f"--out={module / 's'}", *OPTIONS]) == 2
    assert "objective elbo does not use omega; objectives that do: weighted" in capsys.readouterr().err


def test_a_process_that_never_heard_of_it_finds_it(module):
    """As a shell would call it: nothing is imported before, the file lies in the current folder."""
    command = [sys.executable, "-m", "klcourse", "run", "--objective=mine.Weighted", "--omega=3", "--out=r", *OPTIONS]
    known = os.environ | {"PYTHONPATH": str(kl.plots.__file__).split("/klcourse/")[0]}
    done = subprocess.run(command, capture_output=True, text=True, env=known)
    assert done.returncode == 0, done.stderr


def test_a_sweep_does_it_in_processes_of_its_own(module):
    grid = "\n".join(f'{k} = "{v}"' if isinstance(v, str) else f"{k} = {v}" for k, v in SMALL.items())
    (module / "g.toml").write_text(f'[common]\n{grid}\n[[grid]]\nobjective = "mine.Weighted"\nomega = [1, 20]\n')
    assert [run.config.omega for run in read_grid(module / "g.toml").runs] == [1.0, 20.0]
    assert main(["sweep", "g.toml", "--out=out", "--jobs=2", "--quiet"]) == 0
    table = load_study("g", "out")
    assert list(table["omega"]) == [1.0, 20.0] and table["distortion"].is_monotonic_decreasing
    assert load_provenance("g", "out")["runs"][1]["config"]["objective"] == "mine.Weighted"


def test_by_name_and_as_an_instance_it_is_the_same_run(module):
    cls = base.find_objective("mine.Weighted")
    by_name = train(Run(objective="weighted", omega=2, **SMALL), progress=False)
    instance = cls(omega=2)
    by_instance = kl.train(kl.Run(**SMALL), objective=instance, progress=False)
    assert by_name.metrics == by_instance.metrics and by_instance.config.objective == "weighted"
    assert isinstance(by_instance.trainer.objective, cls) and by_instance.trainer.objective is not instance
    assert Run(objective=instance) == Run(objective="weighted", omega=2)


def test_the_table_of_methods_and_the_figures_know_it(module):
    base.find_objective("mine.Weighted")
    row = kl.methods().set_index("name").loc["weighted"]
    assert row.minimises == "R + ω D" and row.knobs == "omega = 1" and row.file == "mine"
    assert plots.style_of("weighted").colour and isinstance(kl.methods(), pd.DataFrame)


def test_the_cockpit_offers_it_and_its_slider(module):
    cls = base.find_objective("mine.Weighted")
    cockpit = kl.Cockpit(objective=cls(omega=2.0), **(SMALL | {"epochs": 9}))
    slider = cockpit.controls["omega"]
    assert (slider.label, slider.value, slider.low, slider.high) == ("ω", 2.0, 0.0, 50.0) and "omega" not in cockpit.hidden(
        cockpit.value_dict
    )
    assert cockpit.start().wait(steps=2) and cockpit.pause().set(omega=5).step().history["omega"].iloc[-1] == 5
    cockpit.set(objective="rate-hinge")
    assert "omega" in cockpit.hidden(cockpit.value_dict) and cockpit.step().run.error is None
    by_name = kl.Cockpit(objective="weighted", omega=3, **SMALL)
    assert by_name.set(omega=4).step().run.trainer.objective.omega == 4
    cockpit.close(), by_name.close()


def test_a_live_run_takes_it(module):
    cls = base.find_objective("mine.Weighted")
    config = Run(objective=cls(omega=2), **SMALL)
    from klcourse.data import load
    from klcourse.runs import build_trainer

    data = load("mnist", limit=100)
    run = kl.LiveRun(lambda: build_trainer(config, data))
    assert run.start(2).wait() and run.set(omega=7).start(1).wait() and run["omega"][-1] == 7
    with pytest.raises(ValueError, match="no knob lamda: choose objective, lr, lam, c, beta, omega"):
        run.set(lamda=1)


# ------------------------------------------------------------------------------------------------ what can go wrong


def test_a_class_without_dataclass_is_told_so_and_breaks_nothing_else(module):
    class Forgotten(kl.Objective):
        omega: float = kl.knob(1.0, "weight")

    with pytest.raises(TypeError, match="write @dataclass above `class Forgotten`"):
        Forgotten(omega=2)
    assert train(Run(**SMALL), progress=False).metrics and len(kl.methods()) > 17
    with pytest.raises(RunError, match="write @dataclass"):
        Run(objective="forgotten")


def test_half_a_class_is_told_what_it_lacks(module):
    @dataclass
    class Silent(kl.Objective):
        needed: float

    with pytest.raises(RunError, match="objective silent has no default for needed: give a value"):
        Run(objective="silent")
    with pytest.raises(NotImplementedError, match="has no __call__"):
        train(Run(objective="silent", needed=1.0, **SMALL), progress=False)


@pytest.mark.parametrize(
    "name, message",
    [
        ("mine.Nothing", "cannot load objective 'mine.Nothing'"),
        ("nowhere.Mine", "cannot load objective 'nowhere.Mine': No module named 'nowhere'"),
        ("os.path", "cannot load objective|is no objective"),
        ("rate-hing", "Did you mean 'rate-hinge'"),
    ],
)
def test_names_that_lead_nowhere(module, name, message):
    with pytest.raises(RunError, match=message):
        Run(objective=name)


def test_a_name_that_is_taken(module):
    with pytest.raises(ValueError, match="the name 'elbo' of objective .*Mine is taken by klcourse.objectives.rate.ELBO"):

        class Mine(kl.Objective, name="elbo"):
            pass


def test_old_names_train_the_same_weights(tmp_path):
    """`klcourse run --objective mi` and `--objective rate-hinge`."""
    for name, new in ("mi", "rate-hinge"), ("mi-hinge", "info-hinge"):
        found = [tmp_path / name, tmp_path / new]
        for objective, out in zip((name, new), found):
            assert main(["run", f"--objective={objective}", "--c=2", f"--out={out}", *OPTIONS]) == 0
        one, other = (kl.load(out) for out in found)
        assert one.config == other.config and one.metrics == other.metrics
        weights = [run.model.state_dict() for run in (one, other)]
        assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
        assert main(["run", f"--objective={name}", "--c=2", f"--out={found[1]}", "--resume", *OPTIONS]) == 0

"""Many models in one step: each ends where it would alone, a bad one stops nobody, a sweep that is cut off goes on."""

import pickle
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from klcourse.__main__ import main
from klcourse.runs import Run, build_trainer, history_frame
from klcourse.runs.files import CHECKPOINT
from klcourse.studies import load_history, load_provenance
from klcourse.sweep import stacked, sweep
from klcourse.sweep.stop import Stop
from klcourse.sweep.store import Store
from klcourse.sweep.worker import Outcome, Task
from klcourse.training import Stack, Trainer, TrainingDiverged
from klcourse.training.stacked import why_not

SMALL = {"limit": 100, "hidden": 16, "latent_dim": 4, "batch_size": 30, "iw_samples": 0}  # the last mini-batch has 10
MEMBERS = [
    {"objective": "elbo"},
    {"objective": "rate-hinge", "lam": 4.0, "c": 10.0},
    {"objective": "rate-hinge", "eta": 0.1},  # moves its own knob
    {"objective": "beta", "beta": 4.0, "seed": 1},
    {"objective": "info-hinge", "lam": 3.0, "c": 1.5, "seed": 2},
    {"objective": "tc", "seed": 3},
    {"objective": "freebits-dim", "seed": 4},
]
COMMON = """
[store]
history = true
models = true
[common]
limit = 100
hidden = 16
latent_dim = 4
epochs = 2
batch_size = 25
iw_samples = 0
"""
HINGES = COMMON + '[[grid]]\nobjective = "rate-hinge"\nlam = [0.5, 2.0]\nseed = [0, 1]\n'


@pytest.fixture(scope="module")
def data():
    return Run(**SMALL).load_data()


def trainers(data, members=MEMBERS, **settings) -> list[Trainer]:
    return [build_trainer(Run(**SMALL | settings | each), data) for each in members]


def assert_same(one: Trainer, other: Trainer, rtol: float = 1e-4) -> None:
    """Equal but for the order in which floats are added."""
    assert one.steps == other.steps
    for a, b in zip(one.model.parameters(), other.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=rtol, atol=1e-5)
    assert_tables_alike(history_frame(one.history), history_frame(other.history))


def assert_tables_alike(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, check_exact=False, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------------------------------------ the step


@pytest.mark.parametrize(
    "settings",
    [{}, {"clip": 20.0}, {"binarisation": "dynamic"}, {"delta": 1.0, "skip": True}, {"without_z": True}, {"mi_every": 3}],
    ids=lambda settings: ",".join(settings) or "defaults",
)
def test_every_member_ends_where_it_would_alone(data, settings):
    alone, together = trainers(data, **settings), trainers(data, **settings)
    stack = Stack(together)
    assert stack.fit(epochs=2)
    assert not stack.failed
    for one, other in zip(alone, together):
        one.fit(2, progress=False)
        assert_same(one, other)
        assert one.objective == other.objective  # dual ascent has moved its lam as far
    if "clip" in settings:
        assert max(row["grad_norm"] for row in together[0].history) > settings["clip"]


def test_members_are_usual_trainers_again(data):
    alone, together = trainers(data, MEMBERS[:2]), trainers(data, MEMBERS[:2])
    stack = Stack(together)
    stack.fit(epochs=1)
    assert all(weight.is_contiguous() for trainer in together for weight in trainer.model.parameters())
    together[0].step()  # moves nobody else
    for trainer in alone:
        trainer.fit(1, progress=False)
    alone[0].step()
    for one, other in zip(alone, together):
        assert_same(one, other)
    with pytest.raises(ValueError, match="differ in more than seed and objective .*5 and 4|4 and 5"):
        Stack(together)


def test_a_member_that_diverges_leaves_and_the_others_do_not_notice(data):
    alone, together = trainers(data, MEMBERS[:4]), trainers(data, MEMBERS[:4])

    def spoil(stack: Stack) -> None:
        if stack.steps == 3:
            together[3].objective.beta = 1e300  # infinite in single precision

    stack = Stack(together)
    assert stack.fit(epochs=2, on_step=spoil)
    assert list(stack.failed) == [together[3]]
    assert isinstance(stack.failed[together[3]], TrainingDiverged)
    assert "step 3" in str(stack.failed[together[3]])
    for one, other in zip(alone[:3], together[:3]):
        one.fit(2, progress=False)
        assert_same(one, other)
    for _ in range(3):
        alone[3].step()
    alone[3].objective.beta = 1e300
    for a, b in zip(alone[3].model.parameters(), together[3].model.parameters()):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)  # as the step before left them


def test_a_gradient_that_is_no_number_is_noticed_before_any_weight_moves(data, monkeypatch):
    def finite_with_no_gradient(self, t):
        return t.rec.mean() + (0 * t.kl.mean()).sqrt()

    alone, together = trainers(data, MEMBERS[:2]), trainers(data, [*MEMBERS[:2], {"objective": "tc"}])
    monkeypatch.setattr(type(together[2].objective), "__call__", finite_with_no_gradient)
    stack = Stack(together)
    stack.step()
    assert list(stack.failed) == [together[2]]
    assert "the gradient is nan at step 0" in str(stack.failed[together[2]])
    assert together[2].steps == 0
    assert all(weight.isfinite().all() for weight in together[2].model.parameters())
    for one, other in zip(alone, together):
        one.step()
        assert_same(one, other)


def test_an_objective_that_raises_ends_its_own_member_only(data, monkeypatch):
    together = trainers(data, MEMBERS[:2])
    monkeypatch.setattr(type(together[1].objective), "__call__", lambda self, t: 1 / 0)
    stack = Stack(together)
    stack.step()
    assert [trainer.steps for trainer in together] == [1, 0]
    assert isinstance(stack.failed[together[1]], ZeroDivisionError)
    stack.leave({together[0]: ValueError("no more")})
    assert not stack.fit(epochs=1)  # nobody is left


def test_checkpoints_are_those_of_a_trainer_in_both_directions(data, tmp_path):
    alone = trainers(data)
    together = trainers(data)
    Stack(together).fit(epochs=1)
    for i, (one, other) in enumerate(zip(alone, together)):
        one.fit(1, progress=False)
        one.save(tmp_path / f"alone{i}")
        other.save(tmp_path / f"together{i}")
    from_alone, from_stack = trainers(data), trainers(data)
    for i, (one, other) in enumerate(zip(from_alone, from_stack)):
        one.load(tmp_path / f"alone{i}")
        other.load(tmp_path / f"together{i}")
        other.fit(2, progress=False)
    Stack(from_alone).fit(epochs=2)
    Stack(together).fit(epochs=2)
    for one, other, whole in zip(from_alone, from_stack, together):
        assert_same(one, other)
        assert_same(one, whole)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"decoder": "ar"}, "not an MLP on images"),
        ({"data": "grammar", "batch_size": 20}, "not an MLP on images"),
        ({"conditional": True}, "labels"),
        ({"bn_gamma": 0.5}, "bn_gamma"),
        ({"objective": "sl", "lam": 1.0}, "a helper network"),
        ({"encoder_steps": 2}, "encoder_steps"),
        ({"pretrain": 1}, "pretrain"),
        ({"patience": 2, "limit": None}, "patience"),
        ({}, ""),
    ],
)
def test_what_cannot_be_stacked_says_why(settings, reason):
    run = Run(**SMALL | settings)
    trainer = build_trainer(run, run.load_data())
    assert why_not(trainer) == reason
    if reason:
        with pytest.raises(ValueError, match=reason):
            Stack([trainer])


def test_a_stack_of_none_and_one_of_two_shapes_are_refused(data):
    with pytest.raises(ValueError, match="no trainers"):
        Stack([])
    with pytest.raises(ValueError, match="stack like with like"):
        Stack(trainers(data, [{}, {"hidden": 8}]))
    with pytest.raises(ValueError, match=r"0\.002 and 0\.01|0\.01 and 0\.002"):
        Stack(trainers(data, [{}, {"lr": 0.01}]))


# -------------------------------------------------------------------------------------------------------- sweeps


@pytest.fixture
def grid(tmp_path) -> Path:
    path = tmp_path / "g.toml"
    path.write_text(HINGES)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A stacked sweep that nothing disturbed."""
    place = tmp_path_factory.mktemp("whole")
    (place / "g.toml").write_text(HINGES)
    sweep(place / "g.toml", place / "out", stack=True, jobs=1, progress=False)
    return place / "out"


def results(place: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.read_csv(place / "g.csv").drop(columns="seconds"), load_history("g", place)


def run_files(place: Path) -> dict[str, set[str]]:
    return {run.name: {path.name for path in run.iterdir()} for run in (place / "runs").iterdir()}


def test_a_stacked_sweep_leaves_what_the_usual_one_does(grid, tmp_path, capsys):
    usual, together = tmp_path / "usual", tmp_path / "together"
    sweep(grid, usual, jobs=1, progress=False)
    assert main(["sweep", str(grid), "--out", str(together), "--backend", "stacked", "--jobs", "1"]) == 0
    assert "stacked: 4 of 4 runs train together" in capsys.readouterr().out
    for one, other in zip(results(usual), results(together)):
        assert_tables_alike(one, other)
    assert run_files(usual) == run_files(together)
    assert [run["key"] for run in load_provenance("g", usual)["runs"]] == [
        run["key"] for run in load_provenance("g", together)["runs"]
    ]


def test_a_run_that_diverges_is_reported_and_the_others_finish(grid, tmp_path):
    grid.write_text(COMMON + '[[grid]]\nobjective = "beta"\nbeta = [1.0, 1e300, 2.0]\n')
    result = sweep(grid, tmp_path / "out", stack=True, jobs=1, progress=False)
    assert result.missing == 1
    ((run, error),) = result.failed.items()
    assert run.config.beta == 1e300
    assert error.startswith("TrainingDiverged: the loss is inf at step 0")
    assert "Try a smaller learning rate" in error
    assert pd.read_csv(tmp_path / "out" / "g.csv")["beta"].tolist() == [1.0, 2.0]


def test_a_sweep_that_is_stopped_goes_on_from_where_it_was(grid, whole, tmp_path, monkeypatch):
    step, done = Stack.step, []

    def count(self):
        step(self)
        done.append(self.steps)

    def interrupted(self):
        count(self)
        if self.steps == 3:
            signal.raise_signal(signal.SIGINT)

    out = tmp_path / "out"
    monkeypatch.setattr(Stack, "step", interrupted)
    result = sweep(grid, out, stack=True, jobs=1, progress=False)
    assert result.stopped
    assert result.missing == 4
    assert all((run / CHECKPOINT).exists() for run in (out / "runs").iterdir())
    monkeypatch.setattr(Stack, "step", count)
    assert not sweep(grid, out, stack=True, jobs=1, progress=False).missing
    assert done == [*range(1, 4), *range(4, 9)]
    for one, other in zip(results(whole), results(out)):
        np.testing.assert_array_equal(one, other)  # not a bit has changed


def test_runs_a_checkpoint_behind_are_stacked_by_themselves(grid, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(stacked, "CHECKPOINT_EVERY", 2)
    save, saved = Trainer.save, []

    def dies(self, path, **extra):
        if len(saved) == 6:  # the second time that they are all saved
            raise KeyboardInterrupt
        saved.append(path)
        save(self, path, **extra)

    monkeypatch.setattr(Trainer, "save", dies)
    assert sweep(grid, tmp_path / "out", stack=True, jobs=1, progress=False).stopped
    monkeypatch.setattr(Trainer, "save", save)
    stacks = []
    monkeypatch.setattr(stacked, "Stack", lambda members: stacks.append([t.steps for t in members]) or Stack(members))
    assert not sweep(grid, tmp_path / "out", stack=True, jobs=1, progress=False).missing
    assert stacks == [[2] * 2, [4] * 2]
    for one, other in zip(results(whole), results(tmp_path / "out")):
        assert_tables_alike(one, other)


def test_what_trains_together_and_what_does_not(tmp_path):
    def task(**settings) -> Task:
        config = Run(**SMALL | settings)
        return Task(repr(config), config, Store(), str(tmp_path), "")

    many = [task(objective="beta", beta=float(beta), seed=seed) for beta in range(3) for seed in range(7)]
    hinge, wide = task(objective="rate-hinge"), task(hidden=20)
    others = [task(decoder="ar"), task(objective="sl", lam=1.0), task(objective="sl", lam=2.0)]
    stacks, left = stacked.together([*many, wide, hinge, *others], jobs=1)
    assert [len(stack.members) for stack in stacks] == [11, 11]
    assert [len(stack.members) for stack in stacked.together([*many, wide, hinge], jobs=3)[0]] == [8, 7, 7]
    assert [len(stack.members) for stack in stacked.together(many[:3], jobs=2)[0]] == [3]
    assert sorted(each.key for stack in stacks for each in stack.members) == sorted(each.key for each in [*many, hinge])
    assert pickle.loads(pickle.dumps(stacks[0])) == stacks[0]  # as a worker gets it
    assert left == {"nothing like it": [wide], "not an MLP on images": others[:1], "a helper network": others[1:]}


def test_a_stack_that_breaks_off_leaves_its_runs_to_the_usual_code(grid, tmp_path, monkeypatch):
    def breaks(members):
        raise MemoryError("too many at once")

    monkeypatch.setattr(stacked, "Stack", breaks)
    with pytest.warns(UserWarning, match=r"a stack broke off \(too many at once\): its runs go on one by one"):
        assert not sweep(grid, tmp_path / "out", stack=True, jobs=1, progress=False).missing


def test_runs_whose_process_dies_are_done_one_by_one(tmp_path, monkeypatch):
    def die(tasks, jobs, stop):
        for task in tasks:
            dead = isinstance(task, stacked.Together)
            yield Outcome(task.key, "failed", "killed") if dead else Outcome(task.key, "finished")

    monkeypatch.setattr(stacked, "local", die)
    tasks = [Task(str(seed), Run(**SMALL | {"seed": seed}), Store(), str(tmp_path), "") for seed in range(3)]
    said = []
    assert [each.key for each in stacked.stacked(tasks, 1, Stop(), said.append)] == ["0", "1", "2"]
    assert said[1:] == ["a stack broke off (killed): its runs go on one by one"]

"""The training cockpit: nothing is lost, nothing is torn, knobs act at the next step, whatever happens around it."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from klcourse.data import load
from klcourse.live import instruments
from klcourse.live.background import Extra
from klcourse.live.cockpit import Cockpit
from klcourse.live.instruments import constraint, readout
from klcourse.live.reconstruct import choose_examples, draw_rows, reconstruct
from klcourse.live.steering import LiveRun, Move, pause_all
from klcourse.models import PixelCNNDecoder, build_vae
from klcourse.objectives import OBJECTIVES, Objective, RateHinge, SelfLabelling, Slide, knob, knobs_of
from klcourse.runs import Run, RunError, build_trainer
from klcourse.widgets.frame.controls import Choice, Slider, Toggle
from klcourse.widgets.frame.panel import Panel
from tests.limits import limit

PATIENCE = limit(60)  # seconds; nothing waits that long unless it hangs
CONFIG = Run(objective="rate-hinge", lam=0.5, c=5, batch_size=20, hidden=20, latent_dim=4, limit=200)
BARE = dict(batch_size=20, hidden=20, latent_dim=4, limit=200)
SMALL = dict(objective="rate-hinge", lam=0.5, c=5.0, **BARE)


@pytest.fixture(scope="module")
def digits():
    return load("mnist", limit=200)


@pytest.fixture(autouse=True)
def nothing_goes_on():
    yield
    pause_all()


@pytest.fixture
def run(digits):
    return LiveRun(lambda: build_trainer(CONFIG, digits), extras=lambda run: [Extra(run.measure, 0.5, 0.0)])


def weights(trainer):
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def assert_same(a, b):
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# ------------------------------------------------------------------------------------------------ the run by itself


def test_a_run_nobody_touches_is_the_plain_loop_bit_for_bit(run, digits):
    """Pauses, measuring and the thread change no number."""
    run.start(7).wait(timeout=PATIENCE)
    run.pause().start()
    assert run.wait(5, PATIENCE)
    run.pause()
    n = run.trainer.steps
    assert n >= 12 and len(run) == n and len(run.measured) > 0
    plain = build_trainer(CONFIG, digits)
    rows = [plain.step() for _ in range(n)]
    assert_same(weights(run.trainer), weights(plain))
    for name in ("loss", "rate", "distortion", "penalty_on"):
        assert run.history[name].tolist() == [row[name] for row in rows]


def test_the_step_after_the_next_begins_with_the_new_value_at_the_latest(run):
    begun = []
    step = run.trainer.step
    run.trainer.step = lambda: begun.append((time.perf_counter(), run.trainer.objective.lam)) or step()
    run.start()
    for lam in (1.0, 2.0, 3.0, 0.25):
        run.wait(4, PATIENCE)
        run.set(lam=lam)
        moved = time.perf_counter()
        run.wait(4, PATIENCE)
        assert [seen for when, seen in begun if when > moved][1] == lam  # [0]: it was perhaps on its way already
    run.pause()


def test_moves_say_which_step_was_the_first(run):
    run.start(10).wait(timeout=PATIENCE)
    run.set(c=3.0)
    run.start(10).wait(timeout=PATIENCE)
    history = run.history.set_index("step")["c"]
    assert run.moves == [Move(10, "c", 3.0)]
    assert (history[:10] == 5).all() and (history[11:] == 3).all()
    run.set(c=3.0, lam=0.5)  # where they are already
    assert len(run.moves) == 1


def test_knobs_set_together_act_together_and_none_is_lost(run):
    run.set(lam=0, c=0)
    run.start()
    for value in range(300):
        run.set(lam=value, c=value)
        time.sleep(0.0005)
    run.wait(2, PATIENCE)
    run.pause()
    history = run.history
    assert (history["lam"] == history["c"]).all()  # never one without the other, also not within a step
    assert history["lam"].is_monotonic_increasing and history["lam"].iloc[-1] == 299
    assert history["lam"].nunique() > 20


@pytest.mark.parametrize(
    "bad",
    [
        {"lam": -1},
        {"lam": math.nan},
        {"beta": math.inf},
        {"lr": 0},
        {"lr": -1e-3},
        {"objective": "elbow"},
        {"c": 3.0, "objective": "info-hinge"},
        {"lam": -1, "c": 2},
        {"tau": 0.1},
    ],
    ids=str,
)
def test_a_bad_value_moves_nothing_and_stops_nothing(run, bad):
    run.start()
    run.wait(2, PATIENCE)
    with pytest.raises(ValueError, match=str(next(iter(bad)))):
        run.set(**bad)
    assert run.running and run.wait(3, PATIENCE)
    run.pause()
    assert run.moves == [] and run.knobs["lam"] == 0.5 and run.error is None


def test_the_information_hinge_is_refused_until_c_is_within_reach(run):
    with pytest.raises(ValueError, match=r"log 20 = 3.00 nats; choose a smaller c"):
        run.set(objective="info-hinge")
    run.set(c=2).set(objective="info-hinge").start(3).wait(timeout=PATIENCE)
    assert run.history["objective"].tolist() == ["info-hinge"] * 3


def test_one_run_at_a_time(run, digits):
    other = LiveRun(lambda: build_trainer(CONFIG, digits))
    run.start()
    run.wait(2, PATIENCE)
    other.start()
    assert not run.running and other.running
    n = len(run)
    run.start()
    assert run.wait(2, PATIENCE) and not other.running and len(run) >= n + 2


def test_a_run_with_patience_ends_with_its_best_weights_and_stays_there(digits):
    config = Run(objective="elbo", lr=0.02, patience=1, halvings=0, batch_size=20, hidden=20, latent_dim=4, limit=200)
    run = LiveRun(lambda: build_trainer(config, digits)).start()
    assert run.wait(timeout=PATIENCE) and run.trainer.stopped and not run.message
    best, steps = weights(run.trainer), run.trainer.steps
    assert run.trainer.validate() == pytest.approx(
        min(row["valid_loss"] for row in run.trainer.history if row["valid_loss"] > 0)
    )
    assert run.start(30).wait(timeout=PATIENCE) and run.trainer.steps == steps
    assert_same(weights(run.trainer), best)


def test_start_twice_makes_one_thread(run):
    run.start().start()
    assert sum(t.name == "klcourse-live-run" for t in threading.enumerate()) == 1
    run.pause().pause()
    assert not any(t.name == "klcourse-live-run" for t in threading.enumerate())


def test_divergence_is_told_with_a_remedy_and_reset_mends_it(run, digits):
    first = weights(run.trainer)
    run.start(3).wait(timeout=PATIENCE)
    run.set(lr=1e30)
    run.start()
    assert not run.wait(10_000, PATIENCE) and not run.running
    assert "smaller learning rate" in run.message and "Reset" in run.message
    run.reset()
    assert run.message == "" and len(run) == 0 and run.moves == [] and run.trainer.lr == 2e-3
    assert_same(weights(run.trainer), first)
    run.start(2).wait(timeout=PATIENCE)
    plain = build_trainer(CONFIG, digits)
    assert run.history["loss"].tolist() == [plain.step()["loss"] for _ in range(2)]


def test_any_error_while_training_is_kept_for_the_reader(run):
    run.trainer.step = lambda: 1 / 0
    run.start()
    assert not run.wait(1, PATIENCE)
    assert not run.running and "division by zero" in run.message


def test_ctrl_c_reaches_the_cell_that_waits_and_not_the_run(run, digits):
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread only")
    run.start()
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        run.wait(10_000_000, PATIENCE)
    assert run.running and run.wait(3, PATIENCE)
    run.pause()
    plain = build_trainer(CONFIG, digits)
    for _ in range(run.trainer.steps):
        plain.step()
    assert_same(weights(run.trainer), weights(plain))


def test_python_ends_while_it_trains(tmp_path):
    code = """
from klcourse.live.steering import LiveRun
from klcourse.runs import Run, build_trainer
from klcourse.data import load
config = Run(decoder="ar", batch_size=20, limit=100)
run = LiveRun(lambda: build_trainer(config, load("mnist", limit=100))).start()
run.wait(2)
print(run.running)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=3 * PATIENCE)
    assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (0, "True", "")


def test_extra_work_keeps_to_its_share():
    """Simulated: training costs what the clock says, a piece of work 5 s, its share is 10 %."""
    clock, done = 0.0, []
    extra = Extra(lambda: iter([None] * 3), share=0.1, every=2.0)
    for _ in range(10_000):
        clock += 0.1
        before = extra.spent
        extra.advance(clock)
        if extra.spent > before:
            extra.spent = before + 5.0
            done.append(clock)
    assert 0.09 * clock < extra.spent <= 0.1 * clock + 5
    assert done[0] == pytest.approx(0.1)  # the first at once, on credit
    cheap, rounds = Extra(lambda: rounds.append(1) or iter([None]), share=0.1, every=2.0), []
    for second in range(100):
        cheap.advance(float(second))
    assert len(rounds) <= 51  # not more often than every two seconds, however cheap


# ------------------------------------------------------------------------------------------------------ drawing again


@pytest.fixture(scope="module")
def pixelcnn():
    torch.manual_seed(0)
    return build_vae("image", "ar", latent_dim=4, hidden=20).eval()


def test_rows_are_what_the_decoder_samples(pixelcnn):
    h = torch.randn(3, 4)
    u = torch.rand(28, 28, 3, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        whole = pixelcnn.decoder.sample(h, torch.Generator().manual_seed(5))
    rows = list(draw_rows(pixelcnn.decoder, h, u, before=torch.ones(3, 784)))
    assert len(rows) == 28 and torch.equal(rows[-1], whole)
    assert torch.equal(rows[9][:, : 10 * 28], whole[:, : 10 * 28]) and rows[9][:, 10 * 28 :].min() == 1
    assert torch.is_grad_enabled()  # between two rows the same thread trains


def test_a_decoder_that_ignores_z_draws_one_picture_for_all(digits):
    torch.manual_seed(0)
    x = torch.as_tensor(digits.test[:5]).float()
    for deaf in (True, False):
        model = build_vae("image", "ar", latent_dim=4, hidden=20, without_z=deaf)
        torch.nn.init.normal_(model.decoder.bias.weight)  # else z hardly matters before training
        *_, drawn = reconstruct(model, x, None, seed=0)
        assert (len(torch.unique(drawn, dim=0)) == 1) is deaf


def test_drawing_works_on_a_copy(pixelcnn, digits):
    x = torch.as_tensor(digits.test[:2]).float()
    pieces = reconstruct(pixelcnn, x, None, seed=0)
    next(pieces)
    kept = weights(SimpleNamespace(model=pixelcnn))
    for parameter in pixelcnn.parameters():
        parameter.data.zero_()
    *_, drawn = pieces
    pixelcnn.load_state_dict(kept)
    *_, again = reconstruct(pixelcnn, x, None, seed=0)
    assert torch.equal(drawn, again)


def test_examples_to_show(digits):
    chosen = choose_examples(digits)
    assert len(set(digits.test_labels[chosen])) == len(chosen) == 6
    text = load("text", limit=400)
    for row in text.test[choose_examples(text)]:
        assert 4 <= len(text.decode(row).replace(",", " ,").split()) <= 8


# -------------------------------------------------------------------------------------------------------- instruments


@pytest.mark.parametrize("window", [1, 7, 50])
def test_rolling_is_a_rolling_mean(window):
    x = np.random.default_rng(0).random(60)
    expected = [x[max(0, i + 1 - window) : i + 1].mean() for i in range(60)]
    np.testing.assert_allclose(instruments.rolling(x, window), expected)


@pytest.mark.parametrize("value", [0.013, 1, 1.01, 4.9, 99, 101, 7777])
def test_ceiling_is_above_and_not_far(value):
    assert value <= instruments.ceiling(value) <= 1.6 * value


def test_lam_times_duty_is_the_mean_pull_over_the_last_batches(run):
    run.start(40).wait(timeout=PATIENCE)
    run.set(lam=3).start(40).wait(timeout=PATIENCE)
    rows = run.history.tail(50)
    assert instruments.price_paid(run) == pytest.approx(np.mean(rows["lam"] * rows["penalty_on"]))
    run.set(objective="elbo")
    assert math.isnan(instruments.price_paid(run)) and constraint(run) == "ELBO has no constraint"


def test_a_drag_is_one_mark():
    drag = [Move(100 + i, "lam", 1 + i / 10) for i in range(9)]
    assert instruments.grouped([Move(3, "c", 2.0), *drag, Move(104, "c", 4.0)], near=10) == [
        Move(3, "c", 2.0),
        Move(108, "lam", 1.8),
        Move(104, "c", 4.0),
    ]


# ----------------------------------------------------------------------------------------------------------- the widget


@pytest.fixture
def cockpit(digits):
    return Cockpit(data=digits, **SMALL)


def test_driven_without_a_notebook(cockpit):
    assert cockpit.text == "Nothing trained yet: press Start."
    blank = cockpit.pixels()
    assert cockpit.start().wait(30, PATIENCE)
    cockpit.set(lam=2)
    assert cockpit.wait(30, PATIENCE)
    cockpit.pause()
    history = cockpit.history
    assert history["lam"].iloc[0] == 0.5 and history["lam"].iloc[-1] == 2
    assert history["step"].tolist() == list(range(1, cockpit.trainer.steps + 1))
    assert history["mi"].notna().any() and (history["mi"].notna() == history["valid_rate"].notna()).all()
    assert f"step {cockpit.trainer.steps} " in cockpit.text and cockpit.text == readout(cockpit.run)
    changed = (cockpit.pixels() != blank).any(2)
    height, width = changed.shape
    assert changed[: height // 2, : width // 2].any() and changed[height // 2 :, : width // 2].any()  # rate, duty
    assert changed[: height // 2, width // 2 :].any() and changed[height // 2 :, width // 2 :].any()  # distortion, digits
    assert cockpit.figure.axes


ON_DIGITS = [name for name in OBJECTIVES if name != "bow"]


def test_an_objective_that_needs_words_says_so_and_moves_nothing(cockpit):
    cockpit.step()
    with pytest.raises(ValueError, match="objective bow tells the words of a sentence.*choose text data"):
        cockpit.set(objective="bow")
    assert cockpit.trainer.objective.name != "bow" and cockpit.step().run.error is None


def test_schedules_of_the_whole_training_refer_to_the_epochs_asked_for(digits):
    cockpit = Cockpit(data=digits, **(SMALL | {"epochs": 4, "objective": "capacity", "rise": 1.0, "c": 8.0}))
    batch = cockpit.trainer.x[:20].float()
    terms = [cockpit.trainer.terms(batch, None, torch.Generator(), epoch) for epoch in (0, 1, 4, 9)]
    assert [cockpit.trainer.objective.capacity(t) for t in terms] == [0, 2, 8, 8]
    cockpit.close()


def test_every_objective_on_the_menu_trains_and_keeps_the_knobs(cockpit):
    cockpit.set(lam=0.7, beta=1.5, c=2.0)
    for name in ON_DIGITS:
        cockpit.set(objective=name)
        assert cockpit.step().run.error is None, cockpit.run.message
        objective = cockpit.trainer.objective
        assert type(objective) is OBJECTIVES[name]
        assert all(getattr(objective, k, v) == v for k, v in {"beta": 1.5, "c": 2.0}.items())
        assert cockpit.active(cockpit.value_dict) >= {"objective", "lr"}
        assert name in {"dual", "geco"} or getattr(objective, "lam", 0.7) == 0.7
    assert cockpit.history["objective"].tolist() == ON_DIGITS
    assert "lam" not in cockpit.active(cockpit.set(objective="elbo").value_dict)


def test_moving_c_keeps_what_dual_ascent_has_learnt(cockpit):
    cockpit.set(objective="dual", lam=0.2, c=12.0)
    cockpit.run.start(40).wait(timeout=PATIENCE)
    learnt = cockpit.trainer.objective.lam
    assert learnt != 0.2
    cockpit.set(c=3.0)
    assert cockpit.trainer.objective.lam == learnt
    assert cockpit.set(lam=0.5).trainer.objective.lam == 0.5


def test_the_learning_rate_acts_on_every_weight_also_of_the_labelling_network(cockpit):
    cockpit.set(objective="sl", lr=0.05).step()
    groups = cockpit.trainer.optimizer.param_groups
    assert {group["lr"] for group in groups} == {0.05}
    assert sum(len(group["params"]) for group in groups) > len(list(cockpit.trainer.model.parameters()))


def test_the_cockpit_trains_as_the_command_line_does(cockpit, digits):
    """The labelling network that waits for `sl` changes nothing."""
    cockpit.run.start(5).wait(timeout=PATIENCE)
    cockpit.pause()
    plain = build_trainer(cockpit.config, digits)
    assert cockpit.history["loss"].tolist() == [plain.step()["loss"] for _ in range(5)]


def test_reset_is_the_beginning(cockpit):
    first = cockpit.step().history["loss"].tolist()
    cockpit.set(lam=2, objective="elbo", lr=0.01)
    cockpit.start().wait(5, PATIENCE)
    cockpit.reset()
    assert cockpit.trainer.steps == 0 and not cockpit.run.running and cockpit.text.startswith("Nothing trained")
    shown = {"objective": "rate-hinge", "lam": 0.5, "c": 5.0, "beta": 1.0, "lr": 0.002}
    values = cockpit.value_dict
    assert {name: values[name] for name in values.keys() - cockpit.hidden(values)} == shown
    assert cockpit.step().history["loss"].tolist() == first


def test_warm_up_depends_on_the_steps_alone(digits):
    one, two = (Cockpit(data=digits, **SMALL).warm_up(30) for _ in range(2))
    assert one.text == two.text and np.array_equal(one.pixels(), two.pixels())
    assert len(one.run.measured) == 12 and one.trainer.steps == 30 and not one.run.running
    assert not any(t.name == "klcourse-live-run" for t in threading.enumerate())


def test_making_a_second_cockpit_stops_the_first(cockpit, digits):
    cockpit.start()
    Cockpit(data=digits, **SMALL)
    assert not cockpit.run.running and cockpit.start().wait(2, PATIENCE)


def test_bad_arguments_are_refused(digits):
    with pytest.raises(RunError, match="unknown objective"):
        Cockpit(data=digits, objective="elbow")
    with pytest.raises(RunError, match="no-such-decoder"):
        Cockpit(data=digits, decoder="no-such-decoder")
    cockpit = Cockpit(data=digits, **SMALL)
    with pytest.raises(ValueError, match="lam = 99 is outside its range"):
        cockpit.set(lam=99)
    with pytest.raises(ValueError, match="no control 'gamma'"):
        cockpit.set(gamma=1)
    assert cockpit.value_dict["lam"] == 0.5
    assert Cockpit(data=digits, **SMALL | {"lam": 99}).value_dict["lam"] == 99  # chosen at the start: the slider reaches it


def test_an_instance_is_steered_as_a_name_is(digits):
    given = RateHinge(lam=0.7, c=3, eta=0.25)  # eta has no control, and is kept all the same
    cockpit = Cockpit(data=digits, objective=given, batch_size=20, hidden=20, latent_dim=4, limit=200)
    assert {name: cockpit.value_dict[name] for name in ("objective", "lam", "c", "beta")} == {
        "objective": "rate-hinge", "lam": 0.7, "c": 3.0, "beta": 1.0
    }  # fmt: skip
    assert cockpit.trainer.objective == given and cockpit.trainer.objective is not given
    cockpit.set(lam=2).step()
    assert cockpit.trainer.objective.eta == 0.25 and given == RateHinge(lam=0.7, c=3, eta=0.25)
    assert cockpit.reset().trainer.objective == given
    words = Cockpit(data=digits, objective=SelfLabelling(lam=0.3, label="alternating"), **BARE).step()
    assert words.run.error is None and words.value_dict["label"] == "alternating"


@pytest.fixture
def own():
    """A class of the reader's own, with a knob of every kind; off the list again afterwards."""
    kept = dict(OBJECTIVES)

    @dataclass
    class Own(Objective, name="own"):
        lam: float = knob(0.5, "weight of the penalty", symbol="λ")
        sharpness: float = knob(3.0, "how sharp the corner is", symbol="s", live=Slide(10.0, 0.5))
        shift: float = knob(-2.0, "moves the corner", low=-math.inf)
        dims: int = knob(2, "how many latents count", low=1, high=4)
        squared: bool = knob(False, "square the penalty")
        side: str = knob("below", "on which side it acts", choices=("below", "above"))
        plain: float = 1.5
        word: str = "a word"

        def __call__(self, t):
            gap = self.sharpness + self.shift - t.kl.mean()
            gap = torch.relu(gap if self.side == "below" else -gap)
            return t.rec.mean() + t.kl.mean() + self.lam * self.plain * (gap**2 if self.squared else gap)

    yield Own
    OBJECTIVES.clear()
    OBJECTIVES.update(kept)


def test_knobs_of_a_readers_own_class_have_controls_and_act(digits, own):
    cockpit = Cockpit(data=digits, objective=own(sharpness=30, dims=3), **BARE)
    kinds = {name: type(cockpit.controls[name]) for name in knobs_of(own)}
    numbers = ("lam", "sharpness", "shift", "dims", "plain")
    assert kinds == dict.fromkeys(numbers, Slider) | {"squared": Toggle, "side": Choice, "word": Choice}
    assert cockpit.controls["dims"].whole and (cockpit.controls["dims"].low, cockpit.controls["dims"].high) == (1, 4)
    sharpness = cockpit.controls["sharpness"]
    assert (sharpness.label, sharpness.high, sharpness.step) == ("s", 60, 0.5)  # it began beyond its range of 10
    assert cockpit.controls["shift"].low == -8 and "Moves the corner" in cockpit.controls["shift"].help
    values = cockpit.value_dict
    assert values.keys() - cockpit.hidden(values) == {"objective", "lr", "lam", "c", "beta", *knobs_of(own)}
    assert cockpit.active(values) == {"objective", "lr", *knobs_of(own)}

    moves = {"lam": 2.0, "sharpness": 8.0, "shift": 1.0, "dims": 4, "squared": True, "side": "above", "plain": 0.5}
    cockpit.step().set(**moves).step()
    assert {name: getattr(cockpit.trainer.objective, name) for name in moves} == moves
    assert [move.knob for move in cockpit.run.moves] == list(moves)
    assert cockpit.run.error is None and cockpit.history["sharpness"].tolist() == [30, 8] and cockpit.figure.axes
    with pytest.raises(ValueError, match="dims = 5 is outside its range"):
        cockpit.set(dims=5)
    with pytest.raises(ValueError, match="choose 'below' or 'above'"):
        cockpit.set(side="beside")

    cockpit.set(objective="rate-hinge").step()
    values = cockpit.value_dict
    assert cockpit.hidden(values) >= knobs_of(own).keys() - {"lam"} and values["lam"] == 2.0  # lam means the same to all
    cockpit.set(objective="own").step()
    assert cockpit.trainer.objective == own(sharpness=30, dims=3, lam=2.0)  # of the class it began with: as it began
    assert cockpit.history["objective"].tolist() == ["own", "own", "rate-hinge", "own"]


def test_a_class_defined_later_is_on_the_menu_of_the_next_cockpit(cockpit, digits, own):
    assert "own" not in cockpit.controls["objective"].options
    later = Cockpit(data=digits, **SMALL).set(objective="own", sharpness=8).step()
    assert type(later.trainer.objective) is own and later.run.error is None
    assert later.trainer.objective == own(lam=0.5, sharpness=8)


def test_a_knob_without_a_default_is_asked_for_and_spoils_no_other_method(digits, own):
    @dataclass
    class Demanding(Objective, name="demanding"):
        much: float
        sharpness: float = knob(50.0, "wider than that of another", high=100.0)

        def __call__(self, t):
            return t.rec.mean() + self.much * t.kl.mean()

    cockpit = Cockpit(data=digits, **SMALL)
    assert cockpit.controls["sharpness"].high == 100
    with pytest.raises(ValueError, match="objective demanding has no default for much: give a value"):
        cockpit.set(objective="demanding")
    assert cockpit.step().run.error is None and cockpit.trainer.objective.name == "rate-hinge"
    assert cockpit.set(objective="demanding", much=0.5).step().trainer.objective == Demanding(much=0.5)
    assert Cockpit(data=digits, objective=Demanding(much=7), **BARE).step().history["much"].tolist() == [7]


def test_text_is_written_again():
    cockpit = Cockpit(data=load("text", limit=400), hidden=16, latent_dim=4, batch_size=50, lr=0.01)
    cockpit.warm_up(3)
    written = [line.get_text() for line in cockpit._instruments.lines]
    assert len(written) == 4 and all(line.startswith("→") for line in written)
    assert cockpit.step().trainer.steps == 4


@pytest.mark.parametrize("extra", [dict(bn_gamma=0.6), dict(delta=0.5), dict(conditional=True)], ids=str)
def test_other_models_work_too(digits, extra):
    assert Cockpit(data=digits, decoder="ar", **SMALL, **extra).warm_up(2).trainer.steps == 2


def test_pictures_are_drawn_in_the_loop_and_do_not_queue_up(digits):
    """A cell that keeps the loop busy delays pictures, not the training; afterwards there is one picture, not a hundred."""

    async def notebook():
        cockpit = Cockpit(data=digits, **SMALL)
        cockpit.png()
        drawn, update = [], cockpit.update
        cockpit.update = lambda values: drawn.append(threading.current_thread()) or update(values)
        cockpit._panel = panel = Panel()
        cockpit._start_button = cockpit._pause_button = cockpit._status = SimpleNamespace()
        cockpit.run.start()
        cockpit.run.wait(100, PATIENCE)  # a busy cell: the loop does not turn
        cockpit.run.pause()
        assert drawn == []
        await asyncio.sleep(0.01)
        assert len(drawn) == 1
        cockpit.run.start()
        while len(drawn) < 3:
            await asyncio.sleep(0.01)
        cockpit.run.pause()
        await asyncio.sleep(0.01)
        assert set(drawn) == {threading.main_thread()} and panel.text == cockpit.text
        assert f"step {cockpit.trainer.steps} " in panel.text  # the last picture shows the last step
        assert cockpit._status.value.count(f'<b class="klw-cockpit-steps">{cockpit.trainer.steps}</b>') == 1

    class Panel:
        text = ""

        def picture(self, png, alt, text, rev):
            self.text = text

        def values(self, values): ...

        def say(self, text): ...

    asyncio.run(asyncio.wait_for(notebook(), PATIENCE))


def test_its_panel_has_buttons_that_work_and_shows_the_knobs_of_the_method_in_force(cockpit):
    cockpit._panel = panel = Panel(cockpit)

    def there() -> set[str]:
        return {name for name, (row, _) in panel._rows.items() if row.layout.display != "none"}

    always = {"objective", "lr", "lam", "c", "beta"}
    assert there() == always and cockpit._pause_button.disabled and ">paused<" in cockpit._status.value
    cockpit._step_button.click()
    assert cockpit.trainer.steps == 1 and '<b class="klw-cockpit-steps">1</b>' in cockpit._status.value
    (menu,) = panel._rows["objective"][0].children
    menu.value = "cyclical"
    assert there() == always | {"period", "ratio", "cycles"} and cockpit.trainer.objective.name == "cyclical"
    greyed = {name for name, (row, _) in panel._rows.items() if row.children[0].disabled}
    assert there() & greyed == {"lam", "c"}  # waiting for a method that has them
    cockpit._start_button.click()
    assert cockpit.wait(2, PATIENCE) and cockpit._start_button.disabled and ">training<" in cockpit._status.value
    cockpit._pause_button.click()
    assert not cockpit.run.running and ">paused<" in cockpit._status.value and cockpit.rev > 3

    cockpit.trainer.model.encoder.net[0].weight.data.fill_(math.nan)
    cockpit._step_button.click()
    assert "Training stopped: the loss is nan" in panel._message.value and ">stopped<" in cockpit._status.value
    cockpit.reset()
    assert ">paused<" in cockpit._status.value and "Training stopped" not in panel._message.value
    assert there() == always and menu.value == "rate-hinge"
    cockpit.close()
    assert cockpit.step().trainer.steps == 1  # from code it goes on


# ----------------------------------------------------------------------------------------------------- in a real kernel


class Kernel:
    """A kernel that answers cells; `cell_id` tells it which cell of a notebook it is."""

    def __init__(self):
        from jupyter_client.manager import start_new_kernel

        self.manager, self.client = start_new_kernel(kernel_name="python3")

    def run(self, code, cell_id="x", wait=True):
        message = self.client.session.msg(
            "execute_request", dict(code=code, silent=False, store_history=False, user_expressions={}, allow_stdin=False)
        )
        message["metadata"] = {"cellId": cell_id}
        self.client.shell_channel.send(message)
        return self.output(message["header"]["msg_id"]) if wait else message["header"]["msg_id"]

    def output(self, message_id):
        text = ""
        while True:
            message = self.client.get_iopub_msg(timeout=2 * PATIENCE)
            if message["parent_header"].get("msg_id") != message_id:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                text += content["text"]
            elif message["msg_type"] == "error":
                text += content["ename"]
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return text.strip()


@pytest.fixture
def kernel():
    pytest.importorskip("ipykernel")
    kernel = Kernel()
    yield kernel
    kernel.client.stop_channels()
    if kernel.manager.is_alive():
        kernel.manager.shutdown_kernel(now=True)


def test_in_a_kernel_other_cells_run_interrupts_pass_and_the_cell_can_be_run_again(kernel):
    make = f"cockpit = Cockpit(**{SMALL!r}).start(); cockpit.show()"
    kernel.run("from klcourse.live.cockpit import Cockpit; import json, threading, time")
    kernel.run(make, cell_id="cockpit")
    state = "print(json.dumps([cockpit.run.running, cockpit.trainer.steps, cockpit.rev]))"
    _, before, rev = json.loads(kernel.run(state))
    for _ in range(30):  # a picture takes its share of the time, so on a busy machine the next one may be seconds off
        time.sleep(1)
        running, after, later = json.loads(kernel.run(state))
        if later > rev:
            break
    assert running and after > before and later > rev  # other cells answer, steps and pictures go on by themselves
    busy = kernel.run("while True: pass", wait=False)
    time.sleep(1)
    kernel.manager.interrupt_kernel()
    assert kernel.output(busy) == "KeyboardInterrupt"
    running, steps, _ = json.loads(kernel.run(state))
    assert running and steps > after  # it trained through the busy cell and its interrupt
    kernel.run("old = cockpit\n" + make, cell_id="cockpit")
    threads = "sum(t.name == 'klcourse-live-run' for t in threading.enumerate())"
    assert kernel.run(f"print(old.run.running, cockpit.run.running, {threads}, old._panel)") == "False True 1 None"
    kernel.manager.shutdown_kernel()
    assert not kernel.manager.is_alive()


def test_the_menu_has_every_objective_and_the_panel_every_knob_that_one_shows(cockpit):
    cockpit.set(c=2.0)  # below log 20, so that the hinge on information may be chosen
    assert cockpit.controls["objective"].options == tuple(OBJECTIVES)
    shown = {name for cls in OBJECTIVES.values() for name, what in knobs_of(cls).items() if what.shown}
    assert set(cockpit.controls) == {"objective", "lr"} | shown
    for name, cls in ((name, OBJECTIVES[name]) for name in ON_DIGITS):
        cockpit.set(objective=name)
        values = cockpit.value_dict
        own = {label for label, what in knobs_of(cls).items() if what.shown}
        assert own <= cockpit.active(values) and not own & cockpit.hidden(values)
        assert values.keys() - cockpit.hidden(values) == {"objective", "lr", "lam", "c", "beta"} | own


def test_the_objective_says_what_its_duty_cycle_means(cockpit):
    cockpit.set(objective="freebits", c=40.0).start().wait(5, PATIENCE)
    assert "duty 1.00" not in cockpit.pause().text and "β_eff = 1 − duty = 0.00" in cockpit.text
    assert "has no constraint" not in cockpit.set(objective="freebits-dim", c=40.0).step().text


def test_draw_rows_takes_the_context_rows_for_the_reach_to_the_sides_as_well():
    assert PixelCNNDecoder(4).context_rows == 7

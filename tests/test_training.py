"""Training is reproducible, resumable, interruptible; the loop adds nothing to the mathematics of a step."""

import math
import os
import signal
import threading
from functools import partial

import numpy as np
import pytest
import torch

from klcourse.data import EOS
from klcourse.gaussians import gaussian_kl, reparameterise
from klcourse.models import Features, build_vae
from klcourse.objectives import ELBO, BetaVAE, RateHinge, SelfLabelling, Sizes
from klcourse.system import write_atomically
from klcourse.training import NOISE, Trainer, TrainingDiverged, seeded

SIZES = dict(latent_dim=4, hidden=16)


def digits(n=60):
    """Blots that carry one bit each of where they are: enough to learn something from."""
    g = torch.Generator().manual_seed(0)
    where = torch.randint(0, 4, (n,), generator=g)
    x = torch.zeros(n, 4, 196)
    x[torch.arange(n), where] = 1
    return (x.flatten(1) * (torch.rand(n, 784, generator=g) < 0.8)).to(torch.uint8)


def helper_sizes(kind, *, latent_dim, hidden, vocab_size=0):
    """What a trainer builds helper networks from, such as SLVAE's g."""
    return Sizes(latent_dim, hidden, vocab_size, partial(Features, kind, hidden=hidden, vocab_size=vocab_size))


def make(objective=None, seed=0, decoder="mlp", x=None, lr=5e-3, **options):
    torch.manual_seed(seed)
    x = digits() if x is None else x
    model = build_vae("image", decoder, **SIZES)
    return Trainer(
        model,
        objective or ELBO(),
        x,
        sizes=helper_sizes("image", **SIZES),
        batch_size=20,
        lr=lr,
        log_every=2,
        seed=seed,
        valid=(x.float() / x.max(), None),
        **options,
    )


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.parameters])


@pytest.mark.parametrize(
    "objective", [ELBO(), RateHinge(lam=2, c=3), SelfLabelling(), SelfLabelling(label="alternating")], ids=str
)
def test_training_lowers_the_loss_and_repeats_exactly(objective):
    a, b = (make(objective) for _ in range(2))
    for trainer in (a, b):
        assert trainer.fit(8, progress=False)
    assert a.history[-1]["loss"] < 0.9 * a.history[0]["loss"]
    assert torch.equal(weights(a), weights(b))
    np.testing.assert_equal(a.history, b.history)  # equal as nan is to nan
    other = make(objective, seed=1)
    other.fit(8, progress=False)
    assert not torch.equal(weights(a), weights(other))


def test_a_step_is_the_bare_pytorch_step():
    """The same update written out by hand, so that nothing hides in the loop."""
    trainer, twin = make(BetaVAE(beta=2)), make(BetaVAE(beta=2))
    model, adam = twin.model, torch.optim.Adam(twin.model.parameters(), lr=5e-3)
    for step in range(4):
        order = torch.randperm(60, generator=seeded(0, 0, step // 3))
        x = twin.x[order[step % 3 * 20 : step % 3 * 20 + 20]].float()
        g = seeded(0, NOISE, step)
        mu, logvar = model.encode(x)
        z = reparameterise(mu, logvar, g)
        loss = (-model.log_px(x, z) + 2 * gaussian_kl(mu, logvar)).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        assert trainer.step()["loss"] == pytest.approx(loss.item(), rel=1e-5)
    torch.testing.assert_close(weights(trainer), weights(twin), rtol=1e-4, atol=1e-6)


def test_every_epoch_sees_every_example_once():
    trainer = make(x=(torch.arange(784) < torch.arange(50)[:, None]).to(torch.uint8))  # example i has i white pixels
    orders = []
    for _ in range(2):
        seen = []
        for _ in range(trainer.steps_per_epoch):
            seen += trainer.batch(0, seeded(0, NOISE, 0))[0].sum(1).tolist()
            trainer.steps += 1
        assert sorted(seen) == list(range(50))
        orders.append(seen)
    assert orders[0] != orders[1]


def test_text_batches_are_as_long_as_their_longest_sentence():
    x = torch.zeros(40, 9, dtype=torch.long)
    x[:, 0], x[:, 1] = 4, EOS
    trainer = Trainer(build_vae("text", "lstm", vocab_size=6, **SIZES), ELBO(), x, batch_size=10)
    assert trainer.batch(0, seeded(0, 0, 0))[0].shape == (10, 2)
    assert math.isfinite(trainer.step()["loss"])


def test_grey_images_are_binarised_afresh():
    x = torch.full((20, 784), 128, dtype=torch.uint8)
    trainer = make(x=x, grey=True)
    a, b = (trainer.batch(0, seeded(0, NOISE, i))[0] for i in (0, 1))
    assert set(a.unique().tolist()) == {0.0, 1.0} and not torch.equal(a, b)
    assert abs(a.mean() - 128 / 255) < 0.02


def test_duty_cycle_is_the_share_of_penalised_batches():
    trainer = make(RateHinge(lam=1, c=1000))
    trainer.fit(2, progress=False)
    assert all(row["penalty_on"] == 1 for row in trainer.history)
    trainer.objective.c = 0
    trainer.fit(4, progress=False)
    assert trainer.history[-1]["penalty_on"] == 0
    trainer = make(RateHinge(lam=30, c=2, beta=20))
    trainer.fit(40, progress=False)
    assert 0 < np.mean([row["penalty_on"] for row in trainer.history[-20:]]) < 1


def test_history_rows_are_means_since_the_row_before():
    trainer, values = make(), []
    trainer.fit(4, progress=False, on_step=lambda t: None)
    again = make()
    for _ in range(12):
        values.append(again.step()["rate"])
    assert [row["step"] for row in trainer.history] == [2, 3, 4, 6, 8, 9, 10, 12]
    assert trainer.history[0]["rate"] == pytest.approx(np.mean(values[:2]))
    assert trainer.history[1]["rate"] == pytest.approx(values[2])
    measured = [row["step"] for row in trainer.history if not math.isnan(row["mi"])]
    assert measured == [3, 6, 9, 12]  # at the end of every epoch


def test_knobs_may_change_between_steps():
    """lam, c, beta, the objective and the learning rate: the next step uses the new value."""
    trainer = make(RateHinge(lam=0, c=100))
    trainer.step()
    free = trainer.objective(trainer.terms(trainer.x[:20].float(), None, seeded(0, 1, 0))).item()
    trainer.objective.lam = 1
    assert trainer.objective(trainer.terms(trainer.x[:20].float(), None, seeded(0, 1, 0))).item() > free + 50
    trainer.objective = BetaVAE(beta=4)
    trainer.step()
    trainer.lr = 0.0
    before = weights(trainer)
    trainer.step()
    assert torch.equal(before, weights(trainer))


def test_alternating_labels_learn_with_the_decoder_frozen():
    """One step of g moves g by the gradient of -log p(x|g(x)), and its lesson reaches neither decoder nor encoder."""
    trainer = make(SelfLabelling(lam=0, label="alternating"))
    plain = make(ELBO())
    plain.model.load_state_dict(trainer.model.state_dict())
    before = [p.clone() for p in trainer.helpers["sl"].parameters()]
    trainer.step(), plain.step()
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, trainer.model.state_dict()[name]), name  # lam = 0: exactly the ELBO's step
    assert any(not torch.equal(a, b) for a, b in zip(before, trainer.helpers["sl"].parameters()))


def test_joint_labels_learn_from_the_objective_itself():
    trainer = make(SelfLabelling(lam=0.5))
    before = [p.clone() for p in trainer.helpers["sl"].parameters()]
    trainer.step()
    assert all(not torch.equal(a, b) for a, b in zip(before, trainer.helpers["sl"].parameters()))


@pytest.mark.parametrize("cut", [1, 3, 4, 7])
@pytest.mark.parametrize("label", [None, "alternating"])
def test_resume_is_bit_exact_wherever_it_is_cut(cut, label, tmp_path):
    def fresh():
        return make(SelfLabelling(label=label) if label else RateHinge(lam=2, c=2))

    whole = fresh()
    whole.fit(4, progress=False)
    first = fresh()
    for _ in range(cut):
        first.step()
    first.save(tmp_path / "c.safetensors", note="hello")
    second = fresh()
    assert second.load(tmp_path / "c.safetensors") == {"note": "hello"}
    second.fit(4, progress=False)
    assert torch.equal(weights(whole), weights(second))
    np.testing.assert_equal(whole.history, second.history)


def test_ctrl_c_stops_between_two_steps_and_fit_goes_on():
    trainer, whole = make(), make()

    def press(t):
        if t.steps == 5:
            os.kill(os.getpid(), signal.SIGINT)

    assert trainer.fit(4, progress=False, on_step=press) is False
    assert trainer.steps == 5
    assert trainer.fit(4, progress=False) is True
    whole.fit(4, progress=False)
    assert torch.equal(weights(whole), weights(trainer))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_trains_in_a_thread_where_there_are_no_signals():
    trainer = make()
    thread = threading.Thread(target=lambda: trainer.fit(1, progress=False))
    thread.start()
    thread.join()
    assert trainer.steps == 3


def test_divergence_stops_with_step_and_objective_and_keeps_the_weights():
    trainer = make(BetaVAE(beta=2))
    trainer.step()
    before = weights(trainer)
    trainer.objective.beta = 3e38  # finite, but its product with the rate is not
    trainer.model.encoder.net[-1].bias.data += 5
    shifted = weights(trainer)
    with pytest.raises(TrainingDiverged, match=r"step 1 with objective BetaVAE\(beta=3e\+38\)"):
        trainer.step()
    assert not torch.equal(before, shifted) and torch.equal(shifted, weights(trainer))


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    trainer = make()
    trainer.save(tmp_path / "c")
    good = (tmp_path / "c").read_bytes()
    trainer.parameters[0].data[0] = math.nan
    with pytest.raises(TrainingDiverged, match="weight"):
        trainer.save(tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == good


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    write_atomically(tmp_path / "f", b"old")
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(tmp_path / "f", b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["f"] and (tmp_path / "f").read_bytes() == b"old"


@pytest.mark.parametrize(
    "options, message",
    [(dict(batch_size=0), "batch_size = 0"), (dict(), "choose 1 to 60"), (dict(batch_size=9, log_every=0), "log_every = 0")],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Trainer(build_vae("image", "mlp", **SIZES), ELBO(), digits(), **options)


def test_self_labelling_without_a_network_is_refused():
    with pytest.raises(ValueError, match="helper=.* or sizes="):
        Trainer(build_vae("image", "mlp", **SIZES), SelfLabelling(), digits(), batch_size=20)

"""Stopping on the validation part, pre-training, mini-batches by length, the guard on gradients."""

import math

import pytest
import torch

from klcourse.data import EOS, PAD
from klcourse.models import build_vae
from klcourse.objectives import ELBO, BetaVAE, DualAscent, InfoHinge, LinearAnnealing, RateHinge
from klcourse.training import Batches, Plateau, Trainer
from tests.test_training import SIZES, digits, make, weights

# ------------------------------------------------------------------------------------------------ when to stop


def test_a_plateau_halves_goes_back_to_the_best_and_stops(monkeypatch):
    losses = iter([5.0, 4.0, 4.5, 4.2, 3.9, 4.0, 4.0, 3.95])
    trainer = make(plateau=Plateau(2, 1), lr=0.004)
    monkeypatch.setattr(Trainer, "validate", lambda self: next(losses))
    seen = []

    def note(trainer):
        if trainer.steps % trainer.steps_per_epoch == 0:
            seen.append((weights(trainer).clone(), trainer.lr))

    assert trainer.fit(50, progress=False, on_step=note)
    lr = [rate for _, rate in seen]
    assert lr == [0.004] * 3 + [0.002] * 4 and trainer.stopped  # 5 4 4.5 4.2 -> half; 3.9 4 4 -> stop
    assert torch.equal(seen[3][0], seen[1][0])  # after the halving: the weights of the second epoch again
    assert torch.equal(weights(trainer), seen[4][0])  # the best ones
    steps = trainer.steps
    assert trainer.fit(50, progress=False) and trainer.steps == steps  # there is nothing to go on with


def test_the_best_weights_are_used_when_epochs_run_out_first(monkeypatch):
    losses = iter([3.0, 1.0, 2.0, 2.0])
    trainer = make(plateau=Plateau(9))
    monkeypatch.setattr(Trainer, "validate", lambda self: next(losses))
    trainer.fit(2, progress=False)
    best = weights(trainer).clone()
    trainer.fit(4, progress=False)
    assert not torch.equal(weights(trainer), best)
    trainer.use_best()
    assert torch.equal(weights(trainer), best)


def test_early_stopping_helps_on_examples_not_seen():
    """Few digits, many passes: the validation loss of the weights kept is the least of the history."""
    x, other = digits(40), digits(120)[60:].float()
    torch.manual_seed(0)
    trainer = Trainer(
        build_vae("image", "mlp", latent_dim=4, hidden=32), ELBO(), x,
        batch_size=20, lr=0.01, valid=(other, None), plateau=Plateau(3, 2),
    )  # fmt: skip
    assert trainer.fit(400, progress=False) and trainer.stopped
    history = [row["valid_loss"] for row in trainer.history if not math.isnan(row["valid_loss"])]
    assert trainer.validate() == pytest.approx(min(history)) and history[-1] > min(history)


@pytest.mark.parametrize("objective", [LinearAnnealing(warmup=3), LinearAnnealing(warmup=0)], ids=str)
def test_no_advice_is_heeded_before_a_schedule_has_ended(monkeypatch, objective):
    losses = iter([1.0, 5.0, 5.0, 4.0, 4.0, 4.0])
    trainer = make(objective, plateau=Plateau(1, 0))
    monkeypatch.setattr(Trainer, "validate", lambda self: next(losses))
    trainer.fit(6, progress=False)
    assert trainer.steps / trainer.steps_per_epoch == (5 if objective.warmup else 2)


def test_the_validation_loss_is_that_of_the_schedule_s_end_and_repeats():
    a, b = make(LinearAnnealing(warmup=100, beta=2)), make(BetaVAE(beta=2))
    assert a.validate() == pytest.approx(b.validate()) and a.validate() == a.validate()
    assert not math.isclose(a.validate(), make(ELBO()).validate())


def test_the_validation_loss_of_dual_ascent_does_not_move_with_its_multiplier():
    values = []
    for lam in (0.0, 0.7):
        values.append(make(DualAscent(c=3, lam=lam)).validate())
    assert values[0] == pytest.approx(values[1])


def test_validation_leaves_training_alone():
    plain, looking = make(), make()
    for _ in range(5):
        plain.step()
        looking.validate()
        looking.step()
    assert torch.equal(weights(plain), weights(looking))


def test_information_of_a_last_batch_of_one_is_left_out():
    x = digits(61)
    trainer = make(InfoHinge(lam=1, c=1))
    trainer.valid = (x.float(), None)  # 20 + 20 + 20 + 1
    assert math.isfinite(trainer.validate())


@pytest.mark.parametrize(
    "options, message",
    [(dict(plateau=Plateau(1), valid=None), "pass valid="), (dict(pretrain=-1), "pretrain = -1: choose 0 or more")],
)
def test_bad_options_are_refused(options, message):
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=message):
        Trainer(build_vae("image", "mlp", **SIZES), ELBO(), digits(), batch_size=20, **options)


# ------------------------------------------------------------------------------------------------ pre-training


def test_pretraining_is_an_autoencoder_whose_encoder_is_kept():
    trainer, plain = make(RateHinge(lam=1, c=5), pretrain=2), make(BetaVAE(beta=0))
    first = {k: v.clone() for k, v in trainer.model.decoder.state_dict().items()}
    for _ in range(6):  # two epochs: D alone, as beta = 0
        assert trainer.step()["distortion"] == pytest.approx(plain.step()["distortion"])
    assert torch.equal(weights(trainer), weights(plain)) and not trainer.pretraining
    encoder = [p.clone() for p in trainer.model.encoder.parameters()]
    after = {}
    objective = trainer.objective

    def look(t):  # the model that the first step of the second phase sees
        after.update({k: v.clone() for k, v in trainer.model.decoder.state_dict().items()})
        assert t.epoch == 0
        assert all(torch.equal(a, b) for a, b in zip(encoder, trainer.model.encoder.parameters()))
        return (t.rec + t.kl).mean()

    type(objective).__call__, kept = (lambda self, t: look(t)), type(objective).__call__
    try:
        trainer.step()
    finally:
        type(objective).__call__ = kept
    assert all(torch.equal(first[k], after[k]) for k in first)


# ------------------------------------------------------------------------------------------------ mini-batches


def sentences(n=1000, longest=12):
    g = torch.Generator().manual_seed(0)
    x = torch.full((n, longest), PAD)
    for row, words in zip(x, torch.randint(1, longest, (n,), generator=g)):
        row[:words], row[words] = 4, EOS
    return x


def test_sentences_of_like_length_come_together_each_once_and_in_a_new_order():
    x = sentences()
    batches = Batches(x, 10, seed=3)
    epochs = [[rows.tolist() for rows in batches.of(epoch)] for epoch in (0, 1)]
    for found in epochs:
        assert len(found) == len(batches) == 100 and sorted(i for rows in found for i in rows) == list(range(1000))
    assert epochs[0] != epochs[1] and epochs[0] == [rows.tolist() for rows in Batches(x, 10, seed=3).of(0)]
    words = (x != PAD).sum(1)
    padding = 1 - words.sum() / sum(len(rows) * words[rows].max() for rows in batches.of(0))
    shuffled = 1 - words.sum() / sum(len(rows) * words[rows].max() for rows in torch.randperm(1000).split(10))
    assert padding < 0.05 < 0.3 < shuffled
    lengths = [int(words[rows].max()) for rows in batches.of(0)]
    assert lengths[:50] != sorted(lengths[:50])  # long and short ones in random order


def test_images_come_in_the_order_of_the_permutation():
    x = torch.zeros(50, 784, dtype=torch.uint8)
    batches = Batches(x, 20, seed=1)
    assert [len(rows) for rows in batches.of(0)] == [20, 20, 10]


# ------------------------------------------------------------------------------------------------ gradients


def test_the_largest_gradient_is_noted_and_clipped():
    free, clipped = make(clip=1e9), make(clip=0.5)
    for trainer in (free, clipped):
        trainer.fit(2, progress=False)
    assert max(row["grad_norm"] for row in free.history) > 5  # before clipping, so both show it
    assert max(row["grad_norm"] for row in clipped.history) > 5
    same = make(clip=None)
    same.fit(2, progress=False)
    assert torch.equal(weights(free), weights(same))


def test_a_loss_that_jumps_is_counted():
    trainer = make()
    trainer.history = [{"rate": 1.0, "distortion": d} for d in (500.0, 100.0, 90.0, 300.0, 80.0)]
    assert trainer.jumps == 1
    trainer.history = [
        {"rate": 0.0, "distortion": -5.0},
        {"rate": 0.0, "distortion": 5.0},
    ]  # a density: no jump by this measure
    assert trainer.jumps == 0


# ------------------------------------------------------------------------------------------------ dropout of text


def test_dropout_hides_its_share_in_training_only_and_repeats():
    torch.manual_seed(0)
    decoder = build_vae("text", "lstm", vocab_size=9, latent_dim=2, hidden=32, dropout=0.4).decoder
    states, g = torch.ones(50, 7, 32), lambda: torch.Generator().manual_seed(1)
    hidden = decoder.dropped(states, g())
    assert torch.equal(hidden, decoder.dropped(states, g()))
    assert (hidden == 0).float().mean().item() == pytest.approx(0.4, abs=0.02)
    assert hidden.mean().item() == pytest.approx(1, abs=0.03)
    decoder.eval()
    assert torch.equal(decoder.dropped(states, g()), states)


@pytest.mark.parametrize("more", [dict(layers=3), dict(skip=True), dict(layers=2, skip=True), dict(embedding=5)], ids=str)
def test_deeper_decoders_are_distributions_and_sample_from_them(more):
    """The chance of a word by log_px is that by which `sample` draws it."""
    torch.manual_seed(0)
    model = build_vae("text", "lstm", vocab_size=5, latent_dim=2, hidden=8, **more).eval()
    z = torch.randn(1, 2)
    first = torch.stack([model.log_px(torch.tensor([[w, EOS]]), z.expand(1, 2)) for w in (3, 4)])
    words = model.sample(z.expand(4000, 2), generator=torch.Generator().manual_seed(0), max_words=2)
    for i, w in enumerate((3, 4)):
        # P(w, EOS), with PAD and BOS never drawn
        drawn = ((words[:, 0] == w) & (words[:, 1] == EOS)).float().mean().item()
        assert drawn >= first[i].exp().item() - 0.03
    assert first.isfinite().all()


@pytest.mark.parametrize(
    "kind, decoder, more, message",
    [
        ("image", "mlp", dict(dropout=0.5), "dropout=0.5 needs text: image data has no words"),
        ("image", "ar", dict(layers=2), "layers=2 needs text"),
        ("image", "mlp", dict(embedding=8), "embedding=8 needs text"),
        ("image", "ar", dict(skip=True), "every layer of a PixelCNN is told z"),
    ],
)
def test_settings_of_text_are_refused_for_images(kind, decoder, more, message):
    with pytest.raises(ValueError, match=message):
        build_vae(kind, decoder, latent_dim=2, hidden=8, **more)


def test_skip_connections_tell_every_layer():
    """With all other ways closed, z still reaches the output."""
    torch.manual_seed(0)
    model = build_vae("image", "mlp", latent_dim=2, hidden=8, skip=True)
    with torch.no_grad():
        for layer in model.decoder.net.layers:
            layer.weight.zero_()
    a, b = model.mean(torch.zeros(1, 2)), model.mean(torch.ones(1, 2))
    assert not torch.allclose(a, b)

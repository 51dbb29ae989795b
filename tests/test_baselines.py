"""The baselines of the literature: neutral settings are the ELBO, special cases agree, guarantees hold, state survives."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from torch.distributions import Independent, Normal, kl_divergence

from klcourse import measure
from klcourse.gaussians import gaussian_kl
from klcourse.models import FixedScaleNorm, build_floor, build_vae, largest_logvar
from klcourse.models.floors import limit_logvar
from klcourse.objectives import (
    ELBO,
    BetaVAE,
    Capacity,
    CyclicalAnnealing,
    DualAscent,
    FreeBits,
    FreeBitsPerDim,
    InfoHinge,
    InfoVAE,
    LinearAnnealing,
    RateHinge,
    SelfLabelling,
    Terms,
    batch_information,
    cyclical_weight,
    linear_weight,
    mmd_to_prior,
)
from klcourse.training import Plateau, Trainer
from tests.test_objectives import batch
from tests.test_training import SIZES, digits, helper_sizes, weights

EPOCHS = st.floats(0, 1000)


def loss_and_gradient(objective, **options):
    terms, mu, logvar = batch(**options)
    loss = objective(terms)
    return loss.item(), torch.cat(torch.autograd.grad(loss, [mu, logvar])).flatten()


def assert_same(one, other, off_by=0.0, **options):
    """The same loss but for a constant, the same gradient."""
    (a, slope_a), (b, slope_b) = loss_and_gradient(one, **options), loss_and_gradient(other, **options)
    assert a == pytest.approx(b + off_by, rel=1e-12)
    torch.testing.assert_close(slope_a, slope_b, rtol=1e-12, atol=1e-14)


def make(objective=None, *, x=None, text=False, model=None, **options):
    torch.manual_seed(0)
    sizes = SIZES | (dict(vocab_size=9) if text else {})
    x = digits() if x is None else x
    model = dict(model or {})
    floor = build_floor(sizes["latent_dim"], bn_gamma=model.pop("bn_gamma", None), delta=model.pop("delta", 0.0))
    vae = build_vae(*(("text", "lstm") if text else ("image", "mlp")), **sizes, **model, floor=floor)
    valid = (x if text else x.float(), None)
    known = (
        dict(batch_size=20, lr=5e-3, log_every=2, valid=valid, sizes=helper_sizes("text" if text else "image", **sizes))
        | options
    )
    return Trainer(vae, objective or ELBO(), x, **known)


def sentences(n=60):
    x = torch.randint(4, 9, (n, 6), generator=torch.Generator().manual_seed(0))
    x[:, -1] = 2  # EOS
    return x


# ------------------------------------------------------------------------------------- neutral settings and relatives


NEUTRAL = [
    LinearAnnealing(warmup=0),
    LinearAnnealing(warmup=1.3),  # over: the batch is at epoch 1.3
    CyclicalAnnealing(ratio=0),
    FreeBits(c=0),
    FreeBitsPerDim(c=0),
    Capacity(lam=1, c=0),
    DualAscent(c=0),
    InfoHinge(lam=0, c=1),
    InfoHinge(lam=2, c=0),
    InfoVAE(beta=1, lam=0),
]


@pytest.mark.parametrize("objective", NEUTRAL, ids=str)
def test_neutral_settings_are_the_elbo(objective):
    assert_same(objective, ELBO())
    objective.after_step(batch()[0])
    assert_same(objective, ELBO())  # and stay it


@pytest.mark.parametrize("objective", NEUTRAL, ids=str)
def test_neutral_settings_train_like_the_elbo(objective):
    if isinstance(objective, LinearAnnealing):
        objective.warmup = 0.0
    one, other = make(objective), make(ELBO())
    for trainer in (one, other):
        trainer.fit(3, progress=False)
    torch.testing.assert_close(weights(one), weights(other), rtol=1e-4, atol=1e-6)  # rounding: the sum is in another order


@pytest.mark.parametrize("text, more", [(False, {}), (True, dict(word_dropout=0.0))])
def test_switches_at_their_neutral_setting_change_no_bit(text, more):
    x = sentences() if text else None
    plain = make(text=text, x=x)
    off = make(text=text, x=x, model=dict(bn_gamma=None, delta=0.0) | more, encoder_steps=1, mi_every=None)
    for trainer in (plain, off):
        trainer.fit(3, progress=False)
    assert torch.equal(weights(plain), weights(off)) and off.encoder_steps_done == 0
    np.testing.assert_equal(plain.history, off.history)


@pytest.mark.parametrize("c", [0.0, 0.5, 1.0, 2.0, 5.0, 50.0])
@pytest.mark.parametrize("seed", range(5))
def test_the_articles_hinge_at_lam_1_beta_1_is_free_bits(c, seed):
    """Bit for bit, on both sides of c: batch-level free bits is the article's objective."""
    (a, slope_a), (b, slope_b) = (loss_and_gradient(o, seed=seed) for o in (FreeBits(c), RateHinge(1.0, c, 1.0)))
    assert a == b and torch.equal(slope_a, slope_b)


def test_capacity_is_a_hinge_below_c_and_a_beta_vae_above():
    assert_same(Capacity(lam=0.7, c=50), RateHinge(lam=0.7, c=50, beta=0))
    assert_same(Capacity(lam=0.7, c=0.01), BetaVAE(beta=0.7), off_by=-0.7 * 0.01)


@pytest.mark.parametrize("c", [0.01, 50])
def test_dual_with_frozen_lam_is_a_beta_vae_of_weight_beta_minus_lam(c):
    """On both sides of c, where the hinge lets go above it."""
    assert_same(DualAscent(c=c, lam=0.7, beta=2), BetaVAE(beta=1.3), off_by=0.7 * c)
    one, other = make(DualAscent(c=c, lam=0.75, beta=2, eta=0)), make(BetaVAE(beta=1.25))
    for trainer in (one, other):
        trainer.fit(3, progress=False)
    assert torch.equal(weights(one), weights(other))


def test_free_bits_per_latent():
    assert_same(FreeBitsPerDim(c=0.5), FreeBits(c=0.5), d=1)
    terms, mu, logvar = batch(d=3)
    by_latent = [kl_divergence(Normal(mu[:, j], (0.5 * logvar[:, j]).exp()), Normal(0.0, 1.0)).mean() for j in range(3)]
    for c in (0.3, 1.0, 1.5, 9.0):
        expected = terms.rec.mean() + sum(max(kl, c / 3) for kl in by_latent)
        assert FreeBitsPerDim(c)(terms).item() == pytest.approx(expected.item())
        assert FreeBitsPerDim(c).penalty_on(terms) == pytest.approx(np.mean([kl.item() < c / 3 for kl in by_latent]))
    low, high = sorted(kl.item() for kl in by_latent)[::2]
    assert low < high and 0 < FreeBitsPerDim(1.5 * (low + high)).penalty_on(terms) < 1  # one has nats to spare, one has not


# ------------------------------------------------------------------------------------------------------------ schedules


@given(EPOCHS, EPOCHS, st.floats(0, 50))
def test_linear_weight_is_a_ramp(a, b, warmup):
    low, high = sorted((a, b))
    assert 0 <= linear_weight(low, warmup) <= linear_weight(high, warmup) <= 1
    assert linear_weight(warmup, warmup) == 1 and linear_weight(a, 0) == 1
    assert warmup < 1e-6 or linear_weight(0.3 * warmup, warmup) == pytest.approx(0.3)


@given(st.integers(0, 20), st.floats(0, 0.99), st.floats(0.01, 20), st.just(0.0) | st.floats(0.01, 1))
def test_cyclical_weight_repeats_its_ramp(cycle, phase, period, ratio):
    weight = cyclical_weight(phase * period, period, ratio)
    assert weight == pytest.approx(min(1, phase / ratio) if ratio else 1)
    # one period on, where rounding does not throw the end of one cycle into the next
    if phase > 1e-3:
        assert cyclical_weight((cycle + phase) * period, period, ratio) == pytest.approx(weight, abs=1e-6)


@given(st.permutations(range(8)))
@settings(max_examples=20)
def test_schedules_remember_nothing(order):
    """The loss at an epoch is the same whatever was asked before: schedules are functions of the epoch alone."""
    terms, *_ = batch()
    for objective in LinearAnnealing(warmup=3), CyclicalAnnealing(period=2, ratio=0.7):
        seen = {}
        for i in [*order, *range(8)]:
            terms.epoch = 0.7 * i
            loss = objective(terms).item()
            assert seen.setdefault(i, loss) == loss
            weight = {"anneal": linear_weight(0.7 * i, 3), "cyclical": cyclical_weight(0.7 * i, 2, 0.7)}[objective.name]
            assert loss == pytest.approx(BetaVAE(beta=weight)(terms).item(), rel=1e-12)


def test_the_trainer_tells_the_epoch():
    trainer, epochs = make(), []
    for _ in range(7):
        epochs.append(trainer.terms(trainer.x[:20].float(), None, torch.Generator()).epoch)
        trainer.step()
    assert epochs == pytest.approx([0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2])


# ---------------------------------------------------------------------------------------------------------- dual ascent


def test_lam_is_clipped_to_0_and_beta():
    terms, *_ = batch()
    for objective in DualAscent(c=1000, beta=2), RateHinge(lam=0, c=1000, beta=2, eta=0.01):
        objective.after_step(terms)
        assert objective.lam == 2.0
        objective.c = 0
        objective.eta = 100.0
        objective.after_step(terms)
        assert objective.lam == 0.0


def test_lam_does_not_move_without_eta():
    objective = RateHinge(lam=0.5, c=1000)
    objective.after_step(batch()[0])
    assert objective.lam == 0.5 and objective.state() == {}


def linear_gaussian_terms(w, v, log_s2, signal=1.0, noise=0.1):
    """D and R of the one-dimensional linear-Gaussian VAE (theory, section 2), as terms with gradients."""
    s2 = log_s2.exp()
    distortion = (signal * (1 - w * v) ** 2 + w**2 * s2) / (2 * noise)
    rate = 0.5 * (v**2 * signal + s2 - 1 - log_s2)
    return Terms(distortion[None], rate[None])


@pytest.mark.parametrize(
    "objective",
    [DualAscent(c=1.5, eta=0.03), DualAscent(c=1.5, eta=0.03, lam=1.0), RateHinge(lam=0, c=1.5, eta=0.03)],
    ids=repr,
)
def test_dual_ascent_finds_the_multiplier_and_on_the_hinge_overshoots_it(objective):
    """In closed form lam*(c) = beta - (signal/noise) e^-2c. On the hinge it is lam times the duty cycle that comes out."""
    parameters = [torch.tensor(t, dtype=torch.double, requires_grad=True) for t in (0.5, 0.5, -0.5)]
    descent = torch.optim.SGD(parameters, lr=0.03)
    rates, lams, duties = [], [], []
    for _ in range(4000):
        terms = linear_gaussian_terms(*parameters)
        loss = objective(terms)
        descent.zero_grad()
        loss.backward()
        descent.step()
        objective.after_step(terms)
        rates.append(terms.kl.item())
        lams.append(objective.lam)
        duties.append(objective.lam * (rates[-1] < 1.5))
    exact = 1 - 10 * math.exp(-2 * 1.5)
    settled = slice(-1000, None)
    assert np.mean(rates[settled]) == pytest.approx(1.5, abs=0.01)
    if objective.name == "dual":
        assert np.mean(lams[settled]) == pytest.approx(exact, abs=0.01) and np.std(lams[settled]) < 0.02
    else:
        assert np.mean(lams[settled]) > exact + 0.05
        assert np.mean(duties[settled]) == pytest.approx(exact, abs=0.05)


def test_history_has_the_lam_in_force():
    trainer, seen = make(DualAscent(c=3, eta=0.05)), []
    for _ in range(6):
        seen.append(trainer.objective.lam)  # before the step, so in force during it
        trainer.step()
    assert trainer.history[0]["lam"] == pytest.approx(np.mean(seen[:2])) and seen[1] > seen[0] == 0
    plain = make(ELBO())
    plain.fit(1, progress=False)
    assert all(math.isnan(row["lam"]) for row in plain.history)


# ------------------------------------------------------------------------------------------------- information and MMD


def brute_force_information(t: Terms) -> float:
    """The double loop over samples and posteriors."""
    q = [Independent(Normal(m, (0.5 * v).exp()), 1) for m, v in zip(t.mu, t.logvar)]
    total = 0.0
    for i, z in enumerate(t.z):
        densities = [q_j.log_prob(z).exp().item() for q_j in q]
        total += math.log(densities[i]) - math.log(sum(densities) / len(densities))
    return total / len(q)


@pytest.mark.parametrize("seed", range(5))
def test_batch_information_is_the_double_loop(seed):
    terms, *_ = batch(seed, n=9, d=2, spread=2)
    expected = brute_force_information(terms)
    assert batch_information(terms).item() == pytest.approx(expected, rel=1e-9)
    hinge = InfoHinge(lam=0.7, c=2.1, beta=1.5)
    assert hinge(terms).item() == pytest.approx(BetaVAE(1.5)(terms).item() + 0.7 * max(2.1 - expected, 0), rel=1e-9)
    assert hinge.penalty_on(terms) == (expected < 2.1)


def test_batch_information_has_gradients_through_samples_and_all_posteriors():
    terms, mu, logvar = batch(n=7, spread=2)
    slopes = torch.autograd.grad(batch_information(terms), [mu, logvar])
    step = 1e-6
    for which, slope in zip((0, 1), slopes):
        bumped = []
        for sign in (1, -1):
            noise = (terms.z - mu) / (0.5 * logvar).exp()
            m, v = mu.detach().clone(), logvar.detach().clone()
            (m, v)[which][3, 1] += sign * step
            z = m + (0.5 * v).exp() * noise.detach()
            bumped.append(batch_information(Terms(z[:, 0], z[:, 0], m, v, z)).item())
        assert slope[3, 1].item() == pytest.approx((bumped[0] - bumped[1]) / (2 * step), abs=1e-6)


@pytest.mark.parametrize("b", [2, 10, 50])
def test_batch_information_lies_between_0_and_log_b(b):
    far = 100.0 * torch.arange(float(b))[:, None]
    same = torch.ones(b, 1)
    zero = torch.zeros(b, 1)
    assert batch_information(Terms(same, same, far, zero, far)).item() == pytest.approx(math.log(b), rel=1e-5)
    assert batch_information(Terms(same, same, same, zero, same + 0.3)).item() == pytest.approx(0, abs=1e-5)


def test_an_encoder_that_ignores_x_pays_the_hinge_on_the_rate_but_not_the_one_on_information():
    """A9's counterexample: q(z|x) = N(m, I), ||m||^2 = 2c for every x: R = c, I_q = 0."""
    c, n = 1.5, 40
    mu, logvar = torch.full((n, 4), math.sqrt(2 * c / 4)), torch.zeros(n, 4)
    z = mu + torch.randn(n, 4, generator=torch.Generator().manual_seed(0))
    terms = Terms(torch.zeros(n), gaussian_kl(mu, logvar), mu, logvar, z)
    assert RateHinge(lam=2, c=c)(terms).item() == pytest.approx(c, rel=1e-5)  # the rate, no penalty
    assert InfoHinge(lam=2, c=c)(terms).item() == pytest.approx(c + 2 * c, rel=1e-5)


def test_a_smaller_last_batch_is_no_reason_to_stop():
    trainer = make(InfoHinge(lam=1, c=2.5), x=digits(41))  # batches of 20, 20 and 1
    assert trainer.fit(2, progress=False)
    trainer.objective.c = 3.0  # log 20 = 2.996: refused when the next step begins, and nothing is lost
    before = weights(trainer)
    with pytest.raises(ValueError, match="c = 3.0 .* log 20 = 3.00"):
        trainer.step()
    assert torch.equal(before, weights(trainer)) and trainer.steps == 6
    trainer.objective.c = 2.0
    trainer.step()
    with pytest.raises(ValueError, match="log 20"):
        make(InfoHinge(c=3.0))


@pytest.mark.parametrize("d, b", [(1, 5), (3, 6), (8, 4)])
def test_mmd_is_the_double_loop(d, b):
    """Kernel sums by loops, the expectations over the prior by many samples."""
    g = torch.Generator().manual_seed(1)
    z = 0.8 * torch.randn(b, d, generator=g, dtype=torch.double) + 0.5
    p, other = torch.randn(2, 400_000, d, generator=g, dtype=torch.double)

    def k(a, c):
        return (-(a - c).square().sum(-1) / (2 * d)).exp()

    pairs = sum(k(z[i], z[j]).item() for i in range(b) for j in range(b) if i != j) / (b * (b - 1))
    cross = sum(k(z[i], p).mean().item() for i in range(b)) / b
    expected = pairs - 2 * cross + k(p, other).mean().item()
    assert mmd_to_prior(z).item() == pytest.approx(expected, abs=3e-3)
    terms, *_ = batch(n=b, d=d)
    terms.z = z
    loss = InfoVAE(lam=50, beta=0.3)(terms).item()
    assert loss == pytest.approx(BetaVAE(0.3)(terms).item() + 50 * mmd_to_prior(z).item())


def test_mmd_is_zero_for_the_prior_and_positive_for_anything_else():
    g = torch.Generator().manual_seed(0)

    def estimates(change):
        draws = torch.randn(200, 64, 4, generator=g, dtype=torch.double)
        return np.array([mmd_to_prior(change(z)).item() for z in draws])

    at_prior = estimates(lambda z: z)
    error = at_prior.std() / math.sqrt(len(at_prior))
    assert abs(at_prior.mean()) < 4 * error < 0.002  # unbiased: some are below zero
    for change in (lambda z: z + 0.5, lambda z: 2 * z, lambda z: 0.3 * z, lambda z: torch.ones_like(z)):
        assert estimates(change).mean() > 0.02
    assert math.isfinite(mmd_to_prior(torch.zeros(1, 3)).item())  # a last mini-batch of one example


# --------------------------------------------------------------------------------------------------------------- BN-VAE


@pytest.mark.parametrize("scale", [1e-4, 1.0, 100.0])
@pytest.mark.parametrize("gamma", [0.4, 1.0])
def test_bn_vae_fixes_the_spread_of_the_means_and_so_the_rate(gamma, scale):
    torch.manual_seed(0)
    norm = FixedScaleNorm(5, gamma)
    with torch.no_grad():
        norm.shift += 0.1 * torch.arange(5)
    raw = scale * (torch.randn(50, 5) + 3)
    mu = norm(raw)
    torch.testing.assert_close(mu.var(0, unbiased=False), torch.full((5,), gamma**2), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(mu.mean(0), norm.shift.detach(), rtol=1e-3, atol=1e-3)
    for logvar in (torch.zeros(50, 5), torch.full((50, 5), 3.0), -torch.rand(50, 5)):
        assert gaussian_kl(mu, logvar).mean().item() >= 5 * gamma**2 / 2 * 0.999  # also where the encoder shrinks its means
    assert [name for name, _ in norm.named_parameters()] == ["shift"]  # gamma is not learnt


def test_bn_vae_holds_the_rate_in_training_where_the_objective_would_let_it_vanish():
    trainer = make(BetaVAE(beta=50), model=dict(bn_gamma=0.7))
    trainer.fit(60, progress=False)
    assert trainer.history[-1]["rate"] >= 4 * 0.7**2 / 2 * 0.99
    assert trainer.history[-1]["valid_rate"] >= 4 * 0.7**2 / 2 * 0.9  # running averages: only about
    assert trainer.history[-1]["mi"] > 0.3  # means that differ between examples carry information
    plain = make(BetaVAE(beta=50))
    plain.fit(60, progress=False)
    assert plain.history[-1]["valid_rate"] < 0.1


def test_bn_vae_is_evaluated_with_running_statistics():
    """Each example on its own, and looking changes nothing."""
    trainer = make(model=dict(bn_gamma=0.7))
    trainer.fit(5, progress=False)
    norm = trainer.model.floor.norm
    kept = norm.running_mean.clone(), norm.running_var.clone()
    assert not torch.equal(kept[0], torch.zeros(4))
    trainer.measure()  # the model is in training mode here
    assert trainer.model.training and torch.equal(norm.running_mean, kept[0]) and torch.equal(norm.running_var, kept[1])
    model, x = trainer.model.eval(), digits(7).float()
    alone = torch.cat([model.encode(x[i : i + 1])[0] for i in range(7)])
    torch.testing.assert_close(model.encode(x)[0], alone)
    raw = model.encoder(x, x.new_zeros(7, 0))[:, :4]
    by_hand = 0.7 * (raw - kept[0]) / (kept[1] + norm.eps).sqrt() + norm.shift
    torch.testing.assert_close(model.encode(x)[0], by_hand)


def test_bn_vae_takes_a_last_batch_of_one():
    trainer = make(x=digits(41), model=dict(bn_gamma=0.7))
    assert trainer.fit(3, progress=False) and weights(trainer).isfinite().all()


# ------------------------------------------------------------------------------------------------------------ delta-VAE


@pytest.mark.parametrize("delta, d", [(1e-4, 32), (0.1, 1), (3.0, 16), (5.0, 32), (40.0, 2), (3000.0, 2)])
def test_the_largest_variance_solves_its_equation(delta, d):
    def equation(logvar):
        return d * 0.5 * (math.exp(logvar) - 1 - logvar) - delta

    assert largest_logvar(delta, d) == pytest.approx(brentq(equation, -2e4, -1e-12, xtol=1e-14), rel=1e-6)


EXTREME = st.floats(-1e6, 1e6, width=32) | st.sampled_from([-1e30, 1e30, 0.0])


@given(st.lists(EXTREME, min_size=4, max_size=4), st.lists(EXTREME, min_size=4, max_size=4), st.floats(1e-3, 100))
def test_no_encoder_output_gets_below_delta(means, logvars, delta):
    limited = limit_logvar(torch.tensor([logvars]), largest_logvar(delta, 4))
    kl = gaussian_kl(torch.tensor([means]), limited).item()
    assert kl >= delta * (1 - 1e-5) - 1e-6  # float32


def test_delta_vae_keeps_its_rate_as_marginal_kl_if_the_mean_stays_put():
    """A committed rate is not information: with an encoder that does not look, R = delta, I_q = 0."""
    model = build_vae("image", "mlp", **SIZES, floor=build_floor(SIZES["latent_dim"], delta=3.0)).eval()
    with torch.no_grad():
        for p in model.encoder.parameters():
            p.zero_()
        model.encoder.net[-1].bias[4:] = 40.0  # variances as large as they may be
    mu, logvar = measure.posteriors(model, digits().float())
    assert measure.rate(mu, logvar) == pytest.approx(3.0, rel=1e-5)
    assert measure.mutual_information(mu, logvar, torch.Generator().manual_seed(0)).lower == pytest.approx(0, abs=1e-9)


def test_delta_vae_holds_the_rate_where_the_objective_would_let_it_vanish():
    trainer = make(BetaVAE(beta=50), model=dict(delta=2.0))
    trainer.fit(60, progress=False)
    assert all(row["rate"] >= 2 * (1 - 1e-5) for row in trainer.history)
    assert trainer.history[-1]["rate"] < 2.5


def test_far_below_the_limit_delta_changes_nothing():
    logvar = torch.linspace(-60, -40, 5)
    torch.testing.assert_close(limit_logvar(logvar, -1.0), logvar, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(bn_gamma=0.0), "bn_gamma = 0.0: choose a finite number above 0"),
        (dict(bn_gamma=math.inf), "bn_gamma = inf"),
        (dict(delta=-1.0), "delta = -1.0: choose a finite number >= 0"),
        (dict(delta=1.0, prior_encoder=True), "prior_encoder .*leave out"),
        (dict(bn_gamma=1.0, prior_encoder=True), "prior_encoder .*leave out"),
    ],
)
def test_floors_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(model=options)


# ---------------------------------------------------------------------------------------------------- lagging inference


def parts(trainer):
    """Weights of the encoder, of the decoder, of the labelling network."""
    encoder = torch.cat([p.detach().flatten() for p in trainer.model.encoder_parameters()])
    decoder = torch.cat([p.detach().flatten() for p in trainer.model.decoder.parameters()])
    label = [p.detach().flatten() for helper in trainer.helpers.values() for p in helper.parameters()]
    return encoder, decoder, torch.cat(label) if label else torch.zeros(0)


@pytest.mark.parametrize("objective", [ELBO(), SelfLabelling(), SelfLabelling(label="alternating")], ids=str)
def test_extra_steps_move_the_encoder_only(objective):
    trainer = make(objective, encoder_steps=3, model=dict(bn_gamma=0.5))
    trainer.step()  # so that Adam has its averages, which would move weights without a gradient
    before = [t.clone() for t in parts(trainer)]
    trainer.update_encoder()
    after = parts(trainer)
    assert not torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1]) and torch.equal(before[2], after[2])
    assert trainer.encoder_steps_done == 6


def test_while_lagging_a_step_moves_the_decoder_alone_and_afterwards_both():
    trainer = make(encoder_steps=3)
    trainer.step()
    encoder, decoder, _ = parts(trainer)
    trainer.update_encoder = lambda: None
    trainer.step()
    assert torch.equal(encoder, parts(trainer)[0]) and not torch.equal(decoder, parts(trainer)[1])
    trainer.lagging = False
    trainer.step()
    assert not torch.equal(encoder, parts(trainer)[0])


def test_lagging_stops_an_inner_loop_when_its_loss_stops_falling(monkeypatch):
    """The paper's code: means of 15 losses; the loop ends when one is above the one before, or after the most updates."""
    losses = iter([torch.tensor(value, requires_grad=True) for value in [3.0] * 15 + [2.0] * 15 + [2.5] * 15 + [1.0] * 99])
    trainer = make(encoder_steps=100)
    monkeypatch.setattr(type(trainer.objective), "__call__", lambda self, t: next(losses) + 0 * t.kl.mean())
    trainer.update_encoder()
    assert trainer.encoder_steps_done == 45
    trainer.encoder_steps = 20
    trainer.update_encoder()
    assert trainer.encoder_steps_done == 45 + 20


def test_lagging_follows_the_encoder_gradient():
    """The extra steps lower the loss in the encoder's weights: after many, q(z|x) fits the frozen decoder better."""
    trainer = make(encoder_steps=200, lr=2e-3)

    def loss():
        return trainer.objective(trainer.terms(trainer.x.float(), None, torch.Generator().manual_seed(5))).item()

    for _ in range(3):
        trainer.lagging = False
        trainer.step()
    before = loss()
    trainer.update_encoder()
    assert loss() < before


def test_lagging_ends_when_information_stops_growing(monkeypatch):
    values = iter([0.5, 0.8, 0.8, 5.0, 6.0])
    trainer = make(encoder_steps=4)
    monkeypatch.setattr(Trainer, "measure", lambda self: {"mi": next(values), "mi_upper": 0.0, "valid_rate": 0.0})
    trainer.fit(5, progress=False)
    assert trainer.encoder_steps_done == 4 * 3 * 3  # four updates before each of three steps in three epochs
    assert not trainer.lagging


def test_lagging_asks_for_information_at_the_end_of_an_epoch_whatever_mi_every_says():
    trainer = make(encoder_steps=2, mi_every=1000)
    trainer.fit(1, progress=False)
    assert not math.isnan(trainer.history[-1]["mi"])


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(encoder_steps=0), "choose 1 or more"),
        (dict(encoder_steps=2, valid=None), "valid="),
        (dict(mi_every=0), "mi_every = 0"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


# ---------------------------------------------------------------------------------------------------- state and resume


STATEFUL = {
    "dual": lambda: make(DualAscent(c=3, eta=0.05)),
    "dual on the hinge": lambda: make(RateHinge(lam=0, c=3, eta=0.05)),
    "cyclical": lambda: make(CyclicalAnnealing(period=1.3)),
    "mi-hinge": lambda: make(InfoHinge(lam=2, c=2)),
    "mmd": lambda: make(InfoVAE()),
    "bn": lambda: make(model=dict(bn_gamma=0.6)),
    "delta": lambda: make(model=dict(delta=2.0)),
    "lagging": lambda: make(encoder_steps=3),
    "lagging, alternating": lambda: make(SelfLabelling(label="alternating"), encoder_steps=3),
    "plateau": lambda: make(plateau=Plateau(1, 1), lr=0.05),
    "pretrained": lambda: make(pretrain=2, plateau=Plateau(1)),
    "dropout, text": lambda: make(text=True, x=sentences(), model=dict(dropout=0.4, layers=2, skip=True, embedding=3)),
    "lagging, text": lambda: make(text=True, x=sentences(), encoder_steps=3, clip=5.0, model=dict(bn_gamma=0.6)),
}


@pytest.mark.parametrize("name", STATEFUL)
@pytest.mark.parametrize("cut", [2, 3, 7, 11])
def test_resume_is_bit_exact(name, cut, tmp_path):
    whole, first, second = (STATEFUL[name]() for _ in range(3))
    whole.fit(5, progress=False)
    for _ in range(cut):
        first.step()
    first.save(tmp_path / "c.safetensors")
    second.load(tmp_path / "c.safetensors")
    assert second.objective == first.objective and second.lagging == first.lagging
    second.fit(5, progress=False)
    assert torch.equal(weights(whole), weights(second)) and second.objective == whole.objective
    np.testing.assert_equal(second.history, whole.history)
    assert second.encoder_steps_done == whole.encoder_steps_done
    for key, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[key]), key


def test_a_checkpoint_from_before_lam_was_logged_can_be_continued(tmp_path):
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    trainer, whole = make(RateHinge(lam=2, c=3)), make(RateHinge(lam=2, c=3))
    whole.fit(4, progress=False)
    trainer.step()
    trainer.save(tmp_path / "c")
    with safe_open(tmp_path / "c", framework="pt") as file:
        meta = json.loads(file.metadata()["klcourse"])
    for new in ("objective", "lagging"):
        del meta[new]
    del meta["since_row"]["lam"]
    save_file(load_file(tmp_path / "c"), tmp_path / "old", {"klcourse": json.dumps(meta)})
    again = make(RateHinge(lam=2, c=3))
    again.load(tmp_path / "old")
    again.fit(4, progress=False)
    assert torch.equal(weights(again), weights(whole))
    assert math.isnan(again.history[0]["lam"]) and again.history[1]["lam"] == 2

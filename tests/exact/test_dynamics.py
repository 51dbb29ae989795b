"""Gradient descent on the linear-Gaussian VAE."""

import numpy as np
import pytest

from klcourse.exact import dynamics
from klcourse.exact.linear_gaussian import LinearGaussianVAE
from klcourse.exact.ppca import PPCA
from tests.exact.bruteforce import LinearVAE
from tests.exact.experiments import MODELS, batches, lazy_trap, measured_escape, readings
from tests.exact.harness import names, property_test

test_brute_force = property_test(*names("growth", "escape", "tau", "sliding"))


@pytest.mark.parametrize("hinge, c", [("rate", 0.0), ("rate", 9.0), ("mi", 0.0), ("mi", 9.0)])
def test_one_step_is_the_gradient_of_the_loss(hinge, c):
    rng = np.random.default_rng(0)
    beta, lam, lr = 1.3, 0.7, 1e-3
    brute = LinearVAE(1.7, 1, 0.6)
    for _ in range(20):
        p = rng.standard_normal(5)  # (w, b, v, m, log s2)
        w, b, v, m, log_s2 = p
        start = LinearGaussianVAE(w, v, np.exp(log_s2), b, m, 1.7, 0.6)
        after = dynamics.descend(start, steps=1, lr=lr, beta=beta, lam=lam, c=c, hinge=hinge).model
        step = np.array([after.w, after.b, after.v, after.m, np.log(after.s2)])[:, -1] - p

        def loss(p):
            D, _, R, _ = brute.terms(p)
            return D + beta * R + lam * max(c - (R if hinge == "rate" else brute.rates(p)[1]), 0)

        numeric = [(loss(p + e) - loss(p - e)) / 2e-5 for e in 1e-5 * np.eye(5)]
        assert np.allclose(step, -lr * np.array(numeric), rtol=1e-6, atol=1e-10)


def test_mini_batch_step_uses_the_batch():
    """One step is the mean per-example gradient on the same draw, the penalty decided by the batch mean."""
    start = LinearGaussianVAE([0.7], 0.9, 0.5, 0.1, 0.2, 2.0, 0.4)
    lr, lam, beta, c = 0.01, 2.0, 3.0, 0.8
    x = np.random.default_rng(5).standard_normal((7, 1))[:, 0] * np.sqrt(2.0)
    after = dynamics.descend(start, steps=1, lr=lr, beta=beta, lam=lam, c=c, batch_size=7, seed=5).model

    def loss(w, b, v, m, ls):
        kl = 0.5 * ((v * x + m) ** 2 + np.exp(ls) - 1 - ls)
        rec = ((x - w * (v * x + m) - b) ** 2 + w**2 * np.exp(ls)) / (2 * 0.4)
        return (rec + beta * kl).mean() + lam * max(c - kl.mean(), 0)

    p = np.array([0.7, 0.1, 0.9, 0.2, np.log(start.s2)])
    numeric = [(loss(*(p + e)) - loss(*(p - e))) / 2e-6 for e in 1e-6 * np.eye(5)]
    found = np.array([after.w, after.b, after.v, after.m, np.log(after.s2)])[:, -1, 0]
    assert np.allclose(found, p - lr * np.array(numeric), rtol=1e-7)


def test_the_hinge_does_destabilise_collapse():
    """Collapse is left at lam > beta - s(0), well below beta: here beta = 3, s(0) = 2."""
    below, above = (dynamics.growth_rates(2.0, 1.0, beta=3.0, lam=lam).gain for lam in (0.9, 1.1))
    assert below < 0 < above


def test_rate_is_bought_first_and_information_long_after():
    """Theory section 2: Lambda = .25, lam = 2, beta = c = 1, sigma2 = 1, from 6e-4."""
    rate_time, mi_time, share = lazy_trap("rate")
    assert 7 < rate_time < 9 and 100 < mi_time < 140 and share < 1e-3
    rate_time, mi_time, share = lazy_trap("mi")
    assert 22 < mi_time < 30 and share > 0.9


def test_escape_rate_of_a_run():
    assert np.isclose(measured_escape(0.5, 0.5), dynamics.escape_rate(0.5, 0.5, 1.0), rtol=0.02)


def test_escape_rate_for_weak_signals():
    assert np.isclose(dynamics.escape_rate(0.01, 2.0, 1.0), 0.01**2 / 2.0, rtol=1e-3)


@pytest.mark.parametrize("model", [MODELS[0], MODELS[3]], ids=["1-D", "pPCA"])
def test_three_readings_of_lam_star(model):
    found = readings(**model)
    for name in ("lam_duty_full", "lam_duty_batch", "dual"):
        assert np.isclose(found[name], found["exact"], rtol=0.05), (name, found)
    assert abs(found["rate_dual"] - model["c"]) < 0.01


def test_dual_ascent_is_clipped():
    """A target no lam <= beta should chase faster than beta: the multiplier stays in [0, beta]."""
    start = LinearGaussianVAE(0.1, 0.1, 1.0, data_var=2.0)
    path = dynamics.descend(start, steps=500, lam=0.5, c=50.0, dual_lr=0.1)
    assert path.lam.max() == 1.0
    path = dynamics.descend(start, steps=500, lam=0.5, c=-50.0, dual_lr=0.1)
    assert path.lam.min() == 0.0


@pytest.mark.parametrize("batch_size", [20, 200])
def test_duty_cycle_of_mini_batches(batch_size):
    """Measured duty and rate against the exact stationary point; claim A11's formula is the rougher one."""
    for _, duty, duty_exact, rate, rate_exact, rate_a11 in batches(batch_size):
        assert np.isclose(duty, duty_exact, rtol=0.02)
        assert abs(rate - rate_exact) < 0.01
        assert abs(rate - rate_a11) < 0.5 / np.sqrt(batch_size)


def test_channels_share_the_hinge():
    curve = PPCA([2.0, 1.0], 2, 0.5)
    start = LinearGaussianVAE(np.full(2, 0.1), np.full(2, 0.1), 1.0, data_var=[2.0, 1.0], sigma2=0.5)
    path = dynamics.descend(start, steps=4000, lr=0.02, beta=3.0, lam=2.5, c=0.3, channels=True)
    assert np.isclose(path.model.rate[-1000:].sum(-1).mean(), 0.3, atol=0.01)
    assert curve.slope(0.3) < 3.0
    assert path.model.rate[-1, 1] < 1e-3  # water-filling: the weak channel gets nothing


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda start: dynamics.descend(start, steps=10, hinge="kl"), "hinge"),
        (lambda start: dynamics.descend(start, steps=0), "steps"),
        (lambda start: dynamics.descend(start, steps=2000, lr=50.0), "smaller lr"),
        (lambda start: dynamics.settled_rate(1.0, 0.1, 2.0, 1.5), "lam_star"),
        (lambda start: dynamics.escape_rate(1.0, 1.0, 1.0, s2=50.0), "s2"),
        (lambda start: dynamics.sliding_mode(1.0, 0.1, 1.0, 1.0, 100, beta=3.0), "does not hold"),
    ],
)
def test_bad_values_are_named(call, name):
    with pytest.raises(ValueError, match=name):
        call(LinearGaussianVAE(0.5, 0.5, 0.5))

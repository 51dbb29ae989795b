"""Theorem T5: s(0) before training, against Hessians, optimisers and plain sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from klcourse.exact import threshold as th
from klcourse.exact.linear_gaussian import nash_hessian
from tests.exact.harness import names, property_test
from tests.limits import examples

test_brute_force = property_test(*names("T5"))

some = settings(max_examples=examples(60), derandomize=True, deadline=None)
SEED = st.integers(0, 2**31)


def table(seed, bits=3, spread=0.6):
    p = np.random.default_rng(seed).dirichlet(np.full(2**bits, spread)) + 0.01
    return p / p.sum()


@settings(max_examples=examples(25), derandomize=True, deadline=None)
@given(SEED, st.integers(2, 4))
def test_the_hessian_changes_sign_at_the_threshold(seed, bits):
    vae = th.SmallBernoulliVAE(table(seed, bits))
    at, s = vae.collapse(), vae.threshold
    assert abs(vae.loss_and_gradient(at, s)[1]).max() < 1e-12
    below, above = (np.linalg.eigvalsh(vae.hessian(at, t))[0] for t in (0.99 * s, 1.01 * s))
    assert below < -1e-6 and above > 1e-6


def test_the_gradient_is_the_gradient():
    vae, rng = th.SmallBernoulliVAE(table(0)), np.random.default_rng(0)
    p = vae.collapse() + 0.4 * rng.standard_normal(22)
    gradient = vae.loss_and_gradient(p, 0.7)[1]
    for i in range(22):
        step = 1e-6 * np.eye(22)[i]
        assert (vae.loss(p + step, 0.7) - vae.loss(p - step, 0.7)) / 2e-6 == pytest.approx(gradient[i], abs=1e-7)


def test_the_loss_against_plain_quadrature():
    vae, rng = th.SmallBernoulliVAE([0.4, 0.1, 0.2, 0.3]), np.random.default_rng(1)
    p = vae.collapse() + 0.5 * rng.standard_normal(12)
    eta, w, a, log_var = vae.split(p)
    z = np.linspace(-12, 12, 20001)
    total = 0.0
    for k, x in enumerate(vae.x):
        q = np.exp(-0.5 * (z - a[k]) ** 2 / np.exp(log_var[k]))
        q /= q.sum()
        logits = eta + w * z[:, None]
        total += vae.p_D[k] * (q @ -(x * logits - np.logaddexp(0, logits)).sum(1))
        total += vae.p_D[k] * 0.5 * (a[k] ** 2 + np.exp(log_var[k]) - 1 - log_var[k])
    assert vae.loss(p, 1.0) == pytest.approx(total, abs=1e-8)


@pytest.mark.parametrize(("factor", "leaves"), [(0.8, True), (1.2, False)])
def test_training_leaves_collapse_below_the_threshold_only(factor, leaves):
    vae = th.SmallBernoulliVAE(table(5))
    start = vae.collapse() + 1e-3 * np.random.default_rng(0).standard_normal(22)
    t = factor * vae.threshold
    end = minimize(lambda p: vae.loss_and_gradient(p, t), start, jac=True, method="BFGS", options={"gtol": 1e-9}).x
    assert (vae.rate(end) > 0.01) == leaves


def test_gaussian_decoders_give_lambda_over_sigma2():
    """The same formula for N(wz, sigma2): scores x / sigma2, and the Nash Hessian of the linear model agrees."""
    var, sigma2 = 1.7, 0.4
    s = th.largest_ratio([[var / sigma2**2]], [[1 / sigma2]])
    assert s == pytest.approx(var / sigma2)
    for beta, saddle in ((0.99 * s, True), (1.01 * s, False)):
        assert (np.linalg.eigvalsh(nash_hessian(var, sigma2, beta))[0] < 0) == saddle


@some
@given(SEED)
def test_bernoulli_threshold_is_the_ratio_maximised(seed):
    rng = np.random.default_rng(seed)
    x = (rng.uniform(size=(200, 4)) < rng.uniform(0.2, 0.8, 4) + 0.3 * rng.uniform(-1, 1, (200, 1))).astype(float)
    x = np.concatenate([x, np.ones((200, 1))], 1)  # a constant pixel
    s = th.bernoulli_threshold(x)
    centred, var = x[:, :4] - x[:, :4].mean(0), x[:, :4].var(0)

    def ratio(b):
        return -np.mean((centred @ b) ** 2) / (b**2 @ var)

    found = -min(minimize(ratio, rng.standard_normal(4)).fun for _ in range(5))
    assert found == pytest.approx(s, rel=1e-6)


@some
@given(SEED, st.integers(2, 5))
def test_a_perfect_autoregressive_decoder_is_marginal(seed, bits):
    p = table(seed, bits)
    p0, scores = th.autoregressive_fit(p, bits - 1)
    assert np.allclose(p0, p, atol=1e-12)
    assert th.autoregressive_threshold(p, bits - 1) == pytest.approx(1.0, abs=1e-9)
    u = scores @ np.random.default_rng(seed).standard_normal(scores.shape[1])
    assert p @ u**2 == pytest.approx(p0 @ u**2)


@some
@given(SEED, st.integers(0, 2))
def test_the_fit_is_the_best_of_its_kind(seed, memory):
    """p0 sums to 1, keeps the marginals of memory + 1 neighbours, and E_pD of every score is 0."""
    p = table(seed, 4)
    p0, scores = th.autoregressive_fit(p, memory)
    assert p0.sum() == pytest.approx(1) and abs(p @ scores).max() < 1e-12 and abs(p0 @ scores).max() < 1e-12
    x = th.sequences(4)
    for t in range(4 - memory):
        block = x[:, t : t + memory + 1] @ (2 ** np.arange(memory + 1))
        for value in range(2 ** (memory + 1)):
            assert p[block == value].sum() == pytest.approx(p0[block == value].sum())
    if memory == 0:
        centred = x - p @ x
        own = np.sqrt(np.diag((centred.T * p) @ centred))
        assert th.autoregressive_threshold(p, 0) == pytest.approx(
            np.linalg.eigvalsh((centred.T * p) @ centred / np.outer(own, own))[-1]
        )


def test_the_courses_digits():
    from klcourse.data import load

    data = load("mnist", hold_out=0)
    assert data.train.shape == (4000, 784)
    assert th.bernoulli_threshold(data.train) == pytest.approx(32.26, abs=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: th.bernoulli_threshold([[1, 1], [1, 1]]), "constant"),
        (lambda: th.autoregressive_fit([0.5, 0.3, 0.2], 0), "2\\^T"),
        (lambda: th.autoregressive_fit([0.5, 0.5], 1), "memory"),
        (lambda: th.SmallBernoulliVAE([1.0, 0.0]), "p_D"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Several latents: the listed equilibria are mutual best replies, and a diagonal encoder has one more."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from klcourse.exact import channels as ch
from klcourse.exact.ppca import PPCA
from tests.limits import examples

some = settings(max_examples=examples(60), derandomize=True, deadline=None)


def orthogonal(rng, n):
    return np.linalg.qr(rng.standard_normal((n, n)))[0]


@some
@given(st.lists(st.floats(0.3, 5.0), min_size=1, max_size=4), st.integers(1, 4), st.floats(0, 2.5), st.integers(0, 2**31))
def test_every_listed_set_is_a_pair_of_best_replies(values, d, lam, seed):
    """In a random basis, with a random rotation of the latents: W answers (V, S), and (V, S) answers W."""
    values, rng, sigma2, c, beta = np.array(values), np.random.default_rng(seed), 0.7, 0.9, 1.2
    Q = orthogonal(rng, len(values))
    sigma = Q @ np.diag(values) @ Q.T
    for one in ch.open_sets(values, d, sigma2, lam, c, beta):
        theta = one.multiplier * sigma2
        chosen = list(one.directions)
        W = Q[:, chosen] * np.sqrt(values[chosen] - theta)
        W = np.pad(W, ((0, 0), (0, d - len(chosen)))) @ orthogonal(rng, d)
        V, S = ch.encoder_reply(W, theta, diagonal=False)
        model = ch.LinearModel(W, V, S)
        assert np.allclose(ch.decoder_reply(V, S, sigma), W, atol=1e-9)
        assert np.allclose(model.aggregate(sigma), np.eye(d), atol=1e-9) and abs(model.marginal_kl(sigma)) < 1e-9
        assert model.rate(sigma) == pytest.approx(one.rate, abs=1e-9)
        assert beta - lam - 1e-12 <= one.multiplier <= beta + 1e-12
        if one.rate > c + 1e-9:
            assert one.multiplier == pytest.approx(beta)
        if one.rate < c - 1e-9:
            assert one.multiplier == pytest.approx(beta - lam)


def test_every_start_ends_at_a_listed_set():
    """Best replies with a full covariance, from random decoders: the end is one of the sets (almost always the largest)."""
    rng, values, sigma2 = np.random.default_rng(0), np.array([3.0, 2.0, 0.5]), 1.0
    listed = {round(one.rate, 6) for one in ch.open_sets(values, 2, sigma2, 0.0, 0.0)} | {0.0}
    sigma = np.diag(values)
    for _ in range(12):
        W = rng.standard_normal((3, 2)) * (rng.uniform(size=(3, 1)) < 0.7)
        for _ in range(1500):
            V, S = ch.encoder_reply(W, sigma2, diagonal=False)
            W = ch.decoder_reply(V, S, sigma)
        assert round(ch.LinearModel(W, V, S).rate(sigma), 6) in listed
    assert len(listed) == 4


def test_the_best_set_is_water_filling():
    values, c = [4.0, 1.0, 0.5], 1.1
    best = max(ch.open_sets(values, 2, 0.5, 3.0, c, beta=9.0), key=lambda one: one.multiplier)
    assert best.multiplier == pytest.approx(float(PPCA(values, 2, 0.5).slope(best.rate)))


@pytest.mark.parametrize(("first", "second", "theta"), [(4.0, 1.0, 0.5), (2.0, 1.9, 0.3), (9.0, 1.0, 1.0)])
def test_the_tilted_pair_is_an_equilibrium_and_no_optimum(first, second, theta):
    """No diagonal encoder and no decoder does better alone; both together do, and q(z) is not p(z)."""
    sigma, model = np.diag([first, second]), ch.tilted_pair(first, second, theta)
    assert np.allclose(ch.decoder_reply(model.V, model.S, sigma), model.W, atol=1e-12)

    def of_encoder(p):  # sigma2 = theta, t = 1
        other = ch.LinearModel(model.W, p[:4].reshape(2, 2), np.diag(np.exp(p[4:])))
        return other.distortion(sigma, theta) + other.rate(sigma)

    stay = model.distortion(sigma, theta) + model.rate(sigma)
    for seed in range(5):
        start = np.random.default_rng(seed).standard_normal(6)
        assert minimize(of_encoder, start, method="BFGS").fun > stay - 1e-8
    assert model.marginal_kl(sigma) > 1e-4 or abs(first - second) < 0.2
    assert model.marginal_kl(sigma) > 0
    best = max(ch.open_sets([first, second], 2, theta, 0.0, 0.0), key=lambda one: one.rate)
    curve = PPCA([first, second], 2, theta)
    assert float(curve.distortion(best.rate)) + best.rate < stay


def test_the_diagonal_reply_beats_other_diagonals():
    rng = np.random.default_rng(3)
    W, sigma, theta = rng.standard_normal((3, 2)), np.diag([2.0, 1.0, 0.5]), 0.8
    V, S = ch.encoder_reply(W, theta, diagonal=True)
    best = ch.LinearModel(W, V, S)
    for _ in range(200):
        other = ch.LinearModel(W, V + 0.1 * rng.standard_normal(V.shape), S * np.exp(0.1 * rng.standard_normal((2, 1))))
        value = other._replace(S=np.diag(np.diag(other.S)))
        assert value.distortion(sigma, theta) + value.rate(sigma) >= best.distortion(sigma, theta) + best.rate(sigma)


def test_closed_directions_are_named():
    with pytest.raises(ValueError, match="closes one"):
        ch.tilted_pair(4.0, 0.1, theta=1.0)

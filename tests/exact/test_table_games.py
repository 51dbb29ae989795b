"""Theorems T1, T2, T4 on random tables: nobody gains by leaving where the theorem says so, and somebody does elsewhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from klcourse.exact import table_games as tg
from klcourse.exact.discrete import DiscreteVAE, entropy, random_vae
from klcourse.exact.regimes import best_rate_grid, lam_star_grid
from tests.limits import examples

many = settings(max_examples=examples(120), derandomize=True, deadline=None)
few = settings(max_examples=examples(20), derandomize=True, deadline=None)
SEED = st.integers(0, 2**31)


def drawn(seed):
    rng = np.random.default_rng(seed)
    model = random_vae(rng, K=int(rng.integers(2, 6)), L=int(rng.integers(2, 5)))
    return rng, model, rng.uniform(0, 4), rng.uniform(0.05, 2.5), rng.uniform(0.2, 3)


@many
@given(SEED)
def test_losses_are_those_of_the_model(seed):
    _, model, lam, c, beta = drawn(seed)
    for on, bought in (("rate", model.rate), ("mi", model.mi)):
        loss = tg.Losses(model.p_D, model.prior, lam, c, beta, on)
        assert loss.of(model) == pytest.approx(model.distortion + beta * model.rate + lam * max(c - bought, 0), rel=1e-12)
    stack = np.stack([model.encoder, model.encoder])
    assert np.allclose(loss(stack, model.decoder), loss.of(model))


@many
@given(SEED)
def test_t1_nobody_leaves_the_deaf_equilibrium(seed):
    rng, model, lam, c, beta = drawn(seed)
    found = tg.deaf_equilibrium(model.p_D, model.prior, lam, c, beta)
    assert abs(found.mi) < 1e-12
    gain = tg.largest_gain(found, tg.Losses(model.p_D, model.prior, lam, c, beta), rng)
    assert gain.A < 1e-12 and gain.B < 1e-12


@few
@given(SEED)
def test_t1_against_an_optimiser(seed):
    """B's whole problem against a deaf decoder, by gradient from random starts: nothing below the claimed loss."""
    rng, model, lam, c, beta = drawn(seed)
    loss = tg.Losses(model.p_D, model.prior, lam, c, beta)
    found = tg.deaf_equilibrium(model.p_D, model.prior, lam, c, beta)

    def value(logits):
        q = logits.reshape(found.encoder.shape)
        q = np.exp(q - q.max(1, keepdims=True))
        return float(loss(q / q.sum(1, keepdims=True), found.decoder))

    best = min(minimize(value, 3 * rng.standard_normal(found.encoder.size), method="Nelder-Mead").fun for _ in range(3))
    assert best > loss.of(found) - 1e-9


def test_t1_fails_where_it_should():
    """A poor decoder without z is left, and so is a silent encoder where information is paid for: the check can fail."""
    rng, p, prior = np.random.default_rng(1), [0.6, 0.4], [0.5, 0.5]
    found = tg.deaf_equilibrium(p, prior, lam=2.0, c=0.4)
    poor = found.with_(decoder=[[0.5, 0.5]] * 2)
    assert tg.largest_gain(poor, tg.Losses(p, prior, 2.0, 0.4), rng).A > 0.01
    assert tg.largest_gain(found, tg.Losses(p, prior, 2.0, 0.4, on="mi"), rng).B > 0.1
    wrong = found.with_(encoder=[prior] * 2)  # R = 0 for lam > beta
    assert tg.largest_gain(wrong, tg.Losses(p, prior, 2.0, 0.4), rng).B > 0.1


@many
@given(SEED)
def test_t2_the_bound_and_who_attains_it(seed):
    """Against a deaf decoder: loss >= L + (lam - beta)(c - I)+ for every encoder, equality at a matched one: A leaves it."""
    rng, model, _, _, beta = drawn(seed)
    lam = beta * (1 + rng.uniform(0.01, 3))
    q = tg.matched_encoder(model.p_D, model.prior, np.exp(2 * rng.standard_normal(model.encoder.shape)))
    matched = DiscreteVAE(model.p_D, model.prior, q, np.tile(model.p_D, (len(model.prior), 1)))
    assert matched.marginal_kl < 1e-12
    c = matched.mi
    loss = tg.Losses(model.p_D, model.prior, lam, c, beta, "mi")
    least = entropy(model.p_D) + beta * c
    assert loss.of(matched) == pytest.approx(least, abs=1e-10)
    others = np.concatenate([tg._tables(rng, 500, *q.shape), tg._near(rng, q, 500)])
    bound = least + (lam - beta) * np.maximum(c - loss.mi(others), 0)
    assert (loss(others, matched.decoder) >= bound - 1e-10).all()
    collapse = tg.deaf_equilibrium(model.p_D, model.prior, 0.0, c, beta)
    assert loss.of(collapse) - loss.of(matched) == pytest.approx((lam - beta) * c, abs=1e-10)  # what B gains
    heard = matched.with_(decoder=matched.best_decoder)
    assert loss.of(matched) - loss.of(heard) == pytest.approx(c, abs=1e-10)  # and then A, exactly c


@many
@given(SEED)
def test_t2_is_sharp(seed):
    """lam <= beta: collapse is an equilibrium of the game with a hinge on the information too."""
    rng, model, _, c, beta = drawn(seed)
    lam = beta * rng.uniform(0, 1)
    found = tg.deaf_equilibrium(model.p_D, model.prior, lam, c, beta)
    gain = tg.largest_gain(found, tg.Losses(model.p_D, model.prior, lam, c, beta, "mi"), rng)
    assert max(gain.A, gain.B) < 1e-12


@pytest.mark.parametrize("on", ["rate", "mi"])
@pytest.mark.parametrize("lam", [0.0, 0.5, 1.0, 5.0, 50.0])
def test_t2_first_limit_an_unused_code(on, lam):
    found = tg.unused_code_equilibrium()
    gain = tg.largest_gain(found, tg.Losses(found.p_D, found.prior, lam, 0.5, 1.0, on), np.random.default_rng(0), 2000)
    assert max(gain.A, gain.B) <= 1e-12 and found.mi == 0 and not np.array_equal(*found.decoder)


@many
@given(SEED)
def test_code_at_rate(seed):
    rng = np.random.default_rng(seed)
    prior = rng.dirichlet(np.ones(4)) * 0.99 + 0.0025
    rate = rng.uniform(0, 1.2) * -np.log(prior.min())
    q0 = tg.code_at_rate(prior, rate)
    found = float(np.sum(q0[q0 > 0] * np.log(q0[q0 > 0] / prior[q0 > 0])))
    assert found == pytest.approx(min(rate, -np.log(prior.min())), abs=1e-9)


# --- T4 ------------------------------------------------------------------------------------------------------

KINK = 0.5 * (np.log(1 / 0.9) + np.log(10))
RATES = np.union1d(np.linspace(0.01, np.log(10) - 1e-6, 60), [KINK])


@pytest.fixture(scope="module")
def curve():
    return tg.two_code_curve(0.1, RATES)


def test_t4_curve_against_random_encoders(curve):
    """No encoder of about that rate has a smaller D."""
    loss, rng = tg.Losses([0.5, 0.5], [0.9, 0.1], 0.0, 0.0), np.random.default_rng(0)
    encoders = tg._tables(rng, 60_000, 2, 2)
    rate, d = loss.rate(encoders), np.log(2) - loss.mi(encoders)
    k = np.argmin(abs(rate[:, None] - RATES), 1)
    near = abs(rate - RATES[k]) < 2e-4
    away = near & (abs(RATES[k] - KINK) > 0.05)  # at the kink D rises infinitely steeply
    assert away.sum() > 400 and (d[away] >= curve[k[away]] - 3e-3).all()
    assert curve[RATES == KINK][0] < 1e-9


def test_t4_lam_equal_to_beta_is_not_enough_without_waste(curve):
    c = float(RATES[np.searchsorted(RATES, 1.4)])
    bare, spare = (lam_star_grid(RATES, curve, c, waste=waste) for waste in (False, True))
    assert bare > 3 and spare <= 1 + 1e-9
    total = curve + RATES
    for lam, held in ((1.0, False), (bare * 0.999, False), (bare * 1.001, True)):  # by enumeration
        assert (RATES[np.argmin(total + lam * np.maximum(c - RATES, 0))] >= c) == held
    assert best_rate_grid(RATES, curve, 1.0, c) == KINK and best_rate_grid(RATES, curve, 1.0, c, waste=True) == c


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tg.Losses([1.0], [1.0], 1.0, 1.0, on="both"), "on ="),
        (lambda: tg.Losses([1.0], [1.0], -1.0, 1.0), "lam = -1"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

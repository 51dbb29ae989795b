"""Theorem T3: all equilibria of the linear-Gaussian game, listed, against replies found by blind optimisation."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from klcourse.exact import equilibria as eq
from klcourse.exact.linear_gaussian import LinearGaussianVAE, best_decoder
from tests.exact.harness import names, property_test
from tests.limits import examples

test_brute_force = property_test(*names("T3"))

some = settings(max_examples=examples(60), derandomize=True, deadline=None)
VAR, NOISE, BETA, LAM, C = (st.floats(*span) for span in ((0.1, 4.0), (0.3, 2.0), (0.3, 3.0), (0.0, 4.0), (0.1, 1.8)))


def brute_reply(w, b, var, noise, lam, c, beta, on):
    """The least loss over encoders (v, m, log s2): both branches of the hinge by SLSQP, from two starts."""

    def model(p):
        return LinearGaussianVAE(w, p[0], np.exp(np.clip(p[2], -14, 4)), b, p[1], var, noise)

    def loss(p):
        return float(eq.hinge_loss(model(p), lam, c, beta, on))

    def without_penalty(p):
        return float(model(p).distortion + beta * model(p).rate)

    def room(p):
        return float(model(p).rate if on == "rate" else model(p).mi) - c

    found = []
    for start in ((0.1, 0.0, -0.1), (0.7, 0.4, -1.5)):
        start = np.array(start) * (np.sign(w), 1, 1)
        for objective, inside in ((without_penalty, room), (loss, lambda p: -room(p))):  # X >= c, X <= c
            only = [{"type": "ineq", "fun": inside}]
            end = minimize(objective, start, method="SLSQP", constraints=only, options={"maxiter": 300, "ftol": 1e-13}).x
            found.append(loss(end))
    return min(found)


@settings(max_examples=examples(12), derandomize=True, deadline=None)
@given(st.floats(-1.5, 1.5).filter(lambda w: abs(w) > 0.05), st.floats(-0.5, 0.5), VAR, NOISE, LAM, C, BETA)
def test_no_encoder_beats_the_reply_to_a_hinge_on_information(w, b, var, noise, lam, c, beta):
    v, m, s2 = eq.best_encoder_information(w, var, noise, beta, lam, c, b)
    claimed = float(eq.hinge_loss(LinearGaussianVAE(w, v, s2, b, m, var, noise), lam, c, beta, "mi"))
    found = brute_reply(w, b, var, noise, lam, c, beta, "mi")
    assert claimed <= found + 1e-9
    assert abs(claimed - found) < 1e-5  # and the search found it


@some
@given(VAR, NOISE, LAM, C, BETA, st.sampled_from(eq.HINGES))
def test_the_list_is_what_a_search_finds(var, noise, lam, c, beta, on):
    if abs(var - (beta - lam) * noise) < 1e-3 * var or abs(lam - beta) < 1e-6:
        return  # on a border
    listed = eq.equilibria(var, noise, lam, c, beta, on)
    found = eq.search_gains(var, noise, lam, c, beta, on)
    gains = [] if listed.informative is None else [float(listed.informative.w)]
    assert found == pytest.approx(gains, abs=1e-8)
    rates = eq.search_deaf(lam, c, beta, on)
    assert (rates == []) == (listed.deaf is None)
    if listed.deaf is not None:
        assert (min(rates), max(rates)) == pytest.approx(listed.deaf, abs=1e-12)


@pytest.mark.parametrize("on", eq.HINGES)
def test_at_lam_equal_to_beta(on):
    listed = eq.equilibria(0.5, 1.0, 1.0, 0.8, 1.0, on)
    rates = eq.search_deaf(1.0, 0.8, 1.0, on)
    assert listed.deaf == ((0.0, 0.8) if on == "rate" else (0.0, 0.0)) == (min(rates), max(rates))


@some
@given(VAR, NOISE, LAM, C, BETA, st.sampled_from(eq.HINGES), st.integers(0, 2**31))
def test_no_pair_of_modules_pays_less(var, noise, lam, c, beta, on, seed):
    """The informative pair is the joint optimum where it exists: no random model, near or far, pays less."""
    listed = eq.equilibria(var, noise, lam, c, beta, on)
    if listed.informative is None:
        best = LinearGaussianVAE(0.0, 0.0, 1.0, data_var=var, sigma2=noise)
    else:
        best = listed.informative
        assert abs(float(best.marginal_kl)) < 1e-12
    value = float(eq.hinge_loss(best, lam, c, beta, on))
    rng = np.random.default_rng(seed)
    scale = np.concatenate([np.full(400, 1.0), np.full(400, 0.02)])
    at = np.array([best.w, best.v, np.log(best.s2), 0.0, 0.0], float)[:, None] + scale * rng.standard_normal((5, 800))
    others = LinearGaussianVAE(at[0], at[1], np.exp(at[2]), at[3], at[4], var, noise)
    assert value <= eq.hinge_loss(others, lam, c, beta, on).min() + 1e-12


def test_replies_with_a_bias_end_without_one():
    """The search looks at b = 0 only: a round of replies shrinks any b, so no equilibrium has one."""
    for on, lam in itertools.product(eq.HINGES, (0.5, 2.0)):
        model = eq.replies(0.9, 1.5, 1.0, lam, 0.7, on=on, b=0.8)
        for _ in range(400):
            model = eq.replies(float(model.w), 1.5, 1.0, lam, 0.7, on=on, b=float(model.b))
        assert abs(float(model.b)) < 1e-6 and abs(float(model.m)) < 1e-6
        assert float(model.w) == pytest.approx(float(eq.equilibria(1.5, 1.0, lam, 0.7, on=on).informative.w), abs=1e-6)


def test_the_theorem_article_style():
    """A hinge on I_q with lam > beta: unique up to sign, I_q >= c, q(z) = p(z); with one on R it is not."""
    for var, c in itertools.product((0.1, 0.5, 3.0), (0.3, 1.0)):
        found = eq.equilibria(var, 1.0, 1.5, c, on="mi")
        assert found.deaf is None and float(found.informative.mi) >= c - 1e-12
        assert float(found.informative.mi) == pytest.approx(max(c, 0.5 * np.log(max(var, 1.0))))
        assert eq.equilibria(var, 1.0, 1.5, c, on="rate").deaf == (c, c)


def test_a_deaf_decoder_is_answered_by_itself():
    assert [float(x) for x in best_decoder(v=0.0, s2=0.4, data_var=1.0, m=1.3)] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: eq.equilibria(1.0, 1.0, 1.0, 1.0, on="both"), "on must be"),
        (lambda: eq.equilibria(1.0, 1.0, -1.0, 1.0), "lam must be finite"),
        (lambda: eq.equilibria(-1.0, 1.0, 1.0, 1.0), "data_var"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Regimes and thresholds of the penalty weight."""

import numpy as np
import pytest

from klcourse.exact import regimes
from klcourse.exact.ppca import PPCA
from tests.exact.experiments import phase_diagram
from tests.exact.harness import names, property_test

test_brute_force = property_test(*names("four thresholds", "regime"))


def test_rule_on_both_sides_of_lam_star():
    """R = c exactly from lam* on, for lam up to and beyond beta."""
    curve = PPCA([2.0, 1.0], 2, sigma2=0.5)
    lam_star = regimes.lam_star(curve, c=1.0, beta=3.0)
    assert regimes.best_rate(curve, lam_star * 0.999, 1.0, 3.0) < 1.0
    assert all(regimes.best_rate(curve, lam, 1.0, 3.0) == 1.0 for lam in (lam_star, 3.0, 10.0))


def test_below_lam_star_the_constraint_is_a_smaller_beta():
    """Claim A14: with lam < lam* the optimum is that of beta - lam."""
    curve = PPCA([2.0, 1.0], 2, sigma2=0.5)
    assert np.isclose(regimes.best_rate(curve, 1.2, 3.0, 3.0), curve.rate(3.0 - 1.2))
    assert regimes.beta_effective(curve, 1.2, 3.0, 3.0) == 3.0 - 1.2


def test_inactive_where_the_plain_vae_has_the_rate():
    curve = PPCA([4.0], 1, sigma2=0.1)
    assert regimes.regime(curve, 5.0, 1.0) == "inactive"
    assert np.isclose(regimes.best_rate(curve, 5.0, 1.0), curve.rate(1.0))


def test_no_minimum_is_reported_as_infinite():
    assert regimes.best_rate(PPCA([2.0, 1.0], 2), 1.0, 1.0, beta=0.9) == np.inf


def test_a_set_of_models_that_is_not_convex_jumps_and_has_hysteresis():
    """D flat, then steep: no partial regime, and R = 0 stays a local minimum beyond lam*."""
    rates = np.linspace(0, 4, 401)
    distortions = 3 - 2.5 / (1 + np.exp(-8 * (rates - 1.0))) + 2.5 / (1 + np.exp(8.0))
    beta, c = 4.0, 1.2
    found = regimes.lam_star_grid(rates, distortions, c, beta)
    path = [regimes.best_rate_grid(rates, distortions, lam, c, beta) for lam in np.linspace(0, beta, 201)]
    assert np.max(np.diff(path)) > 0.9  # a jump of about a nat, no partial regime
    F = distortions + beta * rates + (found + 0.01) * np.maximum(c - rates, 0)
    assert F[0] < F[1] and F.argmin() > 0  # collapse: local minimum still, not the global one


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("waste", [False, True])
def test_lam_star_of_a_set_of_models_by_bisection(seed, waste):
    """Any models in any order; with waste, each also at every higher rate, written out."""
    rng = np.random.default_rng(seed)
    rates, distortions = rng.uniform(0, 5, 30), rng.uniform(0, 3, 30)
    beta, c = rng.uniform(0.2, 3), rng.uniform(0.5, 4)
    found = regimes.lam_star_grid(rates, distortions, c, beta, waste)
    if waste:
        assert found <= beta + 1e-9
        rates, distortions = np.concatenate([rates, np.maximum(rates, c)]), np.tile(distortions, 2)
    low, high = 0.0, 100.0
    for _ in range(60):
        lam = 0.5 * (low + high)
        total = distortions + beta * rates + lam * np.maximum(c - rates, 0)
        low, high = (low, lam) if total[rates >= c].min() <= total[rates < c].min() else (lam, high)
    assert found == pytest.approx(high, abs=1e-7)
    assert regimes.best_rate_grid(rates, distortions, found * (1 + 1e-6) + 1e-9, c, beta) >= c


def test_a_convex_curve_as_a_grid():
    curve, c = PPCA([2.0, 0.5], 2, 0.6), 0.8
    rates = np.union1d(np.linspace(0, 6, 60_001), [c])
    found = regimes.lam_star_grid(rates, curve.distortion(rates), c, beta=2.0)
    assert found == pytest.approx(regimes.lam_star(curve, c, 2.0), abs=1e-3)


@pytest.mark.parametrize("beta, expected", [(1.0, {"inactive", "partial", "held"}), (3.0, {"collapsed", "partial", "held"})])
def test_phase_diagram_agrees_with_gradient_descent(beta, expected):
    exact, trained = phase_diagram(beta)
    assert set(exact.ravel()) == expected
    assert (exact == trained).mean() >= 0.95


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: regimes.regime(PPCA([1.0], 1, 1.0), 1.0, c=0.0), "c="),
        (lambda: regimes.regime(PPCA([1.0], 1, 1.0), -1.0, c=1.0), "lam"),
        (lambda: regimes.lam_star_grid([0, 1], [1, 0], c=2.0), "inside the rates"),
        (lambda: regimes.lam_star_grid([-0.1, 1], [1, 0], c=0.5), "cannot be negative"),
        (lambda: regimes.lam_star_grid([0, 1, 2], [1, 0], c=1.0), "as many rates"),
    ],
)
def test_bad_values_are_named(call, name):
    with pytest.raises(ValueError, match=name):
        call()

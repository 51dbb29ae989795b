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
    ],
)
def test_bad_values_are_named(call, name):
    with pytest.raises(ValueError, match=name):
        call()

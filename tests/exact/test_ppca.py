"""The pPCA rate-distortion curve."""

import numpy as np
import pytest

from klcourse.exact import linear_gaussian
from klcourse.exact.ppca import PPCA
from tests.exact.harness import names, property_test

test_brute_force = property_test(*names("pPCA"))


def test_one_dimension_is_the_gaussian_module():
    rates = np.linspace(0, 3, 7)
    curve = PPCA([2.0], 1, sigma2=0.3)
    assert np.allclose(curve.distortion(rates), linear_gaussian.distortion(rates, 2.0, 0.3))
    assert np.allclose(curve.slope(rates), linear_gaussian.slope(rates, 2.0, 0.3))
    assert np.isclose(curve.rate(2.0), linear_gaussian.optimum(2.0, 0.3, 2.0).rate)


@pytest.mark.parametrize("sigma2", [0.4, None])
def test_channels_add_up_to_the_curve(sigma2):
    curve = PPCA([3.0, 2.0, 1.0, 0.2], 2, sigma2)
    for rate in (0.0, 0.1, 0.7, 2.5):
        channels = curve.channels(rate)
        assert np.isclose(channels.rate.sum(), rate)
        assert np.isclose(channels.distortion.sum(), curve.distortion(rate))
        assert np.isclose(channels.log_p.sum(), curve.log_p(rate))
        assert np.allclose(channels.marginal_kl, 0)


@pytest.mark.parametrize("sigma2", [0.4, None])
def test_slope_is_minus_the_derivative_and_falls(sigma2):
    curve = PPCA([3.0, 2.0, 1.0, 0.2], 3, sigma2)
    rates = np.linspace(0.01, 4, 400)
    numeric = -(curve.distortion(rates + 1e-5) - curve.distortion(rates - 1e-5)) / 2e-5
    assert np.allclose(curve.slope(rates), numeric, rtol=1e-5)
    assert np.all(np.diff(curve.slope(rates)) < 0)


def test_elbo_is_tight_at_beta_one_only():
    curve = PPCA([3.0, 2.0, 1.0], 2, sigma2=0.5)
    for beta in (0.5, 1.0, 2.0):
        rate = curve.rate(beta)
        gap = curve.log_p(rate) + curve.distortion(rate) + rate
        assert (gap < 1e-12) == (beta == 1.0) and gap > -1e-12


def test_learned_noise_never_collapses_at_beta_one_unless_isotropic():
    assert PPCA([1.0, 1.0, 1.0], 2).rate(1.0) == 0
    assert PPCA([1.01, 1.0, 1.0], 2).rate(1.0) > 0
    assert np.isclose(PPCA([2.0, 1.0, 1.0], 1).collapse_betas()[0], 3 * 2.0 / 4.0)


def test_learned_noise_with_a_latent_for_every_dimension_degenerates():
    """sigma2 -> 0: the slope stops falling at n / rank, and below that beta there is no optimum at all."""
    full = PPCA([2.0, 1.0], 2)
    assert np.isclose(full.slope(10.0), 1.0) and full.rate(0.9) == np.inf
    assert np.isclose(full.rate(1.0), 0.5 * np.log(2.0))  # the least of a ray of optima
    assert PPCA([2.0, 1.0, 0.0], 2).rate(1.4) == np.inf  # slope 3/2 for ever


@pytest.mark.parametrize("values", [[], [-1.0, 1.0], [0.0], [np.nan]])
def test_bad_eigenvalues(values):
    with pytest.raises(ValueError, match="eigenvalues"):
        PPCA(values, 1)


def test_other_bad_values():
    with pytest.raises(ValueError, match="d must"):
        PPCA([1.0], 0)
    with pytest.raises(ValueError, match="rate"):
        PPCA([1.0], 1).slope(-1.0)
    with pytest.raises(ValueError, match="beta"):
        PPCA([1.0], 1).rate(0.0)

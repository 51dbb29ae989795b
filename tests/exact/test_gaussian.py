"""The 1-D linear-Gaussian VAE and the self-labelling closed forms."""

import numpy as np
import pytest

from klcourse.exact import linear_gaussian, selflabel
from klcourse.exact.linear_gaussian import LinearGaussianVAE
from tests.exact.harness import names, property_test

test_brute_force = property_test(*names("1-D", "lautum", "tilted", "SLVAE"))


def test_lazy_encoder_has_rate_but_no_information():
    """Claim A9's counterexample: q = N(m, I), m^2 = 2c."""
    lazy = LinearGaussianVAE(w=0.0, v=0.0, s2=1.0, m=np.sqrt(2 * 5.0))
    assert np.isclose(lazy.rate, 5.0) and lazy.mi == 0 and np.isclose(lazy.marginal_kl, 5.0)


def test_strict_nash_yet_saddle():
    """Claim A4: alone each module loses by leaving (0, 0); together they win iff Lambda > beta sigma2."""

    def loss(w, v):
        return float(-LinearGaussianVAE(w, v, 1.0, data_var=2.0).elbo)

    origin = loss(0, 0)
    assert loss(0.1, 0) > origin and loss(0, 0.1) > origin and loss(0.1, 0.1) < origin
    w, v = np.linalg.eigh(linear_gaussian.nash_hessian(2.0, 1.0))[1][:, 0] * 0.1
    assert loss(w, v) < origin


def test_best_replies_meet_at_the_optimum():
    model = linear_gaussian.optimum(3.0, 0.5, beta=2.0)
    reply = linear_gaussian.best_encoder(float(model.w), 3.0, 0.5, beta=2.0)
    assert np.allclose([reply.v, reply.s2], [model.v, model.s2])
    assert np.allclose(linear_gaussian.best_decoder(model.v, model.s2, 3.0), [model.w, 0.0])


@pytest.mark.parametrize("lam, is_reply", [(0.9, True), (1.0, True), (1.1, False)])
def test_collapse_is_nash_iff_lam_at_most_beta(lam, is_reply):
    v, m, s2 = linear_gaussian.best_encoder(0.0, 2.0, 1.0, beta=1.0, lam=lam, c=1.0)
    assert ((v, s2) == (0.0, 1.0)) == is_reply


def test_best_encoder_is_continuous_at_zero_gain():
    """The reply returned for w = 0, lam > beta is the limit from the right."""
    at_zero = linear_gaussian.best_encoder(0.0, 2.0, 1.0, lam=1.5, c=1.0)
    near = linear_gaussian.best_encoder(1e-7, 2.0, 1.0, lam=1.5, c=1.0)
    assert np.allclose(at_zero, near, atol=1e-5)


def test_condition_5_numbers_of_the_ledger():
    assert round(float(linear_gaussian.article_condition_5(5.0, 1))) == 4404
    assert round(float(linear_gaussian.article_condition_5(5.0, 32)), 2) == 1.35


def test_joint_label_without_penalty_is_the_plain_vae():
    assert np.isclose(selflabel.joint_optimum(2.0, 0.5, lam=0.0).mi, linear_gaussian.optimum(2.0, 0.5).mi)


def test_fields_broadcast():
    grid = LinearGaussianVAE(np.zeros((3, 1)), np.ones(4), 1.0)
    assert grid.distortion.shape == (3, 4) and grid.rate.shape == (4,)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: LinearGaussianVAE(1.0, 1.0, s2=0.0), "s2"),
        (lambda: linear_gaussian.optimum(1.0, -1.0), "sigma2"),
        (lambda: linear_gaussian.slope(-0.1, 1.0, 1.0), "rate"),
        (lambda: linear_gaussian.best_encoder(1.0, 1.0, 1.0, lam=-1.0), "lam"),
        (lambda: linear_gaussian.lautum(0.0), "c must"),
        (lambda: selflabel.tilted_rate(-0.5), "lam"),
    ],
)
def test_bad_values_are_named(call, name):
    with pytest.raises(ValueError, match=name):
        call()

"""Where one regime ends and the next begins: on the border itself the theory says which, and so must the code."""

import numpy as np
import pytest

from klcourse.exact import dynamics, regimes
from klcourse.exact.linear_gaussian import LinearGaussianVAE


class Halving:
    """D(R) with slopes that are binary fractions, so that a border is hit exactly: s = 4, 2, 1, 1/2 at R = 0, 1, 2, 3."""

    def slope(self, rate):
        return np.exp2(2.0 - np.asarray(rate, float))

    def distortion(self, rate):
        return self.slope(rate) / np.log(2)


CURVE = Halving()


@pytest.mark.parametrize(
    "lam, c, beta, name",
    [
        (1.0, 1.0, 2.0, "inactive"),  # s(c) = beta: the penalty is never needed
        (1.0, np.nextafter(1.0, 2.0), 2.0, "held"),
        (7.0, 1.0, 9.0, "held"),  # lam = beta - s(c)
        (np.nextafter(7.0, 0), 1.0, 9.0, "partial"),
        (np.nextafter(5.0, 6), 1.0, 9.0, "partial"),
        (5.0, 1.0, 9.0, "collapsed"),  # lam = beta - s(0)
    ],
)
def test_the_border_belongs_to_one_regime(lam, c, beta, name):
    assert regimes.regime(CURVE, lam, c, beta) == name


def test_optimum_at_the_borders():
    """At lam = beta - s(c) the rate is c, at beta - s(0) it is 0, and beta_eff follows."""
    assert regimes.best_rate(CURVE, 7.0, 1.0, 9.0) == 1.0 and regimes.beta_effective(CURVE, 7.0, 1.0, 9.0) == 2.0
    assert regimes.best_rate(CURVE, 5.0, 1.0, 9.0) == 0.0 and regimes.beta_effective(CURVE, 5.0, 1.0, 9.0) == 4.0
    assert regimes.best_rate(CURVE, 6.0, 1.0, 9.0) == pytest.approx(2 - np.log2(3)) and 0 < 2 - np.log2(3) < 1
    assert regimes.best_rate(CURVE, 1.0, 1.0, 1.0) == pytest.approx(2.0)  # inactive: s(2) = 1
    assert regimes.beta_effective(CURVE, 1.0, 1.0, 1.0) == 1.0


def test_four_thresholds_by_hand():
    found = regimes.thresholds(CURVE, 1.0, 9.0)
    assert found == pytest.approx((5.0, 9 - 2 / np.log(2), 7.0, 9.0))
    assert regimes.lam_star(CURVE, 1.0, 9.0) == 7.0 and regimes.lam_star(CURVE, 1.0, 1.5) == 0.0


def test_bad_weights_and_targets():
    for bad in ({"lam": -1e-9}, {"c": 0.0}, {"beta": 0.0}):
        with pytest.raises(ValueError, match="must be"):
            regimes.regime(CURVE, **({"lam": 1.0, "c": 1.0, "beta": 1.0} | bad))
    assert regimes.regime(CURVE, 0.0, 3.0, 1.0) == "partial"  # no penalty at all is a weight too


def test_names_of_finished_runs_at_the_borders():
    """Never on; at times; always on with and without a rate: 0 and 1 belong to the outer names."""
    found = dynamics.gd_regime([1.0, 1.0, 1.0, 1e-3, np.nextafter(1e-3, 0)], [0.0, 1e-9, 1.0, 1.0, 1.0])
    assert found.tolist() == ["inactive", "held", "partial", "partial", "collapsed"]


def test_grid_ties_go_to_the_larger_rate():
    """F equal at 0 and at c: the constraint counts as held; lam_star_grid is the weight where that happens."""
    rates, distortions = [0.0, 1.0, 2.0], [2.0, 2.0, 0.5]
    star = regimes.lam_star_grid(rates, distortions, c=2.0, beta=1.5)
    assert star == pytest.approx(0.75) and regimes.best_rate_grid(rates, distortions, star, 2.0, 1.5) == 2.0
    assert regimes.best_rate_grid(rates, distortions, star - 1e-6, 2.0, 1.5) == 0.0


@pytest.mark.parametrize(
    "var, sigma2, lam", [(0.25, 1.0, 2.0), (1.0, 4.0, 2.0), (4.0, 16.0, 2.0), (0.02, 0.01, 2.0), (0.5, 1.0, 1.2)]
)
def test_shift_beats_gain_is_the_comparison_of_the_two_rates(var, sigma2, lam):
    """The closed condition against the growth rates, in several units of x; growth rates against the flow itself."""
    rates = dynamics.growth_rates(var, sigma2, lam=lam)
    assert dynamics.shift_beats_gain(var, sigma2, lam=lam) == (rates.shift > rates.gain)
    jacobian = np.array([[-1 / sigma2, var / sigma2], [var / sigma2, (lam - 1) * var]])
    assert rates.gain == pytest.approx(np.linalg.eigvalsh(jacobian)[-1]) and rates.shift == lam - 1
    assert rates.log_variance == pytest.approx((lam - 1) / 2)


def test_rates_of_training_have_a_unit_and_thresholds_have_none():
    """x -> k x: the same problem, other rates of gradient flow; which direction is first changes with the unit."""
    share, escape = [], []
    for k in (1, 2, 4):
        var, sigma2 = 0.25 * k**2, 1.0 * k**2
        start = LinearGaussianVAE(1e-2 * k, 1e-2 / k, 1.0, m=1e-2, data_var=var, sigma2=sigma2)
        path = dynamics.descend(start, steps=3000, lr=0.01 / k**2, lam=2.0, c=1.0, record_every=10)
        first = int(np.argmax(path.model.rate >= 0.95))
        share.append(float(path.model.mi[first] / path.model.rate[first]))
        escape.append(dynamics.escape_rate(var, sigma2, 1.0))
    assert share == pytest.approx([0.0, 0.36, 0.55], abs=0.02)
    assert escape[0] < escape[1] < escape[2] < 0.25  # about Lambda^2 / sigma2 in the first unit only
    assert not any(dynamics.shift_beats_gain(1.0, sigma2, lam=lam) for sigma2 in (0.01, 1, 100) for lam in (1.1, 3, 50))


def test_waste_at_lam_beta_stays_until_the_target():
    """lam = beta: the shift costs nothing below c and is not pressed out; below beta it is, above it grows."""
    start = LinearGaussianVAE(0.0, 0.0, 1.0, m=np.full(3, 1.0), data_var=0.25, sigma2=1.0)  # R = .5, a deaf decoder
    path = dynamics.descend(start, steps=200, lr=0.01, lam=np.array([0.9, 1.0, 1.1]), c=1.0, record_every=200)
    below, at, above = path.model.rate[-1]
    assert below == pytest.approx(0.5 * np.exp(-2 * 0.1 * 2), rel=1e-3) and at == 0.5
    assert above == pytest.approx(0.5 * np.exp(2 * 0.1 * 2), rel=1e-3)
    for batch in (20, 100):  # and on batches training rests under c, the more so the smaller they are
        resting = float(dynamics.sliding_mode(0.25, 1.0, c=1.0, lam=1.0, batch_size=batch).model.rate)
        assert 0.8 < resting < 0.95


def test_the_sliding_mode_has_the_decoder_that_answers_its_encoder():
    """w is the best reply v Lambda / (v^2 Lambda + s2), and a weight of exactly lam* settles nowhere."""
    model = dynamics.sliding_mode(1.0, 0.1, c=1.0, lam=3.0, beta=3.0, batch_size=100).model
    assert model.w == pytest.approx(float(model.v / (model.v**2 + model.s2)))
    with pytest.raises(ValueError, match="does not hold"):
        dynamics.settled_rate(1.0, 0.1, 0.5, 0.5)

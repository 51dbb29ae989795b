"""When does the constraint R >= c hold? The rule the article leaves open (claims A10, A14, A15b).

Training minimises F(R) = D(R) + beta R + lam max(c - R, 0), and the slope s(R) = -D'(R) of a convex D(R) decides
everything. A *curve* here is anything with `distortion(R)` and `slope(R)`, such as `klcourse.exact.ppca.PPCA`. What is not
convex is given as a set of models, by their rates and distortions, and the minimum is taken by enumeration.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from klcourse.exact.inputs import finite, known, numbers
from klcourse.exact.linear_gaussian import Array

REGIMES = ("inactive", "held", "partial", "collapsed")


class Curve(Protocol):
    """A convex rate-distortion curve."""

    def distortion(self, rate: ArrayLike) -> Array:
        """D(R), nats; shape of the rate."""

    def slope(self, rate: ArrayLike) -> Array:
        """s(R) = -D'(R); shape of the rate."""


class Thresholds(NamedTuple):
    """Four values of lam, in rising order; nats per nat. Negative ones are passed by any lam >= 0."""

    origin_unstable: float  # beta - s(0):              above it R = 0 is no longer a minimum
    beats_collapse: float  # beta - [D(0) - D(c)] / c: above it R = c is better than R = 0
    held: float  # beta - s(c):              above it the minimum is at R = c (lam* if positive)
    collapse_not_nash: float  # beta:                     above it the encoder gains by leaving collapse alone


def _check(c: float, beta: float, lam: float = 0.0) -> None:
    if not 0 < numbers("c", c) < np.inf or not 0 < numbers("beta", beta) < np.inf:
        raise ValueError(f"c and beta must be > 0, got c={c}, beta={beta}; without a target use lam=0")
    if not 0 <= numbers("lam", lam) < np.inf:
        raise ValueError(f"lam is a penalty weight and must be >= 0, got {lam}")


def thresholds(curve: Curve, c: float, beta: float = 1.0) -> Thresholds:
    """The four nested thresholds of lam for target c.

    >>> from klcourse.exact.ppca import PPCA
    >>> [round(t, 3) for t in thresholds(PPCA([1.0], 1, sigma2=1.0), c=1.0, beta=2.0)]
    [1.0, 1.568, 1.865, 2.0]
    """
    _check(c, beta)
    drop = float(curve.distortion(0.0) - curve.distortion(c)) / c
    return Thresholds(beta - float(curve.slope(0.0)), beta - drop, beta - float(curve.slope(c)), beta)


def lam_star(curve: Curve, c: float, beta: float = 1.0) -> float:
    """Least lam that holds R >= c on a convex curve: max(beta - s(c), 0).

    >>> from klcourse.exact.ppca import PPCA
    >>> round(lam_star(PPCA([1.0], 1, sigma2=1.0), c=1.0), 4)
    0.8647
    """
    return max(thresholds(curve, c, beta).held, 0.0)


def regime(curve: Curve, lam: float, c: float, beta: float = 1.0) -> str:
    """Which of REGIMES the global minimum of F is in.

    >>> from klcourse.exact.ppca import PPCA
    >>> [regime(PPCA([1.0], 1, sigma2=1.0), lam, c=1.0, beta=2.0) for lam in (0.5, 1.5, 1.9)]
    ['collapsed', 'partial', 'held']
    """
    _check(c, beta, lam)
    limits = thresholds(curve, c, beta)
    if limits.held <= 0:
        return "inactive"
    if lam >= limits.held:
        return "held"
    return "partial" if lam > limits.origin_unstable else "collapsed"


def beta_effective(curve: Curve, lam: float, c: float, beta: float = 1.0) -> float:
    """The beta of the plain beta-VAE with the same optimum: beta, s(c) or beta - lam.

    >>> from klcourse.exact.ppca import PPCA
    >>> beta_effective(PPCA([1.0], 1, sigma2=1.0), lam=1.5, c=1.0, beta=2.0)
    0.5
    """
    which = regime(curve, lam, c, beta)
    return {"inactive": beta, "held": float(curve.slope(c))}.get(which, beta - lam)


def best_rate(curve: Curve, lam: float, c: float, beta: float = 1.0) -> float:
    """The rate at the minimum of F, nats; inf if D + beta R has no minimum (learned noise, enough latents).

    >>> from klcourse.exact.ppca import PPCA
    >>> round(best_rate(PPCA([1.0], 1, sigma2=1.0), lam=1.5, c=1.0, beta=2.0), 4)      # 0.5 log(1 / 0.5)
    0.3466
    """
    which = regime(curve, lam, c, beta)
    if which in ("held", "collapsed"):
        return c if which == "held" else 0.0
    target = beta if which == "inactive" else beta - lam
    low, high = (c, 2 * c) if which == "inactive" else (0.0, c)
    while curve.slope(high) > target:
        if curve.slope(high) > (1 - 1e-12) * curve.slope(low):  # the slope has stopped falling
            return float("inf")
        low, high = high, 2 * high
    return float(brentq(lambda rate: float(curve.slope(rate)) - target, low, high, xtol=1e-14, rtol=1e-14))


# --- any set of models, convex or not -----------------------------------------------------------------------


def _cloud(rates: ArrayLike, distortions: ArrayLike, c: float, waste: bool) -> tuple[Array, Array]:
    rates, distortions = np.asarray(rates, dtype=float).ravel(), np.asarray(distortions, dtype=float).ravel()
    if rates.shape != distortions.shape or len(rates) < 2:
        raise ValueError(f"need as many rates as distortions, 2 at least, got {rates.shape} and {distortions.shape}")
    finite(rates=rates)
    known(distortions=distortions)
    if rates.min() < 0:
        raise ValueError(f"a rate is a mean KL and cannot be negative, got {rates.min()}")
    order = np.argsort(rates, kind="stable")
    rates, distortions = rates[order], distortions[order]
    if waste:  # any model can be given more rate at the same D, so what is reached at R is reached at every higher rate
        distortions = np.minimum.accumulate(distortions)
        best = distortions[rates <= c]
        if len(best):
            rates, distortions = np.append(rates, c), np.append(distortions, best[-1])
    if not rates.min() < c <= rates.max():
        raise ValueError(f"c={c} must lie inside the rates of the models ({rates.min()}, {rates.max()}]")
    return rates, distortions


def lam_star_grid(rates: ArrayLike, distortions: ArrayLike, c: float, beta: float = 1.0, waste: bool = False) -> float:
    """Least lam for which a model with R >= c minimises F, over models given by their (R, D), in any order and number.

    It is sup over R < c of [V(c) - D(R) - beta R]_+ / (c - R), where V(c) = min_{R >= c} D + beta R. With `waste` every
    model can also be had with more rate at the same D (a spare latent does that): then lam = beta is always enough.
    Without it, it need not be (theorem T4).

    >>> lam_star_grid([0.0, 1.0, 2.0], [1.0, 1.0, 0.0], c=2.0)        # concave: the first nat buys nothing
    0.5
    >>> [lam_star_grid([0.0, 1.0, 2.0], [1.0, 0.0, 1.0], c=2.0, waste=w) for w in (True, False)]
    [1.0, 2.0]
    """
    _check(c, beta)
    rates, distortions = _cloud(rates, distortions, c, waste)
    total = distortions + beta * rates
    below = rates < c
    value = total[~below].min()
    return float(max(((value - total[below]) / (c - rates[below])).max(), 0.0))


def best_rate_grid(
    rates: ArrayLike, distortions: ArrayLike, lam: float, c: float, beta: float = 1.0, waste: bool = False
) -> float:
    """The rate of the model that minimises F (ties: the larger); jumps with lam where D is not convex.

    >>> [best_rate_grid([0.0, 1.0, 2.0], [1.0, 1.0, 0.0], lam, c=2.0) for lam in (0.4, 0.6)]
    [0.0, 2.0]
    """
    _check(c, beta, lam)
    rates, distortions = _cloud(rates, distortions, c, waste)
    total = distortions + beta * rates + lam * np.maximum(c - rates, 0.0)
    return float(rates[len(total) - 1 - np.argmin(total[::-1])])

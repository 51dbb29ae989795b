"""When does the constraint R >= c hold? The rule the article leaves open (claims A10, A14, A15).

Training minimises F(R) = D(R) + beta R + lam max(c - R, 0). For a convex D(R) the slope s(R) = -D'(R) decides
everything; for any other D(R), given as a grid, the minimum is taken by enumeration.

A *curve* here is anything with `distortion(R)` and `slope(R)`, such as `klcourse.exact.ppca.PPCA`.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

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
    if not c > 0 or not beta > 0:
        raise ValueError(f"c and beta must be > 0, got c={c}, beta={beta}; without a target use lam=0")
    if not lam >= 0:
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


# --- any curve, convex or not, as a grid --------------------------------------------------------------------


def _grid(rates: ArrayLike, distortions: ArrayLike) -> tuple[Array, Array]:
    rates, distortions = np.asarray(rates, dtype=float), np.asarray(distortions, dtype=float)
    if rates.ndim != 1 or rates.shape != distortions.shape or len(rates) < 2:
        raise ValueError(f"need two 1-D arrays of equal length, got {rates.shape} and {distortions.shape}")
    if rates[0] < 0 or np.any(np.diff(rates) <= 0):
        raise ValueError("rates must be >= 0 and strictly rising; sort the grid and drop repeated rates")
    # D(R) is an infimum over models of rate <= R, so it never rises; a measured grid may, by noise.
    return rates, np.minimum.accumulate(distortions)


def lam_star_grid(rates: ArrayLike, distortions: ArrayLike, c: float, beta: float = 1.0) -> float:
    """Least lam for which some R >= c minimises F: sup_{R<c} [V(c) - D(R) - beta R]_+ / (c - R).

    V(c) = min_{R>=c} D + beta R, so the grid must reach beyond c (and far enough to contain that minimum).
    Exact for the piecewise linear curve through the grid; on a convex curve it is the secant slope next to c.

    >>> lam_star_grid([0.0, 1.0, 2.0], [1.0, 1.0, 0.0], c=2.0)        # concave: the first nat buys nothing
    0.5
    """
    rates, distortions = _grid(rates, distortions)
    _check(c, beta)
    if not rates[0] < c <= rates[-1]:
        raise ValueError(f"c={c} must lie inside the grid of rates ({rates[0]}, {rates[-1]}]")
    total = distortions + beta * rates
    at_c = np.interp(c, rates, distortions) + beta * c
    value = min(at_c, total[rates >= c].min())
    below = rates < c
    return float(max(((value - total[below]) / (c - rates[below])).max(), 0.0))


def best_rate_grid(rates: ArrayLike, distortions: ArrayLike, lam: float, c: float, beta: float = 1.0) -> float:
    """The rate on the grid that minimises F (ties: the larger); jumps with lam where D is not convex.

    >>> [best_rate_grid([0.0, 1.0, 2.0], [1.0, 1.0, 0.0], lam, c=2.0) for lam in (0.4, 0.6)]
    [0.0, 2.0]
    """
    rates, distortions = _grid(rates, distortions)
    _check(c, beta, lam)
    total = distortions + beta * rates + lam * np.maximum(c - rates, 0.0)
    return float(rates[len(total) - 1 - np.argmin(total[::-1])])

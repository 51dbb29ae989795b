"""All equilibria of the linear-Gaussian game in one dimension, by formula and by search (theorem T3, notebook 09).

Module A chooses (w, b), module B chooses (v, m, s2); both pay the loss D + beta R + lam max(c - X, 0), where X is the
rate R (`on="rate"`, what the article trains) or the information I_q (`on="mi"`, what it says). A pair is a Nash
equilibrium if each is a best reply to the other. Everything in nats; the names are those of
`klcourse.exact.linear_gaussian`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from klcourse.exact.inputs import non_negative, positive
from klcourse.exact.linear_gaussian import (
    Array,
    Encoder,
    LinearGaussianVAE,
    best_decoder,
    best_encoder,
    optimum,
    slope,
)

HINGES = ("rate", "mi")


def _check(on: str, lam: float, c: float, **positives: float) -> None:
    positive(**positives)
    if on not in HINGES:
        raise ValueError(f"on must be one of {HINGES}, got {on!r}")
    non_negative(lam=lam, c=c)


def hinge_loss(model: LinearGaussianVAE, lam: float, c: float, beta: float = 1.0, on: str = "rate") -> Array:
    """What both modules pay: D + beta R + lam max(c - X, 0), X = R or I_q; nats, broadcasts.

    >>> collapse = LinearGaussianVAE(w=0.0, v=0.0, s2=1.0)
    >>> float(hinge_loss(collapse, lam=2.0, c=1.0) - collapse.distortion)
    2.0
    """
    _check(on, lam, c, beta=beta)
    bought = model.rate if on == "rate" else model.mi
    return model.distortion + beta * model.rate + lam * np.maximum(c - bought, 0.0)


# --- B's best reply when the hinge is on the information ----------------------------------------------------


def best_encoder_information(
    w: float, data_var: float, sigma2: float, beta: float = 1.0, lam: float = 0.0, c: float = 0.0, b: float = 0.0
) -> Encoder:
    """Module B's best reply to a decoder with the hinge on I_q: (v, m, s2) minimising D + beta R + lam max(c - I_q, 0).

    With I_q = I fixed the best width of q(z) is known in closed form, and what a nat of information is then worth,
    `worth`(I), falls from infinity to 0: the reply has worth = beta, = beta - lam, or I = c, as the rate's does. With
    w = 0 and lam >= beta the reply is not unique: for lam = beta collapse is returned, for lam > beta the limit w -> 0+.

    >>> best_encoder_information(0.0, data_var=2.0, sigma2=1.0, lam=0.9, c=1.0)     # lam < beta: collapse is a reply
    Encoder(v=0.0, m=0.0, s2=1.0)
    >>> round(best_encoder_information(0.0, data_var=2.0, sigma2=1.0, lam=1.1, c=1.0).s2, 6)    # exp(-2c): I_q = c
    0.135335
    """
    _check("mi", lam, c, data_var=data_var, sigma2=sigma2, beta=beta)
    shift = -w * b / (w**2 + beta * sigma2)
    if w == 0 and (lam <= beta or c == 0):
        return Encoder(0.0, 0.0, 1.0)
    precision, gain = w**2 / sigma2 + beta, abs(w) * np.sqrt(data_var) / sigma2

    def reply(mi: float) -> Encoder:
        signal = -np.expm1(-2 * mi)  # v^2 Lambda as a share of the variance of q(z)
        pull = gain * np.sqrt(signal)
        width = (pull + np.sqrt(pull**2 + 4 * precision * beta)) / (2 * precision)  # standard deviation of q(z)
        v = float(np.copysign(width * np.sqrt(signal / data_var), w))
        return Encoder(v, float(shift), float(width**2 * np.exp(-2 * mi)))

    def worth(mi: float) -> float:
        """How fast D + beta M falls with the information, per nat."""
        signal, found = -np.expm1(-2 * mi), reply(mi)
        return float(gain * np.sqrt(found.v**2 * data_var) * np.exp(-2 * mi) / signal)

    def solve(price: float) -> float:
        """The information that is worth the price."""
        low, high = 1e-3, 1.0
        while worth(low) < price:
            low /= 16
            if low < 1e-14:
                return 0.0
        while worth(high) > price:
            high *= 2
        return float(brentq(lambda mi: worth(mi) - price, low, high, xtol=1e-15, rtol=1e-14))

    if w == 0:
        return reply(c)
    if c == 0 or lam == 0 or worth(c) >= beta:
        return reply(solve(beta))
    if worth(c) <= beta - lam:
        return reply(solve(beta - lam))
    return reply(c)


# --- all equilibria by formula ------------------------------------------------------------------------------


class Equilibria(NamedTuple):
    """Every equilibrium of the game, up to the sign of (w, v)."""

    informative: LinearGaussianVAE | None  # with w > 0; its mirror image (-w, -v) is one too
    deaf: tuple[float, float] | None  # those with w = v = b = 0: lowest and highest rate; their I_q is 0
    multiplier: float  # t, in [beta - lam, beta]: the informative one is the optimum of D + t R


def equilibria(data_var: float, sigma2: float, lam: float, c: float, beta: float = 1.0, on: str = "rate") -> Equilibria:
    """Theorem T3: the list of all equilibria.

    The informative pair exists iff Lambda > t sigma2, which is lam > beta - s(0); it has q(z) = p(z) under both hinges.
    What differs is the rest: a deaf decoder with rate 0 (lam < beta), up to c (lam = beta) or c (lam > beta) for a hinge on
    the rate; for a hinge on the information rate 0 (lam <= beta) or nothing at all.

    >>> found = equilibria(data_var=0.5, sigma2=1.0, lam=2.0, c=1.0, on="mi")       # collapse is gone
    >>> round(float(found.informative.mi), 6), round(float(found.informative.marginal_kl), 6), found.deaf
    (1.0, 0.0, None)
    >>> equilibria(data_var=0.5, sigma2=1.0, lam=2.0, c=1.0, on="rate").deaf         # rate, and no information
    (1.0, 1.0)
    """
    _check(on, lam, c, data_var=data_var, sigma2=sigma2, beta=beta)
    t = float(np.clip(slope(c, data_var, sigma2), beta - lam, beta))
    informative = optimum(data_var, sigma2, t) if data_var > t * sigma2 else None
    deaf: tuple[float, float] | None = (0.0, 0.0)
    if lam > beta and c > 0:
        deaf = (c, c) if on == "rate" else None
    elif lam == beta and on == "rate":
        deaf = (0.0, c)
    return Equilibria(informative, deaf, t)


# --- and by search ------------------------------------------------------------------------------------------


def replies(
    w: float, data_var: float, sigma2: float, lam: float, c: float, beta: float = 1.0, on: str = "rate", b: float = 0.0
) -> LinearGaussianVAE:
    """One round of best replies: B answers the decoder (w, b), then A answers B.

    >>> model = replies(1.0, data_var=2.0, sigma2=1.0, lam=0.0, c=0.0)      # w = 1 is A's answer to its own posterior
    >>> round(float(model.w), 12), round(float(model.v), 12)
    (1.0, 0.5)
    """
    answer = best_encoder if on == "rate" else best_encoder_information
    v, m, s2 = answer(w, data_var, sigma2, beta, lam, c, b)
    new_w, new_b = best_decoder(v, s2, data_var, m)
    return LinearGaussianVAE(new_w, v, s2, new_b, m, data_var, sigma2)


def search_gains(
    data_var: float, sigma2: float, lam: float, c: float, beta: float = 1.0, on: str = "rate", points: int = 60
) -> list[float]:
    """Every w > 0 that one round of best replies maps to itself, found by a scan and bisection; nothing of T3 is used.

    A decoder whose reply is nearer to 0 than itself lies below its reply's fixed point or above it; the scan looks for
    changes of sign of reply - w between 0.001 and 4 standard deviations of the data.

    >>> [round(w, 9) for w in search_gains(data_var=2.0, sigma2=1.0, lam=0.0, c=0.0)]
    [1.0]
    """

    def excess(w: float) -> float:
        return float(replies(w, data_var, sigma2, lam, c, beta, on).w) - w

    grid = np.geomspace(1e-3, 4.0, points) * np.sqrt(data_var)
    values = [excess(w) for w in grid]
    found = []
    for low, high, left, right in zip(grid[:-1], grid[1:], values[:-1], values[1:]):
        if left == 0 or left * right < 0:
            found.append(float(low if left == 0 else brentq(excess, low, high, xtol=1e-13)))
    return found


def search_deaf(lam: float, c: float, beta: float = 1.0, on: str = "rate", points: int = 2001) -> list[float]:
    """The rates at which B stays with an encoder that says nothing while A is deaf: by enumeration.

    Against w = 0 only beta R + lam max(c - X, 0) is left, of any encoder with X = R or X <= R; the silent encoders have
    I_q = 0. The rates run over a grid from 0 to 3c that holds c.

    >>> search_deaf(lam=2.0, c=1.0), search_deaf(lam=2.0, c=1.0, on="mi")
    ([1.0], [])
    """
    _check(on, lam, c, beta=beta)
    rate = np.union1d(np.linspace(0.0, 3 * max(c, 1e-3), points), [c])

    def price(rate: Array, mi: Array | float) -> Array:
        return beta * rate + lam * np.maximum(c - (rate if on == "rate" else mi), 0.0)

    silent = price(rate, 0.0)
    best = min(silent.min(), price(rate, rate).min())  # among encoders with I_q = R, and those with I_q = 0
    return [float(r) for r in rate[silent <= best + 1e-12]]

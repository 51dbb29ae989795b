"""Best encoders, penalties and rate-distortion curves for a fixed decoder table.

Everything in nats per example; shapes as in `klcourse.exact.discrete`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import softmax

from klcourse.exact.discrete import Array, DiscreteVAE, log_table
from klcourse.exact.inputs import distribution, finite, known, non_negative, numbers, positive


def beta_encoder(prior: ArrayLike, decoder: ArrayLike, beta: float = 1.0, bonus: ArrayLike = 0.0) -> Array:
    """The minimiser of D + beta R - E_q bonus: q(z|x) ∝ p(z) [p(x|z) e^bonus]^(1/beta), (K, L).

    beta = 1 gives the posterior p(z|x). `bonus` (K, L) is any further reward per (x, z) in nats. A symbol no code
    can produce keeps the prior. ValueError unless beta > 0.

    >>> beta_encoder([.5, .5], [[.8, .2], [.2, .8]], beta=1).round(2).tolist()
    [[0.8, 0.2], [0.2, 0.8]]
    """
    if not 0 < numbers("beta", beta) < np.inf:
        raise ValueError(f"beta = {beta} must be positive (the limit beta -> 0 picks the most likely code)")
    known(bonus=bonus)
    return _beta_encoder(distribution("prior", prior), distribution("decoder", decoder), beta, bonus)


def _beta_encoder(prior: Array, decoder: Array, beta: float, bonus: ArrayLike = 0.0) -> Array:
    """The same of tables that were looked at before."""
    score = (log_table(decoder).T + np.asarray(bonus, float)) / beta + log_table(prior)  # (K, L)
    dead = np.isneginf(score).all(1)
    score[dead] = log_table(prior)
    return softmax(score, axis=1)


def self_labelling_encoder(prior: ArrayLike, decoder: ArrayLike, codes: ArrayLike, labels: ArrayLike, lam: float) -> Array:
    """The encoder that maximises ELBO - lam E_q ||z - g(x)||^2 for fixed labels g, (K, L).

    It is q ∝ p(z) p(x|z) e^(-lam ||z - g||^2). `codes` (L, m) are the positions of the L codes, `labels` (K, m) the
    points g(x). Article section 2; claim A7.

    >>> self_labelling_encoder([.5, .5], [[.5, .5], [.5, .5]], [[0.], [1.]], [[0.], [1.]], lam=0.).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    non_negative(lam=lam)
    return beta_encoder(prior, decoder, 1.0, -lam * squared_distances(codes, labels))


def squared_distances(codes: ArrayLike, labels: ArrayLike) -> Array:
    """||z_l - g(x_k)||^2 as a table (K, L), from `codes` (L, m) and `labels` (K, m).

    >>> squared_distances([[0.], [2.]], [[1.], [2.]]).tolist()
    [[1.0, 1.0], [4.0, 0.0]]
    """
    finite(codes=codes, labels=labels)
    codes, labels = np.asarray(codes, float), np.asarray(labels, float)
    if codes.ndim != 2 or labels.ndim != 2 or codes.shape[1] != labels.shape[1]:
        raise ValueError(f"codes have shape {codes.shape}, labels {labels.shape}: give (L, m) and (K, m)")
    return ((labels[:, None, :] - codes[None, :, :]) ** 2).sum(-1)


def information_encoder(
    p_D: ArrayLike,
    prior: ArrayLike,
    decoder: ArrayLike,
    reward: float,
    beta: float = 1.0,
    *,
    tol: float = 1e-13,
    max_steps: int = 20_000,
) -> Array:
    """The encoder that minimises D + beta R - reward I_q for a fixed decoder, 0 <= reward <= beta, (K, L).

    I_q = max over b of E_q log b(x|z)/p_D(x), so the decoder and a learnt "critic" b = q(x|z) can be
    optimised in turn; each step lowers the objective, which is convex for reward <= beta: the limit is the
    global optimum. Stops when no probability moves by more than `tol`. ValueError for another reward.

    >>> q = information_encoder([.5, .5], [.5, .5], [[.8, .2], [.2, .8]], reward=.5)
    >>> q.round(2).tolist()                                     # more certain than the posterior, .8
    [[0.94, 0.06], [0.06, 0.94]]
    """
    if not 0 <= numbers("reward", reward) <= numbers("beta", beta):
        raise ValueError(f"reward = {reward} must lie in [0, beta = {beta}]: beyond it the problem is not convex")
    p_D, prior, decoder = distribution("p_D", p_D), distribution("prior", prior), distribution("decoder", decoder)
    q = beta_encoder(prior, decoder, beta)
    for _ in range(max_steps):
        aggregate = p_D @ q
        critic = log_table(q) - log_table(np.where(aggregate > 0, aggregate, 1))  # log b(x|z) up to a term in x alone
        new = _beta_encoder(prior, decoder, beta, reward * critic) if reward else q
        if abs(new - q).max() < tol:
            break
        q = new
    return q


def hinge_encoder(
    p_D: ArrayLike,
    prior: ArrayLike,
    decoder: ArrayLike,
    lam: float,
    c: float,
    beta: float = 1.0,
    on: str = "rate",
) -> Array:
    """The encoder that minimises D + beta R + lam max(c - X, 0) for a fixed decoder, (K, L).

    X is R (on="rate") or I_q (on="mi"). Exact: the reward m in [0, min(lam, beta)] per nat of X is raised until
    X = c or m = min(lam, beta). While m stays below beta the problem is convex and m is its multiplier, lam*(c); if
    even m = beta does not reach c and lam > beta, the optimum is no longer certified and a ValueError says so.
    Article eq. (3) and (4); claims A10, A12.

    >>> q = hinge_encoder([.5, .5], [.5, .5], [[.8, .2], [.2, .8]], lam=.5, c=.3)
    >>> round(float(DiscreteVAE([.5, .5], [.5, .5], q, [[.8, .2], [.2, .8]]).rate), 6)
    0.3
    """
    non_negative(lam=lam, c=c)
    positive(beta=beta)
    if on not in ("rate", "mi"):
        raise ValueError(f'on = {on!r}: choose "rate" (what the article\'s algorithm measures) or "mi" (what it says)')
    top = min(lam, beta) if on == "mi" else min(lam, beta * (1 - 1e-6))  # at beta the rate problem picks one code

    def best(m: float) -> DiscreteVAE:
        q = beta_encoder(prior, decoder, beta - m) if on == "rate" else information_encoder(p_D, prior, decoder, m, beta)
        return DiscreteVAE(p_D, prior, q, decoder)

    def excess(m: float) -> float:
        model = best(m)
        return (model.rate if on == "rate" else model.mi) - c

    if excess(0.0) >= 0:
        return best(0.0).encoder  # inactive: the constraint asks for less than there is
    if excess(top) <= 0:
        if lam > beta:
            raise ValueError(
                f"c = {c} is out of reach of this decoder ({c + excess(top):.4g} at most) and lam = {lam}"
                f" > beta = {beta} pays for waste: lower c, or lam to at most beta"
            )
        return best(top).encoder  # partial: a VAE with a smaller effective beta
    return best(brentq(excess, 0.0, top, xtol=1e-14)).encoder


# --- the rate-distortion curve ---------------------------------------------------------------------------
def rate_distortion(p_D: ArrayLike, prior: ArrayLike, decoder: ArrayLike, betas: ArrayLike) -> tuple[Array, Array]:
    """(R, D) of the best encoders for a fixed decoder, one point a beta; the slope -dD/dR there is beta.

    >>> rate, distortion = rate_distortion([.5, .5], [.5, .5], [[.8, .2], [.2, .8]], betas=[.5, 1.])
    >>> rate.round(3).tolist(), distortion.round(3).tolist()
    ([0.469, 0.193], [0.305, 0.5])
    """
    models = [DiscreteVAE(p_D, prior, beta_encoder(prior, decoder, b), decoder) for b in np.atleast_1d(betas)]
    return np.array([m.rate for m in models]), np.array([m.distortion for m in models])


def slope_at_rate(p_D: ArrayLike, prior: ArrayLike, decoder: ArrayLike, rate: float) -> float:
    """s(R) = -D'(R) for a fixed decoder: the beta whose optimal encoder has that rate.

    Then lam*(c) = max(beta - s(c), 0). ValueError for a rate that no beta from 1e-6 to 1e6 gives.

    >>> s = slope_at_rate([.5, .5], [.5, .5], [[.8, .2], [.2, .8]], rate=.3)
    >>> round(float(rate_distortion([.5, .5], [.5, .5], [[.8, .2], [.2, .8]], s)[0][0]), 6)
    0.3
    """

    non_negative(rate=rate)

    def excess(log_beta: float) -> float:
        return float(rate_distortion(p_D, prior, decoder, np.exp(log_beta))[0][0]) - rate

    low, high = np.log(1e-6), np.log(1e6)
    if not excess(high) < 0 < excess(low):
        raise ValueError(
            f"rate = {rate} is not reached by this decoder: choose one in "
            f"({rate + excess(high):.3g}, {rate + excess(low):.3g})"
        )
    return float(np.exp(brentq(excess, low, high, xtol=1e-14)))

"""The linear-Gaussian VAE in one dimension: everything a VAE is measured by, in closed form.

    data      x ~ N(0, Lambda)                 prior    z ~ N(0, 1)
    decoder   p(x|z) = N(w z + b, sigma2)      encoder  q(z|x) = N(v x + m, s2)

In code Lambda is `data_var` (`lam` is the penalty weight). Entropies, rates and distortions are in nats per
example. Every field may be an array: fields broadcast, results have the broadcast shape, so one object can
hold a whole grid of models, or the independent channels of a pPCA in its eigenbasis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from klcourse.exact.inputs import finite, non_negative, numbers, positive, whole

LOG_2PI = float(np.log(2 * np.pi))
Array = NDArray[np.float64]


@dataclass(frozen=True)
class LinearGaussianVAE:
    """A decoder, an encoder and the data they meet (the article's two modules A and B).

    Fields: gain `w`, encoder gain `v`, encoder variance `s2`, decoder bias `b`, encoder shift `m`, `data_var`
    (Lambda) and `sigma2`; floats or arrays that broadcast. Variances must be > 0 (ValueError).

    >>> vae = LinearGaussianVAE(w=1.0, v=0.5, s2=0.5, data_var=2.0, sigma2=1.0)   # the ELBO optimum
    >>> round(float(vae.rate), 4), round(float(vae.mi), 4), round(float(vae.marginal_kl), 4)
    (0.3466, 0.3466, 0.0)
    >>> bool(np.isclose(vae.elbo, vae.log_p))
    True
    """

    w: Array
    v: Array
    s2: Array
    b: Array
    m: Array
    data_var: Array
    sigma2: Array

    def __init__(
        self,
        w: ArrayLike,
        v: ArrayLike,
        s2: ArrayLike,
        b: ArrayLike = 0.0,
        m: ArrayLike = 0.0,
        data_var: ArrayLike = 1.0,
        sigma2: ArrayLike = 1.0,
    ) -> None:
        positive(s2=s2, data_var=data_var, sigma2=sigma2)
        finite(w=w, v=v, b=b, m=m)
        given = {"w": w, "v": v, "s2": s2, "b": b, "m": m, "data_var": data_var, "sigma2": sigma2}
        for name, value in given.items():
            object.__setattr__(self, name, np.asarray(value, dtype=float))

    def with_(self, **fields: ArrayLike) -> LinearGaussianVAE:
        """A copy with some fields exchanged.

        >>> LinearGaussianVAE(w=1.0, v=0.5, s2=0.5).with_(v=0.0, s2=1.0)       # the same decoder against q = p
        LinearGaussianVAE(w=array(1.), v=array(0.), s2=array(1.), b=array(0.), m=array(0.), data_var=array(1.), ...)
        """
        return LinearGaussianVAE(**(vars(self) | fields))

    @property
    def distortion(self) -> Array:
        """D = -E log p(x|z), nats."""
        miss, offset = 1 - self.w * self.v, self.b + self.w * self.m
        error = self.data_var * miss**2 + self.w**2 * self.s2 + offset**2
        return 0.5 * (LOG_2PI + np.log(self.sigma2) + error / self.sigma2)

    @property
    def rate(self) -> Array:
        """R = E KL(q(z|x) || p(z)), nats."""
        return 0.5 * (self.v**2 * self.data_var + self.m**2 + self.s2 - 1 - np.log(self.s2))

    @property
    def mi(self) -> Array:
        """I_q(x; z) under p_D(x) q(z|x), nats."""
        return 0.5 * np.log1p(self.v**2 * self.data_var / self.s2)

    @property
    def marginal_kl(self) -> Array:
        """M = KL(q(z) || p(z)), nats; R = I_q + M."""
        aggregate_var = self.v**2 * self.data_var + self.s2
        return 0.5 * (aggregate_var + self.m**2 - 1 - np.log(aggregate_var))

    @property
    def elbo(self) -> Array:
        """-(D + R), nats."""
        return -(self.distortion + self.rate)

    @property
    def log_p(self) -> Array:
        """E_pD log p(x), nats: the model's own marginal N(b, w^2 + sigma2). Never below `elbo`."""
        marginal_var = self.w**2 + self.sigma2
        return -0.5 * (LOG_2PI + np.log(marginal_var) + (self.data_var + self.b**2) / marginal_var)


# --- the optimum and the rate-distortion curve --------------------------------------------------------------


def optimum(data_var: ArrayLike, sigma2: ArrayLike, beta: ArrayLike = 1.0) -> LinearGaussianVAE:
    """Global minimiser of D + beta R; M = 0 there for every beta, and R = 0 once beta >= Lambda / sigma2.

    The sign of w is free (w, v -> -w, -v); the positive one is returned.

    >>> float(optimum(data_var=5.0, sigma2=1.0, beta=1.0).w)
    2.0
    """
    positive(data_var=data_var, sigma2=sigma2, beta=beta)
    data_var, level = np.asarray(data_var, float), np.asarray(beta, float) * sigma2
    w = np.sqrt(np.maximum(data_var - level, 0.0))
    s2 = np.minimum(level / data_var, 1.0)
    return LinearGaussianVAE(w, w / data_var, s2, data_var=data_var, sigma2=sigma2)


def constrained_optimum(rate: ArrayLike, data_var: ArrayLike, sigma2: ArrayLike) -> LinearGaussianVAE:
    """Minimiser of D at the given rate (>= 0): the optimum for beta = slope(rate); M = 0, so I_q = R.

    >>> float(constrained_optimum(0.5, data_var=1.0, sigma2=1.0).rate)
    0.5
    """
    return optimum(data_var, sigma2, slope(rate, data_var, sigma2))


def distortion(rate: ArrayLike, data_var: ArrayLike, sigma2: ArrayLike) -> Array:
    """D(R) = min distortion at the given rate, nats: 0.5 log(2 pi sigma2) + Lambda e^{-2R} / (2 sigma2).

    >>> round(float(distortion(0.0, data_var=1.0, sigma2=1.0)), 4)      # -L0, the z-free decoder
    1.4189
    """
    bought = slope(rate, data_var, sigma2)
    return 0.5 * (LOG_2PI + np.log(sigma2) + bought)


def slope(rate: ArrayLike, data_var: ArrayLike, sigma2: ArrayLike) -> Array:
    """s(R) = -D'(R) = (Lambda / sigma2) e^{-2R}: what one more nat of rate buys. Collapse iff beta >= s(0).

    >>> float(slope(0.0, data_var=2.0, sigma2=1.0))
    2.0
    """
    positive(data_var=data_var, sigma2=sigma2)
    if not np.all(numbers("rate", rate) >= 0):
        raise ValueError(f"rate is a mean KL and cannot be negative, got {np.asarray(rate)}")
    return np.asarray(data_var, float) / sigma2 * np.exp(-2 * np.asarray(rate, float))


def lam_star(c: ArrayLike, data_var: ArrayLike, sigma2: ArrayLike, beta: ArrayLike = 1.0) -> Array:
    """The least penalty weight that holds R >= c: max(beta - s(c), 0).

    >>> round(float(lam_star(1.0, data_var=1.0, sigma2=1.0)), 4)
    0.8647
    """
    positive(beta=beta)
    return np.maximum(np.asarray(beta, float) - slope(c, data_var, sigma2), 0.0)


# --- best replies: the (w, v) plane -------------------------------------------------------------------------


class Encoder(NamedTuple):
    """Encoder N(v x + m, s2)."""

    v: float
    m: float
    s2: float


def best_decoder(v: ArrayLike, s2: ArrayLike, data_var: ArrayLike, m: ArrayLike = 0.0) -> tuple[Array, Array]:
    """Module A's best reply to an encoder: (w, b) minimising D, i.e. the regression of x on z.

    >>> [float(value) for value in best_decoder(v=0.5, s2=0.5, data_var=2.0)]
    [1.0, -0.0]
    """
    positive(s2=s2, data_var=data_var)
    finite(v=v, m=m)
    v, data_var = np.asarray(v, float), np.asarray(data_var, float)
    w = v * data_var / (v**2 * data_var + np.asarray(s2, float))
    return w, -w * np.asarray(m, float)


def _encoder(w: float, b: float, level: float) -> Encoder:
    total = w**2 + level
    return Encoder(w / total, -w * b / total, level / total)


def best_encoder(
    w: float,
    data_var: float,
    sigma2: float,
    beta: float = 1.0,
    lam: float = 0.0,
    c: float = 0.0,
    b: float = 0.0,
) -> Encoder:
    """Module B's best reply to a decoder: (v, m, s2) minimising D + beta R + lam max(c - R, 0).

    For a fixed decoder D and R are both convex in (v, m, log s2), so the reply is the optimum for one
    multiplier in [beta - lam, beta]. With w = 0 and lam >= beta the best reply is not unique (for lam > beta:
    every encoder with R = c, lazy or not); then the limit w -> 0+ for b = 0 is returned.

    >>> best_encoder(w=1.0, data_var=2.0, sigma2=1.0)                   # the exact posterior
    Encoder(v=0.5, m=-0.0, s2=0.5)
    >>> best_encoder(w=0.0, data_var=2.0, sigma2=1.0, lam=0.9, c=1.0)       # lam < beta: collapse is a reply
    Encoder(v=0.0, m=-0.0, s2=1.0)
    >>> round(best_encoder(0.0, data_var=2.0, sigma2=1.0, lam=1.1, c=1.0).v, 4)     # lam > beta: it is not
    1.0
    """
    positive(data_var=data_var, sigma2=sigma2, beta=beta)
    non_negative(lam=lam, c=c)
    finite(w=w, b=b)

    def rate_at(multiplier: float) -> float:
        reply = _encoder(w, b, multiplier * sigma2)
        return float(LinearGaussianVAE(w, reply.v, reply.s2, b, reply.m, data_var, sigma2).rate)

    if lam == 0 or c == 0 or rate_at(beta) >= c:
        return _encoder(w, b, beta * sigma2)
    if lam < beta and rate_at(beta - lam) <= c:
        return _encoder(w, b, (beta - lam) * sigma2)
    if w == 0:
        if lam == beta:
            return Encoder(0.0, 0.0, 1.0)
        return Encoder(float(np.sqrt(2 * c / data_var)), 0.0, 1.0)
    # The rate falls as the multiplier grows; search on its logarithm, which for small w spans many decades.
    floor = np.log(beta)
    while rate_at(np.exp(floor)) < c:
        floor -= 2.0
    log_multiplier = brentq(lambda t: rate_at(np.exp(t)) - c, floor, np.log(beta), xtol=1e-14, rtol=1e-14)
    return _encoder(w, b, np.exp(log_multiplier) * sigma2)


def nash_hessian(data_var: float, sigma2: float, beta: float = 1.0) -> Array:
    """Hessian of D + beta R in (w, v) at the collapsed point (0, 0), s2 = 1; shape (2, 2).

    Both diagonal entries are > 0: no module gains by moving alone (a strict Nash equilibrium, claim A4). The
    determinant is < 0 iff Lambda > beta sigma2: moving together along the diagonal wins (a saddle). With a
    hinge on R or on I_q and R < c, replace beta by beta - lam.

    >>> nash_hessian(data_var=2.0, sigma2=1.0)
    array([[ 1., -2.],
           [-2.,  2.]])
    """
    positive(data_var=data_var, sigma2=sigma2)
    finite(beta=beta)
    return np.array([[1 / sigma2, -data_var / sigma2], [-data_var / sigma2, beta * data_var]])


# --- Gaussian channels: condition (5) of the article --------------------------------------------------------


def lautum(c: ArrayLike, d: int = 1) -> Array:
    """KL(p(x)p(z) || p(x,z)) of d equal Gaussian channels with c nats in all: d(e^{2c/d} - 1) - c.

    It is the mean of log p(x) - E_p(z) log p(x|z), the loss the article's condition (5) is about, when p_D =
    p_theta (Palomar & Verdu 2008 for the name). Condition (5) then reads lam > lautum(c, d) / c.

    >>> round(float(lautum(5.0, 1)) / 5.0), round(float(lautum(5.0, 32)) / 5.0, 2)
    (4404, 1.35)
    """
    positive(c=c)
    whole(d=d)
    c = np.asarray(c, float)
    return d * np.expm1(2 * c / d) - c


def article_condition_5(c: ArrayLike, d: int = 1) -> Array:
    """The lam that condition (5) demands for d equal Gaussian channels with p_D = p_theta: lautum(c, d) / c.

    >>> float(article_condition_5(5.0, 32)) > 1.3
    True
    """
    return lautum(c, d) / np.asarray(c, float)

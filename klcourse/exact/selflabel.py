"""SLVAE's objective, -ELBO + lam E ||z - g(x)||^2, where it can be solved exactly (claims A6, A7).

Against a decoder that ignores z the encoder's best reply is not the prior but the *tilted prior*
q*(z|x) prop. p(z) e^{-lam ||z - g(x)||^2} = N(a g(x), I / k), k = 1 + 2 lam, a = 2 lam / k.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from klcourse.exact.inputs import finite, non_negative, positive, whole
from klcourse.exact.linear_gaussian import Array, LinearGaussianVAE


def _stiffness(lam: ArrayLike) -> Array:
    non_negative(lam=lam)
    return 1 + 2 * np.asarray(lam, dtype=float)


def tilted_prior(lam: ArrayLike, g: ArrayLike = 0.0) -> tuple[float | Array, float | Array]:
    """Mean (shape of g) and per-dimension variance of q* for the label g = g(x); floats where lam and g are.

    >>> tilted_prior(lam=0.5, g=1.0)
    (0.5, 0.5)
    """
    k = _stiffness(lam)
    finite(g=g)
    mean = (k - 1) / k * np.asarray(g, dtype=float)
    return (float(mean) if np.ndim(mean) == 0 else mean), (float(1 / k) if np.ndim(k) == 0 else 1 / k)


def tilted_rate(lam: ArrayLike, d: int = 1, g_norm2: ArrayLike = 0.0) -> Array:
    """KL(q* || p), nats: (d/2)[log k - 2 lam / k] + a^2 ||g||^2 / 2.

    `g_norm2` is ||g(x)||^2, or its mean over p_D for the mean rate. At g = 0 the KL has not vanished, but I_q
    has.

    >>> round(float(tilted_rate(0.5, d=32)), 2)
    3.09
    """
    k = _stiffness(lam)
    whole(d=d)
    non_negative(g_norm2=g_norm2)
    return 0.5 * d * (np.log(k) - (k - 1) / k) + 0.5 * ((k - 1) / k) ** 2 * np.asarray(g_norm2, dtype=float)


def tilted_value(lam: ArrayLike, d: int = 1, g_norm2: ArrayLike = 0.0) -> Array:
    """min_q KL(q || p) + lam E_q ||z - g||^2 = (d/2) log k + lam ||g||^2 / k, nats.

    The loss of a collapsed SLVAE is this minus L0. Setting q = p instead costs lam (d + ||g||^2), strictly
    more for lam > 0.

    >>> bool(tilted_value(1.0, d=8) < 1.0 * 8)
    True
    """
    k = _stiffness(lam)
    whole(d=d)
    non_negative(g_norm2=g_norm2)
    return 0.5 * d * np.log(k) + (k - 1) / (2 * k) * np.asarray(g_norm2, dtype=float)


def tilted_mi(lam: ArrayLike, g_cov: ArrayLike) -> Array:
    """I_q(x; z) of the tilted prior for a Gaussian label: 0.5 log det(I + a^2 k g_cov), `g_cov` (d, d), nats.

    Zero iff g is constant: with the SLCVAE paper's alternating g the encoder keeps information although the
    decoder ignores z.

    >>> float(tilted_mi(1.0, [[0.0]])), bool(tilted_mi(1.0, [[0.5]]) > 0)
    (0.0, True)
    """
    k = _stiffness(lam)
    finite(g_cov=g_cov)
    g_cov = np.atleast_2d(np.asarray(g_cov, dtype=float))
    if not np.allclose(g_cov, g_cov.T) or np.linalg.eigvalsh(g_cov).min() < -1e-9:
        raise ValueError(f"g_cov must be a covariance, symmetric with no negative eigenvalue, got {g_cov.tolist()}")
    return 0.5 * np.linalg.slogdet(np.eye(len(g_cov)) + (k - 1) ** 2 / k * g_cov)[1]


def joint_optimum(data_var: ArrayLike, sigma2: ArrayLike, lam: ArrayLike) -> LinearGaussianVAE:
    """Global optimum of SLVAE on the 1-D linear-Gaussian model with g trained jointly.

    Then g(x) = E_q z = v x + m, and the label term is lam s2: g only shrinks the posterior. Collapsed iff
    Lambda <= sigma2 / (1 + 2 lam), and then q = N(0, 1 / (1 + 2 lam)): rate > 0, I_q = 0.

    >>> dead, alive = joint_optimum(0.2, 1.0, lam=1.0), joint_optimum(0.5, 1.0, lam=1.0)
    >>> float(dead.mi), bool(dead.rate > 0.2), bool(alive.mi > 0)
    (0.0, True, True)
    """
    positive(data_var=data_var, sigma2=sigma2)
    data_var, k = np.asarray(data_var, float), _stiffness(lam)
    ratio = data_var / sigma2
    # snr = v^2 Lambda / s2 minimises (ratio/2)/(1+snr) + 0.5 log(1 + snr/k): a quadratic in 1 + snr.
    snr = np.maximum(0.5 * (ratio + np.sqrt(ratio**2 + 4 * ratio * (k - 1))) - 1, 0.0)
    s2 = 1 / (k + snr)
    v = np.sqrt(snr * s2 / data_var)
    w = v * data_var / (s2 * (1 + snr))
    return LinearGaussianVAE(w, v, s2, data_var=data_var, sigma2=sigma2)


def joint_collapse_variance(sigma2: ArrayLike, lam: ArrayLike) -> Array:
    """Data variance up to which SLVAE with joint g collapses in the linear model: sigma2 / (1 + 2 lam).

    >>> float(joint_collapse_variance(1.0, lam=0.5))
    0.5
    """
    positive(sigma2=sigma2)
    return np.asarray(sigma2, float) / _stiffness(lam)

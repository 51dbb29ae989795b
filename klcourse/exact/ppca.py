"""The linear-Gaussian VAE in n dimensions with d latents: probabilistic PCA and its rate-distortion curve.

In the eigenbasis of the data covariance it is d one-dimensional channels that share one rate budget. The
budget is spent by reverse water-filling: a channel gets 0.5 log(Lambda_i / theta) nats if Lambda_i is above
the water level theta, none otherwise; a channel that gets none has collapsed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from klcourse.exact.inputs import positive, whole
from klcourse.exact.linear_gaussian import LOG_2PI, Array, LinearGaussianVAE


@dataclass(frozen=True)
class PPCA:
    """Rate-distortion curve of the linear VAE (Lucas et al. 2019 for "no other minima").

    `eigenvalues` (n,) of the data covariance, >= 0, any order (kept sorted, largest first); `d` latents;
    `sigma2` the decoder's noise variance, or None: learned, the best one at every rate. Rates are nats per
    example and may be arrays. ValueError for bad values.

    >>> curve = PPCA([4.0, 1.0, 0.25], d=2, sigma2=0.5)
    >>> round(float(curve.rate(beta=1.0)), 4)                  # 0.5 log(4 / .5) + 0.5 log(1 / .5)
    1.3863
    >>> float(curve.slope(0.0)), curve.collapse_betas()        # channels open below beta = 8 and below 2
    (8.0, array([8., 2.]))
    """

    eigenvalues: Array
    d: int
    sigma2: float | None

    def __init__(self, eigenvalues: ArrayLike, d: int, sigma2: float | None = None) -> None:
        values = np.sort(np.atleast_1d(np.asarray(eigenvalues, dtype=float)))[::-1]
        if values.ndim != 1 or not values.size or not np.all(values >= 0) or not 0 < values[0] < np.inf:
            raise ValueError(f"eigenvalues must be finite, >= 0 and not all 0, got {np.asarray(eigenvalues)}")
        whole(d=d)
        if sigma2 is not None:
            positive(sigma2=sigma2)
        for name, value in (("eigenvalues", values), ("d", d), ("sigma2", sigma2)):
            object.__setattr__(self, name, value)

    @property
    def n(self) -> int:
        """Dimension of the data."""
        return len(self.eigenvalues)

    @property
    def _channels(self) -> Array:
        """Eigenvalues that a latent can carry: the d largest, without zeros."""
        top = self.eigenvalues[: self.d]
        return top[top > 0]

    # --- at a given rate ------------------------------------------------------------------------------------

    def water_level(self, rate: ArrayLike) -> Array:
        """theta with 0.5 sum_{i<=d} max(log(Lambda_i / theta), 0) = rate; Lambda_1 at rate 0.

        >>> float(PPCA([4.0, 1.0], d=2).water_level(np.log(2)))    # the second channel is about to open
        1.0
        """
        rate = np.asarray(rate, dtype=float)
        if not np.all(rate >= 0):
            raise ValueError(f"rate is a mean KL and cannot be negative, got {rate}")
        logs = np.log(self._channels)
        k = np.arange(1, len(logs) + 1)
        spent = 0.5 * (np.cumsum(logs) - k * logs)  # rate at which channel k opens; (k,) rising
        active = np.maximum(np.searchsorted(spent, rate, side="left"), 1)
        return np.exp((np.cumsum(logs)[active - 1] - 2 * rate) / active)

    def mse(self, rate: ArrayLike) -> Array:
        """Least squared error at the given rate: sum_{i<=d} min(Lambda_i, theta) + sum_{i>d} Lambda_i."""
        theta = np.expand_dims(self.water_level(rate), -1)
        return np.minimum(self.eigenvalues[: self.d], theta).sum(-1) + self.eigenvalues[self.d :].sum()

    def noise(self, rate: ArrayLike) -> Array:
        """The decoder's noise variance at the given rate: `sigma2`, or mse / n where it is learned."""
        if self.sigma2 is None:
            return self.mse(rate) / self.n
        return np.full(np.shape(rate), float(self.sigma2))

    def distortion(self, rate: ArrayLike) -> Array:
        """D(R), nats: (n/2) log(2 pi sigma2) + mse / (2 sigma2); convex in R, with or without learned noise.

        >>> round(float(PPCA([1.0], d=1, sigma2=1.0).distortion(0.0)), 4)
        1.4189
        """
        noise = self.noise(rate)
        return 0.5 * (self.n * (LOG_2PI + np.log(noise)) + self.mse(rate) / noise)

    def slope(self, rate: ArrayLike) -> Array:
        """s(R) = -D'(R) = theta / sigma2 (learned noise: n theta / mse)."""
        return self.water_level(rate) / self.noise(rate)

    def log_p(self, rate: ArrayLike) -> Array:
        """E_pD log p(x) of the optimal model at the given rate; equals -(D + R) where s(R) = 1 or R = 0."""
        rate = np.asarray(rate, dtype=float)
        theta, noise = np.expand_dims(self.water_level(rate), -1), np.expand_dims(self.noise(rate), -1)
        gain = np.maximum(self.eigenvalues - theta, 0.0) * (np.arange(self.n) < self.d)
        marginal_var = noise + gain  # (..., n)
        return -0.5 * (LOG_2PI + np.log(marginal_var) + self.eigenvalues / marginal_var).sum(-1)

    def channels(self, rate: float) -> LinearGaussianVAE:
        """The optimal model at the given rate as n one-dimensional ones, fields (n,); needs eigenvalues > 0.

        Their distortions and rates add up to `distortion(rate)` and `rate`; channels beyond d are closed.

        >>> PPCA([4.0, 1.0], d=2, sigma2=1.0).channels(np.log(2)).rate.round(4)
        array([0.6931, 0.    ])
        """
        theta, values = float(self.water_level(rate)), self.eigenvalues
        gain = np.maximum(values - theta, 0.0) * (np.arange(self.n) < self.d)
        w = np.sqrt(gain)
        s2 = np.where(gain > 0, theta / values, 1.0)
        return LinearGaussianVAE(w, w / values, s2, data_var=values, sigma2=self.noise(rate))

    # --- at a given beta ------------------------------------------------------------------------------------

    def rate(self, beta: float = 1.0) -> float:
        """Least rate among the global minimisers of D + beta R; inf where the slope never falls to beta.

        inf happens only with learned noise and d >= the rank of the data: then sigma2 -> 0 and D -> -inf.

        >>> float(PPCA([1.0, 1.0], d=1).rate(beta=1.0))  # isotropic data: collapsed, noise learned or not
        0.0
        """
        positive(beta=beta)
        if self.sigma2 is not None:
            return float(0.5 * np.maximum(np.log(self._channels / (beta * self.sigma2)), 0.0).sum())
        if beta >= self.slope(0.0):
            return 0.0
        values = self._channels
        for k in range(1, len(values) + 1):  # k open channels: s = n theta / (k theta + rest)
            rest = self.eigenvalues[k:].sum()
            end = values[k] if k < len(values) else 0.0  # water level at which the next one opens
            if self.n * end <= beta * (k * end + rest) and self.n > beta * k and rest > 0:
                theta = beta * rest / (self.n - beta * k)
                return float(0.5 * np.log(values[:k] / theta).sum())
            if end > 0 and self.n * end == beta * (k * end + rest):  # flat from here on, e.g. s = 1 for d = n
                return float(0.5 * np.log(values[:k] / end).sum())
        return float("inf")

    def collapse_betas(self) -> Array:
        """Channel i is closed at the optimum iff beta >= entry i; the first is s(0). Shape (<= d,).

        >>> PPCA([2.0, 1.0, 1.0], d=1).collapse_betas()                # learned noise: n Lambda_1 / tr Sigma
        array([1.5])
        """
        values = self._channels
        opened = 0.5 * (np.cumsum(np.log(values)) - np.arange(1, len(values) + 1) * np.log(values))
        return self.slope(np.maximum(opened, 0.0))

    def lam_star(self, c: ArrayLike, beta: float = 1.0) -> Array:
        """The least penalty weight that holds R >= c: max(beta - s(c), 0).

        >>> round(float(PPCA([1.0], d=1, sigma2=1.0).lam_star(1.0)), 4)
        0.8647
        """
        positive(beta=beta)
        return np.maximum(beta - self.slope(c), 0.0)


SIXTEEN = PPCA(2.0 * 0.88 ** np.arange(16), d=16, sigma2=1.0)
"""The model of the phase diagrams: sixteen latents; the first nat buys two, the eighth a third of one."""

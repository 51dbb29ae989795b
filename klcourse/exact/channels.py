"""Equilibria of the linear-Gaussian game with several latents: which directions of the data are heard (notebook 09).

Data x ~ N(0, Sigma) in n dimensions, decoder N(W z + b, sigma2 I), encoder N(V x + m, S). For an encoder with a full
covariance S every equilibrium is known: up to a rotation of the latents it is a set of eigendirections of Sigma that are
open, each with the rate 0.5 log(Lambda_i / theta), and q(z) = p(z). With a diagonal S, which is what VAEs use, there are
others.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from klcourse.exact.inputs import finite, non_negative, positive, whole
from klcourse.exact.linear_gaussian import Array


class OpenSet(NamedTuple):
    """One equilibrium in the eigenbasis: the directions that are open, and what they carry."""

    directions: tuple[int, ...]  # indices into the eigenvalues
    multiplier: float  # t, the beta of the plain VAE with the same equilibrium
    rate: float  # R = I_q, nats


def open_sets(eigenvalues: ArrayLike, d: int, sigma2: float, lam: float, c: float, beta: float = 1.0) -> list[OpenSet]:
    """All equilibria with a decoder that hears something, one for each admissible set of at most d open directions.

    A set S is admissible if Lambda_i > t sigma2 for every i in S, where t = clip(s_S(c), beta - lam, beta) and s_S is the
    slope of the rate-distortion curve of these directions alone. The same list for a hinge on R and on I_q.

    >>> [one.directions for one in open_sets([2.0, 1.5], d=1, sigma2=1.0, lam=0.0, c=0.0)]
    [(0,), (1,)]
    """
    values = np.asarray(eigenvalues, dtype=float)
    positive(eigenvalues=values, sigma2=sigma2, beta=beta)
    non_negative(lam=lam, c=c)
    whole(d=d)
    found = []
    for size in range(1, min(d, len(values)) + 1):
        for chosen in combinations(range(len(values)), size):
            logs = np.log(values[list(chosen)])
            t = float(np.clip(np.exp((logs.sum() - 2 * c) / size) / sigma2, beta - lam, beta))  # all of S open at rate c
            if t > 0 and logs.min() > np.log(t * sigma2):
                found.append(OpenSet(chosen, t, float(0.5 * (logs - np.log(t * sigma2)).sum())))
    return found


class LinearModel(NamedTuple):
    """Decoder gain W (n, d) and encoder gain V (d, n), covariance S (d, d); no shifts."""

    W: Array
    V: Array
    S: Array

    def aggregate(self, sigma: Array) -> Array:
        """Covariance of q(z), (d, d)."""
        return self.V @ sigma @ self.V.T + self.S

    def rate(self, sigma: Array) -> float:
        """R, nats."""
        total = self.aggregate(sigma)
        return float(0.5 * (np.trace(total) - len(total) - np.linalg.slogdet(self.S)[1]))

    def mi(self, sigma: Array) -> float:
        """I_q, nats."""
        return float(0.5 * (np.linalg.slogdet(self.aggregate(sigma))[1] - np.linalg.slogdet(self.S)[1]))

    def marginal_kl(self, sigma: Array) -> float:
        """M = R - I_q, nats."""
        return self.rate(sigma) - self.mi(sigma)

    def distortion(self, sigma: Array, sigma2: float) -> float:
        """D, nats."""
        miss = np.eye(len(sigma)) - self.W @ self.V
        error = np.trace(miss @ sigma @ miss.T) + np.trace(self.W @ self.S @ self.W.T)
        return float(0.5 * (len(sigma) * np.log(2 * np.pi * sigma2) + error / sigma2))


def encoder_reply(W: Array, theta: float, diagonal: bool) -> tuple[Array, Array]:
    """B's best reply (V, S) to W for the multiplier t, theta = t sigma2; S full, or the best diagonal one.

    >>> encoder_reply(np.array([[1.0]]), theta=1.0, diagonal=True)
    (array([[0.5]]), array([[0.5]]))
    """
    positive(theta=theta)
    finite(W=W)
    precision = W.T @ W + theta * np.eye(W.shape[1])
    S = theta * (np.diag(1 / np.diag(precision)) if diagonal else np.linalg.inv(precision))
    return np.asarray(np.linalg.solve(precision, W.T), float), np.asarray(S, float)


def decoder_reply(V: Array, S: Array, sigma: Array) -> Array:
    """A's best reply W to an encoder: the regression of x on z.

    >>> decoder_reply(np.array([[0.5]]), np.array([[0.5]]), np.array([[2.0]]))
    array([[1.]])
    """
    finite(V=V, S=S, sigma=sigma)
    return sigma @ V.T @ np.linalg.inv(V @ sigma @ V.T + S)


def tilted_pair(first: float, second: float, theta: float) -> LinearModel:
    """Two latents at 45 degrees to the eigendirections: an equilibrium of the diagonal encoder with q(z) not p(z).

    Data with covariance diag(first, second), n = d = 2. Both latents have the same posterior variance, so a diagonal S
    cannot tell that they are correlated. It needs sqrt(p Lambda_k) > theta for both directions, where p is the square of
    (sqrt(first) + sqrt(second)) / 2; ValueError otherwise.

    >>> model = tilted_pair(4.0, 1.0, theta=0.5)
    >>> round(model.marginal_kl(np.diag([4.0, 1.0])), 4)
    0.0589
    """
    positive(first=first, second=second, theta=theta)
    roots = np.sqrt([first, second])
    p = roots.mean() ** 2
    levels = np.sqrt(p) * roots  # eigenvalues of W'W + theta
    if np.any(levels <= theta):
        raise ValueError(f"theta={theta} closes one of the two directions: it must be below {levels.min():.4g}")
    turn = np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)
    W = np.diag(np.sqrt(levels - theta)) @ turn
    V, S = encoder_reply(W, theta, diagonal=True)
    return LinearModel(W, V, S)

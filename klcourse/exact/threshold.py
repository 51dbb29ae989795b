"""When is collapse stable? The threshold s(0), computed before any training (theorem T5, notebook 09).

Let p0 be the best decoder without z. Collapse is a saddle of D + t R, t = beta - lam, iff s(0) > t, where

    s(0) = max over scores u of  E_pD[u^2] / E_p0[u^2],

and a score u(x) is what log p(x|z) changes by, per unit of z, when the decoder begins to listen. For an exponential family
with statistics T the scores are B'(T - E T), and s(0) is the largest eigenvalue of F^(-1/2) Cov_pD(T) F^(-1/2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh

from klcourse.exact.inputs import distribution, finite, numbers, positive, whole
from klcourse.exact.linear_gaussian import Array


def largest_ratio(observed: ArrayLike, expected: ArrayLike) -> float:
    """max_u u' observed u / u' expected u: s(0) from the scores' second moments under p_D and under p0, both (k, k).

    Directions of which p0 is certain (a zero on the diagonal of `expected`) are left out: there the data must agree.

    >>> largest_ratio([[2.0, 0.0], [0.0, 3.0]], [[1.0, 0.0], [0.0, 2.0]])
    2.0
    """
    finite(observed=observed, expected=expected)
    observed, expected = np.asarray(observed, float), np.asarray(expected, float)
    if observed.ndim != 2 or observed.shape != expected.shape or observed.shape[0] != observed.shape[1]:
        raise ValueError(f"second moments have shapes {observed.shape} and {expected.shape}: give (k, k) twice")
    if not (np.allclose(observed, observed.T) and np.allclose(expected, expected.T)):
        raise ValueError("second moments are symmetric: give u u' averaged, (k, k)")
    alive = np.diag(expected) > 1e-12
    return float(eigh(observed[np.ix_(alive, alive)], expected[np.ix_(alive, alive)], eigvals_only=True)[-1])


def correlation_spectrum(x: ArrayLike) -> tuple[Array, Array]:
    """Eigenvalues (k,), largest first, of the correlation matrix of x (N, n), 0 or 1, and the direction of the first (n,).

    The direction is that of a decoder's logits, so it is divided by each pixel's standard deviation; its largest entry is
    1. Pixels that never change carry nothing: they are left out of the matrix and are 0 in the direction.

    >>> values, first = correlation_spectrum([[0, 0, 1], [1, 1, 1]])           # two pixels that are always equal
    >>> abs(values).round(9).tolist(), first.round(9).tolist()
    ([2.0, 0.0], [1.0, 1.0, 0.0])
    """
    x = numbers("x", x)
    if x.ndim != 2 or not np.isin(x, (0, 1)).all():
        raise ValueError(f"x must hold pixels of 0 or 1, (N, n), got shape {x.shape} and values such as {x.ravel()[:3]}")
    spread = x.std(0)
    alive = spread > 0
    if not alive.any():
        raise ValueError("every pixel is constant: there is nothing to say")
    values, vectors = np.linalg.eigh(np.atleast_2d(np.corrcoef(x[:, alive].T)))
    first = np.zeros(x.shape[1])
    first[alive] = vectors[:, -1] / spread[alive]
    return values[::-1], first / first[np.argmax(abs(first))]


def bernoulli_threshold(x: ArrayLike) -> float:
    """s(0) of a decoder of independent pixels: the largest eigenvalue of the correlation matrix of x (N, n), 0 or 1.

    >>> round(bernoulli_threshold([[0, 0, 1], [1, 1, 1]]), 9)
    2.0
    """
    return float(correlation_spectrum(x)[0][0])


# --- autoregressive decoders on sequences of a few bits -----------------------------------------------------


def sequences(length: int) -> Array:
    """All 2^length sequences of bits, (2^length, length), the first symbol changing slowest.

    >>> sequences(2).tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    whole(0, length=length)
    return ((np.arange(2**length)[:, None] >> np.arange(length)[::-1]) & 1).astype(float)


def autoregressive_fit(p_D: ArrayLike, memory: int, shared: bool = False) -> tuple[Array, Array]:
    """The best decoder without z that sees the last `memory` symbols, and its scores: p0 (N,) and (N, k).

    p_D (N,) is over all sequences of log2 N bits. memory = 0 is a decoder of independent symbols, length - 1 a perfect one.
    A score is x_t - p0(x_t = 1 | context) where the context is a given one: z can say something else in every context.
    With `shared` there is one for each place only, the sum over its contexts: z shifts a place whatever came before.

    >>> p0, scores = autoregressive_fit([.4, .1, .1, .4], memory=1)
    >>> p0.round(9).tolist(), scores.shape
    ([0.4, 0.1, 0.1, 0.4], (4, 3))
    """
    p_D = distribution("p_D", p_D)
    whole(0, memory=memory)
    length = int(np.log2(len(p_D)))
    if 2**length != len(p_D) or not 0 <= memory < max(length, 1):
        raise ValueError(f"p_D has {len(p_D)} entries and memory = {memory}: need 2^T of them, and 0 <= memory < T")
    x, p0 = sequences(length), np.ones(len(p_D))
    scores: list[Array] = []
    for t in range(length):
        past = x[:, max(0, t - memory) : t]
        context = past @ (2 ** np.arange(past.shape[1]))
        of_place = []
        for value in range(2 ** past.shape[1]):
            here = context == value
            weight = p_D[here].sum()
            one = p_D[here & (x[:, t] == 1)].sum() / weight if weight > 0 else 0.5
            p0[here] *= np.where(x[here, t] == 1, one, 1 - one)
            of_place.append(np.where(here, x[:, t] - one, 0.0))
        scores += [np.sum(of_place, 0)] if shared else of_place
    return p0, np.stack(scores, 1)


def autoregressive_threshold(p_D: ArrayLike, memory: int, shared: bool = False) -> float:
    """s(0) of the best autoregressive decoder that sees `memory` symbols back; 1 for a perfect one.

    >>> table = [.4, .1, .1, .4]                                       # two bits with correlation .6
    >>> round(autoregressive_threshold(table, memory=0), 9), round(autoregressive_threshold(table, memory=1), 9)
    (1.6, 1.0)
    """
    p0, scores = autoregressive_fit(p_D, memory, shared)
    return largest_ratio((scores.T * np.asarray(p_D, float)) @ scores, (scores.T * p0) @ scores)


# --- a Bernoulli VAE small enough for its whole Hessian -----------------------------------------------------


@dataclass(frozen=True)
class SmallBernoulliVAE:
    """x of n bits, one latent z, decoder logits eta + w z, and an encoder N(a_x, exp(l_x)) that is free for every x.

    p_D (2^n,) is over `sequences(n)`, all entries > 0. Parameters are one vector (eta, w, a, l); the expectation over z is a
    Gauss-Hermite sum, exact to many digits for gains of order 1.

    >>> vae = SmallBernoulliVAE([.4, .1, .1, .4])
    >>> [round(float(vae.loss(vae.collapse(), t)), 6) for t in (1.0, 9.0)]                          # R = 0 there
    [1.386294, 1.386294]
    """

    p_D: Array

    def __post_init__(self) -> None:
        p_D = np.asarray(self.p_D, float)
        positive(p_D=p_D)
        object.__setattr__(self, "p_D", p_D / p_D.sum())

    @property
    def x(self) -> Array:
        """All data points, (N, n)."""
        return sequences(int(np.log2(len(self.p_D))))

    @property
    def threshold(self) -> float:
        """s(0): the largest eigenvalue of the correlation matrix of the bits."""
        mean = self.p_D @ self.x
        centred = self.x - mean
        return largest_ratio((centred.T * self.p_D) @ centred, np.diag(mean * (1 - mean)))

    def split(self, parameters: ArrayLike) -> tuple[Array, Array, Array, Array]:
        """eta (n,), w (n,), a (N,), l (N,)."""
        n, N = self.x.shape[1], len(self.p_D)
        eta, w, a, log_var = np.split(np.asarray(parameters, float), [n, 2 * n, 2 * n + N])
        return eta, w, a, log_var

    def collapse(self) -> Array:
        """The parameters of the best decoder without z and q = p."""
        mean, N = self.p_D @ self.x, len(self.p_D)
        return np.concatenate([np.log(mean / (1 - mean)), np.zeros(len(mean) + 2 * N)])

    def rate(self, parameters: ArrayLike) -> float:
        """R, nats."""
        _, _, a, log_var = self.split(parameters)
        return float(self.p_D @ (0.5 * (a**2 + np.exp(log_var) - 1 - log_var)))

    def loss(self, parameters: ArrayLike, t: float) -> float:
        """D + t R, nats."""
        return self.loss_and_gradient(parameters, t)[0]

    def loss_and_gradient(self, parameters: ArrayLike, t: float) -> tuple[np.float64, Array]:
        """D + t R and its gradient."""
        eta, w, a, log_var = self.split(parameters)
        nodes, weights = np.polynomial.hermite_e.hermegauss(40)
        weights = weights / weights.sum()
        spread = np.exp(0.5 * log_var)
        z = a[:, None] + spread[:, None] * nodes  # (N, nodes)
        logits = eta + w * z[..., None]  # (N, nodes, n)
        mean = 1 / (1 + np.exp(-logits))
        mass = self.p_D[:, None] * weights
        value = (mass * (np.logaddexp(0, logits) - self.x[:, None] * logits).sum(-1)).sum() + t * self.rate(parameters)
        residual = mass[..., None] * (mean - self.x[:, None])  # (N, nodes, n): d value / d logits
        by_z = residual @ w
        gradient = [
            residual.sum((0, 1)),
            (residual * z[..., None]).sum((0, 1)),
            by_z.sum(1) + t * self.p_D * a,
            (by_z * 0.5 * spread[:, None] * nodes).sum(1) + 0.5 * t * self.p_D * (np.exp(log_var) - 1),
        ]
        return value, np.concatenate(gradient)

    def hessian(self, parameters: ArrayLike, t: float, step: float = 1e-5) -> Array:
        """Second derivatives of D + t R, by central differences of the exact gradient."""
        parameters = np.asarray(parameters, float)
        moves = step * np.eye(len(parameters))
        columns = [
            (self.loss_and_gradient(parameters + move, t)[1] - self.loss_and_gradient(parameters - move, t)[1]) / (2 * step)
            for move in moves
        ]
        found = np.stack(columns)
        return 0.5 * (found + found.T)

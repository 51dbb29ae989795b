"""The trained game on tables: does anybody gain by leaving? (theorems T1 and T2, notebook 09)

Both modules pay D + beta R + lam max(c - X, 0), X = R (`on="rate"`) or I_q (`on="mi"`); see `klcourse.exact.discrete` for
the tables. `Losses` evaluates whole stacks of encoders or decoders at once, so that thousands of deviations can be tried.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import rel_entr, xlogy

from klcourse.exact.discrete import Array, DiscreteVAE
from klcourse.exact.inputs import distribution, non_negative, positive, whole


@dataclass(frozen=True)
class Losses:
    """What the two modules pay for any pair of tables: `Losses(p_D, prior, lam, c)(encoder, decoder)`, nats.

    Encoders (..., K, L) and decoders (..., L, K) may be stacks; the result has the shape of the stack.

    >>> loss = Losses([.5, .5], [.5, .5], lam=2.0, c=0.5)
    >>> silent, deaf = np.full((2, 2), .5), np.full((2, 2), .5)
    >>> round(float(loss(silent, deaf) - np.log(2)), 6)                 # D = log 2, R = 0, and the whole penalty
    1.0
    """

    p_D: Array
    prior: Array
    lam: float
    c: float
    beta: float = 1.0
    on: str = "rate"

    def __post_init__(self) -> None:
        object.__setattr__(self, "p_D", distribution("p_D", self.p_D))
        object.__setattr__(self, "prior", distribution("prior", self.prior))
        if self.on not in ("rate", "mi"):
            raise ValueError(f'on = {self.on!r}: choose "rate" or "mi"')
        if not (0 <= self.lam < np.inf and 0 <= self.c < np.inf and 0 < self.beta < np.inf):
            raise ValueError(f"lam = {self.lam}, c = {self.c}, beta = {self.beta}: need lam, c >= 0 and beta > 0")

    def rate(self, encoder: ArrayLike) -> Array:
        """R of every encoder."""
        return self._mean(rel_entr(np.asarray(encoder, float), self.prior).sum(-1))

    def mi(self, encoder: ArrayLike) -> Array:
        """I_q of every encoder."""
        encoder = np.asarray(encoder, float)
        together = np.einsum("k,...kl->...l", self.p_D, encoder)
        return self._mean(rel_entr(encoder, together[..., None, :]).sum(-1))

    def distortion(self, encoder: ArrayLike, decoder: ArrayLike) -> Array:
        """D of every pair; inf where a code is used for an x that its row excludes."""
        encoder, decoder = np.asarray(encoder, float), np.asarray(decoder, float)
        return self._mean(-xlogy(encoder, np.swapaxes(decoder, -1, -2)).sum(-1))

    def _mean(self, values: Array) -> Array:
        """E_pD; a symbol that never occurs counts as nothing, whatever its value."""
        return np.where(self.p_D > 0, values, 0.0) @ self.p_D

    def __call__(self, encoder: ArrayLike, decoder: ArrayLike) -> Array:
        rate = self.rate(encoder)
        bought = rate if self.on == "rate" else self.mi(encoder)
        return self.distortion(encoder, decoder) + self.beta * rate + self.lam * np.maximum(self.c - bought, 0.0)

    def of(self, model: DiscreteVAE) -> float:
        """What the modules of this model pay."""
        return float(self(model.encoder, model.decoder))


# --- the equilibria that the theorems name ------------------------------------------------------------------


def code_at_rate(prior: ArrayLike, rate: float) -> Array:
    """A distribution q0 over codes with KL(q0 || p) = rate, (L,): on the line from the prior to its rarest code.

    A rate beyond -log min p is out of reach of every encoder; then the rarest code alone is returned, which comes nearest.

    >>> q0 = code_at_rate([.5, .5], 0.3)
    >>> round(float(rel_entr(q0, [.5, .5]).sum()), 12)
    0.3
    """
    prior = distribution("prior", prior)
    non_negative(rate=rate)
    corner = np.eye(len(prior))[np.argmin(prior)]
    if rate >= -np.log(prior.min()):
        return corner
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        short = rel_entr((1 - middle) * prior + middle * corner, prior).sum() < rate
        low, high = (middle, high) if short else (low, middle)
    return (1 - low) * prior + low * corner


def deaf_equilibrium(p_D: ArrayLike, prior: ArrayLike, lam: float, c: float, beta: float = 1.0) -> DiscreteVAE:
    """T1's equilibrium of the game with a hinge on the rate: a decoder that ignores z, an encoder that ignores x.

    R = 0 for lam <= beta, R = c (or as near to c as the codes allow) for lam > beta; I_q = 0 in both cases.

    >>> model = deaf_equilibrium([.5, .3, .2], [.5, .5], lam=2.0, c=0.4)
    >>> round(model.rate, 6), abs(round(model.mi, 6))
    (0.4, 0.0)
    """
    p_D, prior = distribution("p_D", p_D), distribution("prior", prior)
    non_negative(lam=lam, c=c)
    positive(beta=beta)
    code = prior if lam <= beta else code_at_rate(prior, c)
    return DiscreteVAE(p_D, prior, np.tile(code, (len(p_D), 1)), np.tile(p_D, (len(prior), 1)))


def matched_encoder(p_D: ArrayLike, prior: ArrayLike, seeds: ArrayLike) -> Array:
    """An encoder with q(z) = p(z), (K, L), from any positive table `seeds` (K, L) by scaling rows and columns (Sinkhorn).

    M = 0, so its rate is all information.

    >>> q = matched_encoder([.5, .5], [.7, .3], [[9., 1.], [1., 9.]])
    >>> ([.5, .5] @ q).round(9).tolist()
    [0.7, 0.3]
    """
    p_D, prior, joint = distribution("p_D", p_D), distribution("prior", prior), np.array(seeds, float)
    positive(seeds=joint)
    if joint.shape != (len(p_D), len(prior)):
        raise ValueError(f"seeds have shape {joint.shape}: give one for every symbol and code, {(len(p_D), len(prior))}")
    for _ in range(10_000):
        joint *= (p_D / joint.sum(1))[:, None]
        scale = prior / joint.sum(0)
        joint *= scale
        if abs(scale - 1).max() < 1e-15:
            break
    return joint / joint.sum(1, keepdims=True)


def unused_code_equilibrium() -> DiscreteVAE:
    """T2's first limit: an equilibrium with I_q = 0 for every lam, c, beta and either hinge, kept by a code nobody uses.

    Two symbols occur and a third never does. All x use code 0; code 1 would be read as the third symbol, so no encoder dares
    to use it, and no decoder is punished for reading it so.

    >>> model = unused_code_equilibrium()
    >>> model.mi, round(model.rate, 6)
    (0.0, 0.693147)
    """
    return DiscreteVAE([0.5, 0.5, 0.0], [0.5, 0.5], [[1.0, 0.0]] * 3, [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])


def two_code_curve(prior: float, rates: ArrayLike, points: int = 800) -> Array:
    """The least D at *exactly* each rate: two equally likely symbols, two codes, p(z = 1) = prior; T4's counterexample.

    Every q(1|first symbol) on a grid with both ends is tried; q(1|second symbol) then follows from the rate, on either side
    of the prior. The decoder is the best one. inf for a rate that no encoder has.

    >>> [round(float(d), 2) for d in two_code_curve(0.1, [1.0, 1.2, 1.4, 2.0])]    # all is said at 1.204; beyond it less is
    [0.13, 0.0, 0.47, 0.65]
    """
    if not 0 < prior < 1:
        raise ValueError(f"prior = {prior}: p(z = 1) must lie between 0 and 1")
    non_negative(rates=rates)
    whole(2, points=points)
    loss = Losses(np.array([0.5, 0.5]), np.array([1 - prior, prior]), lam=0.0, c=0.0)
    first = np.linspace(0, 1, points)[:, None]

    def kl(one: Array) -> Array:
        return rel_entr(one, prior) + rel_entr(1 - one, 1 - prior)

    def least(rate: float) -> float:
        missing = 2 * rate - kl(first)
        low, high = np.full((points, 2), prior), np.broadcast_to([0.0, 1.0], (points, 2)).copy()
        possible = (missing >= 0) & (missing <= kl(high))
        for _ in range(50):  # from the prior, where KL = 0, outwards
            middle = 0.5 * (low + high)
            short = kl(middle) < missing
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        ones = np.stack([np.broadcast_to(first, low.shape), low], -1)[possible]  # (N, 2): q(1|x)
        encoder = np.stack([1 - ones, ones], -1)
        return float(np.log(2) - loss.mi(encoder).max()) if len(encoder) else np.inf

    return np.array([least(float(rate)) for rate in np.atleast_1d(rates)])


# --- who gains by leaving? ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gain:
    """The most each module was seen to gain by leaving alone, nats; <= 0 at an equilibrium."""

    A: float
    B: float


def largest_gain(model: DiscreteVAE, loss: Losses, rng: np.random.Generator, tries: int = 300) -> Gain:
    """Try to leave: A's exact best reply and random decoders; B's random encoders, wild, near, and with all x alike.

    The deviations are drawn at random, so a gain that is found is a proof and one that is not found is evidence.

    >>> rng, p = np.random.default_rng(0), [.5, .5]
    >>> model = deaf_equilibrium(p, p, lam=2.0, c=0.4)
    >>> gain = largest_gain(model, Losses(p, p, lam=2.0, c=0.4, on="mi"), rng)      # with a hinge on I_q it is none
    >>> gain.A < 1e-12, gain.B > 0.1
    (True, True)
    """
    K, L = len(model.p_D), len(model.prior)
    stay = loss.of(model)
    decoders = np.concatenate([model.best_decoder[None], _tables(rng, tries, L, K), _near(rng, model.decoder, tries)])
    silent = np.repeat(_tables(rng, tries, 1, L), K, 1)
    encoders = np.concatenate(
        [_tables(rng, tries, K, L), _near(rng, model.encoder, tries), silent, _one_code_each(rng, tries, K, L)]
    )
    a = stay - loss(model.encoder, decoders).min()
    b = stay - loss(encoders, model.decoder).min()
    return Gain(float(a), float(b))


def _tables(rng: np.random.Generator, n: int, rows: int, columns: int) -> Array:
    """Random tables (n, rows, columns), from nearly uniform to nearly deterministic."""
    scale = np.exp(rng.uniform(-2, 3, (n, 1, 1)))
    logits = scale * rng.standard_normal((n, rows, columns))
    table = np.exp(logits - logits.max(-1, keepdims=True))
    return table / table.sum(-1, keepdims=True)


def _near(rng: np.random.Generator, table: Array, n: int) -> Array:
    """Tables on the way from `table` to random ones, most of them close to it, (n, ...)."""
    step = 10 ** rng.uniform(-5, 0, (n, 1, 1))
    return (1 - step) * table + step * _tables(rng, n, *table.shape)


def _one_code_each(rng: np.random.Generator, n: int, K: int, L: int) -> Array:
    """Deterministic encoders, (n, K, L)."""
    return np.eye(L)[rng.integers(0, L, (n, K))]

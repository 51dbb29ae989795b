"""A VAE small enough to enumerate: x is one of K symbols, z one of L codes, everything is a table.

Every quantity of the course (rate, distortion, information, gaps) is a finite sum here, so a claim about
VAEs is decided, not estimated. Tables: `p_D` (K,), `prior` p(z) (L,), `encoder` q(z|x) (K, L), `decoder`
p(x|z) (L, K); rows of the last two sum to one. All results are in nats per example.

>>> model = DiscreteVAE([.5, .5], [.5, .5], encoder=[[.9, .1], [.1, .9]], decoder=[[.9, .1], [.1, .9]])
>>> round(model.rate, 4), round(model.mi, 4), round(model.marginal_kl, 4)
(0.3681, 0.3681, 0.0)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import rel_entr, xlogy

from klcourse.exact.inputs import distribution, numbers, positive, whole

Array = NDArray[np.float64]


def _table(name: str, value: ArrayLike, shape: tuple[int, ...]) -> Array:
    table = numbers(name, value)
    if table.shape != shape:
        raise ValueError(
            f"{name} has shape {table.shape}, expected {shape}: p_D (K,), prior (L,), encoder (K, L), decoder (L, K)"
        )
    if not (table >= 0).all() or not np.allclose(table.sum(-1), 1, atol=1e-9):
        raise ValueError(f"{name} must hold probabilities whose rows sum to 1, got {table.tolist()}; normalise it")
    return table


def log_table(table: Array) -> Array:
    """Elementwise log with log 0 = -inf and no warning."""
    with np.errstate(divide="ignore"):  # log 0 = -inf is meant: that symbol cannot occur
        return np.log(table)


def _mean(p: Array, values: Array) -> float:
    """Expectation under p where an impossible symbol counts as nothing, whatever its value (inf, nan)."""
    return float(np.sum(p[p > 0] * values[p > 0]))


@dataclass(frozen=True)
class DiscreteVAE:
    """Encoder, decoder, prior and data distribution as tables; see the module's example."""

    p_D: Array  # (K,)
    prior: Array  # (L,)
    encoder: Array  # (K, L)
    decoder: Array  # (L, K)

    def __init__(self, p_D: ArrayLike, prior: ArrayLike, encoder: ArrayLike, decoder: ArrayLike) -> None:
        K, L = np.size(p_D), np.size(prior)
        tables = {"p_D": (p_D, (K,)), "prior": (prior, (L,)), "encoder": (encoder, (K, L)), "decoder": (decoder, (L, K))}
        for name, (value, shape) in tables.items():
            object.__setattr__(self, name, _table(name, value, shape))

    def with_(self, **tables: ArrayLike) -> DiscreteVAE:
        """A copy with some tables exchanged: `model.with_(encoder=model.posterior)`."""
        return DiscreteVAE(**(vars(self) | tables))

    # --- the model p(z) p(x|z) ---------------------------------------------------------------------------
    @property
    def log_px(self) -> Array:
        """log p(x) for each x, (K,)."""
        return log_table(self.prior @ self.decoder)

    @property
    def log_p(self) -> float:
        """E_pD log p(x)."""
        return _mean(self.p_D, self.log_px)

    @property
    def posterior(self) -> Array:
        """p(z|x), (K, L); the prior for an x the model cannot produce."""
        joint = (self.prior[:, None] * self.decoder).T  # (K, L)
        total = joint.sum(1, keepdims=True)
        return np.where(total > 0, joint / np.where(total > 0, total, 1), self.prior)

    @property
    def generative_mi(self) -> float:
        """I_p(x; z): mutual information of the model's own joint p(z)p(x|z)."""
        return float(self.prior @ rel_entr(self.decoder, self.prior @ self.decoder).sum(1))

    @property
    def jensen_gap_x(self) -> Array:
        """J(x) = log p(x) - E_p(z) log p(x|z) >= 0, (K,): what ignoring x costs the decoder (A2)."""
        expected = np.where(self.prior[:, None] > 0, xlogy(self.prior[:, None], self.decoder), 0).sum(0)
        with np.errstate(invalid="ignore"):
            return self.log_px - expected

    @property
    def jensen_gap(self) -> float:
        """J = E_pD J(x); the lautum information of the model when p_D = p(x)."""
        return _mean(self.p_D, self.jensen_gap_x)

    # --- the encoder -------------------------------------------------------------------------------------
    @property
    def rate_x(self) -> Array:
        """KL(q(z|x) || p(z)) for each x, (K,)."""
        return rel_entr(self.encoder, self.prior).sum(1)

    @property
    def rate(self) -> float:
        """R = E_pD KL(q(z|x) || p(z))."""
        return _mean(self.p_D, self.rate_x)

    @property
    def aggregate(self) -> Array:
        """q(z) = E_pD q(z|x), (L,)."""
        return self.p_D @ self.encoder

    @property
    def mi(self) -> float:
        """I_q(x; z): mutual information of p_D(x) q(z|x)."""
        return _mean(self.p_D, rel_entr(self.encoder, self.aggregate).sum(1))

    @property
    def marginal_kl(self) -> float:
        """M = KL(q(z) || p(z))."""
        return float(rel_entr(self.aggregate, self.prior).sum())

    @property
    def best_decoder(self) -> Array:
        """q(x|z), (L, K): module A's best reply among all tables; p_D for a code never used."""
        joint = (self.p_D[:, None] * self.encoder).T
        total = joint.sum(1, keepdims=True)
        return np.where(total > 0, joint / np.where(total > 0, total, 1), self.p_D)

    # --- both together -----------------------------------------------------------------------------------
    @property
    def distortion_x(self) -> Array:
        """-E_q(z|x) log p(x|z) for each x, (K,)."""
        return -xlogy(self.encoder, self.decoder.T).sum(1)

    @property
    def distortion(self) -> float:
        """D = -E_pD E_q log p(x|z)."""
        return _mean(self.p_D, self.distortion_x)

    @property
    def elbo_x(self) -> Array:
        """ELBO(x) for each x, (K,)."""
        return -self.distortion_x - self.rate_x

    @property
    def elbo(self) -> float:
        """ELBO = -(D + R)."""
        return -self.distortion - self.rate

    @property
    def gap_x(self) -> Array:
        """KL(q(z|x) || p(z|x)) for each x, (K,)."""
        return rel_entr(self.encoder, self.posterior).sum(1)

    @property
    def gap(self) -> float:
        """G = E_pD KL(q(z|x) || p(z|x)), module B's remaining loss."""
        return _mean(self.p_D, self.gap_x)

    @property
    def z_free_log_likelihood(self) -> float:
        """L0 = -H(p_D): the best a decoder table that ignores z can do."""
        return -entropy(self.p_D)

    def identity_residuals(self) -> dict[str, float]:
        """Errors of the identities 1, 2 and 4 the course derives; 3 is about `total_correlation`."""
        joint_q, joint_p = self.p_D[:, None] * self.encoder, (self.prior[:, None] * self.decoder).T
        seen = self.aggregate > 0
        decoder_kl = float(self.aggregate[seen] @ rel_entr(self.best_decoder, self.decoder).sum(1)[seen])
        return {
            "log p(x) = ELBO(x) + KL(q(z|x) || p(z|x))": _mean(self.p_D, abs(self.log_px - self.elbo_x - self.gap_x)),
            "R = I_q + M": abs(self.rate - self.mi - self.marginal_kl),
            "-ELBO = KL(p_D q || p p) + H(p_D)": abs(
                -self.elbo - float(rel_entr(joint_q, joint_p).sum()) - entropy(self.p_D)
            ),
            "D + R - H(p_D) = M + E_q(z) KL(q(x|z) || p(x|z))": abs(
                self.distortion + self.rate - entropy(self.p_D) - self.marginal_kl - decoder_kl
            ),
        }


def entropy(p: ArrayLike) -> float:
    """Shannon entropy in nats of probabilities that sum to 1, in a table of any shape. ValueError otherwise.

    >>> round(entropy([.5, .5]), 4)
    0.6931
    """
    return _entropy(distribution("p", p, axes=None))


def _entropy(p: ArrayLike) -> float:
    return float(-xlogy(p, p).sum())


def total_correlation(q_z: ArrayLike) -> float:
    """KL(q(z) || prod_j q(z_j)) of a table with one axis per latent; M = this + sum_j KL(q(z_j) || p(z_j)).

    >>> round(total_correlation([[.5, 0], [0, .5]]), 4)
    0.6931
    """
    q_z = distribution("q_z", q_z, axes=None)
    axes = range(q_z.ndim)
    return sum(entropy(q_z.sum(tuple(set(axes) - {j}))) for j in axes) - entropy(q_z)


def random_vae(rng: np.random.Generator, K: int = 4, L: int = 3, concentration: float = 1.0) -> DiscreteVAE:
    """Four Dirichlet tables; a small concentration gives nearly deterministic ones.

    >>> random_vae(np.random.default_rng(0), K=3, L=2).decoder.shape
    (2, 3)
    """
    whole(K=K, L=L)
    positive(concentration=concentration)

    def draw(n: int, size: int | None = None) -> Array:  # the floor keeps every probability representable
        table = rng.dirichlet(np.full(n, concentration), size) + 1e-12
        return table / table.sum(-1, keepdims=True)

    return DiscreteVAE(draw(K), draw(L), draw(L, K), draw(K, L))

"""The article's conditions (1), (2), (5), (6), and what they should have been (claims A12, A14).

Each comes back with its truth and its two sides, so that a reader sees by how much it holds or fails.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from klcourse.exact.inputs import non_negative, one_of, positive
from klcourse.games.matrices import Quantities, payoffs_of


@dataclass(frozen=True)
class Condition:
    """`left > right`, in nats; true or false in an `if`."""

    name: str
    left: float
    right: float
    text: str

    @property
    def holds(self) -> bool:
        """Is left > right?"""
        return bool(self.left > self.right)

    @property
    def margin(self) -> float:
        """By how much it holds: left - right, nats; negative where it fails."""
        return self.left - self.right

    def __bool__(self) -> bool:
        return self.holds

    def __str__(self) -> str:
        return f"{self.name} {'holds' if self else 'fails'}: {self.text}: {self.left:.4g} > {self.right:.4g}"


def _check(lam: float, c: float, beta: float = 1.0) -> None:
    """ValueError for knobs that make no game."""
    non_negative(lam=lam)
    positive(c=c, beta=beta)


def condition_1(x: Quantities, f: ArrayLike, free: str = "own") -> Condition:
    """(1): against q = p, A prefers a decoder that uses z. f is the (2, 2) table; `free` as in `vae_game`. Claim A6.

    >>> bool(condition_1(Quantities(log_p=-1., J=.5), f=[[-1., 0.], [-1., 0.]]))
    False
    """
    one_of(("own", "best"), free=free)
    f, alone = payoffs_of(f), x.log_p if free == "own" else x.best_z_free
    return Condition(
        "(1)",
        x.log_p - x.J + float(f[1, 0]),
        alone + float(f[0, 0]),
        "E_p(z)[log p(x|z)] + f10 > log p(x) + f00",
    )


def condition_2(x: Quantities, f: ArrayLike) -> Condition:
    """(2): against a decoder that uses z, B prefers q = p. Claim A6.

    >>> print(condition_2(Quantities(log_p=-1., J=.5, G=.1), f=[[-1., 0.], [-1., 0.]]))
    (2) fails: E_p(z)[log p(x|z)] + f10 > ELBO + f11: -2.5 > -1.1
    """
    f = payoffs_of(f)
    return Condition(
        "(2)",
        x.log_p - x.J + float(f[1, 0]),
        x.elbo + float(f[1, 1]),
        "E_p(z)[log p(x|z)] + f10 > ELBO + f11",
    )


def condition_5(high: Quantities, lam: float, c: float) -> Condition:
    """(5): E_p(z)[log p(x|z)] - log p(x) > -lam c, that is J < lam c: against q = p, A prefers I >= c.

    >>> bool(condition_5(Quantities(J=3.), lam=1., c=5.))
    True
    """
    _check(lam, c)
    return Condition("(5)", -high.J, -lam * c, "E_p(z)[log p(x|z)] - log p(x) > -lam c")


def condition_6(low: Quantities, lam: float, c: float) -> Condition:
    """(6): lam R' - lam c < 0 for the pair with I < c, q != p; as left > right: lam (c - R') > 0.

    >>> bool(condition_6(Quantities(R=.5), lam=1., c=1.))
    True
    """
    _check(lam, c)
    return Condition("(6)", lam * (c - low.R), 0.0, "lam (c - R') > 0")


def corrected_5(low: Quantities, high: Quantities, lam: float, c: float) -> Condition:
    """What (5) should compare, each row's own decoder: lam c > J - J'. It is (5) when J' = 0.

    >>> bool(corrected_5(Quantities(J=0.), Quantities(J=3.), lam=1., c=5.))
    True
    """
    _check(lam, c)
    return Condition("(5) corrected", lam * c, high.J - low.J, "lam c > J - J'")


def corrected_6(low: Quantities, high: Quantities, lam: float, c: float, beta: float = 1.0) -> Condition:
    """What (6) should say: against q != p, A gains by I >= c: lam (c - R') > G - G' + (beta - 1)(R - R').

    The article's (6) sets G = G' without saying so, and never mentions beta. Claims A12, A14.

    >>> bool(corrected_6(Quantities(G=.1, R=.5), Quantities(G=2., R=1.), lam=1., c=1.))
    False
    """
    _check(lam, c, beta)
    extra = "" if beta == 1 else " + (beta - 1)(R - R')"
    return Condition(
        "(6) corrected",
        lam * (c - low.R),
        high.G - low.G + (beta - 1) * (high.R - low.R),
        "lam (c - R') > G - G'" + extra,
    )


def target_keeps_encoder(high: Quantities, beta: float = 1.0) -> Condition:
    """Would B stay at the target (I >= c, q = p)? Only with an encoder worse than the prior.

    The counterpart of (2) that the article drops. Exact for the generative reading, penalty as written.

    >>> bool(target_keeps_encoder(Quantities(G=.1, J=2.)))
    False
    """
    positive(beta=beta)
    return Condition("B stays at (I >= c, q = p)", high.G + (beta - 1) * high.R, high.J, "G + (beta - 1) R > J")


def informative_is_equilibrium(low: Quantities, high: Quantities, lam: float, c: float, beta: float = 1.0) -> bool:
    """Is (I >= c, q != p) an equilibrium of the generative 2 x 2: B does not leave for p, A not for I < c?

    >>> informative_is_equilibrium(Quantities(G=0., J=0., R=0.), Quantities(G=0., J=5., R=1.), lam=1., c=1.)
    True
    """
    return target_keeps_encoder(high, beta).margin <= 0 and corrected_6(low, high, lam, c, beta).margin >= 0


def collapse_is_equilibrium(lam: float, beta: float = 1.0) -> Condition:
    """Against a decoder without z, B stays at q = p iff beta >= lam: a nat of rate costs beta, earns lam.

    >>> bool(collapse_is_equilibrium(lam=1.)), bool(collapse_is_equilibrium(lam=1.5))
    (True, False)
    """
    _check(lam, 1.0, beta)
    return Condition("collapse is an equilibrium", beta, np.nextafter(lam, -np.inf), "beta >= lam")

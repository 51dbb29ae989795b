"""Checks of A12 and A16: the game of the new objective, its conditions (5) and (6), its largest independent payoff."""

from __future__ import annotations

from itertools import product

import numpy as np

from klcourse.exact import linear_gaussian
from klcourse.exact.ppca import PPCA
from klcourse.exact.regimes import lam_star
from klcourse.games import (
    Quantities,
    collapse_is_equilibrium,
    condition_5,
    condition_6,
    constrained_game,
    informative_is_equilibrium,
)
from klcourse.ledger.games_checks import TOL, against_prior, blind_spot, tables, without_z
from klcourse.ledger.record import Case, Finding


def _informative(var: float, sigma2: float, info: float) -> linear_gaussian.LinearGaussianVAE:
    """A decoder with I_p = info and its exact posterior (G = 0)."""
    w = np.sqrt(sigma2 * np.expm1(2 * info))
    v, m, s2 = linear_gaussian.best_encoder(float(w), var, sigma2)
    return linear_gaussian.LinearGaussianVAE(w, v, s2, data_var=var, sigma2=sigma2)


def _loss(model: linear_gaussian.LinearGaussianVAE, lam: float, c: float, beta: float = 1.0, hinge: str = "rate") -> float:
    """D + beta R + lam max(c - X, 0), X = R or I_q: what both modules minimise."""
    measured = model.rate if hinge == "rate" else model.mi
    return float(model.distortion + beta * model.rate + lam * np.maximum(c - measured, 0))


def _collapse_game(var: float, c: float, lam: float) -> dict[str, bool]:
    """Around the decoder that ignores z (beta = 1): is collapse a best reply, the lazy pair stable?"""
    blind = linear_gaussian.LinearGaussianVAE(0.0, 0.0, 1.0, data_var=var)
    v, m, s2 = linear_gaussian.best_encoder(0.0, var, 1.0, lam=lam, c=c)
    reply = blind.with_(v=v, m=m, s2=s2)
    lazy = blind.with_(m=np.sqrt(2 * c))
    w, b = linear_gaussian.best_decoder(0.0, 1.0, var, np.sqrt(2 * c))
    informed = blind.with_(v=np.sqrt(-np.expm1(-2 * c) / var), s2=np.exp(-2 * c))  # M = 0, I = R = c
    values = {hinge: [_loss(x, lam, c, hinge=hinge) for x in (blind, lazy, informed)] for hinge in ("rate", "mi")}
    return {
        "collapse": _loss(blind, lam, c) <= _loss(reply, lam, c) + TOL,
        "lazy, weakly": _loss(lazy, lam, c) <= _loss(reply, lam, c) + TOL
        and _loss(lazy.with_(w=w, b=b), lam, c) >= _loss(lazy, lam, c) - TOL
        and abs(values["rate"][1] - values["rate"][2]) < TOL,
        "hinge on I_q: neither": values["mi"][2] < min(values["mi"][:2]) - TOL,
    }


def a12() -> Finding:
    """A12: is the target cell an equilibrium where (5), (6) hold? Uniqueness; the rescue q(z) = p(z)."""
    cases, informative, collapse, lazy, on_mi, rescue = [], [], [], [], [], []
    for var, c in product((1.5, 3.0, 8.0), (0.3, 0.6, 1.0)):
        high = Quantities.of(_informative(var, 1.0, 1.1 * c))
        low = Quantities.of(_informative(var, 1.0, 0.9 * c))
        star = lam_star(PPCA([var], 1, 1.0), c)
        lam = 1.1 * max(high.J / c, star, 0.1)
        premise = bool(condition_5(high, lam, c) and condition_6(low, lam, c))
        for reading in ("per_example", "generative"):
            game = constrained_game(low, high, lam, c, reading=reading)
            cases.append(Case(premise, game.is_equilibrium(1, 0)))
        if game.feasible.all():
            informative.append(informative_is_equilibrium(low, high, lam, c) == game.is_equilibrium(1, 1))
        for lam_b in (0.5, 1.0, 1.5, 3.0):
            found = _collapse_game(var, c, lam_b)
            collapse.append(found["collapse"] == bool(collapse_is_equilibrium(lam_b)))
            lazy.append(found["lazy, weakly"] == (lam_b >= 1.0))  # at lam = beta it ties with collapse
            on_mi.append(found["hinge on I_q: neither"] == (lam_b > 1.0))
        # rescue, B's column read as q(z) = p(z): the constrained optimum is a pair of best replies with M = 0
        best = linear_gaussian.constrained_optimum(max(c, float(linear_gaussian.optimum(var, 1.0).rate)), var, 1.0)
        v, m, s2 = linear_gaussian.best_encoder(float(best.w), var, 1.0, lam=star + 0.1, c=c)
        w, b = linear_gaussian.best_decoder(best.v, best.s2, var)
        rescue.append(
            np.allclose([v, m, s2, float(w), float(b)], [float(x) for x in (best.v, 0, best.s2, best.w, 0)], atol=1e-7)
            and float(best.marginal_kl) < TOL
            and float(best.mi) >= c - TOL
        )
    example_low, example = (
        Quantities.of(_informative(3.0, 1.0, 0.9)),
        Quantities.of(_informative(3.0, 1.0, 1.1)),
    )
    return Finding(
        tuple(cases),
        {
            "J of a decoder with I_p = 1.1": example.J,
            "G of its posterior": abs(example.G),
            "implemented payoff of the target cell, lam = 4, c = 1": float(
                constrained_game(example_low, example, 4.0, 1.0, reading="generative", penalty="implemented").a[1, 0]
            ),
            "payoff of (I >= c, q = posterior)": -abs(example.G),
            "share of instances with (5) and (6)": float(np.mean([case.premise for case in cases])),
            "corrected conditions match the game": float(all(informative)),
            "collapse is B's best reply iff lam <= beta": float(all(collapse)),
            "the lazy pair (R = c, I = 0) is a weak equilibrium iff lam >= beta": float(all(lazy)),
            "with a hinge on I_q neither, for lam > beta": float(all(on_mi)),
        },
        rescued=all(rescue),
    )


def a16() -> Finding:
    """A16: the payoff of (I < c, q = p) over decoders that use z, ignore it, or use it only where p_D = 0."""
    lam, c, cases, top = 2.0, 0.5, [], -np.inf
    hidden = blind_spot()
    for m in [hidden, *tables()]:
        for model in (against_prior(m), against_prior(without_z(m))):
            pay = model.elbo - model.log_p - lam * c
            independent = model.generative_mi < TOL
            constant = bool((np.ptp(model.decoder[:, model.p_D > 0], axis=0) < TOL).all())
            reached = pay >= -lam * c - TOL
            cases.append(Case(True, pay <= -lam * c + TOL and (reached or not independent) and reached == constant))
            top = max(top, pay)
    shown = against_prior(hidden)
    return Finding(
        tuple(cases),
        {
            "largest payoff found": top,
            "-lam c": -lam * c,
            "a decoder that uses z only where p_D = 0: I_p": shown.generative_mi,
            "its payoff": shown.elbo - shown.log_p - lam * c,
        },
    )

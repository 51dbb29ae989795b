"""Checks of A13, A14, A19, A20: what beta lowers, alone and beside the constraint."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize

from klcourse.exact import linear_gaussian
from klcourse.exact.discrete import DiscreteVAE
from klcourse.exact.discrete_optima import beta_encoder
from klcourse.exact.linear_gaussian import Array
from klcourse.exact.ppca import PPCA
from klcourse.exact.regimes import best_rate, regime
from klcourse.games import Quantities, condition_5, condition_6
from klcourse.ledger.games_checks import TOL, tables
from klcourse.ledger.record import Case, Finding


def a13() -> Finding:
    """A13: does I_q fall as beta rises? Best encoders of fixed tables; the linear model, where M = 0."""
    betas = np.geomspace(0.01, 4, 25)
    cases: list[Case] = []
    shown: dict[str, float] = {}
    rises, raised = -np.inf, 0
    counter = DiscreteVAE([0.5, 0.5, 0], [0.5, 0.5], [[0.5, 0.5]] * 3, [[0.5, 0.5, 0], [0.4, 0.1, 0.5]])
    for m in [counter, *tables(60)]:
        line = [m.with_(encoder=beta_encoder(m.prior, m.decoder, b)) for b in betas]
        cases += [Case(max(x.marginal_kl, y.marginal_kl) < TOL, y.mi <= x.mi + TOL) for x, y in zip(line, line[1:])]
        raised += any(y.mi > x.mi + TOL for x, y in zip(line, line[1:]))
        rises = max(rises, max(y.rate - x.rate for x, y in zip(line, line[1:])))
    for var in (1.5, 4.0):
        optima = [linear_gaussian.optimum(var, 1.0, b) for b in betas]
        cases += [Case(float(y.marginal_kl) < TOL, bool(y.mi <= x.mi + TOL)) for x, y in zip(optima, optima[1:])]
    for b in (0.01, 0.3, 1.0):
        m = counter.with_(encoder=beta_encoder(counter.prior, counter.decoder, b))
        shown |= {f"R at beta = {b:g}": m.rate, f"I_q at beta = {b:g}": m.mi}
    return Finding(
        tuple(cases),
        {
            **shown,
            "largest rise of R with beta": rises,
            "share of tables where I_q rises with beta somewhere": raised / 61,
        },
    )


def a14() -> Finding:
    """A14: with (5), (6) satisfied, is R >= c at the optimum? For beta from 1 to 8."""
    cases, held, same = [], [], []
    for var, c, beta, lam in product((2.0, 6.0), (0.5, 1.0), (1.0, 2.0, 4.0, 8.0), (0.5, 1.0, 2.0, 4.0, 7.5)):
        curve = PPCA([var], 1, sigma2=1.0)
        rate = best_rate(curve, lam, c, beta)
        found = linear_gaussian.constrained_optimum(rate, var, 1.0)
        target = Quantities.of(linear_gaussian.constrained_optimum(c, var, 1.0))
        premise = bool(
            condition_5(target, lam, c)
            and condition_6(Quantities.of(linear_gaussian.constrained_optimum(0.5 * c, var, 1.0)), lam, c)
        )
        cases.append(Case(premise, float(found.rate) >= c - TOL))
        held.append((rate >= c - TOL) == (lam >= beta - float(curve.slope(c))))
        if regime(curve, lam, c, beta) == "partial":
            same.append(abs(rate - curve.rate(beta - lam)) < 1e-9)
    failing = sum(case.premise and not case.true for case in cases)
    return Finding(
        tuple(cases),
        {
            "instances with (5) and (6)": float(sum(case.premise for case in cases)),
            "of them with R < c at the optimum": float(failing),
            "partial regime equals beta_eff = beta - lam": float(all(same)),
        },
        rescued=all(held) and bool(same),
    )


# --- two correlated factors and a fixed decoder: total correlation is a Gaussian formula -------------------------------


class Factors(NamedTuple):
    """Data N(0, S) and a decoder N(Wz, I), both fixed: which encoder N(Vx, diag s2) is best, and what is its q(z)?"""

    S: Array  # (n, n)
    W: Array  # (n, d)

    def encoder(self, weight: float) -> tuple[Array, Array]:
        """The minimiser of D + weight * R, a convex problem: V (d, n) and s2 (d,)."""
        precision = self.W.T @ self.W
        V = np.linalg.solve(precision + weight * np.eye(len(precision)), self.W.T)
        return V.astype(float), weight / (precision.diagonal() + weight)

    def parts(self, V: Array, s2: Array) -> dict[str, float]:
        """D up to a constant, I_q, TC and R of an encoder, nats."""
        Q = V @ self.S @ V.T + np.diag(s2)  # covariance of q(z)
        log_det, marginal, miss = np.linalg.slogdet(Q)[1], Q.diagonal(), np.eye(len(self.S)) - self.W @ V
        mi, tc = 0.5 * (log_det - np.log(s2).sum()), 0.5 * (np.log(marginal).sum() - log_det)
        distortion = 0.5 * (np.trace(miss @ self.S @ miss.T) + (self.W**2 @ s2).sum())
        rate = mi + tc + 0.5 * (marginal - 1 - np.log(marginal)).sum()
        return {"D": float(distortion), "I": float(mi), "TC": float(tc), "R": float(rate)}

    def weight_of(self, rate: float) -> float:
        """The weight whose best encoder has this rate: s(R)."""
        return float(brentq(lambda weight: self.parts(*self.encoder(weight))["R"] - rate, 1e-3, 1e3))

    def constrained(self, beta: float, lam: float, c: float) -> dict[str, float]:
        """The minimum of D + beta R + lam max(c - R, 0) by a general optimiser, the hinge as a slack variable."""
        d, n = self.W.shape[1], len(self.S)
        V, s2 = self.encoder(max(beta - lam, 0.1))

        def at(u: Array) -> dict[str, float]:
            return self.parts(u[: d * n].reshape(d, n), np.exp(u[d * n : -1]))

        found = minimize(
            lambda u: at(u)["D"] + beta * at(u)["R"] + lam * u[-1],
            np.concatenate([V.ravel(), np.log(s2), [0.1]]),
            method="SLSQP",
            bounds=[(None, None)] * (d * n + d) + [(0, None)],
            constraints=[{"type": "ineq", "fun": lambda u: u[-1] - c + at(u)["R"]}],
            options={"maxiter": 500, "ftol": 1e-13},
        )
        return at(found.x)


AXES = Factors(4 * np.array([[1, 0.9], [0.9, 1]]), 1.5 * np.eye(2))  # correlated data, a latent for each factor
_W = np.array([[1.5, 1.2], [0.0, 0.9]])
SKEWED = Factors(_W @ _W.T + np.eye(2), _W)  # p_D = p_theta, but the decoder's two directions overlap


def a19() -> Finding:
    """A19: do TC and I_q fall, and D rise, from each beta to the next? And is TC small for beta large enough?"""
    betas, small = np.geomspace(0.25, 2000, 40), 0.02
    cases: list[Case] = []
    tc_rises, d_falls, bound = [], [], []
    for world in (AXES, SKEWED):
        line = [world.parts(*world.encoder(b)) for b in betas]
        most = world.parts(np.zeros((2, 2)), np.ones(2))["D"]  # at R = 0
        for b, one, two in zip(betas, line, line[1:]):
            enough = b >= most / small  # D + beta R <= D(0), so TC <= M <= R <= D(0) / beta
            cases.append(Case(bool(enough), two["TC"] < small and two["D"] >= one["D"] - TOL))
            bound.append(float(two["TC"] - most / b))
        tc_rises.append(max(two["TC"] - one["TC"] for one, two in zip(line, line[1:])))
        d_falls.append(max(one["D"] - two["D"] for one, two in zip(line, line[1:])))
    skewed = {b: SKEWED.parts(*SKEWED.encoder(b)) for b in (0.25, 1.0, 20.0)}
    return Finding(
        tuple(cases),
        {
            "largest fall of D from one beta to the next": max(d_falls),
            "TC - D(0) / beta, largest": max(bound),
            "factors on the axes: largest rise of TC with beta": tc_rises[0],
            "overlapping directions: largest rise of TC with beta": tc_rises[1],
            **{f"overlapping directions: TC at beta = {b:g}": found["TC"] for b, found in skewed.items()},
        },
    )


def a20() -> Finding:
    """A20: where the constraint is held, does a larger beta lower TC any further? And against a plain VAE of equal rate?"""
    cases: list[Case] = []
    twins: list[float] = []
    shown: dict[str, float] = {}
    for name, world, c in (("on the axes", AXES, 1.0), ("overlapping", SKEWED, 0.9)):
        held = {beta: world.constrained(beta, beta, c) for beta in (1.5, 4.0, 16.0)}
        weight = world.weight_of(c)
        twin = world.parts(*world.encoder(weight))
        assert all(abs(found["R"] - c) < 1e-5 for found in held.values())
        for low, high in ((1.5, 4.0), (4.0, 16.0)):
            cases.append(Case(True, held[high]["TC"] < held[low]["TC"] - 1e-4))
        twins += [abs(found[key] - twin[key]) for found in held.values() for key in ("TC", "D", "I")]
        shown |= {f"{name}: TC held at c, beta = {beta:g}": found["TC"] for beta, found in held.items()}
        shown |= {f"{name}: TC of the plain VAE with that rate (weight {weight:.2f})": twin["TC"]}
        shown |= {f"{name}: TC of the plain beta-VAE, beta = 16": world.parts(*world.encoder(16.0))["TC"]}
    return Finding(
        tuple(cases), shown | {"largest distance from the plain VAE of equal rate": max(twins)}, rescued=max(twins) < 1e-3
    )

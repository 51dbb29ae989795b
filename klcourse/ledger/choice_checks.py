"""Checks of A15a, A15b, A17, A18: what may be asked of lam and c, and what kind of objective the penalty makes."""

from __future__ import annotations

from itertools import product

import numpy as np

from klcourse.exact import dynamics, linear_gaussian
from klcourse.exact.discrete import DiscreteVAE
from klcourse.exact.discrete_optima import beta_encoder, hinge_encoder, slope_at_rate
from klcourse.exact.linear_gaussian import LinearGaussianVAE
from klcourse.exact.ppca import PPCA
from klcourse.exact.regimes import best_rate, lam_star
from klcourse.games import Quantities, condition_5, condition_6
from klcourse.ledger.games_checks import TOL, tables
from klcourse.ledger.record import Case, Finding


def a15a() -> Finding:
    """A15a: is there, for a given pair of rows, a lam and a c with (5) and (6)? c just above R', lam just above J / c."""
    rng, cases, asked = np.random.default_rng(15), [], []

    def sharp(error: float) -> DiscreteVAE:
        table = np.array([[1 - error, error], [error, 1 - error]])
        return DiscreteVAE([0.5, 0.5], [0.5, 0.5], table, table)

    for m in [sharp(0.0), *tables()]:  # the first: each code rules one of the two symbols out, J is infinite
        share = rng.uniform(0, 1)
        low = m.with_(encoder=share * m.encoder + (1 - share) * m.prior)  # a pair for the row I < c
        high, c = Quantities.of(m), 1.01 * low.rate + 0.01
        lam = 1.01 * high.J / c if np.isfinite(high.J) else 1e9
        cases.append(
            Case(bool(np.isfinite(high.J)), bool(condition_5(high, lam, c) and condition_6(Quantities.of(low), lam, c)))
        )
        asked.append(high.J / c)
    return Finding(
        tuple(cases),
        {
            "lam asked for, median over random tables": float(np.median(asked[1:])),
            "the same, largest": float(np.max(asked[1:])),
            **{
                f"two symbols, a code that errs {e:g} of the time: lam at c = .5": sharp(e).jensen_gap / 0.5
                for e in (1e-1, 1e-3, 1e-9)
            },
        },
    )


def a15b() -> Finding:
    """A15b: a signal too weak for the ELBO (Lambda = .25 sigma2), (5) and (6) met: train from next to nothing, many lam."""
    var, beta, c = 0.25, 1.0, 1.0
    curve = PPCA([var], 1, sigma2=1.0)
    star = lam_star(curve, c, beta)
    target, below = (Quantities.of(linear_gaussian.constrained_optimum(r, var, 1.0)) for r in (c, 0.5 * c))
    lams = np.array([0.2, 0.5 * star, 0.95, star + 0.005, 0.5 * (star + beta), 0.99, beta, 1.5, 2.0, 3.0])
    start = LinearGaussianVAE(1e-2, 1e-2, 1.0, 0.0, 1e-2, np.full(lams.shape, var), 1.0)
    path = dynamics.descend(start, steps=20_000, lr=0.05, lam=lams, c=c, record_every=10)
    rate, info = np.asarray(path.model.rate), np.asarray(path.model.mi)
    cases, by_rule, shown = [], [], {"lam*(c)": star}
    for k, lam in enumerate(lams):
        first = int(np.argmax(rate[:, k] >= 0.95 * c))
        share = float(info[first, k] / rate[first, k]) if rate[first, k] >= 0.95 * c else 0.0
        settled = float(rate[len(rate) * 3 // 4 :, k].mean())  # finite steps chatter about c by a percent
        works = settled >= 0.97 * c and share > 0.5
        cases.append(Case(bool(condition_5(target, lam, c) and condition_6(below, lam, c)), works))
        by_rule.append(works == bool(star <= lam <= beta))
        shown[f"lam = {lam:.3f}: R at the end"] = settled
        if settled >= 0.97 * c:
            shown[f"lam = {lam:.3f}: I/R when R first reaches .95 c"] = share
    shown |= {f"lam demanded by (5) at c = 5, d = {d}": float(linear_gaussian.article_condition_5(5.0, d)) for d in (1, 32)}
    shown["least lam demanded by (5) where the model fits, over c and d up to 1000"] = float(
        min(linear_gaussian.article_condition_5(t, d) for t in (0.1, 1.0, 5.0) for d in (1, 10, 100, 1000))
    )
    return Finding(tuple(cases), shown, rescued=all(by_rule))


def a17() -> Finding:
    """A17: is the minimum of the penalised objective that of the constrained one, or of another KL weight?"""
    cases: list[Case] = []
    by_star, weights, worst = [], [], 0.0
    for var, c, lam in product((0.5, 2.0, 6.0), (0.3, 1.0), (0.0, 0.3, 0.6, 0.9, 0.999)):
        curve = PPCA([var], 1, sigma2=1.0)
        constrained = max(c, float(linear_gaussian.optimum(var, 1.0).rate))  # -ELBO under R >= c
        rate = best_rate(curve, lam, c)
        same = abs(rate - constrained) < TOL
        cases.append(Case(True, same))
        by_star.append(same == (lam >= lam_star(curve, c)))
        if not same:  # then it is a VAE whose ELBO was changed: KL weight 1 - lam
            weights.append(abs(rate - float(linear_gaussian.optimum(var, 1.0, 1 - lam).rate)))
    for m in tables(50):  # below c the two losses differ by the constant lam c, whatever encoder and decoder do
        lam, c = 0.4, m.rate + 0.3
        hinge, changed = (m.distortion + m.rate + lam * max(c - m.rate, 0.0), m.distortion + (1 - lam) * m.rate)
        worst = max(worst, abs(hinge - changed - lam * c))
    return Finding(
        tuple(cases),
        {
            "share of instances with another minimum than the constrained problem's": float(
                np.mean([not x.true for x in cases])
            ),
            "there: largest distance to the optimum with KL weight 1 - lam": max(weights),
            "below c: loss - (loss with KL weight 1 - lam) - lam c, largest": worst,
        },
        rescued=all(by_star) and max(weights) < 1e-9 and worst < 1e-9,
    )


def a18() -> Finding:
    """A18: does adding the penalty to a beta-VAE raise I_q? Best encoders of tables; and is the result a plain weight's?"""
    cases, rises, weights = [], [], []
    counter = DiscreteVAE([0.5, 0.5, 0], [0.5, 0.5], [[0.5, 0.5]] * 3, [[0.5, 0.5, 0], [0.4, 0.1, 0.5]])  # A13's
    matched = DiscreteVAE([0.5, 0.5], [0.5, 0.5], [[0.5, 0.5]] * 2, [[0.8, 0.2], [0.2, 0.8]])  # symmetric: M = 0 throughout
    for m, beta, lam_share in product([counter, matched, *tables(20)], (0.3, 1.0, 2.0), (0.5, 0.97)):
        plain = m.with_(encoder=beta_encoder(m.prior, m.decoder, beta))
        lam, c = lam_share * beta, plain.rate + 0.25
        with_hinge = m.with_(encoder=hinge_encoder(m.p_D, m.prior, m.decoder, lam, c, beta))
        fits = max(plain.marginal_kl, with_hinge.marginal_kl) < TOL
        cases.append(Case(fits, with_hinge.mi >= plain.mi - TOL))
        rises.append(with_hinge.rate - plain.rate)
        weight = beta - lam if with_hinge.rate < c - 1e-7 else slope_at_rate(m.p_D, m.prior, m.decoder, c)
        twin = m.with_(encoder=beta_encoder(m.prior, m.decoder, weight))
        weights.append(max(abs(twin.rate - with_hinge.rate), abs(twin.distortion - with_hinge.distortion)))
        assert beta - lam - 1e-6 <= weight <= beta + 1e-6
    plain = counter.with_(encoder=beta_encoder(counter.prior, counter.decoder, 0.3))
    pressed = counter.with_(encoder=hinge_encoder(counter.p_D, counter.prior, counter.decoder, 0.29, 0.7, 0.3))
    return Finding(
        tuple(cases),
        {
            "least rise of R": min(rises),
            "largest distance (R, D) from the plain VAE with one weight t in [beta - lam, beta]": max(weights),
            "A13's table, beta = .3: I_q without the penalty": plain.mi,
            "the same with lam = .29, c = .7": pressed.mi,
        },
    )

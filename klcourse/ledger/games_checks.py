"""Checks of A0-A7: the ideal, the VAE's game, SLVAE's game."""

from __future__ import annotations

import numpy as np

from klcourse.exact import dynamics, linear_gaussian, selflabel
from klcourse.exact.discrete import DiscreteVAE, random_vae
from klcourse.exact.discrete_optima import self_labelling_encoder
from klcourse.games import Quantities, condition_1, condition_2, profile_game, self_labelling_f, vae_game
from klcourse.ledger.record import Case, Finding

TOL = 1e-9


def tables(n: int = 200, seed: int = 0) -> list[DiscreteVAE]:
    """Random discrete VAEs, 2-5 symbols and 2-4 codes."""
    rng = np.random.default_rng(seed)
    return [random_vae(rng, int(rng.integers(2, 6)), int(rng.integers(2, 5))) for _ in range(n)]


def against_prior(model: DiscreteVAE) -> DiscreteVAE:
    """The same decoder with q(z|x) = p(z)."""
    return model.with_(encoder=np.tile(model.prior, (len(model.p_D), 1)))


def without_z(model: DiscreteVAE, p_x: np.ndarray | None = None) -> DiscreteVAE:
    """The same encoder with a decoder that ignores z: p_x, or the model's own marginal."""
    p_x = model.prior @ model.decoder if p_x is None else p_x
    return model.with_(decoder=np.tile(p_x, (len(model.prior), 1)))


def blind_spot() -> DiscreteVAE:
    """A decoder that uses z only for symbols that never occur: I_p > 0, and nobody can tell."""
    return DiscreteVAE([1, 0, 0], [0.5, 0.5], [[0.5, 0.5]] * 3, [[0.5, 0.3, 0.2], [0.5, 0.1, 0.4]])


def a0() -> Finding:
    """A0: is I_q ever positive where q(z|x) = p(z)? The rescue asks for the decoder's own I_p."""
    ideal = [against_prior(m) for m in tables()]
    return Finding(
        tuple(Case(m.rate < TOL, m.mi > TOL) for m in ideal),
        {
            "largest I_q - R over random tables": max(m.mi - m.rate for m in tables()),
            "largest I_q where KL = 0": max(m.mi for m in ideal),
            "least J where KL = 0 and the decoder uses z": min(m.jensen_gap for m in ideal),
        },
        rescued=all(m.generative_mi > TOL and m.jensen_gap > TOL for m in ideal),
    )


def a1() -> Finding:
    """A1: with KL = 0, are ELBO = log p(x) and q = p(z|x)? For decoders that use or ignore z."""
    cases, worst = [], 0.0
    for m in map(against_prior, tables()):  # KL = 0, so z and x are independent under q in both
        for model in (m, without_z(m)):
            cases.append(Case(model.generative_mi < TOL, model.log_p - model.elbo < TOL and model.gap < TOL))
        worst = max(worst, m.gap)
    return Finding(tuple(cases), {"largest KL(q||p(z|x)) with KL = 0 but a decoder that uses z": worst})


def a2() -> Finding:
    """A2: the sign of the Jensen gap J, and whether J = 0 means independence, also where p_D never looks."""
    hidden, cases = blind_spot(), []
    for m in [hidden, *tables(), *map(without_z, tables())]:
        independent = m.generative_mi < TOL
        seen = m.decoder[:, m.p_D > 0]
        constant = bool((np.ptp(seen, axis=0) < TOL).all())
        cases.append(Case(independent == constant, m.jensen_gap > -TOL and (m.jensen_gap < TOL) == independent))
    return Finding(
        tuple(cases),
        {
            "I_p of a decoder that uses z only where p_D = 0": hidden.generative_mi,
            "its J": hidden.jensen_gap,
        },
    )


def a3() -> Finding:
    """A3: the article's four cells against ELBOs enumerated for each way of reading the row without z."""
    cases: list[Case] = []
    off: dict[tuple[str, str], float] = {}
    for m in tables(100):
        literal = vae_game(Quantities.of(m)).a
        x_free = np.tile(m.aggregate, (len(m.p_D), 1))
        for free, p_x in (("own", None), ("best", m.p_D)):
            for name, q in (("x-free", x_free), ("unchanged", m.encoder)):
                alone = [without_z(against_prior(m), p_x).elbo, without_z(m.with_(encoder=q), p_x).elbo]
                error = float(abs(literal - [alone, [against_prior(m).elbo, m.elbo]]).max())
                cases.append(Case((free, name) == ("own", "x-free"), error < TOL))
                off[free, name] = max(off.get((free, name), 0.0), error)
    return Finding(tuple(cases), {f"matrix off by, A's z-free decoder {k[0]}, encoder {k[1]}": v for k, v in off.items()})


def a4() -> Finding:
    """A4: is (independent, q = p) an equilibrium? Enumerated, with good z-free decoders and a poor one."""
    # The slices of this decoder fit p_D better than the fixed z-free alternative: A uses z against q = p.
    poor_case = DiscreteVAE([0.5, 0.5], [0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], [[0.55, 0.45], [0.45, 0.55]])
    cases = []
    for m, p_x, good in [
        (poor_case, np.array([0.9, 0.1]), False),
        *((m, None, True) for m in tables()),
        *((m, m.p_D, True) for m in tables()),
    ]:
        game = profile_game(
            [[without_z(against_prior(m), p_x), without_z(m, p_x)], [against_prior(m), m]],
            lambda model: model.elbo,
        )
        cases.append(Case(good, game.is_equilibrium(0, 0)))
    hessian = linear_gaussian.nash_hessian(data_var=2.0, sigma2=1.0)
    return Finding(
        tuple(cases),
        {
            "poor z-free decoder (.9, .1): payoff": without_z(against_prior(poor_case), np.array([0.9, 0.1])).elbo,
            "payoff of using z against q = p": against_prior(poor_case).elbo,
            "linear model, Lambda = 2 sigma2, least own curvature": float(hessian.diagonal().min()),
            "joint curvature (determinant, < 0: saddle)": float(np.linalg.det(hessian)),
        },
    )


def a5() -> Finding:
    """A5: does training end where A4's equilibrium is? Gradient descent; exact conditions for the other."""
    variance = np.array([0.5, 0.9, 2.0, 5.0])
    start = linear_gaussian.LinearGaussianVAE(1e-2, 1e-2, 1.0, data_var=variance, sigma2=1.0)
    path = dynamics.descend(start, steps=4000, lr=0.05, record_every=4000)
    rates, cases, dominant = np.asarray(path.model.rate)[-1], [], []
    for var, rate in zip(variance, rates):
        at = linear_gaussian.optimum(max(var, 1.5), 1.0)  # some decoder that uses z, for the other row
        model = linear_gaussian.LinearGaussianVAE(at.w, at.v, at.s2, data_var=var, sigma2=1.0)
        game = vae_game(Quantities.of(model), free="best", encoder="unchanged")
        cases.append(Case(game.is_equilibrium(0, 0), bool(rate < 1e-3)))
    iff = []
    for m in tables():
        x = Quantities.of(m)
        game = vae_game(x, free="best", encoder="unchanged")
        iff.append(game.is_equilibrium(1, 1) == (-x.distortion >= x.best_z_free - TOL and x.elbo >= x.log_p - x.J - TOL))
        top = game.payoff_dominant()
        dominant.append(
            not game.is_equilibrium(1, 1) or (top is not None and top.cell == (1, 1)) == (x.elbo > x.best_z_free)
        )
    return Finding(
        tuple(cases),
        {f"rate after training, Lambda/sigma2 = {v:g}": float(r) for v, r in zip(variance, rates)},
        rescued=all(iff) and all(dominant) and bool(((rates < 1e-3) == (variance <= 1)).all()),
    )


def a6() -> Finding:
    """A6: does (1) fail? With one g in both cells; with the paper's g, trained through the decoder."""
    rng = np.random.default_rng(6)
    cases, one, two = [], 0, 0
    for m in tables():
        K, L = m.encoder.shape
        codes, g, lam = rng.normal(size=(L, 2)), rng.normal(size=(K, 2)), rng.uniform(0.1, 3)
        trained = codes[m.decoder.argmax(0)]  # the paper's g, argmax_z p(x|z); a z-free decoder leaves g where it was
        best = self_labelling_encoder(m.prior, m.decoder, codes, trained, lam)
        for labels in ((g, g), (g, trained)):
            f = self_labelling_f(m.p_D, (against_prior(m).encoder, best), codes, labels, lam)
            x = Quantities.of(m.with_(encoder=best))
            same = labels[0] is labels[1]
            holds_1 = bool(condition_1(x, f))
            cases.append(Case(same, not holds_1))
            one += holds_1 and not same
            two += bool(condition_2(x, f)) and not same
    return Finding(
        tuple(cases),
        {
            "share of tables where (1) holds with the paper's g": one / len(tables()),
            "share where (2) holds at B's best reply": two / len(tables()),
        },
    )


def a7() -> Finding:
    """A7: is q = p SLVAE's best reply to a decoder without z? Closed form; a fixed g, enumerated."""
    lams, cases = (0.1, 0.5, 1.0, 4.0), []
    for lam in lams:  # z ignored, joint g: the loss of staying at q = p minus that of the best reply
        cases.append(Case(True, bool(lam * 1.0 - selflabel.tilted_value(lam, d=1) <= TOL)))
    grid = np.linspace(-5, 5, 201)
    prior = np.exp(-(grid**2) / 2)
    prior /= prior.sum()
    blind = np.full((201, 2), 0.5)
    q = self_labelling_encoder(prior, blind, grid[:, None], np.zeros((2, 1)), 0.5)
    table = DiscreteVAE([0.5, 0.5], prior, q, blind)
    split = DiscreteVAE([0.5, 0.5], prior, self_labelling_encoder(prior, blind, grid[:, None], [[-1.0], [1.0]], 0.5), blind)
    reply = split.with_(decoder=split.best_decoder)  # A's answer to the encoder a fixed, non-constant g leaves behind
    dead, alive = selflabel.joint_optimum(np.array([0.3, 0.6]), 1.0, 0.5).mi
    return Finding(
        tuple(cases),
        {
            "R at g = 0, lam = .5, d = 1, by enumeration": table.rate,
            "the same, closed form": float(selflabel.tilted_rate(0.5)),
            "I_q there": table.mi,
            "R at lam = .5, d = 32": float(selflabel.tilted_rate(0.5, d=32)),
            "joint g, Lambda = .3 < .5 sigma2: I_q": float(dead),
            "joint g, Lambda = .6 > .5 sigma2: I_q": float(alive),
            "fixed non-constant g, z-free decoder: I_q": split.mi,
            "what A then gains by using z": split.distortion - reply.distortion,
        },
        rescued=bool(table.mi < TOL and dead < TOL),
    )

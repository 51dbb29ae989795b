"""The discrete VAE against loops over every (x, z), general optimisers and listed vertices."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize

from klcourse.exact import discrete as dv
from klcourse.exact import discrete_optima as opt
from tests.limits import examples

many = settings(max_examples=examples(250), derandomize=True, deadline=None)
some = settings(max_examples=examples(200), derandomize=True, deadline=None)  # each example runs an optimiser many times
models = st.builds(
    lambda seed, K, L, sharp: dv.random_vae(np.random.default_rng(seed), K, L, sharp),
    st.integers(0, 2**32 - 1),
    st.integers(2, 5),
    st.integers(2, 4),
    st.sampled_from([0.2, 1.0, 5.0]),
)
small = st.builds(
    lambda seed, K, L: dv.random_vae(np.random.default_rng(seed), K, L),
    st.integers(0, 2**32 - 1),
    st.integers(2, 3),
    st.integers(2, 3),
)


def close(a: float, b: float, rel: float = 1e-6) -> bool:
    return math.isclose(a, b, rel_tol=rel, abs_tol=1e-10)


def kl(p: list[float], q: list[float]) -> float:
    return math.fsum(a * math.log(a / b) for a, b in zip(p, q) if a > 0)


class Loops:
    """Every quantity from its definition, by plain loops over the joint tables."""

    def __init__(self, m: dv.DiscreteVAE) -> None:
        self.xs, self.zs = range(len(m.p_D)), range(len(m.prior))
        self.joint_q = {(x, z): m.p_D[x] * m.encoder[x, z] for x in self.xs for z in self.zs}
        self.joint_p = {(x, z): m.prior[z] * m.decoder[z, x] for x in self.xs for z in self.zs}
        self.p_x = [math.fsum(self.joint_p[x, z] for z in self.zs) for x in self.xs]
        self.q_z = [math.fsum(self.joint_q[x, z] for x in self.xs) for z in self.zs]
        self.m = m

    def over_q(self, value) -> float:
        return math.fsum(w * value(x, z) for (x, z), w in self.joint_q.items())

    def values(self) -> dict[str, float]:
        m = self.m
        logp = [math.log(p) for p in self.p_x]
        return {
            "log_p": math.fsum(m.p_D[x] * logp[x] for x in self.xs),
            "distortion": -self.over_q(lambda x, z: math.log(m.decoder[z, x])),
            "rate": self.over_q(lambda x, z: math.log(m.encoder[x, z] / m.prior[z])),
            "elbo": self.over_q(lambda x, z: math.log(m.decoder[z, x] * m.prior[z] / m.encoder[x, z])),
            "mi": self.over_q(lambda x, z: math.log(m.encoder[x, z] / self.q_z[z])),
            "marginal_kl": kl(self.q_z, m.prior),
            "gap": self.over_q(lambda x, z: math.log(m.encoder[x, z] * self.p_x[x] / self.joint_p[x, z])),
            "jensen_gap": math.fsum(
                m.p_D[x] * m.prior[z] * (logp[x] - math.log(m.decoder[z, x])) for x in self.xs for z in self.zs
            ),
            "generative_mi": math.fsum(w * math.log(w / (self.p_x[x] * m.prior[z])) for (x, z), w in self.joint_p.items()),
            "z_free_log_likelihood": math.fsum(p * math.log(p) for p in m.p_D),
        }


@many
@given(models)
def test_quantities_are_their_definitions(model: dv.DiscreteVAE) -> None:
    for name, value in Loops(model).values().items():
        assert close(getattr(model, name), value), name


@many
@given(models)
def test_identities_1_2_4(model: dv.DiscreteVAE) -> None:
    loops = Loops(model)
    brute = loops.values()
    posterior = np.array([[loops.joint_p[x, z] / loops.p_x[x] for z in loops.zs] for x in loops.xs])
    assert np.allclose(model.posterior, posterior, rtol=1e-9)
    for x in loops.xs:
        assert close(math.log(loops.p_x[x]), model.elbo_x[x] + kl(model.encoder[x], posterior[x]))
    assert close(brute["rate"], brute["mi"] + brute["marginal_kl"])
    joint_kl = math.fsum(w * math.log(w / loops.joint_p[k]) for k, w in loops.joint_q.items())
    assert close(-brute["elbo"], joint_kl - brute["z_free_log_likelihood"])
    decoder_kl = math.fsum(
        w * math.log(w / loops.q_z[x_z[1]] / model.decoder[x_z[1], x_z[0]]) for x_z, w in loops.joint_q.items()
    )
    excess = brute["distortion"] + brute["rate"] + brute["z_free_log_likelihood"]
    assert close(excess, brute["marginal_kl"] + decoder_kl, 1e-6) and excess >= -1e-12
    assert max(model.identity_residuals().values()) < 1e-12


@many
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(2, 3), min_size=2, max_size=3))
def test_identity_3_total_correlation(seed: int, shape: list[int]) -> None:
    rng = np.random.default_rng(seed)
    factors = [rng.dirichlet(np.ones(n)) for n in shape]
    prior = np.array([math.prod(f[i] for f, i in zip(factors, z)) for z in itertools.product(*map(range, shape))])
    q_z = rng.dirichlet(np.ones(prior.size))
    table = q_z.reshape(shape)
    marginals = [
        [math.fsum(q for z, q in np.ndenumerate(table) if z[j] == i) for i in range(n)] for j, n in enumerate(shape)
    ]
    product = np.array([math.prod(m[i] for m, i in zip(marginals, z)) for z in itertools.product(*map(range, shape))])
    assert close(dv.total_correlation(table), kl(q_z, product))
    assert close(kl(q_z, prior), dv.total_correlation(table) + sum(kl(m, f) for m, f in zip(marginals, factors)))


@many
@given(models)
def test_lautum_information_is_the_mean_jensen_gap_when_the_model_fits(model: dv.DiscreteVAE) -> None:
    p_x = model.prior @ model.decoder
    fitted = model.with_(p_D=p_x / p_x.sum())
    lautum = math.fsum(
        a * b * math.log(a * b / (b * model.decoder[z, x])) for x, a in enumerate(p_x) for z, b in enumerate(model.prior)
    )
    assert close(fitted.jensen_gap, lautum)


@many
@given(models, st.integers(0, 2**32 - 1))
def test_no_decoder_table_beats_best_decoder(model: dv.DiscreteVAE, seed: int) -> None:
    best = model.with_(decoder=model.best_decoder)
    assert close(best.distortion, -model.z_free_log_likelihood - model.mi)
    other = dv.random_vae(np.random.default_rng(seed), len(model.p_D), len(model.prior))
    assert model.with_(decoder=other.decoder).distortion >= best.distortion - 1e-12


# --- best encoders ---------------------------------------------------------------------------------------
def slsqp(model: dv.DiscreteVAE, loss, hinge, claimed: float, starts: int = 4, most: int = 100) -> float:
    """min over encoders of loss(q) + lam max(c - X(q), 0), hinge = (X, lam, c), over the simplices themselves.

    `loss` and X give a value and its gradient; a slack t >= max(c - X, 0) makes the kink a smooth constraint.
    For lam > 1 there are local minima: starts beyond `starts` are made while every search has stopped above `claimed`.
    """
    K, L = model.encoder.shape
    X, lam, c = hinge
    rng = np.random.default_rng(0)
    rows = np.hstack([np.kron(np.eye(K), np.ones(L)), np.zeros((K, 1))])  # each row of the encoder sums to 1
    normalised = {"type": "eq", "fun": lambda v: rows @ v - 1, "jac": lambda v: rows}
    slack = {
        "type": "ineq",
        "fun": lambda v: v[-1] - c + X(v[:-1].reshape(K, L))[0],
        "jac": lambda v: np.append(X(v[:-1].reshape(K, L))[1], 1.0),
    }

    def objective(v: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = loss(v[:-1].reshape(K, L))
        return value + lam * v[-1], np.append(gradient, lam)

    best = np.inf
    for start in range(most):
        if start >= starts and best < claimed + 1e-7:
            break
        found = minimize(
            objective,
            np.append(rng.dirichlet(np.ones(L), K), max(c, 0)),
            jac=True,
            bounds=[(1e-9, 1)] * (K * L) + [(0, None)],
            method="SLSQP",
            constraints=[normalised, slack],
            options={"maxiter": 500, "ftol": 1e-13},
        )
        q = found.x[:-1].reshape(K, L)  # wherever it stopped, an encoder's own value is never below the minimum
        q = q / q.sum(1, keepdims=True)
        best = min(best, loss(q)[0] + lam * max(c - X(q)[0], 0))
    return best


def terms(model: dv.DiscreteVAE):
    """Distortion, rate, mi, each with its gradient, of an encoder that need not be normalised (SLSQP steps outside)."""
    P, logs = model.p_D[:, None], np.log(model.decoder.T)

    def information(q: np.ndarray, marginal: np.ndarray, moves: float) -> tuple[float, np.ndarray]:
        logratio = np.log(q / marginal)
        return (P * q * logratio).sum(), P * (logratio + moves)

    return (
        lambda q: (-(P * q * logs).sum(), -P * logs),
        lambda q: information(q, model.prior, 1.0),
        lambda q: information(q, (P * q).sum(0), 0.0),  # the marginal follows q: its share of the gradient is -P
    )


def elbo_loss(D, R, beta: float = 1.0):
    """D + beta R and its gradient."""

    def loss(q: np.ndarray) -> tuple[float, np.ndarray]:
        (d, gd), (r, gr) = D(q), R(q)
        return d + beta * r, gd + beta * gr

    return loss


@many
@given(models, st.sampled_from([0.3, 1.0, 4.0]), st.integers(0, 2**32 - 1))
def test_beta_encoder_is_stationary_and_beats_others(model: dv.DiscreteVAE, beta: float, seed: int) -> None:
    """The optimum value is -beta E log sum_z p(z) p(x|z)^(1/beta), and no other encoder beats it."""
    best = model.with_(encoder=opt.beta_encoder(model.prior, model.decoder, beta))
    value = best.distortion + beta * best.rate
    brute = -beta * math.fsum(
        p * math.log(math.fsum(model.prior[z] * model.decoder[z, x] ** (1 / beta) for z in range(len(model.prior))))
        for x, p in enumerate(model.p_D)
    )
    assert close(value, brute, 1e-6)
    rng = np.random.default_rng(seed)
    for share in (1.0, 0.1, 0.001):
        q = (1 - share) * best.encoder + share * rng.dirichlet(np.ones(len(model.prior)), len(model.p_D))
        other = model.with_(encoder=q)
        assert other.distortion + beta * other.rate >= value - 1e-12
    if beta == 1:
        assert np.allclose(best.encoder, model.posterior) and close(best.elbo, model.log_p)


@many
@given(models, st.floats(0, 5), st.integers(0, 2**32 - 1))
def test_self_labelling_encoder(model: dv.DiscreteVAE, lam: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    (K, L), m = model.encoder.shape, 2
    codes, labels = rng.normal(size=(L, m)), rng.normal(size=(K, m))
    square = np.array([[sum((labels[k, i] - codes[z, i]) ** 2 for i in range(m)) for z in range(L)] for k in range(K)])
    weight = model.prior * model.decoder.T * np.exp(-lam * square)
    best = opt.self_labelling_encoder(model.prior, model.decoder, codes, labels, lam)
    assert np.allclose(best, weight / weight.sum(1, keepdims=True), atol=1e-12)

    def loss(q: np.ndarray) -> float:
        return -model.with_(encoder=q).elbo + lam * float((model.p_D[:, None] * q * square).sum())

    assert close(loss(best), -math.fsum(model.p_D * np.log(weight.sum(1))), 1e-6)
    for share in (1.0, 0.01):
        assert loss((1 - share) * best + share * rng.dirichlet(np.ones(L), K)) >= loss(best) - 1e-12


@some
@given(models, st.floats(0.1, 3), st.floats(0.05, 0.9))
def test_hinge_encoder_on_rate_against_an_optimiser(model: dv.DiscreteVAE, lam: float, share: float) -> None:
    D, R, _ = terms(model)
    top = opt.rate_distortion(model.p_D, model.prior, model.decoder, 1e-5)[0][0]
    c, beta = share * top, 1.0
    best = np.clip(opt.hinge_encoder(model.p_D, model.prior, model.decoder, lam, c, beta, on="rate"), 1e-300, 1)
    value = D(best)[0] + beta * R(best)[0] + lam * max(c - R(best)[0], 0)
    brute = slsqp(model, elbo_loss(D, R, beta), (R, lam, c), value)
    assert abs(value - brute) < 1e-6 * max(1, abs(brute))


@some
@given(models, st.floats(0.1, 1), st.floats(0.05, 0.9))
def test_hinge_encoder_on_mi_against_an_optimiser(model: dv.DiscreteVAE, lam: float, share: float) -> None:
    D, R, mi = terms(model)
    c = share * min(dv.entropy(model.p_D), dv.entropy(model.prior))
    best = np.clip(opt.hinge_encoder(model.p_D, model.prior, model.decoder, lam, c, on="mi"), 1e-300, 1)
    value = D(best)[0] + R(best)[0] + lam * max(c - mi(best)[0], 0)
    brute = slsqp(model, elbo_loss(D, R), (mi, lam, c), value)
    assert value < brute + 1e-6 * max(1, abs(brute))  # never worse than the optimiser ...
    assert abs(value - brute) < 1e-5 * max(1, abs(brute))  # ... and equal where that one gets there


def test_hinge_is_exact_from_lam_star_on() -> None:
    """A10 on a fixed decoder: R = c as soon as lam >= beta - s(c), and a smaller rate just below."""
    p_D, prior, decoder, c = [0.5, 0.3, 0.2], [0.5, 0.5], [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], 0.4
    star = 1 - opt.slope_at_rate(p_D, prior, decoder, c)

    def rate(lam: float) -> float:
        return dv.DiscreteVAE(p_D, prior, opt.hinge_encoder(p_D, prior, decoder, lam, c), decoder).rate

    assert 0 < star < 1
    assert rate(star - 0.05) < c - 1e-3
    assert rate(star + 1e-9) == pytest.approx(c, abs=1e-9) and rate(0.99) == pytest.approx(c, abs=1e-9)
    partial = dv.DiscreteVAE(p_D, prior, opt.beta_encoder(prior, decoder, 1 - 0.5 * star), decoder).rate
    assert rate(0.5 * star) == pytest.approx(partial)


# --- rate-distortion -------------------------------------------------------------------------------------
@many
@given(models, st.floats(0.05, 3.0))
def test_slope_of_the_fixed_decoder_curve(model: dv.DiscreteVAE, beta: float) -> None:
    """s = -dD/dR equals beta along the curve (finite differences)."""
    h = 1e-4 * beta
    R, D = opt.rate_distortion(model.p_D, model.prior, model.decoder, [beta - h, beta + h])
    if R[0] - R[1] > 1e-8:
        assert (D[0] - D[1]) / (R[1] - R[0]) == pytest.approx(beta, rel=1e-4)


@many
@given(small, st.floats(0, 1))
def test_universal_decoder_line(model: dv.DiscreteVAE, share: float) -> None:
    """No (encoder, best decoder) lies below H - R; with M = 0 it is reached."""
    fitted = model.with_(decoder=model.best_decoder)
    h = dv.entropy(model.p_D)
    assert fitted.distortion >= h - fitted.rate - 1e-12
    joint = share * (model.posterior * (model.prior @ model.decoder)[:, None])  # a coupling with these marginals
    p_x = model.prior @ model.decoder
    joint = joint + (1 - share) * np.outer(p_x, model.prior)
    p_x = joint.sum(1)
    coupled = dv.DiscreteVAE(p_x / p_x.sum(), model.prior, joint / p_x[:, None], model.decoder)
    coupled = coupled.with_(decoder=coupled.best_decoder)
    assert coupled.marginal_kl < 1e-10
    assert close(coupled.distortion, dv.entropy(coupled.p_D) - coupled.rate)


def test_beyond_the_largest_coupling_rate_is_wasted() -> None:
    """K = 3, L = 2: asking for more I than I_max = 2/3 log 2 forces M > 0, so D + R leaves H."""
    model = dv.DiscreteVAE([1 / 3] * 3, [0.5, 0.5], [[1, 0], [1, 0], [0, 1]], [[0.5, 0.5, 0], [0, 0, 1]])
    assert model.mi > 2 / 3 * math.log(2)
    assert model.marginal_kl > 0.05 and model.distortion + model.rate > dv.entropy(model.p_D) + 0.05


# --- counterexamples --------------------------------------------------------------------------------------
def test_a13_beta_lowers_the_rate_and_raises_the_information() -> None:
    prior, decoder = [0.5, 0.5], [[0.5, 0.5, 0], [0.4, 0.1, 0.5]]
    shown = []
    for beta in (0.01, 0.3, 1.0):
        q = opt.beta_encoder(prior, decoder, beta)
        model = dv.DiscreteVAE([0.5, 0.5, 0], prior, q, decoder)  # the third x never occurs
        shown.append((round(model.rate, 3), round(model.mi, 3)))
    assert shown == [(0.693, 0.0), (0.364, 0.116), (0.124, 0.047)]


def test_a9_lazy_encoder() -> None:
    """q(z|x) = r(z) for every x: R = KL(r || p) > 0 = I_q, against the article's I = E KL."""
    lazy = dv.DiscreteVAE([0.5, 0.5], [0.5, 0.5], [[0.9, 0.1], [0.9, 0.1]], [[0.5, 0.5], [0.5, 0.5]])
    assert lazy.rate == pytest.approx(0.9 * math.log(1.8) + 0.1 * math.log(0.2)) and lazy.mi == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("beta_factor", [1.5, 3.0])
def test_lazy_rate_is_a_best_reply_to_a_z_free_decoder_above_beta(beta_factor: float) -> None:
    """A12: lam > beta pays for rate whether or not it informs; an optimiser finds R = c, not collapse."""
    model = dv.DiscreteVAE([0.6, 0.4], [0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]], [[0.6, 0.4], [0.6, 0.4]])
    D, R, mi = terms(model)
    c = 0.2
    least = dv.entropy(model.p_D) + c
    found = slsqp(model, elbo_loss(D, R), (R, beta_factor, c), least)
    assert found == pytest.approx(least, abs=1e-6)  # beta c, less than the lam c of collapse
    t = brentq(lambda t: kl([t, 1 - t], [0.5, 0.5]) - c, 0.5, 1 - 1e-9)
    lazy = model.with_(encoder=[[t, 1 - t]] * 2)
    assert lazy.mi == pytest.approx(0, abs=1e-12) and lazy.rate == pytest.approx(c)
    assert lazy.distortion + lazy.rate == pytest.approx(found, abs=1e-6)


# --- errors ----------------------------------------------------------------------------------------------
def test_bad_tables_are_named() -> None:
    with pytest.raises(ValueError, match="encoder has shape"):
        dv.DiscreteVAE([0.5, 0.5], [0.5, 0.5], [[1, 0]], [[0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(ValueError, match="p_D must hold probabilities"):
        dv.DiscreteVAE([0.5, 0.6], [0.5, 0.5], [[1, 0], [1, 0]], [[0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(ValueError, match="beta"):
        opt.beta_encoder([1.0], [[1.0]], 0.0)
    with pytest.raises(ValueError, match="not convex"):
        opt.information_encoder([1.0], [1.0], [[1.0]], reward=2.0)
    with pytest.raises(ValueError, match="pays for waste"):
        opt.hinge_encoder([0.5, 0.5], [0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]], lam=2.0, c=0.3)
    with pytest.raises(ValueError, match="not reached"):
        opt.slope_at_rate([0.5, 0.5], [0.5, 0.5], [[0.8, 0.2], [0.2, 0.8]], rate=1.0)


def test_impossible_symbols_stay_finite() -> None:
    model = dv.DiscreteVAE([1.0, 0.0], [0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0], [1.0, 0.0]])
    assert model.log_p == 0 and model.gap == 0 and model.jensen_gap == 0 and np.isfinite(model.posterior).all()
    dead_end = dv.DiscreteVAE([0.5, 0.5], [0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0], [0.0, 1.0]])
    assert dead_end.jensen_gap == np.inf and dead_end.elbo == -np.inf and dead_end.log_p == pytest.approx(-math.log(2))

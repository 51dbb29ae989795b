"""The ledger: expected verdicts stand here and only here; the rest is checked without the ledger."""

import ast
import math
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from klcourse import ledger
from klcourse.exact.discrete import DiscreteVAE, random_vae
from klcourse.exact.linear_gaussian import LinearGaussianVAE
from klcourse.games import Quantities, condition_5
from klcourse.ledger import Case, judge
from klcourse.ledger.beta_checks import AXES, SKEWED
from klcourse.ledger.constraint_checks import joint_kl
from klcourse.ledger.games_checks import blind_spot

ROOT = Path(__file__).parents[1]
EXPECTED = {
    "A0": "fails as written",
    "A1": "holds if",
    "A2": "holds if",
    "A3": "holds if",
    "A4": "holds if",
    "A5": "fails as written",
    "A6": "holds if",
    "A7": "fails as written",
    "A8": "holds if",
    "A9": "fails as written",
    "A10": "holds if",
    "A11": "holds if",
    "A12": "fails as written",
    "A13": "holds if",
    "A14": "fails as written",
    "A15a": "holds if",
    "A15b": "fails as written",
    "A16": "holds",
    "A17": "fails as written",
    "A18": "holds if",
    "A19": "holds if",
    "A20": "fails as written",
}


@pytest.mark.parametrize("id", EXPECTED)
def test_verdict(id: str) -> None:
    found = ledger.finding(id)
    assert found.verdict == EXPECTED[id]
    assert found.evidence and all(np.isfinite(v) for v in found.evidence.values())
    if found.verdict == "holds if":  # the condition must matter: it excludes some case, and admits some
        assert any(c.premise for c in found.cases) and any(not c.true for c in found.cases)
    if ledger.claim(id).rescue:
        assert found.rescued is True


def test_the_rule() -> None:
    yes, no, off_yes, off_no = Case(True, True), Case(True, False), Case(False, True), Case(False, False)
    assert judge([yes, off_yes]) == "holds" and judge([yes, off_no]) == "holds if"
    assert judge([yes, no]) == judge([off_no]) == judge([no, off_yes]) == "fails as written"
    with pytest.raises(ValueError, match="no cases"):
        judge([])


@pytest.mark.parametrize(
    "id, name, value, digits",
    [
        ("A5", "rate after training, Lambda/sigma2 = 2", 0.5 * math.log(2), 3),
        ("A5", "rate after training, Lambda/sigma2 = 0.5", 0.0, 3),
        ("A7", "R at lam = .5, d = 32", 3.09, 2),
        ("A7", "R at g = 0, lam = .5, d = 1, by enumeration", 0.5 * (math.log(2) - 0.5), 5),
        ("A9", "lazy encoder: R", 2.0, 9),
        ("A9", "lazy encoder: I_q", 0.0, 9),
        ("A9", "second equal sign: largest difference", 0.0, 9),
        ("A9", "the same where q(z) = p(z)", 0.0, 9),
        ("A13", "R at beta = 0.01", 0.693, 3),
        ("A13", "R at beta = 0.3", 0.364, 3),
        ("A13", "R at beta = 1", 0.124, 3),
        ("A13", "I_q at beta = 0.01", 0.0, 3),
        ("A13", "I_q at beta = 0.3", 0.116, 3),
        ("A13", "I_q at beta = 1", 0.047, 3),
        ("A13", "largest rise of R with beta", 0.0, 9),
        ("A15b", "lam demanded by (5) at c = 5, d = 1", 4404, 0),
        ("A15b", "lam demanded by (5) at c = 5, d = 32", 1.35, 2),
        ("A15b", "lam*(c)", 1 - 0.25 * math.exp(-2), 6),
        ("A16", "its payoff", -1.0, 9),
        ("A17", "there: largest distance to the optimum with KL weight 1 - lam", 0.0, 9),
        ("A18", "A13's table, beta = .3: I_q without the penalty", 0.116, 3),
        ("A18", "the same with lam = .29, c = .7", 0.0, 3),
        ("A12", "corrected conditions match the game", 1, 9),
        ("A12", "collapse is B's best reply iff lam <= beta", 1, 9),
        ("A12", "the lazy pair (R = c, I = 0) is a weak equilibrium iff lam >= beta", 1, 9),
        ("A12", "with a hinge on I_q neither, for lam > beta", 1, 9),
    ],
)
def test_numbers_of_theory(id: str, name: str, value: float, digits: int) -> None:
    assert ledger.finding(id).evidence[name] == pytest.approx(value, abs=0.6 * 10.0**-digits)


# --- independent checks named by the ledger --------------------------------------------------------------
def test_collapse_is_optimal_only_if_the_decoder_agrees() -> None:
    """A1 by hand: q = p; ELBO = E_p log p(x|z) equals log p(x) for a constant decoder and not for another."""
    same, other = [0.3, 0.3], [0.1, 0.5]  # p(x = 1 | z) for z = 0, 1; uniform prior
    for likelihood, equal in ((same, True), (other, False)):
        elbo = sum(0.5 * math.log(p) for p in likelihood)
        assert math.isclose(elbo, math.log(sum(likelihood) / 2)) == equal


def test_batch_switch() -> None:
    """A11 by simulation: stochastic steps on a scalar rate settle at c - tau Phi^-1(lam*/lam)."""
    from statistics import NormalDist

    rng, beta_minus_slope, lam, tau, c, R, tail = np.random.default_rng(0), 0.6, 1.5, 0.2, 1.0, 1.0, []
    for _ in range(40_000):  # D + beta R has slope lam* = beta - s near c; the batch sees R plus noise
        R -= 0.002 * (beta_minus_slope - lam * (R + tau * rng.normal() < c))
        tail.append(R)
    assert np.mean(tail[10_000:]) == pytest.approx(c - tau * NormalDist().inv_cdf(beta_minus_slope / lam), abs=0.005)


def _train(var: float, beta: float, lam: float, c: float) -> tuple[float, float]:
    """(R, I) at the minimum over the linear-Gaussian model, by a general optimiser, the hinge as a slack."""
    best = (np.inf, 0.0, 0.0)
    for start in (
        [1.0, 0.5, -0.5, 0.0, 0.1, 0.5],
        [0.1, 0.1, -0.1, 0.0, 0.5, 0.5],
        [2.0, 0.3, -2.0, 0.0, 0.0, 0.1],
    ):

        def parts(t):
            w, v, ls, b, m = t[:5]
            D = 0.5 * (var * (1 - w * v) ** 2 + w * w * np.exp(ls) + (b + w * m) ** 2)
            return D, 0.5 * (v * v * var + m * m + np.exp(ls) - 1 - ls)

        res = minimize(
            lambda t: parts(t)[0] + beta * parts(t)[1] + lam * t[5],
            start,
            method="SLSQP",
            bounds=[(None, None)] * 5 + [(0, None)],
            options={"maxiter": 1000, "ftol": 1e-14},
            constraints=[{"type": "ineq", "fun": lambda t: t[5] - c + parts(t)[1]}],
        )
        if res.fun < best[0]:
            v, ls = res.x[1], res.x[2]
            best = (res.fun, parts(res.x)[1], 0.5 * math.log1p(v * v * var / math.exp(ls)))
    return best[1:]


def test_beta_minus_lam() -> None:
    """A14: (5) and (6) can hold while R < c; the optimum is that of beta - lam."""
    var, beta, lam, c = 6.0, 8.0, 4.5, 1.0
    rate, info = _train(var, beta, lam, c)
    assert rate == pytest.approx(0.5 * math.log(var / (beta - lam)), abs=1e-4) and rate < c - 0.5
    w2 = var - var * math.exp(-2 * c)  # of the pair with R = c
    J = 0.5 * (var + w2) - 0.5 * (math.log(1 + w2) + var / (1 + w2))  # log p - E_p(z) log p(x|z)
    assert J < lam * c  # condition (5) for that decoder
    assert rate < c  # condition (6)


def test_reasonable_values() -> None:
    """A15b: the rule lam*(c) <= lam <= beta against a general optimiser; (5) and (6) are met below lam*(c) too."""
    var, beta, c = 0.8, 1.0, 0.5
    star = beta - var * math.exp(-2 * c)
    assert _train(var, beta, star - 0.1, c)[0] < c - 0.01
    w2 = var - var * math.exp(-2 * c)  # the decoder of the constrained optimum
    J = 0.5 * (var + w2) - 0.5 * (math.log(1 + w2) + var / (1 + w2))  # log p - E_p(z) log p(x|z)
    assert J < (star - 0.1) * c  # (5); and (6) holds for every pair with R' < c
    for lam in (star + 0.02, beta):
        rate, info = _train(var, beta, lam, c)
        assert rate == pytest.approx(c, abs=1e-4) and info == pytest.approx(c, abs=1e-3)


def test_a9_both_equal_signs() -> None:
    """A9 by hand: I, KL(joint || p(x)p(z)) and E KL for two symbols and two codes, with one code for both, and for each."""
    prior, p = [0.5, 0.5], [0.5, 0.5]
    for encoder, information in (([[0.9, 0.1]] * 2, 0.0), ([[1.0, 0.0], [0.0, 1.0]], math.log(2))):
        q_z = [sum(p[x] * encoder[x][z] for x in (0, 1)) for z in (0, 1)]
        cells = [(x, z) for x in (0, 1) for z in (0, 1) if encoder[x][z]]
        mutual = sum(p[x] * encoder[x][z] * math.log(p[x] * encoder[x][z] / (p[x] * q_z[z])) for x, z in cells)
        to_prior = sum(p[x] * encoder[x][z] * math.log(p[x] * encoder[x][z] / (p[x] * prior[z])) for x, z in cells)
        rate = sum(p[x] * encoder[x][z] * math.log(encoder[x][z] / prior[z]) for x, z in cells)
        assert mutual == pytest.approx(information) and to_prior == pytest.approx(rate)  # the second sign: always
        assert (abs(mutual - to_prior) < 1e-12) == (q_z == prior)  # the first: iff q(z) = p(z)
        table = DiscreteVAE(p, prior, encoder, [[0.5, 0.5]] * 2)
        assert joint_kl(table) == pytest.approx(to_prior) and table.rate == pytest.approx(rate)


def test_joint_kl_of_gaussians_by_sampling() -> None:
    """The closed form in A9's check against an average of log q(x, z) / p(x)p(z) over the encoder's joint."""
    var, v, s2, m = 2.0, 0.7, 0.3, 1.0
    rng = np.random.default_rng(0)
    x = math.sqrt(var) * rng.standard_normal(400_000)
    z = v * x + m + math.sqrt(s2) * rng.standard_normal(x.size)
    log_ratio = -0.5 * (math.log(s2) + (z - v * x - m) ** 2 / s2) + 0.5 * z**2
    assert joint_kl(LinearGaussianVAE(0.0, v, s2, m=m, data_var=var)) == pytest.approx(log_ratio.mean(), abs=0.01)


def test_conditions_can_be_met_unless_j_is_infinite() -> None:
    """A15a by hand: J of a two-symbol code that errs e of the time is -log(2 sqrt(e (1 - e))), without bound as e -> 0."""
    for e in (0.3, 0.1, 1e-3, 1e-9):
        J = math.log(0.5) - 0.5 * (math.log(e) + math.log(1 - e))
        assert Quantities.of(_two_symbols(e)).J == pytest.approx(J)
        assert condition_5(Quantities(J=J), 1.01 * J / 0.5, 0.5) and not condition_5(Quantities(J=J), 0.99 * J / 0.5, 0.5)
    assert Quantities.of(_two_symbols(0.0)).J == math.inf and not condition_5(Quantities(J=math.inf), 1e300, 0.5)


def _two_symbols(error: float) -> DiscreteVAE:
    table = [[1 - error, error], [error, 1 - error]]
    return DiscreteVAE([0.5, 0.5], [0.5, 0.5], table, table)


def test_below_c_the_hinge_is_a_changed_elbo() -> None:
    """A17: a general optimiser of the penalised loss ends at 0.5 ln(Lambda / (1 - lam)), not at c, for lam < lam*(c)."""
    var, c = 2.0, 1.0
    star = 1 - var * math.exp(-2 * c)
    for lam in (0.2, 0.5):
        assert lam < star
        assert _train(var, 1.0, lam, c)[0] == pytest.approx(0.5 * math.log(var / (1 - lam)), abs=1e-4)
    assert _train(var, 1.0, star + 0.02, c)[0] == pytest.approx(c, abs=1e-4)


def test_the_penalty_is_a_weight_in_disguise() -> None:
    """A18 for two symmetric symbols, on a grid of the encoder's one number: held at c, so D is the plain VAE's at s(c)."""
    p, c = 0.8, 0.3  # p(x|z) on the diagonal; the encoder answers right with probability a
    a = np.linspace(0.5, 0.999, 400_001)
    rate = math.log(2) + a * np.log(a) + (1 - a) * np.log(1 - a)
    distortion = -a * math.log(p) - (1 - a) * math.log(1 - p)
    for beta in (0.9, 2.0):
        held = int(np.argmin(distortion + beta * rate + beta * np.maximum(c - rate, 0)))  # lam = beta
        assert rate[held] == pytest.approx(c, abs=1e-4)  # the rate went up, and with q(z) = p(z) so did I_q
        assert rate[int(np.argmin(distortion + beta * rate))] < c - 0.05
        slope = math.log(p / (1 - p)) / math.log(a[held] / (1 - a[held]))  # -dD/dR at this encoder
        assert a[int(np.argmin(distortion + slope * rate))] == pytest.approx(a[held], abs=1e-4)


def _total_correlation(V: np.ndarray, s2: np.ndarray, S: np.ndarray) -> float:
    Q = V @ S @ V.T + np.diag(s2)
    return float(0.5 * math.log(Q[0, 0] * Q[1, 1] / np.linalg.det(Q)))


@pytest.mark.parametrize("world", [AXES, SKEWED], ids=["axes", "overlapping"])
def test_total_correlation_against_beta(world) -> None:
    """A19: the closed-form encoder is the optimiser's, and TC <= M <= R <= D(0) / beta on the way to 0."""
    for beta in (0.5, 3.0, 60.0):
        free = minimize(
            lambda u, beta=beta: (
                world.parts(u[:4].reshape(2, 2), np.exp(u[4:]))["D"]
                + beta * world.parts(u[:4].reshape(2, 2), np.exp(u[4:]))["R"]
            ),
            np.zeros(6) + 0.1,
            tol=1e-10,
        )
        V, s2 = world.encoder(beta)
        assert np.allclose(free.x[:4].reshape(2, 2), V, atol=2e-4) and np.allclose(np.exp(free.x[4:]), s2, atol=2e-4)
        parts = world.parts(V, s2)
        assert parts["TC"] == pytest.approx(_total_correlation(V, s2, world.S), abs=1e-12)
        assert parts["TC"] <= parts["R"] <= world.parts(np.zeros((2, 2)), np.ones(2))["D"] / beta


def test_parts_of_the_factors_by_sampling() -> None:
    """D and R of A19's two-factor world are means over x and z."""
    rng, world = np.random.default_rng(1), SKEWED
    V, s2 = world.encoder(1.3)
    x = rng.multivariate_normal([0, 0], world.S, 300_000)
    z = x @ V.T + np.sqrt(s2) * rng.standard_normal(x.shape)
    distortion = 0.5 * ((x - z @ world.W.T) ** 2).sum(1).mean()
    rate = 0.5 * (s2 - 1 - np.log(s2) + (x @ V.T) ** 2).sum(1).mean()
    assert world.parts(V, s2)["D"] == pytest.approx(distortion, abs=0.02)
    assert world.parts(V, s2)["R"] == pytest.approx(rate, abs=0.02)


def test_held_at_c_beta_changes_nothing() -> None:
    """A20: for each beta the least D among encoders with R >= c is the same, by an optimiser that never sees beta."""
    world, c = AXES, 1.0
    found = minimize(
        lambda u: world.parts(u[:4].reshape(2, 2), np.exp(u[4:]))["D"],
        [0.5, 0, 0, 0.5, -1, -1],
        method="SLSQP",
        constraints=[{"type": "ineq", "fun": lambda u: c - world.parts(u[:4].reshape(2, 2), np.exp(u[4:]))["R"]}],
        options={"maxiter": 500, "ftol": 1e-13},
    )
    least = world.parts(found.x[:4].reshape(2, 2), np.exp(found.x[4:]))
    for beta in (1.5, 4.0, 16.0):
        held = world.constrained(beta, beta, c)
        assert all(held[key] == pytest.approx(least[key], abs=1e-4) for key in ("D", "R", "TC", "I"))


def test_independent_payoff() -> None:
    """A16: the largest -J - lam c over 1000 random decoders stays below -lam c; one with a blind spot reaches it."""
    hidden = blind_spot()
    assert hidden.generative_mi > 0.01 and hidden.jensen_gap == pytest.approx(0, abs=1e-12)
    rng = np.random.default_rng(1)
    for _ in range(1000):
        m = random_vae(rng)
        J = float(m.p_D @ (np.log(m.prior @ m.decoder) - m.prior @ np.log(m.decoder)))
        assert -J - 2.0 * 0.5 < -1.0


# --- the records -----------------------------------------------------------------------------------------
def test_records_are_complete_and_point_somewhere() -> None:
    assert [c.id for c in ledger.CLAIMS] == list(EXPECTED)
    for entry in ledger.CLAIMS:
        assert entry.words and entry.where and entry.reading and entry.reason
        assert not any(verdict in (entry.words + entry.reason).lower() for verdict in ("fails as written", "holds if"))
        file, test = entry.test.split("::")
        names = {node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)}
        assert test in names, entry.test
        assert entry.notebook.endswith("#" + entry.id)
    with pytest.raises(ValueError, match="choose one of"):
        ledger.claim("A99")


def test_tables() -> None:
    rows = ledger.table()
    assert len(rows) == 22 and {row["id"]: row["verdict"] for row in rows} == EXPECTED
    html, md = ledger.to_html(), ledger.to_markdown("A1", "A16")

    class Count(HTMLParser):
        rows = 0

        def handle_starttag(self, tag, attrs) -> None:
            self.rows += tag == "tr"

    counter = Count()
    counter.feed(html)
    assert counter.rows == 23 and all(f"<th scope='row'>{id}</th>" in html for id in EXPECTED)
    assert len(md.splitlines()) == 4 and "**holds**" in md and "**holds if z is independent" in md

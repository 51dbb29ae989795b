"""The numbers inside the games, each by a second way: Gaussian quantities, beta in the corrected (6), ties of conditions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from klcourse import games as g
from klcourse.exact.discrete import random_vae
from klcourse.exact.linear_gaussian import LinearGaussianVAE, best_encoder, optimum
from tests.limits import examples

many = settings(max_examples=examples(200), derandomize=True, deadline=None)


@pytest.mark.parametrize("w, sigma2", [(0.5, 1.0), (2.0, 0.3), (-1.0, 4.0)])
def test_information_of_a_gaussian_decoder(w: float, sigma2: float) -> None:
    """I_p = h(x) - h(x|z) under p(z)p(x|z), by quadrature."""

    def entropy(scale: float) -> float:
        return quad(lambda x: -norm.pdf(x, scale=scale) * norm.logpdf(x, scale=scale), -40, 40, limit=200)[0]

    info = entropy(math.sqrt(w * w + sigma2)) - entropy(math.sqrt(sigma2))
    assert g.Quantities.of(LinearGaussianVAE(w, 0.3, 0.5, sigma2=sigma2)).I_p == pytest.approx(info, abs=1e-9)


@pytest.mark.parametrize("var, sigma2", [(3.0, 1.0), (5.0, 0.2)])
def test_all_informations_agree_where_the_model_fits(var: float, sigma2: float) -> None:
    """At the ELBO's optimum p_D = p_theta and q is the posterior: R = I_q = I_p, G = M = 0, J the lautum information."""
    x = g.Quantities.of(optimum(var, sigma2))
    assert x.R == pytest.approx(x.mi) == pytest.approx(x.I_p) and x.G == pytest.approx(0, abs=1e-12)
    assert x.J == pytest.approx(math.expm1(2 * x.I_p) - x.I_p)  # exp(2I) - 1 - I
    assert x.best_z_free == pytest.approx(-0.5 * math.log(2 * math.pi * sigma2) - var / (2 * sigma2))


def test_bias_and_shift_enter_where_they_should() -> None:
    """b moves log p and J, m moves R, M and the ELBO; L0 knows neither."""
    plain = g.Quantities.of(LinearGaussianVAE(0.8, 0.4, 0.6))
    biased, shifted = (g.Quantities.of(LinearGaussianVAE(0.8, 0.4, 0.6, **move)) for move in ({"b": 0.5}, {"m": 0.5}))
    assert biased.log_p == pytest.approx(plain.log_p - 0.5 * 0.25 / 1.64) and biased.R == plain.R
    assert biased.log_p - biased.J == pytest.approx(plain.log_p - plain.J - 0.5 * 0.25)
    assert shifted.R == pytest.approx(plain.R + 0.125) and shifted.M == pytest.approx(plain.M + 0.125)
    assert shifted.log_p == plain.log_p and shifted.elbo == pytest.approx(plain.elbo - 0.125 - 0.5 * 0.16)
    assert plain.L0 == biased.L0 == shifted.L0


def pair(low_info: float, high_info: float, var: float) -> tuple[g.Quantities, g.Quantities]:
    """Two decoders with these informations, each with its exact posterior."""

    def one(info: float) -> g.Quantities:
        w = math.sqrt(math.expm1(2 * info))
        v, m, s2 = best_encoder(w, var, 1.0)
        return g.Quantities.of(LinearGaussianVAE(w, v, s2, m=m, data_var=var))

    return one(low_info), one(high_info)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("lam", [0.2, 1.5, 6.0])
def test_corrected_6_is_the_games_comparison_on_real_pairs(beta: float, lam: float) -> None:
    """Both rows feasible, so A's move in the right column exists: (6) corrected says if A gains by it, beta included."""
    signs = set()
    for var, c in ((1.6, 0.3), (2.5, 0.5), (4.0, 0.8)):
        low, high = pair(0.6 * c, 1.2 * c, var)
        game = g.constrained_game(low, high, lam, c, beta, reading="generative")
        assert game.feasible.all()
        gain = game.a[1, 1] - game.a[0, 1]
        condition = g.corrected_6(low, high, lam, c, beta)
        assert condition.margin == pytest.approx(gain)
        lower = -low.G - (beta - 1) * low.R - lam * (c - low.R)
        assert gain == pytest.approx(-high.G - (beta - 1) * high.R - lower)
        signs.add(bool(condition))
    assert signs == ({True} if beta <= 1 else {False} if lam < beta - 1 else signs)


def test_corrected_6_by_hand() -> None:
    """G = G' = .2, R' = .3, R = 1.3, c = 1, beta = 2: a gain of .7 lam against a cost of (2 - 1)(1.3 - .3) = 1."""
    low, high = g.Quantities(G=0.2, R=0.3, I_p=0.3), g.Quantities(G=0.2, R=1.3, J=9.0, I_p=1.3)
    assert not g.corrected_6(low, high, 1.0, 1.0, 2.0) and g.corrected_6(low, high, 1.5, 1.0, 2.0)
    assert g.corrected_6(low, high, 1.0, 1.0, 2.0).margin == pytest.approx(-0.3)
    assert "(beta - 1)(R - R')" in str(g.corrected_6(low, high, 1.0, 1.0, 2.0))
    assert "beta" not in str(g.corrected_6(low, high, 1.0, 1.0))
    game = g.constrained_game(low, high, 1.0, 1.0, 2.0, reading="generative")
    assert np.allclose(game.a, [[-0.0 - 1.0, -0.2 - 0.3 - 0.7], [-9.0, -0.2 - 1.3]])
    assert not game.is_equilibrium(1, 1) and not g.informative_is_equilibrium(low, high, 1.0, 1.0, 2.0)
    assert g.informative_is_equilibrium(low, high, 1.5, 1.0, 2.0)


def test_target_keeps_encoder_by_hand() -> None:
    """B stays at q = p iff G + (beta - 1) R > J: beta makes speaking dearer."""
    high = g.Quantities(G=0.5, R=1.0, J=2.0)
    assert not g.target_keeps_encoder(high) and not g.target_keeps_encoder(high, 2.0) and g.target_keeps_encoder(high, 2.6)
    assert g.target_keeps_encoder(high, 2.0).margin == pytest.approx(-0.5)


def test_ties_of_the_conditions() -> None:
    """(1), (2), (5), (6) are strict, equilibria are weak: at equality a condition fails and the cell stays one."""
    x = g.Quantities(log_p=-1.0, J=1.0, G=1.0, R=1.0)
    assert not g.condition_1(x, [[0.0, 0.0], [1.0, 0.0]]) and not g.condition_2(x, np.zeros((2, 2)))
    assert not g.condition_5(g.Quantities(J=2.0), 2.0, 1.0) and not g.condition_6(g.Quantities(R=1.0), 2.0, 1.0)
    low, high = g.Quantities(G=0.5, R=0.5), g.Quantities(G=1.0, R=1.5, J=1.0)
    assert not g.corrected_5(g.Quantities(), g.Quantities(J=2.0), 2.0, 1.0)
    assert not g.corrected_6(low, high, 1.0, 1.0) and not g.target_keeps_encoder(high)
    assert g.informative_is_equilibrium(low, high, 1.0, 1.0)
    assert g.collapse_is_equilibrium(2.0, 2.0) and not g.collapse_is_equilibrium(np.nextafter(2.0, 3), 2.0)
    assert g.collapse_is_equilibrium(2.0, 2.0).left == 2.0


def test_free_best_changes_condition_1_and_the_row() -> None:
    """With A's best z-free decoder L0 stands where log p stood."""
    x = g.Quantities(log_p=-3.0, J=0.5, G=0.1, R=0.4, M=0.1, L0=-2.0)
    f = [[0.0, 0.0], [1.0, 0.0]]
    assert g.condition_1(x, f) and not g.condition_1(x, f, free="best")
    assert g.condition_1(x, f).margin == pytest.approx(0.5) and g.condition_1(x, f, free="best").margin == pytest.approx(
        -0.5
    )
    assert np.allclose(g.vae_game(x, "best", "unchanged").a, [[-2.0, -2.4], [-3.5, -3.1]])
    assert np.allclose(g.vae_game(x).a, [[-3.0, -3.1], [-3.5, -3.1]])


feasible = st.tuples(
    st.floats(0.05, 0.9), st.floats(1.0, 2.0), st.floats(0, 3), st.floats(0, 3), st.floats(0, 2), st.floats(0, 2)
)


@many
@given(feasible, st.floats(0, 4), st.sampled_from([0.5, 1.0, 2.0, 4.0]))
def test_both_rows_feasible_conditions_are_the_game(case, lam: float, beta: float) -> None:
    """c = 1, I' < 1 <= I: all four cells exist, and the four conditions say which of them are equilibria."""
    r_low, r_high, g_low, g_high, j_low, j_high = case
    low = g.Quantities(J=j_low, G=g_low, R=r_low, I_p=0.5)
    high = g.Quantities(J=j_high, G=g_high, R=r_high, I_p=1.0)
    game = g.constrained_game(low, high, lam, 1.0, beta, reading="generative")
    assert game.feasible.all()
    five, six = g.corrected_5(low, high, lam, 1.0), g.corrected_6(low, high, lam, 1.0, beta)
    stays = g.target_keeps_encoder(high, beta)
    if min(abs(one.margin) for one in (five, six, stays)) > 1e-6:
        assert game.is_equilibrium(1, 0) == (bool(five) and bool(stays))
        assert game.is_equilibrium(1, 1) == (bool(six) and not stays)
        assert game.is_equilibrium(1, 1) == g.informative_is_equilibrium(low, high, lam, 1.0, beta)


def test_a_table_brings_its_decoders_information() -> None:
    """I_p, M and L0 of a table reach the game: the generative reading needs the first, A's best z-free decoder the last."""
    x = g.Quantities.of(random_vae(np.random.default_rng(3), K=4, L=3))
    model = random_vae(np.random.default_rng(3), K=4, L=3)
    assert (x.I_p, x.M, x.L0, x.J) == (
        model.generative_mi,
        model.marginal_kl,
        model.z_free_log_likelihood,
        model.jensen_gap,
    )
    assert x.I_p > 0


def test_names_and_tolerances_reach_the_game() -> None:
    """profile_game keeps the rows' names; is_equilibrium takes the tolerance it is given."""
    game = g.profile_game([[1.0, 0.0], [0.9, 2.0]], float, rows=("a", "b"), columns=("x", "y"), title="t", tol=0.2)
    assert (game.rows, game.columns, game.title, game.tol) == (("a", "b"), ("x", "y"), "t", 0.2)
    close = g.Game([[1.0, 1.1]])
    assert (
        not close.is_equilibrium(0, 0) and close.is_equilibrium(0, 0, tol=0.2) and not close.is_equilibrium(0, 0, tol=0.05)
    )


def test_mixed_equilibria_of_a_larger_game() -> None:
    """Rock, paper, scissors: nobody stays anywhere, so what is found is Nashpy's, a third each."""
    rock = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    ((x, y),) = g.mixed_equilibria(g.Game(rock, -rock))
    assert np.allclose(x, 1 / 3) and np.allclose(y, 1 / 3)


def test_formulas_as_a_table() -> None:
    """No bare | may end a cell early, and every formula of the game is there."""
    game = g.constrained_game(g.Quantities(), g.Quantities(R=1.0), 1.0, 0.5, beta=4.0, reading="generative")
    lines = g.formulas(game).splitlines()
    assert len(lines) == 4 and all(line.replace("\\|", "").count("|") == 4 for line in lines)
    assert r"\beta KL(q(z\mid x) \Vert p(z))" in lines[2] and lines[3].startswith("| I(x, z) ≥ c | $E_{p(z)}")
    with pytest.raises(ValueError, match="no formulas"):
        g.formulas(g.Game([[1.0]]))

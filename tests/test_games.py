"""Games against enumeration by hand: equilibria with ties, the article's matrices, conditions, display."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from klcourse import games as g
from klcourse.exact.discrete import DiscreteVAE, random_vae
from klcourse.exact.linear_gaussian import LinearGaussianVAE, optimum
from tests.limits import examples

many = settings(max_examples=examples(300), derandomize=True, deadline=None)
payoffs = st.integers(-3, 3).map(float)  # few values, so that ties are common
tables = st.tuples(st.integers(1, 3), st.integers(1, 3)).flatmap(
    lambda s: st.tuples(*[st.lists(st.lists(payoffs, min_size=s[1], max_size=s[1]), min_size=s[0], max_size=s[0])] * 2)
)
numbers = st.builds(
    lambda log_p, J, G, info, M, drop: g.Quantities(log_p, J, G, info + M, M, log_p - drop, info),
    st.floats(-9, 0),
    st.floats(0, 5),
    st.floats(0, 5),
    st.floats(0, 3),
    st.floats(0, 3),
    st.floats(-1, 2),
)
models = st.builds(
    lambda seed, K, L: random_vae(np.random.default_rng(seed), K, L),
    st.integers(0, 2**32 - 1),
    st.integers(2, 4),
    st.integers(2, 3),
)


# --- solving ---------------------------------------------------------------------------------------------
@many
@given(tables, st.sampled_from([0.0, 0.5, 1.0]), st.data())
def test_equilibrium_iff_no_deviation_gains_more_than_tol(pair, tol: float, data) -> None:
    a, b = map(np.array, pair)
    cells = list(np.ndindex(a.shape))
    empty = data.draw(st.sets(st.sampled_from(cells), max_size=2))
    game = g.Game(a, b, infeasible={cell: "no such profile" for cell in empty}, tol=tol)
    expected = {}
    for i, j in cells:
        if (i, j) in empty:
            continue
        gains = [a[k, j] - a[i, j] for k in range(a.shape[0]) if k != i and (k, j) not in empty]
        gains += [b[i, k] - b[i, j] for k in range(a.shape[1]) if k != j and (i, k) not in empty]
        if all(gain <= tol for gain in gains):
            expected[i, j] = all(gain < -tol for gain in gains)
    assert {e.cell: e.strict for e in game.equilibria()} == expected


@many
@given(tables)
def test_common_payoff_maximum_is_an_equilibrium(pair) -> None:
    a = np.array(pair[0])
    game = g.Game(a)
    for cell in np.argwhere(a == a.max()):
        assert game.is_equilibrium(*cell)


def test_prisoners_dilemma_pennies_and_battle() -> None:
    prisoners = g.Game([[3, 0], [5, 1]], [[3, 5], [0, 1]], rows=("stay", "talk"), columns=("stay", "talk"))
    assert [e.names for e in prisoners.equilibria()] == [("talk", "talk")] and prisoners.equilibria()[0].strict
    assert prisoners.payoff_dominant().names == ("talk", "talk")
    pennies = g.Game([[1, -1], [-1, 1]], [[-1, 1], [1, -1]])
    assert pennies.equilibria() == [] and "No pure equilibrium" in pennies.describe()
    battle = g.Game([[2, 0], [0, 1]], [[1, 0], [0, 2]])
    assert {e.cell for e in battle.equilibria()} == {(0, 0), (1, 1)} and battle.payoff_dominant() is None


def test_ties_are_reported_and_depend_on_the_tolerance() -> None:
    game = g.Game([[1.0, 1.0], [0.0, 1.0 + 1e-6]])
    (corner, top, right) = game.equilibria(tol=1e-3)
    assert [e.cell for e in (corner, top, right)] == [(0, 0), (0, 1), (1, 1)]
    assert corner.ties == (("B", 0, 1),) and not corner.strict
    assert set(top.ties) == {("A", 1, 1), ("B", 0, 0)}
    assert [e.cell for e in game.equilibria(tol=0.0)] == [(0, 0), (1, 1)]
    assert [e.strict for e in game.equilibria(tol=0.0)] == [False, True]


def test_infinite_payoffs_and_bad_input() -> None:
    game = g.Game([[-np.inf, -np.inf], [0.0, -1.0]])
    assert [e.cell for e in game.equilibria()] == [(1, 0)]
    assert g.Game([[-np.inf, -np.inf]]).equilibria()[0].ties == (("B", 0, 1),)
    for bad, message in (
        ({"a": [1.0, 2.0]}, "shapes"),
        ({"a": [[np.nan]]}, "nan"),
        ({"a": [[1.0]], "rows": ("x", "y")}, "names"),
        ({"a": [[1.0]], "tol": -1.0}, "tol"),
    ):
        with pytest.raises(ValueError, match=message):
            g.Game(**bad)
    with pytest.raises(ValueError, match="no player"):
        g.Game([[1.0]]).payoff("C")


# --- the article's matrices ------------------------------------------------------------------------------
@many
@given(numbers)
def test_vae_matrix_letter_and_readings(x: g.Quantities) -> None:
    game = g.vae_game(x)
    assert np.allclose(game.a, [[x.log_p, x.log_p - x.M], [x.log_p - x.J, x.elbo]])
    assert game.is_equilibrium(0, 0) and (game.a <= game.a[0, 0] + 1e-12).all()  # own marginal: collapse is a maximum
    best = g.vae_game(x, free="best", encoder="unchanged")
    assert np.allclose(best.a[0], [x.L0, x.L0 - x.R])
    letter = g.vae_game(x, free="best")  # A5: there A's condition is ELBO >= L0 - M
    assert letter.is_equilibrium(1, 1) == (x.elbo >= x.L0 - x.M - 1e-9 and x.elbo >= x.log_p - x.J - 1e-9)
    # A5's two conditions, spelled out
    assert best.is_equilibrium(1, 1) == (-x.distortion >= x.L0 - 1e-9 and x.elbo >= x.log_p - x.J - 1e-9)


@many
@given(models)
def test_vae_matrix_cells_are_the_models(model: DiscreteVAE) -> None:
    """A3: each formula of the matrix equals the ELBO enumerated on the pair it speaks of."""
    K, L = len(model.p_D), len(model.prior)
    prior_q = np.tile(model.prior, (K, 1))
    own, best = np.tile(model.prior @ model.decoder, (L, 1)), np.tile(model.p_D, (L, 1))
    for free, decoder in (("own", own), ("best", best)):
        formula = g.vae_game(g.Quantities.of(model), free=free, encoder="unchanged")
        real = g.profile_game(
            [[model.with_(decoder=d, encoder=q) for q in (prior_q, model.encoder)] for d in (decoder, model.decoder)],
            lambda m: m.elbo,
        )
        assert np.allclose(formula.a, real.a, atol=1e-9)
        x_free = model.with_(decoder=decoder, encoder=np.tile(model.aggregate, (K, 1)))
        assert np.isclose(g.vae_game(g.Quantities.of(model), free=free).a[0, 1], x_free.elbo, atol=1e-9)


@many
@given(
    st.floats(0.1, 4),
    st.floats(-2, 2),
    st.floats(-2, 2),
    st.floats(0.05, 2),
    st.floats(-1, 1),
    st.floats(0.1, 3),
)
def test_quantities_of_a_gaussian_by_quadrature(var, w, v, s2, m, sigma2) -> None:
    model = LinearGaussianVAE(w, v, s2, 0.2, m, var, sigma2)
    x = g.Quantities.of(model)
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    weights = weights / weights.sum()
    data, z = np.sqrt(var) * nodes[:, None], nodes[None, :]

    def log_normal(value, mean, variance):
        return -0.5 * (np.log(2 * np.pi * variance) + (value - mean) ** 2 / variance)

    W = weights[:, None] * weights[None, :]
    log_p = float(weights @ log_normal(data[:, 0], 0.2, w * w + sigma2))
    assert np.isclose(x.log_p, log_p) and np.isclose(x.log_p - x.J, (W * log_normal(data, w * z + 0.2, sigma2)).sum())
    q = v * data + m + np.sqrt(s2) * z
    elbo = (W * (log_normal(data, w * q + 0.2, sigma2) + log_normal(q, 0, 1) - log_normal(q, v * data + m, s2))).sum()
    assert np.isclose(x.elbo, elbo) and np.isclose(x.L0, weights @ log_normal(data[:, 0], 0, sigma2))


def test_coordination_both_ways() -> None:
    """A5: the same matrix collapses or not, by the size of what z buys."""
    strong = g.vae_game(g.Quantities.of(optimum(5.0, 1.0)), free="best", encoder="unchanged")
    assert {e.cell for e in strong.equilibria()} == {(0, 0), (1, 1)}
    assert strong.payoff_dominant().cell == (1, 1)
    weak = g.vae_game(g.Quantities.of(LinearGaussianVAE(1.0, 0.5, 0.5, data_var=0.5)), free="best", encoder="unchanged")
    assert [e.cell for e in weak.equilibria()] == [(0, 0)]


@many
@given(numbers, st.lists(st.floats(-5, 0), min_size=4, max_size=4))
def test_slvae_matrix_and_conditions_1_2(x: g.Quantities, f) -> None:
    f = np.reshape(f, (2, 2))
    game = g.slvae_game(x, f)
    assert np.allclose(game.a, g.vae_game(x).a + f) and "pi_{1,0}" in game.latex[1][0]
    one, two = g.condition_1(x, f), g.condition_2(x, f)
    assert bool(one) == (game.a[1, 0] > game.a[0, 0]) and bool(two) == (game.a[1, 0] > game.a[1, 1])
    if min(abs(one.margin), abs(two.margin)) > 1e-8:
        assert (bool(one) and bool(two)) == any(e.cell == (1, 0) and e.strict for e in game.equilibria())
    same = f.copy()
    same[0, 0] = same[1, 0]
    if x.J > 0:
        assert not g.condition_1(x, same)  # A6: the article's argument


def test_self_labelling_f() -> None:
    q0, q1 = np.full((2, 2), 0.5), np.eye(2)
    codes, labels = np.array([[-1.0], [1.0]]), np.array([[-1.0], [1.0]])
    f = g.self_labelling_f([0.5, 0.5], (q0, q1), codes, (labels, labels), lam=0.5)
    assert np.allclose(f, [[-1.0, 0.0], [-1.0, 0.0]])  # half the time 4 away, times .5; never away


constrained = st.tuples(numbers, numbers, st.floats(0, 4), st.floats(0.05, 3), st.sampled_from([1.0, 2.0, 4.0]))


@many
@given(constrained)
def test_constraint_matrix_letter(case) -> None:
    low, high, lam, c, beta = case
    game = g.constrained_game(low, high, lam, c, beta, reading="generative")
    cells = [
        [-low.J - lam * c, low.elbo - low.log_p - (beta - 1) * low.R + lam * low.R - lam * c],
        [-high.J, high.elbo - high.log_p - (beta - 1) * high.R],
    ]
    ok = game.feasible
    assert np.allclose(game.a[ok], np.array(cells)[ok])
    assert (ok[0] == (low.I_p < c - 1e-9)).all() and (ok[1] == (high.I_p >= c - 1e-9)).all()
    per_example = g.constrained_game(low, high, lam, c, beta)
    assert (1, 0) in per_example.infeasible and not per_example.is_equilibrium(1, 0)
    if ok.all():
        five, six = g.corrected_5(low, high, lam, c), g.corrected_6(low, high, lam, c, beta)
        stays = g.target_keeps_encoder(high, beta)
        if min(abs(y.margin) for y in (five, six, stays)) > 1e-8:
            assert game.is_equilibrium(1, 0) == (bool(five) and bool(stays))
            assert game.is_equilibrium(1, 1) == (bool(six) and not stays)
            assert game.is_equilibrium(1, 1) == g.informative_is_equilibrium(low, high, lam, c, beta)


@many
@given(constrained)
def test_implemented_penalty_follows_the_measured_rate(case) -> None:
    low, high, lam, c, beta = case
    game = g.constrained_game(low, high, lam, c, beta, reading="generative", penalty="implemented")
    for (i, j), x in {(0, 1): low, (1, 1): high}.items():
        if game.feasible[i, j]:
            assert np.isclose(game.a[i, j], -x.G - (beta - 1) * x.R - lam * max(c - x.R, 0))
    if game.feasible[1, 0]:
        assert np.isclose(game.a[1, 0], -high.J - lam * c)  # R = 0 there: the target pays the full penalty


def test_conditions_5_6_and_the_silent_assumption() -> None:
    low, high = g.Quantities(G=0.1, R=0.5, J=0.2), g.Quantities(G=2.0, R=1.2, J=3.0)
    assert g.condition_5(high, 4.0, 1.0) and not g.condition_5(high, 2.0, 1.0)
    assert g.condition_6(low, 1.0, 1.0) and not g.condition_6(g.Quantities(R=1.0), 1.0, 1.0)
    assert not g.corrected_6(low, high, 1.0, 1.0)  # .5 > 1.9 is false although (6) holds
    assert "fails" in str(g.corrected_6(low, high, 1.0, 1.0))
    assert g.collapse_is_equilibrium(1.0, 1.0) and not g.collapse_is_equilibrium(1.01, 1.0)


def test_aggregate_reading() -> None:
    low, high = g.Quantities(G=0.3, R=0.4, M=0.1), g.Quantities(G=0.1, R=1.4, M=0.2)
    matched = (g.Quantities(G=0.25, R=0.3), g.Quantities(G=0.0, R=1.1))
    game = g.constrained_game(low, high, 2.0, 1.0, reading="aggregate", matched=matched)
    assert game.feasible.all() and [e.cell for e in game.equilibria()] == [(1, 0)]
    assert game.columns == ("q(z) = p(z)", "q(z) ≠ p(z)")
    wrong = g.constrained_game(low, high, 2.0, 1.0, reading="aggregate", matched=(low, high))
    assert set(wrong.infeasible) == {(0, 0), (1, 0)}


def test_bad_arguments_are_named() -> None:
    x = g.Quantities()
    for call, message in (
        (lambda: g.Quantities(G=-1.0), "G = -1"),
        (lambda: g.Quantities(R=1.0, M=2.0), "exceeds R"),
        (lambda: g.vae_game(x, free="x"), "free"),
        (lambda: g.slvae_game(x, [1.0]), "2 x 2"),
        (lambda: g.constrained_game(x, x, 1.0, 1.0, reading="x"), "reading"),
        (lambda: g.constrained_game(x, x, 1.0, 0.0), "c > 0"),
        (lambda: g.constrained_game(x, x, 1.0, 1.0, reading="aggregate"), "matched"),
        (lambda: g.measured_game({("a", "x"): [1.0], ("b", "y"): [2.0]}), "no runs"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_measured_game() -> None:
    rng = np.random.default_rng(0)
    runs = np.array([[-100.0, -100.5], [-104.0, -90.0]])[..., None] + rng.normal(size=(2, 2, 5)) * 0.8
    game = g.measured_game(runs, rows=("z-free", "uses z"), columns=("prior", "encoder"))
    assert np.allclose(game.a, runs.mean(-1)) and np.allclose(game.sd, runs.std(-1, ddof=1))
    se = runs.std(-1, ddof=1) / np.sqrt(5)
    pairs = [((0, 0), (0, 1)), ((0, 0), (1, 0)), ((1, 1), (0, 1)), ((1, 1), (1, 0))]
    assert all(game.tol >= 2 * np.hypot(se[p], se[q]) - 1e-12 for p, q in pairs)
    assert {e.cell: e.strict for e in game.equilibria()}[1, 1] and "±" in game.to_html()
    assert not {e.cell: e.strict for e in game.equilibria()}[0, 0]  # half a nat is not more than the seeds allow


# --- display and dynamics --------------------------------------------------------------------------------
def test_html_and_sentences_say_what_the_game_says() -> None:
    low, high = g.Quantities(G=0.1, R=0.1, J=0.2), g.Quantities(G=0.05, R=1.2, J=2.0)
    game = g.constrained_game(low, high, lam=2.0, c=1.0)
    html = game._repr_html_()
    assert html.count("<td") == 4 and html.count("<b>Nash equilibrium</b>") == 1 and "infeasible" in html
    assert 'aria-label="' in html and "B moves to" in game.describe() and "is infeasible" in game.describe()
    assert "<script" not in html and html.count("<table") == html.count("</table>") == 1
    cells = html.split("<td")[1:]
    assert "Nash equilibrium" in cells[3] and "B →" in cells[0]
    assert ["outline" in cell for cell in cells] == [False, False, False, True]
    from xml.etree import ElementTree

    ElementTree.fromstring(html.replace("<br>", "<br/>"))  # well formed, every < of a label escaped
    assert "−0.000" not in g.Game([[-1e-9]]).to_html()


def test_mixed_equilibria() -> None:
    found = g.mixed_equilibria(g.Game([[1, -1], [-1, 1]], [[-1, 1], [1, -1]]))
    assert len(found) == 1 and np.allclose(found[0][0], 0.5) and np.allclose(found[0][1], 0.5)
    battle = g.mixed_equilibria(g.Game([[2, 0], [0, 1]], [[1, 0], [0, 2]]))
    assert len(battle) == 3 and np.allclose(battle[2][0], [2 / 3, 1 / 3])
    tied = g.mixed_equilibria(g.Game([[1.0, 1.0], [0.0, 1.0]]))  # degenerate: every pure equilibrium must be there
    pure = {(int(np.argmax(x)), int(np.argmax(y))) for x, y in tied if x.max() == 1 and y.max() == 1}
    assert pure >= {(0, 0), (0, 1), (1, 1)}
    with pytest.raises(ValueError, match="finite"):
        g.mixed_equilibria(g.Game([[1.0, 2.0]], infeasible={(0, 0): "x"}))


def test_dynamics_reach_an_equilibrium_that_depends_on_the_start() -> None:
    game = g.Game([[2.0, 0.0], [0.0, 1.0]])
    for start, row in ((0.2, 1), (0.5, 0)):
        x, y = g.replicator(game, [start, 1 - start], [start, 1 - start], np.linspace(0, 40, 50))
        assert x.shape == (50, 2) and x[-1, row] > 0.99 and y[-1, row] > 0.99


def test_import_is_light() -> None:
    code = (
        "import sys, klcourse.games, klcourse.ledger; "
        "print([m for m in ('torch', 'nashpy', 'pandas', 'matplotlib') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"

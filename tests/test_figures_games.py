"""The numbers behind the figures of notebooks 04, 05 and 08, and that the figures can be drawn."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from klcourse import plots
from klcourse.exact import linear_gaussian
from klcourse.figures import payoff_matrices as figures
from klcourse.figures import self_labelling, the_new_game
from klcourse.games import Game, Quantities

matplotlib.use("Agg")
POINT = dict(data_var=2.5, sigma2=0.7, beta=1.3)


@pytest.fixture
def ax():
    fig, ax = plt.subplots()
    yield ax
    fig.canvas.draw()  # a label or colour that matplotlib refuses fails here
    plt.close(fig)


def test_the_planes_equilibrium_is_the_models_optimum():
    best = linear_gaussian.optimum(**POINT)
    w, v = np.meshgrid(best.w + np.array([-1e-3, 0, 1e-3]), best.v + np.array([-1e-3, 0, 1e-3]))
    around = plots.matched_payoff(w, v, **POINT)
    assert plots.matched_payoff(best.w, best.v, **POINT) == around.max()
    collapse = plots.matched_payoff(0.0, 0.0, **POINT)
    assert collapse == pytest.approx(-linear_gaussian.distortion(0.0, POINT["data_var"], POINT["sigma2"]))
    assert plots.matched_payoff(best.w, best.v, **POINT) > collapse


def test_jensen_gap_is_that_of_the_games():
    model = linear_gaussian.optimum(3.0, 1.0)
    assert the_new_game.jensen_gap(model.w, 3.0) == pytest.approx(Quantities.of(model).J)
    assert the_new_game.jensen_gap(0.0, 3.0) == pytest.approx(0, abs=1e-15)


def study() -> pd.DataFrame:
    rows = [
        (hidden, prior, seed, 10 * (not hidden and not prior) + seed)
        for hidden in (True, False)
        for prior in (True, False)
        for seed in (2, 0, 1)
    ]
    return pd.DataFrame(rows, columns=["without_z", "prior_encoder", "seed", "elbo"])


def test_cell_payoffs_are_in_the_article_s_order_and_by_seed(ax):
    payoffs = figures.cell_payoffs(study())
    assert [key[0][:8] for key in payoffs] == ["z hidden", "z hidden", "z shown ", "z shown "]
    assert [values.tolist() for values in payoffs.values()] == [[0, 1, 2]] * 3 + [[10, 11, 12]]
    figures.measured_cells(ax, study(), "a study")


def test_arrows_point_where_the_mover_gains(ax):
    game = Game([[0.0, -1.0], [2.0, 3.0]], infeasible={(0, 1): "why not"})
    plots.payoff_arrows(ax, game, ("r0", "r1"), ("c0", "c1"), digits=0)
    texts = [text.get_text() for text in ax.texts]
    assert "empty" in texts and "3\nequilibrium" in texts and "A +2" in texts and "B +1" in texts
    assert sum("+" in text for text in texts) == 2  # no arrow to or from a cell that does not exist


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: figures.cuts_through_collapse(ax, 3.0),
        lambda ax: self_labelling.tilted_priors(ax, (0.5, 2.0), (-1.0, 1.0)),
        lambda ax: self_labelling.moved_threshold(ax, (0.0, 0.5)),
        lambda ax: the_new_game.condition_map(ax, 0.5),
        lambda ax: the_new_game.loss_along_paths(ax, 0.5, lam=0.9, c=1.0),
        lambda ax: the_new_game.gap_plane(ax, [Quantities(J=1.0)], [Quantities(J=0.1, G=1.0)], lam=1.0, c=1.0),
        lambda ax: the_new_game.codes_and_aggregate(ax, linear_gaussian.optimum(3.0, 1.0)),
    ],
)
def test_figures_draw(ax, draw):
    draw(ax)
    assert ax.has_data()


def test_a_finished_run_lands_on_its_prediction(ax):
    history = pd.DataFrame({"step": [1, 2], "rate": [2.0, 1.6], "mi": [np.nan, 0.01]})
    self_labelling.landing(ax, history, lam=0.5, d=16)
    assert any("predicted" in text.get_text() for text in ax.texts)

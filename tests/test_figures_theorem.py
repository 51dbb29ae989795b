"""The figures of notebook 09 can be drawn, and show the numbers they are given."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from klcourse.exact import channels
from klcourse.exact.table_games import two_code_curve
from klcourse.figures import the_right_theorem as figures
from klcourse.games import Game

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()  # a label or colour that matplotlib refuses fails here
    plt.close("all")


def test_learning_paths_end_at_the_stars():
    _, ax = plt.subplots()
    figures.learning_paths(ax, Game([[0, -0.5], [-0.7, 0.8]]), "both")
    ends = [line.get_xydata()[-1] for line in ax.lines if len(line.get_xydata()) > 1]
    assert len(ends) == len(figures.STARTS)
    assert all(min(np.hypot(*(end - corner)) for corner in ([0, 0], [1, 1])) < 0.05 for end in ends)


def test_price_of_silence():
    fig = figures.price_of_silence(2.0, 1.0, 1.0, 1.9)
    segment = next(line for line in fig.axes[0].lines if line.get_linewidth() == 7)
    assert segment.get_xydata().tolist() == [[1, 0], [1, 1]]


def test_equilibria_over_lam():
    fig = figures.equilibria_over_lam(0.5, 1.0, 1.0, [0.0, 0.4, 0.6, 1.5], {"rate": [(0.4, 0.0)], "mi": [(1.5, 1.0)]}, 1.2)
    line = max(fig.axes[1].lines, key=lambda one: len(one.get_xdata()))
    assert np.isnan(line.get_ydata()[:2]).all() and line.get_ydata()[-1] == pytest.approx(1.0)


def test_the_others_are_drawn():
    sigma, model = np.diag([4.0, 1.0]), channels.tilted_pair(4.0, 1.0, 0.5)
    assert len(figures.two_latents(sigma, {"one": model, "two": model}).axes) == 4
    rates = np.linspace(0.1, 2.2, 8)
    figures.waste_needed(rates, two_code_curve(0.1, rates, 50), [0.5, 1.0], {"bare": [1, 2], "spare": [1, 1]})
    figures.small_threshold([1, 2, 3], [-1, 0, 1], [0.5, 0.1, 0], 2.0)
    runs = pd.DataFrame({"beta": [10, 40], "train_rate": [2.0, 0.01]})
    figures.digits_threshold([32.0, 20.0], np.linspace(-1, 1, 784), runs)
    kinds = pd.DataFrame(
        {"decoder": ["mlp", "ar", "lstm"], "s0": [20, 5, 1.5], "error": [1, 0.3, 0.2], "rate": [15, 0.2, 0.001]}
    )
    figures.strong_decoders({"a": [2, 1.5, 1], "b": [2, 2, 1]}, kinds)


def test_free_encoder_draws_a_line_a_run():
    paths = pd.DataFrame({"beta": [1, 1, 4, 4], "seed": 0, "epoch": [1, 2, 1, 2], "rate": [1e-3, 1e-1, 1e-3, 1e-3]})
    ax = figures.free_encoder(paths, amortised=0.01).axes[0]
    assert [line.get_ydata().tolist() for line in ax.lines[:2]] == [[1e-3, 1e-1], [1e-3, 1e-3]]

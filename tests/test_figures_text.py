"""The figure of notebook 12 shows the numbers it is given."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from klcourse import studies
from klcourse.figures import text

matplotlib.use("Agg")
WORDS = 10.0


@pytest.fixture(autouse=True)
def closed():
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")


@pytest.fixture
def runs():
    """Four methods in small: a rival without rate, one near it in rate, one better, one whose ladder is not flat."""
    rows = [
        {"name": name, "objective": key, "seed": seed, "rate": rate, "iw_nll": nll + 0.1 * seed * (1 + k), "iw_flat": flat}
        for k, (name, key, rate, nll, flat) in enumerate(
            [
                ("language model", "elbo", 0.0, 40.0, 1),
                ("ELBO", "elbo", 0.1, 40.1, 1),
                ("hinge", "rate-hinge", 5.0, 39.0, 1),
                ("loose", "ae-init", 9.0, 38.0, 0),
            ]
        )
        for seed in range(3)
    ]
    return studies.settings(pd.DataFrame(rows).assign(run=range(len(rows))))


def drawn(runs):
    family = studies.compare_methods(runs, against="language model")
    return family, text.against_rate(runs, family, "language model", WORDS).axes[0]


def vertical(ax):
    """x -> (low, high) of the bars."""
    lines = [line.get_xydata() for line in ax.lines if len(line.get_xydata()) == 2]
    return {round(ends[0, 0], 6): sorted(ends[:, 1]) for ends in lines if ends[0, 0] == ends[1, 0]}


def test_the_line_is_the_rival_and_bars_are_the_intervals_of_the_differences(runs):
    family, ax = drawn(runs)
    assert ax.lines[0].get_ydata()[0] == pytest.approx(np.exp(40.1 / WORDS))
    found, expected = vertical(ax)[5.0], family["hinge", "language model"]
    assert found == pytest.approx([np.exp((40.1 + expected.low) / WORDS), np.exp((40.1 + expected.high) / WORDS)])
    assert len(vertical(ax)) == 3  # the rival has none


def test_a_bound_that_still_falls_is_hollow(runs):
    marks = {line.get_xdata()[0]: line for line in drawn(runs)[1].lines if len(line.get_xdata()) == 1}
    assert (marks[9.0].get_marker(), marks[9.0].get_markerfacecolor()) == ("v", "white")
    assert marks[5.0].get_markerfacecolor() != "white" and marks[5.0].get_ydata()[0] == pytest.approx(np.exp(39.3 / WORDS))


def test_every_method_has_a_colour_of_its_own_its_name_and_all_its_seeds(runs):
    _, ax = drawn(runs)
    marks = [line for line in ax.lines if len(line.get_xdata()) == 1]
    assert len({line.get_color() for line in marks}) == 4
    assert {each.get_text() for each in ax.texts} == {"language model", "ELBO", "hinge", "loose"}
    seeds = [line.get_ydata() for line in ax.lines if len(line.get_xdata()) == 3]
    assert len(seeds) == 4 and seeds[2] == pytest.approx(np.exp(np.array([39.0, 39.3, 39.6]) / WORDS))


def test_only_methods_of_nearly_the_same_rate_are_moved_apart():
    assert text.places([5.05, 0.0, 4.95, 1.2, 5.0]) == pytest.approx([5.26, 0.0, 4.74, 1.2, 5.0])


@pytest.mark.parametrize("colour", ["#56B4E9", "#E69F00", "#ffffff", "#222222"])
def test_words_have_the_contrast_of_4_5(colour):
    shade = text.readable(colour)
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(shade)]
    assert 1.05 / (np.dot(linear, [0.2126, 0.7152, 0.0722]) + 0.05) > 4.5
    assert colour != "#222222" or shade == colour

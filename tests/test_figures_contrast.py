"""Words in figures and widgets can be read on white; a stored figure is sharp and small."""

import base64
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from klcourse import plots
from klcourse.picture import png_size
from klcourse.plots.contrast import CONTRAST, contrast_with_white, readable
from klcourse.widgets.frame.canvas import Canvas


@pytest.mark.parametrize(
    "colour", [plots.AMBER, plots.SKY, plots.PINK, plots.GREEN, plots.ORANGE, plots.MIST, (0.9, 0.8, 0.1)]
)
def test_light_colours_are_darkened_as_little_as_needed(colour):
    assert CONTRAST <= contrast_with_white(readable(colour)) < CONTRAST + 0.5


@pytest.mark.parametrize("colour", ["white", "#fafafa", "black", plots.BLUE, plots.DARK])
def test_what_can_be_read_and_what_stands_on_dark_stay(colour):
    assert readable(colour) == colour


def words(figure):
    return [contrast_with_white(text.get_color()) for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


def test_show_darkens_words_and_leaves_lines(monkeypatch):
    shown = []
    monkeypatch.setattr("klcourse.plots.page.display", lambda data, **more: shown.append(data))
    fig, ax = plt.subplots(figsize=(4, 2))
    (line,) = ax.plot([0, 1], color=plots.AMBER, label="a line")
    ax.text(0, 0, "words", color=plots.SKY)
    ax.text(0, 0, "of a colour map", color=plt.get_cmap("viridis")(np.linspace(0, 1, 3))[2])
    ax.legend(labelcolor="linecolor")
    plots.show(fig, "A caption.")
    assert line.get_color() == plots.AMBER and min(words(fig)) >= CONTRAST
    html = shown[0]["text/html"]
    png = base64.b64decode(re.search(r"base64,([^\"]+)", html)[1])
    width = int(re.search(r'width="(\d+)"', html)[1])
    assert png[25] == 3 and png_size(png)[0] == pytest.approx(1.5 * width, abs=1)  # colour type 3: a palette


def test_the_words_of_a_widget_are_darkened_whenever_they_change():
    canvas = Canvas((2, 1))
    still = canvas.figure.text(0.1, 0.1, "still", color=plots.AMBER)
    mover = canvas.live(canvas.figure.text(0.5, 0.5, "moves", color=plots.SKY))
    canvas.pixels()
    mover.set_color(plots.GREEN)
    canvas.pixels()
    assert min(contrast_with_white(text.get_color()) for text in (still, mover)) >= CONTRAST

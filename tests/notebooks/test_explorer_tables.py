"""The tables that the site's explorers look up agree with the widgets they stand for."""

import re

import pytest

from klcourse.games import constrained_game
from klcourse.plots import MODULE_A, MODULE_B, REGIME_LOOKS
from klcourse.publish.explorers import EXPLORERS
from klcourse.publish.explorers import page as pages
from klcourse.publish.explorers import portrait as portraits
from klcourse.publish.explorers.payoff import BETA, DEAF, LAM, READINGS, TARGET, C, state, steps
from klcourse.publish.explorers.phase import phase
from klcourse.widgets import portrait as widget
from klcourse.widgets.payoffs import KINDS, PayoffExplorer
from klcourse.widgets.phase_diagram import PhaseDiagram
from tests.browser.lab import NOTEBOOKS


def test_the_controls_are_the_widgets():
    assert set(READINGS.values()) == {"written", "implemented"}
    for name, (low, high, step) in phase()["controls"].items():
        control = PhaseDiagram.controls[name]
        assert (control.low, control.high, control.step) == (low, high, step)
    for name, (low, high, step) in {"lam": LAM, "c": C, "beta": BETA}.items():
        control = PayoffExplorer.controls[name]
        assert control.low <= low and high <= control.high and steps((low, high, step))[-1] == high
    for name, (low, high, step) in portraits.portrait()["controls"].items():
        control = widget.PhasePortrait.controls[name]
        assert (control.low, control.high, control.step) == (low, high, step)


def test_the_portrait_has_the_widgets_runs():
    for name in ("HINGES", "SHIFT", "STEPS", "LEARNING_RATE", "BLOCK"):
        assert getattr(portraits, name) == getattr(widget, name)
    assert portraits.STARTS == tuple(map(tuple, widget.STARTS))
    assert list(portraits.LEVELS) == widget.LEVELS[1:-1]
    script = (pages.HERE / "portrait.js").read_text(encoding="utf-8")
    assert re.findall(r"#\w{6}", script.split("SHADES = ")[1].split("]")[0]) == widget.SHADES


@pytest.mark.parametrize(("reading", "kind"), [("written", "I ≥ c, of the model"), ("implemented", "R ≥ c, as trained")])
@pytest.mark.parametrize("lam, c, beta", [(0.0, 0.1, 0.5), (4.0, 0.5, 1.0), (2.5, 0.8, 2.0)])
def test_games_are_those_of_the_widget(reading, kind, lam, c, beta):
    values = {"J": TARGET.J, "G": TARGET.G, "R": TARGET.R, "R0": DEAF.R, "lam": lam, "c": c, "beta": beta}
    theirs = KINDS[kind].build(values)
    assert state(constrained_game(DEAF, TARGET, lam, c, beta, "generative", penalty=reading)) == state(theirs)


def test_marks_and_gains_tell_what_the_game_is():
    payoffs, marks, gains = state(constrained_game(DEAF, TARGET, 4.0, 0.5, 1.0, "generative", penalty="written"))
    assert payoffs == [-2.0, -1.1, -1.45, 0.0] and marks == "---e" and gains == [0.55, 1.1, 0.9, 1.45]


def test_every_explorer_stands_for_a_widget_of_a_notebook_and_is_small():
    text = "".join(path.read_text(encoding="utf-8") for path in NOTEBOOKS)
    for explorer in EXPLORERS:
        assert f"{explorer.widget}(" in text
        assert len(explorer.whole_page()) < 300_000
        assert (pages.HERE / f"{explorer.page}.js").is_file()


def test_colours_are_the_courses():
    css = dict(re.findall(r"--(\w+): (#\w+);", (pages.HERE / "explorer.css").read_text(encoding="utf-8").splitlines()[1]))
    assert {name: css[name] for name in REGIME_LOOKS} == {name: look.colour for name, look in REGIME_LOOKS.items()}
    assert (css["a"], css["b"]) == (MODULE_A, MODULE_B)

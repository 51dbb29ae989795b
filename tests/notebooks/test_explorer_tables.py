"""The tables that the site's explorers look up agree with the widgets they stand for."""

import base64
import io
import re

import numpy as np
import pytest
from matplotlib.image import imread

from klcourse.games import constrained_game
from klcourse.models import SIDE
from klcourse.plots import MODULE_A, MODULE_B, REGIME_LOOKS
from klcourse.publish.explorers import EXPLORERS, latent
from klcourse.publish.explorers import page as pages
from klcourse.publish.explorers import portrait as portraits
from klcourse.publish.explorers.payoff import BETA, DEAF, LAM, READINGS, TARGET, C, state, steps
from klcourse.publish.explorers.phase import phase
from klcourse.runs import Run
from klcourse.seals import read_sealed
from klcourse.sweep import tiles
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
        assert len(explorer.whole_page()) < 1_000_000
        assert (pages.HERE / f"{explorer.page}.js").is_file()


def test_the_stored_tiles_are_those_of_their_command():
    record = read_sealed(latent.STORED)
    assert record["models"].keys() == tiles.MODELS.keys()
    for name, knobs in tiles.MODELS.items():
        assert record["models"][name]["settings"] == Run(**tiles.COMMON | knobs).given()
    assert (record["reach"], record["step"], record["side"]) == (tiles.REACH, tiles.STEP, SIDE)
    assert len(record["labels"]) == len(record["models"]["ELBO, β = 1"]["codes"]) == tiles.SHOWN
    rates = {name: model["rate"] for name, model in record["models"].items()}
    assert rates["ELBO, β = 1"] > rates["β = 10"] > 0.1 > rates["β = 40, collapsed"]
    held, plain = record["models"]["hinge R ≥ 15 with λ = 4"], record["models"]["ELBO, β = 1"]
    assert held["rate"] > 2 * plain["rate"] and held["distortion"] > plain["distortion"]  # twice the rate, no better picture


def test_tiles_lie_as_the_page_cuts_them():
    ink = np.zeros((len(tiles.grid()), SIDE * SIDE))
    where = int(np.abs(tiles.grid() - [-3.0, 2.4]).sum(1).argmin())
    ink[where] = 1.0
    picture = imread(io.BytesIO(base64.b64decode(tiles.one_picture(ink))))[..., 0]
    rows, columns = np.nonzero(picture == 0)
    assert (rows.min() // SIDE, columns.min() // SIDE) == (2, 0) and len(rows) == SIDE * SIDE


def test_colours_are_the_courses():
    css = dict(re.findall(r"--(\w+): (#\w+);", (pages.HERE / "explorer.css").read_text(encoding="utf-8").splitlines()[1]))
    assert {name: css[name] for name in REGIME_LOOKS} == {name: look.colour for name, look in REGIME_LOOKS.items()}
    assert (css["a"], css["b"]) == (MODULE_A, MODULE_B)

"""What figures share: one palette, a look for every objective, the (R, I) plane."""

import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import nbformat

from klcourse import plots
from klcourse.plots import palette

matplotlib.use("Agg")
ROOT = Path(__file__).parents[1]


def test_old_names_of_objectives_look_like_the_new_ones():
    assert plots.style_of("mi") == plots.style_of("rate-hinge") and plots.style_of("rate-hinge").label == "hinge on R"
    assert plots.style_of("mi-hinge") == plots.style_of("info-hinge") and plots.style_of("info-hinge").label == "hinge on I"


def test_an_unknown_objective_has_a_look_of_its_own_that_stays():
    mine = plots.style_of("mine")
    assert mine == plots.style_of("mine") and mine.label == "mine"
    assert len({plots.style_of(f"mine {i}").marker for i in range(40)}) == len(palette.SPARE)
    assert not {colour for colour, *_ in palette.SPARE} & {style.colour for style in plots.STYLES.values()}
    fig, ax = plt.subplots()
    for colour, marker, dash in palette.SPARE:
        ax.plot([0, 1], [0, 1], color=colour, marker=marker, linestyle=dash)
    fig.canvas.draw()  # a look that matplotlib refuses fails here
    plt.close(fig)


def test_no_two_objectives_look_the_same():
    looks = [(style.colour, style.marker) for style in plots.STYLES.values()]
    assert len(set(looks)) == len(looks)


def test_the_palette_is_written_down_once():
    """Neither figures nor notebooks repeat a colour that has a name in the palette."""
    named = {value for value in vars(palette).values() if isinstance(value, str) and re.fullmatch("#[0-9a-fA-F]{6}", value)}
    assert len(named) >= 14
    sources = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "klcourse" / "figures").glob("*.py")}
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        sources[path.name] = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    shades = re.compile(r"^LAM_SHADES = \{.*?^\}", re.M | re.S)  # ramps, of which one step is a colour of the palette
    for name, source in sources.items():
        for colour in named:
            assert f'"{colour}"' not in shades.sub("", source), f"{name} writes {colour}: klcourse.plots has a name for it"


def test_the_plane_shades_what_is_impossible():
    fig, (square, wide) = plt.subplots(1, 2)
    plots.plane(square, 2.0, rate_target=1.0)
    plots.plane(wide, 4.0, 3.0, rate_target=1.0, information_target=1.0, word_at=None)
    assert square.get_xlim() == square.get_ylim() == (0, 2) and square.get_aspect() == 1
    assert wide.get_xlim() == (0, 4) and wide.get_ylim() == (0, 3) and wide.get_aspect() == "auto"
    assert [text.get_text().strip() for text in square.texts] == ["impossible: I > R", "R = c"] and not wide.texts
    for ax in (square, wide):
        (shade,) = ax.collections
        path = shade.get_paths()[0]
        assert path.contains_point((0.5, 1.5)) and not path.contains_point((1.5, 0.5))
    plt.close(fig)


def test_plots_need_no_torch():
    code = "import sys, klcourse.plots; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_a_readers_guess_is_marked_only_where_there_is_one():
    fig, ax = plt.subplots()
    ax.set(xlim=(0, 10), ylim=(0, 10))
    plots.mark_guess(ax, None)
    assert not ax.lines and not ax.texts
    for guess, axis, side in ((2.0, "x", "left"), (9.5, "x", "right"), (3.0, "y", "right")):
        plots.mark_guess(ax, guess, axis)
        assert set(getattr(ax.lines[-1], f"get_{axis}data")()) == {guess}
        assert ax.texts[-1].get_text() == "your guess" and ax.texts[-1].get_ha() == side
    plt.close(fig)

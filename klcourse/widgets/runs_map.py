"""The measured half of the phase diagram: stored runs as markers, their training curves, and what they draw."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from klcourse.plots import GREY, INFORMATION, RATE, REGIME_LOOKS
from klcourse.widgets.exact_map import DASHES, TOP_RATE, spread
from klcourse.widgets.stored_runs import StoredRuns

SEEDS = 5  # curves of at most so many seeds
DRAWN = 8  # digits in a row
SIDE = 28
ASIDE = 0.035  # markers of seeds stand side by side, this share of the axis apart


class RunsMap:
    """Markers on the axes `ax`, and beside it curves and drawings of the chosen point; `live` as in Widget."""

    def __init__(self, fig: Figure, ax: Axes, live: Callable) -> None:
        self.ax, self.live = ax, live
        self.marks: list[Artist] = []  # on the map, of the study that is shown
        self.curves = fig.add_axes((0.575, 0.535, 0.325, 0.345))
        self.curves.set(ylim=(0, TOP_RATE), xlabel="epoch", ylabel="nats")

        def lines(colour, dash):
            return [self.curves.plot([], [], color=colour, linewidth=2, linestyle=dash)[0] for _ in range(SEEDS)]

        self.lines = {"mi": lines(INFORMATION, (0, (4, 1))), "rate": lines(RATE, "-")}
        self.target = self.curves.axhline(0, color=GREY, linestyle=":", linewidth=2)
        named = (("mi", "info I", INFORMATION), ("rate", "rate R", RATE), ("c", "target c", GREY))
        outside = self.curves.get_yaxis_transform()
        self.names = {
            column: self.curves.text(1.015, 0, name, color=colour, fontsize=14, va="center", transform=outside)
            for column, name, colour in named
        }
        self.drawn = fig.add_axes((0.505, 0.01, 0.49, 0.34))
        self.drawn.set_axis_off()
        self.digits = self.drawn.imshow(
            np.zeros((3 * SIDE, DRAWN * SIDE)), vmin=0, vmax=1, cmap="gray_r", aspect="auto", extent=(0.17, 1, 0, 1)
        )
        self.drawn.set(xlim=(0, 1), ylim=(0, 1))
        self.rows = [
            self.drawn.text(0.15, y, name, va="center", ha="right", fontsize=13)
            for name, y in (("test", 5 / 6), ("again", 3 / 6), ("new", 1 / 6))
        ]
        plain: dict[str, Any] = dict(va="center", fontsize=12, parse_math=False)  # a sentence may hold dollar signs
        self.words = [self.drawn.text(0, y, "", **plain) for y in np.linspace(0.95, 0.05, 6)]
        self.notes = {
            "history": fig.text(0.505, 0.7, "", va="center", fontsize=12),
            "samples": fig.text(0.505, 0.2, "", va="center", fontsize=12),
        }
        moving = [*self.lines["mi"], *self.lines["rate"], self.target, *self.names.values(), self.digits, *self.words]
        self.moving = [live(artist) for artist in moving]

    def hide(self) -> None:
        """Let nothing of it be seen."""
        while self.marks:
            self.marks.pop().remove()
        for artist in (*self.moving, *self.rows, *self.notes.values(), self.curves):
            artist.set_visible(False)
        self.ax.set_visible(True)

    def show(self, runs: StoredRuns, star: tuple | None) -> None:
        """A marker a run on the map, lam on a log scale, and room for what the study keeps."""
        self.hide()
        for part, note in self.notes.items():
            note.set_text(wrap(runs.missing.get(part, ""), 50))
            note.set_visible(part in runs.missing and len(runs.table) > 0)
        self.ax.set_visible(len(runs.table) > 0)
        if not len(runs.table):
            self.marks.append(self.ax.figure.text(0.05, 0.5, wrap(runs.missing.get("table", "no runs"), 80), fontsize=14))
            return
        if len(runs.history):
            for artist in (self.curves, self.target, *self.names.values(), *self.lines["mi"], *self.lines["rate"]):
                artist.set_visible(True)
            self.curves.set_xlim(0, runs.history["epoch"].max())
        self.draw_map(runs, star)

    def draw_map(self, runs: StoredRuns, star: tuple | None) -> None:
        """The markers, those of one point side by side, under beta and, where it is known, lam*(c)."""
        ax, lams, cs = self.ax, runs.lams, runs.cs
        right = 1.1 * cs[-1]
        ax.set(
            yscale="log",
            xlim=(0, right),
            ylim=(0.75 * lams[0], 1.35 * lams[-1]),
            xlabel="target c [nats]",
            ylabel="penalty weight λ",
        )
        ax.set_yticks(lams, [f"{lam:g}" for lam in lams])
        ax.set_yticks([], minor=True)
        ax.set_xticks(cs, [f"{c:g}" for c in cs])
        place = runs.table.groupby(["lam", "c"]).cumcount()
        x = runs.table["c"] + (place - place.max() / 2) * ASIDE * right
        for name, look in REGIME_LOOKS.items():
            chosen = (runs.table["regime"] == name).to_numpy()
            if chosen.any():
                self.marks += ax.plot(
                    x[chosen],
                    runs.table["lam"][chosen],
                    look.marker,
                    color=look.colour,
                    markersize=9,
                    markeredgecolor="white",
                    linestyle="none",
                    label=name,
                )
        self.marks.append(
            ax.legend(
                loc="lower left",
                bbox_to_anchor=(-0.06, 0.985),
                ncols=4,
                handletextpad=0.0,
                columnspacing=0.8,
                borderaxespad=0,
                fontsize=12,
                frameon=False,
            )
        )
        ends = [("β", 1.0)]
        self.marks.append(ax.axhline(1.0, color="black", linestyle=DASHES[3], linewidth=1.8, zorder=1))
        if star is not None:
            targets, values = (np.asarray(part, float) for part in star)
            self.marks += ax.plot(targets, values, color="black", linewidth=3, zorder=1)
            ends.insert(0, ("λ*(c)", values[-1]))
        for (name, _), height in zip(ends, np.exp(spread([np.log(y) for _, y in ends], 0.2))):
            self.marks.append(ax.text(1.015 * right, height, name, va="center", fontsize=12))

    def move(self, runs: StoredRuns, here: pd.DataFrame, c: float) -> None:
        """Curves of all seeds at a point, and drawings of the first."""
        self.target.set_ydata([c, c])
        heights = {"c": c}
        for column, lines in self.lines.items():
            last: list[float] = []
            for line in lines[len(here) :]:
                line.set_data([], [])
            for line, run in zip(lines, here["run"]):
                epochs, y = runs.curves(run, column)
                line.set_data(epochs, y)
                last += list(y[-1:])
            heights[column] = min(float(np.mean(last)), TOP_RATE) if last else 0.0
        order = sorted(heights, key=heights.__getitem__)
        places = spread([heights[column] for column in order], 0.14 * TOP_RATE)
        for column, height in zip(order, places + max(0.0, 0.05 * TOP_RATE - places[0])):  # none below the axis
            self.names[column].set_y(height)
        self.draw_samples(runs.samples.get(int(here["run"].iloc[0])))

    def draw_samples(self, found: dict | None) -> None:
        """Test examples, the same drawn again from their z, and new ones."""
        pictures = found is not None and isinstance(found["samples"], np.ndarray)
        pixels: tuple[Artist, ...] = (self.digits, *self.rows)
        for artist in pixels:
            artist.set_visible(pictures)
        for text in self.words:
            text.set_visible(found is not None and not pictures)
        if found is None:
            return
        parts = [found[name] for name in ("originals", "reconstructions", "samples")]
        if pictures:
            canvas = np.zeros((3, SIDE, DRAWN, SIDE))
            for row, images in zip(canvas, parts):
                row[:, : len(images[:DRAWN])] = images[:DRAWN].reshape(-1, SIDE, SIDE).swapaxes(0, 1)
            self.digits.set_data(canvas.reshape(3 * SIDE, -1))
            return
        pairs = [line for old, again in list(zip(*parts[:2]))[:2] for line in (f"test: {old}", f"again: {again}")]
        for text, line in zip(self.words, pairs + [f"new: {line}" for line in parts[2][:2]]):
            text.set_text(textwrap.shorten(line, 47, placeholder=" …"))


def wrap(text: str, width: int) -> str:
    """Lines of at most `width` letters; line ends of the text stay."""
    fill = partial(textwrap.fill, width=width, break_on_hyphens=False, break_long_words=False)
    return "\n".join(map(fill, text.splitlines()))

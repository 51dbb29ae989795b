"""The cockpit's instruments: rate and information, duty cycle, distortion, samples, and a read-out, from a `LiveRun`.

The time axis grows in steps (100, 200, 500, 1000, ...), and so do the others: between two such steps nothing but live
artists moves, and a picture costs a tenth of a full drawing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from klcourse.data import Dataset
from klcourse.live.steering import LiveRun, Move
from klcourse.models import SIDE
from klcourse.objectives import all_knobs
from klcourse.plots import DARK, GREEN, GREY, INFORMATION, RATE
from klcourse.widgets.frame.canvas import SomeArtist

DUTY = GREEN
BATCHES = 50  # over which the duty cycle is counted
POINTS = 400  # of a curve; more than that cannot be told apart
MARKS = 6  # knob moves that are named on the time axis, the latest ones
CHARACTERS = 42, 36  # of a sentence, and of one written again


def ceiling(value: float, steps: Sequence[float] = (1, 1.5, 2, 3, 5, 7, 10)) -> float:
    """The round number just above: axes that grow by these seldom change.

    >>> ceiling(5.2), ceiling(120), ceiling(0.3)
    (7.0, 150.0, 0.3)
    """
    if not value > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return round(next(s for s in steps if s * power >= value * (1 - 1e-9)) * power, 12)


def thin(values: np.ndarray, points: int = POINTS) -> np.ndarray:
    """Means over equal stretches, at most `points` of them (the last, shorter one left out).

    >>> thin(np.array([0.0, 2, 4, 6, 8]), points=2)
    array([2.])
    """
    k = max(1, math.ceil(len(values) / points))
    return values[: len(values) // k * k].reshape(-1, k).mean(1)


def rolling(values: np.ndarray, window: int) -> np.ndarray:
    """Mean over the last `window` values up to each one (fewer at the start), same length.

    >>> rolling(np.array([1.0, 0, 0, 1]), 2)
    array([1. , 0.5, 0. , 0.5])
    """
    total = np.concatenate([[0.0], values.cumsum()])
    n = np.arange(1, len(values) + 1)
    return (total[n] - total[np.maximum(n - window, 0)]) / np.minimum(n, window)


class Live(Protocol):
    """`Widget.live`: marks an artist as one that moves, and returns it."""

    def __call__(self, artist: SomeArtist) -> SomeArtist:
        """The same artist."""


class Instruments:
    """Draws a run into a figure; `live` and `still` are the `Widget`'s. `shown` are the test examples to draw again."""

    def __init__(self, fig: Figure, data: Dataset, shown: Tensor, live: Live, still: Callable[..., None]):
        self.data, self.live, self.still = data, live, still
        halves = fig.add_gridspec(1, 2, width_ratios=(1.28, 1))
        left = halves[0].subgridspec(2, 1, height_ratios=(1.9, 1))
        right = halves[1].subgridspec(2, 1, height_ratios=(1, 1.12))
        self.rate, self.duty = fig.add_subplot(left[0]), fig.add_subplot(left[1])
        self.distortion, self.samples = fig.add_subplot(right[0]), fig.add_subplot(right[1])
        self._marks: list[Artist] = []
        self._curves()
        self._pictures(shown)

    # --------------------------------------------------------------------------------------------- what stands still

    def _curves(self) -> None:
        thick: dict[str, Any] = dict(linewidth=2.4, solid_capstyle="round")
        self.target = self._line(self.rate, color=GREY, linewidth=1.6, linestyle="--", drawstyle="steps-post")
        self.rate_now = self._line(self.rate, color=RATE, linewidth=0.9, alpha=0.35)
        self.rate_mean = self._line(self.rate, color=RATE, **thick)
        self.mi = self._line(self.rate, color=INFORMATION, marker="o", markersize=5.5, **thick)
        self.duty_line = self._line(self.duty, color=DUTY, **thick)
        self.distortion_now = self._line(self.distortion, color=DARK, linewidth=0.9, alpha=0.35)
        self.distortion_mean = self._line(self.distortion, color=DARK, **thick)
        for ax, title, unit in (
            (self.rate, "", "nats"),
            (self.duty, f"duty cycle, last {BATCHES} batches", "share"),
            (self.distortion, "distortion D", "nats"),
        ):
            ax.set_title(title, fontsize=13)
            ax.set_ylabel(unit)
            ax.margins(0)
            ax.locator_params(axis="x", nbins=4)
        # the names of the curves where a title would be, in the curves' colours: a legend nobody has to look up
        names = (0.0, "rate R", RATE), (0.2, "information $I_q$", INFORMATION), (0.56, "- - target c", GREY)
        for x, text, colour in names:
            self.rate.text(x, 1.03, text, color=colour, weight="bold", fontsize=13, transform=self.rate.transAxes)
        self.price = self.live(
            self.duty.text(1, 1.06, "", ha="right", color=DUTY, weight="bold", fontsize=13, transform=self.duty.transAxes)
        )
        self.rate.tick_params(labelbottom=False)
        self.duty.set_xlabel("step")
        self._limit(self.rate, 100, 0, 7)
        self._limit(self.duty, 100, 0, 1)
        self._limit(self.distortion, 100, 0, 1000)  # the widest labels there will be: the layout is made for them

    def _line(self, ax: Axes, **style: Any) -> Line2D:
        return self.live(ax.plot([], [], **style)[0])

    def _pictures(self, shown: Tensor) -> None:
        ax = self.samples
        ax.set_axis_off()
        n = len(shown)
        if self.data.kind == "image":
            ax.set_title("test digits, redrawn from z", fontsize=13)
            look: dict[str, Any] = dict(vmin=0, vmax=1, aspect="equal", interpolation="nearest")
            self.digits = self.live(ax.imshow(np.zeros((SIDE, n * SIDE)), extent=(0, n, 1, 0), **look))
            ax.imshow(np.concatenate(list(shown.numpy().reshape(n, SIDE, SIDE)), 1), extent=(0, n, 0, -1), **look)
            ax.set(xlim=(0, n), ylim=(1.05, -1.05))
            ax.axhline(0, color="white", linewidth=3)
            return
        ax.set_title("sentences, rewritten from z", fontsize=13)
        ax.set(xlim=(0, 1), ylim=(2 * n, 0))
        self.lines = []
        for i, row in enumerate(shown):
            text = self._sentence(row, CHARACTERS[0])
            ax.text(0, 2 * i + 0.5, text, color=GREY, fontsize=11.5, va="center", in_layout=False)
            self.lines.append(self.live(ax.text(0.04, 2 * i + 1.38, "", color="black", fontsize=12, va="center")))

    def _sentence(self, row: Tensor, room: int) -> str:
        text = self.data.decode(row.numpy())
        return text if len(text) <= room else text[: room - 2].rsplit(" ", 1)[0] + " …"

    # -------------------------------------------------------------------------------------------------- what moves

    def _limit(self, ax: Axes, right: float, low: float, high: float) -> None:
        self.still(ax, xlim=(0, right), ylim=(low, high))

    def draw(self, run: LiveRun, drawn: Tensor | None) -> None:
        """Bring every instrument up to what `run` has done; `drawn` are the examples drawn again, if there are any yet."""
        n = len(run)  # the run goes on while we read
        step, rate, distortion, c, penalty = (run[name][:n] for name in ("step", "rate", "distortion", "c", "penalty_on"))
        right = ceiling(max(100, 1.02 * step.max(initial=0)), (1, 2, 5, 10))
        steps = thin(step)
        smooth = rolling(rate, 20)
        self.rate_now.set_data(steps, thin(rate))
        self.rate_mean.set_data(steps, thin(smooth))
        at, mi = run.measured["step"], run.measured["mi"]
        k = min(len(at), len(mi))
        self.mi.set_data(at[:k], mi[:k])
        self.target.set_data(*self._targets(run, step, c))
        high = max(np.quantile(smooth[20:], 0.98) if n > 40 else smooth.max(initial=0), mi[:k].max(initial=0))
        # a target far above all rates (or no target at all) must not flatten the curves
        target = np.nanmax(self.target.get_ydata(), initial=0)
        self._limit(self.rate, right, 0, ceiling(1.12 * max(high, min(target, max(10.0, 2 * high)), 1.0)))
        self.duty_line.set_data(steps, thin(rolling(penalty, BATCHES)))
        price = price_paid(run)
        self.price.set_text(f"λ·duty = {price:.2f}" if math.isfinite(price) else "")
        self._limit(self.duty, right, -0.04, 1.04)
        smooth = rolling(distortion, 20)
        self.distortion_now.set_data(steps, thin(distortion))
        self.distortion_mean.set_data(steps, thin(smooth))
        if n:
            seen = smooth[n // 4 :]  # the first fall is steep and would flatten the rest
            low, top = seen.min(), np.quantile(seen, 0.98)
            unit = ceiling(max(top - low, 4.0)) / 2
            low, top = math.floor(low / unit - 0.1) * unit, math.ceil(top / unit + 0.1) * unit
            self._limit(self.distortion, right, max(0.0, low), top)
        self._mark(run.moves, right)
        if drawn is not None:
            self._show(drawn)

    def _targets(self, run: LiveRun, step: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The target's own history, a staircase, and on to the right end with what is set now; nan where there is none."""
        levels = np.append(c, run.trainer.objective.target)
        known = np.nan_to_num(levels, nan=-1.0)
        corners = np.flatnonzero(known[1:] != known[:-1]) + 1
        return np.concatenate([[0], step[corners - 1], [1e9]]), np.concatenate([levels[:1], levels[corners], levels[-1:]])

    def _mark(self, moves: list[Move], right: float) -> None:
        for artist in self._marks:
            artist.remove()
        self._marks = []
        named: dict[int, list[str]] = {}  # one label for the moves at one place
        for move in grouped(moves, 0.03 * right)[-MARKS:]:
            at = next((step for step in named if abs(step - move.step) < 0.03 * right), move.step)
            value = move.value if isinstance(move.value, str) else f"{move.value:.3g}"
            named.setdefault(at, []).append(f"{sign(move.knob)} {value}".strip())
        ends = [-math.inf] * 3  # of the labels in the three rows
        for step, texts in named.items():
            for ax in (self.rate, self.duty, self.distortion):
                self._marks.append(self.live(ax.axvline(step, color=GREY, linewidth=1.1, linestyle=":")))
            text, width = ", ".join(texts), 0.019 * right * len(", ".join(texts))
            leftwards = step + width > right
            begins = step - width if leftwards else step
            row = next((i for i, end in enumerate(ends) if end < begins), 2)
            ends[row] = begins + width
            label = self.rate.text(
                step + (-0.008 if leftwards else 0.008) * right,
                0.99 - 0.105 * row,
                text,
                transform=self.rate.get_xaxis_transform(),
                fontsize=12,
                color=DARK,
                va="top",
                ha="right" if leftwards else "left",
                bbox={"facecolor": "white", "alpha": 0.6, "edgecolor": "none", "pad": 0.5},
            )
            self._marks.append(self.live(label))

    def _show(self, drawn: Tensor) -> None:
        if self.data.kind == "image":
            self.digits.set_data(np.concatenate(list(drawn.numpy().reshape(-1, SIDE, SIDE)), 1))
            return
        for text, row in zip(self.lines, drawn):
            text.set_text("→ " + self._sentence(row.cpu(), CHARACTERS[1]))


def price_paid(run: LiveRun) -> float:
    """λ·duty over the last batches, the mean pull of the penalty: λ* = β − slope where the rate is held; nan without λ."""
    lam, on = run["lam"][-BATCHES:], run["penalty_on"][-BATCHES:]
    n = min(len(lam), len(on))
    hinge = run.trainer.objective.has_branches
    return float((lam[:n] * on[:n]).mean()) if hinge and n else math.nan


def sign(knob: str) -> str:
    """How a knob is written on a figure: its symbol, else its name; nothing for the objective, whose value says it all."""
    if knob in ("objective", "lr"):
        return knob.removeprefix("objective")
    return next((what.symbol for what in all_knobs().get(knob, {}).values() if what.symbol), knob)


def grouped(moves: Sequence[Move], near: float) -> list[Move]:
    """The moves with each drag of one knob, many moves within `near` steps, told as one: where it ended.

    >>> grouped([Move(10, "lam", 1.1), Move(11, "lam", 1.2), Move(12, "c", 3.0), Move(90, "lam", 2.0)], near=5)
    [Move(step=11, knob='lam', value=1.2), Move(step=12, knob='c', value=3.0), Move(step=90, knob='lam', value=2.0)]
    """
    kept: list[Move] = []
    for move in list(moves):
        last = next((i for i in range(len(kept) - 1, -1, -1) if kept[i].knob == move.knob), None)
        if last is not None and move.step - kept[last].step <= near:
            del kept[last]
        kept.append(move)
    return kept


def readout(run: LiveRun) -> str:
    """One line on where a run stands, and what its duty cycle says about the slope of the rate-distortion curve."""
    if not len(run):
        return "Nothing trained yet: press Start."
    rate, distortion = (run[name][-20:].mean() for name in ("rate", "distortion"))
    parts = [f"step {int(run['step'][-1])}", f"R = {nats(rate)} nats"]
    if len(run.measured):
        parts.append(f"I_q at least {max(0.0, run.measured['mi'][-1]):.2f} nats")
    return " · ".join([*parts, f"D = {nats(distortion)} nats", constraint(run)])


def constraint(run: LiveRun) -> str:
    """What the last batches say about the constraint, in the objective's own words."""
    return run.trainer.objective.reading(float(run["penalty_on"][-BATCHES:].mean()))


def nats(value: float) -> str:
    """A number of nats, with a true minus sign; in short form when it has run away.

    >>> nats(-0.5), nats(104090530.1)
    ('−0.50', '1e+08')
    """
    return (f"{value:.2f}" if abs(value) < 1e4 else f"{value:.0e}").replace("-", "−")

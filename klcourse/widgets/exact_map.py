"""The exact half of the phase diagram: regimes over c and lam, and what one more nat of rate buys and costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from klcourse.exact.regimes import REGIMES, Curve, Thresholds, best_rate, beta_effective, regime, thresholds
from klcourse.plots import GREY, REGIME_LOOKS

NAMES = ("β − s(0)", "R = c beats R = 0", "λ*(c) = β − s(c)", "β")
DASHES = (":", "--", "-", "-.")
PRICE = "#882255"
TOP_RATE = 10.0  # nats, the end of the axis
MEANING = {
    "inactive": "the rate is above c anyway",
    "held": "the rate rests at c",
    "partial": "a rate between 0 and c",
    "collapsed": "no rate at all",
}


def threshold_lines(curve: Curve, c: ArrayLike) -> np.ndarray:
    """The four nested thresholds of lam at the targets c (n,), less beta: (4, n), nats per nat.

    Each is beta minus something that does not depend on beta, so the lines of any beta are these plus beta.
    """
    return np.array([thresholds(curve, float(target), beta=1.0) for target in np.atleast_1d(c)]).T - 1.0


def bands(lines: ArrayLike, top: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Where each regime is: name -> lowest and highest lam at every target, equal where it is nowhere.

    `lines` (4, n) are thresholds, `top` is the end of the lam axis.

    >>> {name: (low.tolist(), high.tolist()) for name, (low, high) in bands([[1], [1.5], [2], [3]], 4).items()}
    {'inactive': ([0.0], [0.0]), 'held': ([2.0], [4.0]), 'partial': ([1.0], [2.0]), 'collapsed': ([0.0], [1.0])}
    """
    unstable, _, held, _ = np.asarray(lines, float)
    idle = held <= 0  # nothing to hold: the rate is above c anyway
    unstable, held = np.clip(unstable, 0.0, top), np.clip(held, 0.0, top)
    zero, ceiling = np.zeros_like(held), np.full_like(held, top)
    return {
        "inactive": (zero, np.where(idle, top, 0.0)),
        "held": (np.where(idle, top, held), ceiling),
        "partial": (np.where(idle, 0.0, unstable), held),
        "collapsed": (zero, np.where(idle, 0.0, unstable)),
    }


def spread(heights: Sequence[float], gap: float) -> np.ndarray:
    """Heights in rising order, moved apart to at least `gap` and as little as need be, so that labels do not overlap.

    >>> spread([1.0, 1.0, 5.0], 1.0).tolist()
    [0.5, 1.5, 5.0]
    """
    clusters: list[tuple[float, int]] = []  # mean height, how many labels
    for height in heights:
        clusters.append((height, 1))
        while len(clusters) > 1 and clusters[-1][0] - clusters[-2][0] < gap * (clusters[-1][1] + clusters[-2][1]) / 2:
            (h, n), (g, m) = clusters.pop(), clusters.pop()
            clusters.append(((n * h + m * g) / (n + m), n + m))
    return np.concatenate([h + gap * (np.arange(n) - (n - 1) / 2) for h, n in clusters])


def roomy(low: np.ndarray, high: np.ndarray, lines: np.ndarray, reach: int) -> tuple[int, float, float]:
    """Where a label fits best between `low` and `high` (n,): its column, its height, and the room above and below it.

    The label covers `reach` columns to either side and should not touch the lines (k, n).
    """
    heights = np.linspace(low.min(), high.max(), 41)[:, None, None]  # (heights, 1, 1)
    room = np.minimum(heights - low, high - heights)[:, 0]  # (heights, n), negative outside
    room = np.minimum(room, np.abs(heights - lines).min(1))
    windows = np.lib.stride_tricks.sliding_window_view(room, 2 * reach + 1, axis=1).min(2)
    row, column = np.unravel_index(np.argmax(windows), windows.shape)
    return int(column) + reach, float(heights[row, 0, 0]), float(windows[row, column])


class ExactMap:
    """Bands and thresholds on the axes `ax`, and beside it value and cost of a nat of rate; `live` as in Widget.

    lam and c are the ends of the map's axes.
    """

    def __init__(self, curve: Curve, fig: Figure, ax: Axes, live: Callable, lam: float, c: float) -> None:
        self.curve, self.ax, self.top, self.end = curve, ax, lam, c
        self.targets = np.linspace(0.02, c, 160)
        self.lines = threshold_lines(curve, self.targets)
        self.fills = {
            name: ax.fill_between([0, 0], 0, 0, color=REGIME_LOOKS[name].colour, alpha=0.25, linewidth=0) for name in REGIMES
        }
        self.curves = [
            ax.plot([], [], color="black", linestyle=dash, linewidth=3 if k == 2 else 1.8)[0]
            for k, dash in enumerate(DASHES)
        ]
        self.names = [ax.text(1.015 * c, 0, name, va="center", fontsize=12) for name in NAMES]
        self.labels = {
            name: ax.text(0, 0, name, ha="center", va="center", fontsize=15, weight="bold", color=REGIME_LOOKS[name].colour)
            for name in REGIMES
        }
        self.value = value = fig.add_axes((0.645, 0.125, 0.34, 0.635))
        rates = np.linspace(0, TOP_RATE, 300)
        value.set(xlim=(0, TOP_RATE), ylim=(-1, lam), xlabel="rate R [nats]")
        value.axhline(0, color=GREY, linewidth=1)
        bought = value.plot(rates, curve.slope(rates), color="black")[0]
        self.cost = value.plot([], [], color=PRICE, linewidth=4)[0]
        names = ["one more nat of rate buys s(R)", "and costs β − λ, from c on β"]
        value.legend(
            [bought, self.cost],
            names,
            loc="lower left",
            bbox_to_anchor=(-0.03, 0.985),
            frameon=False,
            borderaxespad=0,
            handlelength=1.4,
        )
        self.costs = [
            value.text(x, 0, text, fontsize=14, color=PRICE, va=va, ha=ha)
            for x, text, va, ha in ((0, "β − λ", "center", "left"), (TOP_RATE, "β", "bottom", "right"))
        ]
        self.stop = value.plot(
            [], [], "o", markersize=16, markeredgecolor="black", markeredgewidth=2, zorder=5, clip_on=False
        )[0]
        self.rate = value.text(0, 0, "", fontsize=14, weight="bold", va="bottom", zorder=6)
        self.beta: float | None = None  # of the map as it is drawn
        on_map = [*self.fills.values(), *self.curves, *self.names, *self.labels.values()]
        self.moving = [live(artist) for artist in (*on_map, self.cost, *self.costs, self.stop, self.rate)]

    def show(self, on: bool) -> None:
        """Let it be seen or not."""
        for artist in (*self.moving, self.value):
            artist.set_visible(on)
        if on:
            self.ax.set(
                yscale="linear", xlim=(0, self.end), ylim=(0, self.top), xlabel="target c [nats]", ylabel="penalty weight λ"
            )
            for put, end, step in ((self.ax.set_xticks, self.end, 2), (self.ax.set_yticks, self.top, 1)):
                ticks = range(0, int(end) + 1, step)
                put(ticks, [str(tick) for tick in ticks])  # the labels too: stored runs have put others there
            self.beta = None  # the labels' visibility is up to draw_map

    def draw_map(self, beta: float) -> None:
        """Bands, lines and their names for this beta."""
        lines = self.lines + beta
        for name, (low, high) in bands(lines, self.top).items():
            self.fills[name].set_data(self.targets, low, high)
            column, height, room = roomy(low[::4], high[::4], lines[:, ::4], reach=7 if name != "collapsed" else 9)
            self.labels[name].set(position=(self.targets[::4][column], height), visible=room > 0.12)
        for curve, text, line, height in zip(self.curves, self.names, lines, spread(lines[:, -1].tolist(), 0.22)):
            curve.set_data(self.targets, line)
            text.set(y=height, visible=0 < line[-1] <= self.top)
        self.beta = beta

    def move(self, lam: float, c: float, beta: float) -> tuple[str, str]:
        """Mark where value and cost cross; returns the regime and the read-out."""
        if self.beta != beta:
            self.draw_map(beta)
        which, rate = regime(self.curve, lam, c, beta), best_rate(self.curve, lam, c, beta)
        self.cost.set_data([0, c, c, TOP_RATE], [beta - lam, beta - lam, beta, beta])
        low, high = self.costs
        aside = 0.25 if which in ("held", "inactive") else 0.0  # there s(R) comes down on the name from above
        low.set(position=(min(c + 0.45, TOP_RATE - 1.7), max(beta - lam - aside, -0.85)), visible=lam > 0.2)
        high.set_y(beta + 0.08)
        x, y = min(rate, TOP_RATE), float(np.clip(self.curve.slope(rate), -1, self.top))
        self.stop.set(data=([x], [y]), markerfacecolor=REGIME_LOOKS[which].colour)
        self.rate.set(position=(min(x + 0.4, TOP_RATE - 2.9), y + 0.15), text=f"R = {rate:.2f}")
        return which, self.sentence(which, rate, lam, c, beta, thresholds(self.curve, c, beta))

    def sentence(self, which: str, rate: float, lam: float, c: float, beta: float, limits: Thresholds) -> str:
        """The read-out."""
        like = f"as in a VAE with β = {beta_effective(self.curve, lam, c, beta):.2f}"
        return (
            f"λ = {lam:.2f}, c = {c:g} nats, β = {beta:.1f}: {which}, {MEANING[which]}. R = {rate:.2f} nats, {like}. "
            f"At this c: β − s(0) = {limits.origin_unstable:.2f}, R = c beats R = 0 from {limits.beats_collapse:.2f}, "
            f"λ* = {limits.held:.2f}."
        )

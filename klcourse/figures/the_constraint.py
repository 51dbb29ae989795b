"""Figures of notebook 07: the penalty, its regimes, and where training settles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from klcourse.exact.regimes import Curve, best_rate, regime, thresholds
from klcourse.plots import AMBER, BLUE, DARK, GREEN, GREY, ORANGE, PINK, REGIME_LOOKS, SKY, label_ends, plane

Runs = Mapping[str, tuple[ArrayLike, ArrayLike]]  # name -> rates, informations
DOT: Mapping[str, Any] = {"markersize": 10, "markeredgecolor": "white", "clip_on": False, "zorder": 4}


def penalised(curve: Curve, c: float, beta: float, lams: Sequence[float], guess: Sequence[float] | None = None) -> Figure:
    """Left: F(R) - F(0 at lam = 0) for several lam, each minimum a marker. Right: the minimum against lam.

    `guess` has the reader's prediction of the minimum for each lam.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(10.4, 4.2), width_ratios=[1.35, 1])
    rates = np.linspace(0, 1.9 * c, 400)
    base = np.asarray(curve.distortion(rates)) + beta * rates
    shades = plt.get_cmap("cividis")(np.linspace(0.0, 0.68, len(lams)))
    ends = []
    for lam, shade in zip(lams, shades):
        value = base + lam * np.maximum(c - rates, 0) - float(curve.distortion(0.0))
        rate = best_rate(curve, lam, c, beta)
        name = regime(curve, lam, c, beta)
        left.plot(rates[rates <= c], value[rates <= c], color=shade)
        left.plot(rate, np.interp(rate, rates, value), marker=REGIME_LOOKS[name].marker, color=shade, **DOT)
        ends.append((0.0, value[0], f"λ = {lam:g}: {name}", shade))
    left.plot(rates[rates >= c], base[rates >= c] - float(curve.distortion(0.0)), color="black")
    left.axvline(c, color=GREY, linewidth=1, linestyle=":")
    left.text(c, left.get_ylim()[1], " R = c", color=GREY, va="top")
    left.set(xlabel="rate R [nats]", ylabel="F(R) − D(0) [nats]", xlim=(0, rates[-1]))
    for _, y, text, shade in ends:
        left.annotate(
            text,
            (0, y),
            xytext=(8, -1),
            textcoords="offset points",
            color=shade,
            va="bottom",
            bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1},
        )
    grid = np.linspace(0, 1.25 * beta, 500)
    right.plot(grid, [best_rate(curve, lam, c, beta) for lam in grid], color="black")
    for lam, shade in zip(lams, shades):
        look = REGIME_LOOKS[regime(curve, lam, c, beta)]
        right.plot(lam, best_rate(curve, lam, c, beta), marker=look.marker, color=shade, **DOT)
    limits = thresholds(curve, c, beta)
    for edge, text in ((limits.origin_unstable, "β − s(0)"), (limits.held, "λ* = β − s(c)"), (beta, "β")):
        right.axvline(edge, color=GREY, linewidth=1, linestyle=":")
        side = "left" if edge == beta else "right"
        right.text(edge, 0.45 * c, f" {text} ", color=GREY, rotation=90, va="center", ha=side)
    right.set(xlabel="penalty weight λ", ylabel="rate at the minimum [nats]", ylim=(-0.03 * c, 1.12 * c))
    _sketch(right, lams, guess)
    if guess is not None:
        right.set_ylim(top=max(1.12 * c, 1.1 * max(guess)))
    return fig


def _sketch(ax: Axes, x: ArrayLike, guess: Sequence[float] | None) -> None:
    """The reader's sketch as a dotted line with crosses, named at its second point; nothing where none was made."""
    if guess is None:
        return
    x = np.asarray(x, float)
    ax.plot(x, guess, color=DARK, marker="x", linestyle=":", linewidth=1.8, markersize=8, zorder=6)
    away: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "color": DARK}
    ax.annotate("your guess", (x[1], guess[1]), (-7, 6), bbox={"facecolor": "white", "edgecolor": "none", "pad": 1}, **away)


def regime_map(ax: Axes, curve: Curve, beta: float, lam: ArrayLike, c: ArrayLike, found: ArrayLike, title: str) -> None:
    """The (c, lam) plane: the four thresholds as lines, one marker a run, its shape the regime it ended in.

    lam (n,), c (m,), found (n, m) names of regimes.
    """
    lam, c = np.asarray(lam, float), np.asarray(c, float)
    top = 1.06 * max(lam.max(), beta)
    line = np.linspace(1e-3, 1.04 * c.max(), 300)
    limits = np.array([thresholds(curve, value, beta) for value in line])
    draw_thresholds(ax, line, limits, top)
    for (i, j), name in np.ndenumerate(np.asarray(found)):
        look = REGIME_LOOKS[str(name)]
        ax.plot(
            c[j],
            lam[i],
            marker=look.marker,
            color=look.colour,
            markersize=5.5,
            linestyle="none",
            markeredgecolor="white",
            markeredgewidth=0.4,
        )
    ax.set(xlabel="target c [nats]", xlim=(0, line[-1]), ylim=(0, top), title=title)
    ax.grid(False)


def network_map(
    ax: Axes,
    lam: ArrayLike,
    c: ArrayLike,
    found: Sequence[str],
    star: tuple[ArrayLike, ArrayLike],
    beta: float = 1.0,
    named: str = "λ*(c) from β-VAEs",
    guess: tuple[ArrayLike, Sequence[float] | None] | None = None,
) -> None:
    """Trained runs in the (c, lam) plane, lam on a log scale, under a lam*(c) that was read elsewhere.

    lam, c, found: one entry a run; star: targets and lam* at them, `named` at the end of the line. `guess`: targets, and
    the reader's prediction of the border at them.
    """
    lam, c = np.asarray(lam, float), np.asarray(c, float)
    ax.set(
        yscale="log",
        xlim=(0, 1.08 * c.max()),
        ylim=(0.75 * lam.min(), 1.3 * lam.max()),
        xlabel="target c [nats]",
        ylabel="penalty weight λ",
    )
    ax.plot(*star, color="black")
    ax.axhline(beta, color="black", linestyle="-.", linewidth=1.3)
    for x, y, name in zip(c, lam, found):
        look = REGIME_LOOKS[name]
        ax.plot(x, y, marker=look.marker, color=look.colour, markersize=9, markeredgecolor="white")
    ticks = np.unique(lam)
    ax.set_yticks(ticks, [f"{value:g}" for value in ticks])
    ax.minorticks_off()
    last = float(np.asarray(star[1])[-1])
    label_ends(ax, [(c.max(), beta, "β", "black"), (c.max(), last, named, "black")], gap=0.07)
    if guess is not None and guess[1] is not None:
        lowest = ax.get_ylim()[0]
        _sketch(ax, guess[0], [max(value, 1.05 * lowest) for value in guess[1]])


def draw_thresholds(ax: Axes, c: np.ndarray, limits: np.ndarray, top: float) -> None:
    """The four nested thresholds, limits (n, 4) at the targets c (n,), named at the right end."""
    names = ("β − s(0)", "beats R = 0", "λ*(c) = β − s(c)", "β")
    dashes = (":", "--", "-", "-.")
    ax.set(xlim=(0, c[-1]), ylim=(0, top))
    ends = []
    for k, (name, dash) in enumerate(zip(names, dashes)):
        ax.plot(c, limits[:, k], color="black", linestyle=dash, linewidth=2.2 if k == 2 else 1.3, zorder=1)
        if 0 <= limits[-1, k] <= top:
            ends.append((c[-1], limits[-1, k], name, "black"))
    label_ends(ax, ends, gap=0.06)


def regime_legend(fig: Figure, names: Sequence[str] = tuple(REGIME_LOOKS)) -> None:
    """The regimes' markers in one row above the panels."""
    looks = [(name, *REGIME_LOOKS[name]) for name in names]
    handles = [plt.Line2D([], [], marker=m, color=colour, linestyle="none", label=n) for n, colour, m in looks]
    fig.legend(handles=handles, loc="outside upper center", ncols=len(names))


def blur(
    batches: tuple[ArrayLike, ArrayLike],
    lams: Sequence[float] | np.ndarray,
    measured: np.ndarray,
    simple: np.ndarray,
    consistent: np.ndarray,
    c: float,
) -> Figure:
    """Settled rate against batch size, one colour a lam: measured (dots), and the formula of A11 (lines).

    Dotted: with lam*(c); solid: with lam* at the settled rate. `batches` are the sizes of the curves and of the dots;
    `measured`, `simple` and `consistent` are (n sizes, n lams), nats.
    """
    fig, ax = plt.subplots(figsize=(7.6, 4.2))
    colours = (AMBER, GREEN, BLUE, PINK)
    ax.set(xscale="log", xlabel="batch size B", ylabel="settled mean rate R̄ [nats]")
    grid, sizes = np.asarray(batches[0]), np.asarray(batches[1])
    ends = []
    for k, lam in enumerate(lams):
        ax.plot(grid, simple[:, k], color=colours[k], linestyle=":", linewidth=1.6)
        ax.plot(grid, consistent[:, k], color=colours[k])
        ax.plot(sizes, measured[:, k], marker="osD^"[k], color=colours[k], linestyle="none")
        ends.append((grid[-1], consistent[-1, k], f"λ = {lam:g}", colours[k]))
    ax.axhline(c, color=GREY, linewidth=1)
    ax.text(grid[0], c, "target c", color=GREY, va="bottom")
    ax.set_xticks(sizes, [f"{b:g}" for b in sizes])
    ax.minorticks_off()
    label_ends(ax, ends, gap=0.07)
    return fig


def trajectory(
    ax: Axes,
    rate: ArrayLike,
    mi: ArrayLike,
    colour: str,
    label: str,
    at: tuple[float, float],
    dash: str = "-",
    every: int = 1,
) -> None:
    """One run in the (R, I) plane: a dot every `every` records (close dots: slow), a large one at the end.

    Its name stands at `at`, with a thin line to the nearest point of the run.
    """
    rate, mi = np.asarray(rate), np.asarray(mi)
    ax.plot(rate, mi, color=colour, linestyle=dash, zorder=3)
    ax.plot(rate[::every], mi[::every], "o", color=colour, markersize=4, zorder=4, linestyle="none")
    ax.plot(rate[-1], mi[-1], marker="o", color=colour, markersize=9, zorder=4, clip_on=False)
    k = int(np.argmin((rate - at[0]) ** 2 + (mi - at[1]) ** 2))
    ax.annotate(
        label,
        (rate[k], mi[k]),
        xytext=at,
        color=colour,
        va="center",
        ha="center",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8},
    )


def paths(
    ax: Axes, runs: Sequence[tuple[ArrayLike, ArrayLike]], colour: str, label: str, at: tuple[float, float], every: int = 1
) -> None:
    """Runs of one setting in the (R, I) plane: a thin line a seed, and their mean at equal times as a `trajectory`."""
    if len(runs) > 1:
        for rate, mi in runs:
            ax.plot(rate, mi, color=colour, linewidth=0.8, alpha=0.45, zorder=2)
    rate, mi = np.mean(np.asarray(runs, float), axis=0)
    trajectory(ax, rate, mi, colour, label, at, every=every)


def two_planes(exact: Runs, network: Mapping[str, Sequence[tuple[ArrayLike, ArrayLike]]]) -> Figure:
    """Training in the (R, I) plane. Left: exact runs, c = 1. Right: a network's, c = 5, one pair of rate and mi a seed.

    Exact runs are means over 2 units of time: the chatter at the kink is not the point.
    """
    looks = {
        "λ = 0.99": (BLUE, "-", (0.72, 0.45)),
        "λ = 2": (ORANGE, "-", (0.55, 0.09)),
        "hinge on I, λ = 2": (GREEN, "-.", (0.34, 0.62)),
    }
    names = {
        "ELBO": (DARK, (0.55, 1.0)),
        "λ = 0.75": (SKY, (1.25, 2.4)),
        "λ = 1": (BLUE, (2.6, 3.6)),
        "λ = 2": (ORANGE, (5.9, 1.6)),
    }
    fig, (left, right) = plt.subplots(1, 2, figsize=(11.6, 5.6))
    plane(left, 1.25, rate_target=1.0)
    left.set_title("linear-Gaussian model, exact; c = 1")
    for name, (rate, mi) in exact.items():
        colour, dash, at = looks[name]
        smooth = [np.asarray(values)[1:].reshape(-1, 10).mean(1) for values in (rate, mi)]
        trajectory(left, smooth[0], smooth[1], colour, name, at, dash, every=10)
    plane(right, 6.5, rate_target=5.0)
    right.set_title("PixelCNN on MNIST; c = 5")
    for name, runs in network.items():
        colour, at = names[name]
        paths(right, runs, colour, name, at, every=5)
    return fig


def text_map(
    runs: pd.DataFrame, border: tuple[ArrayLike, ArrayLike], seen: Mapping[float, Sequence[tuple[ArrayLike, ArrayLike]]]
) -> Figure:
    """Left: runs (lam, c, measured) in the plane of target and lam, under a border. Right: paths at c = 5, lam -> seeds."""
    looks = {0.75: (SKY, (1.2, 2.0)), 1.0: (BLUE, (3.6, 2.6)), 2.0: (ORANGE, (5.45, 1.2))}
    fig, (left, right) = plt.subplots(1, 2, figsize=(12.2, 5.0), width_ratios=[1, 1.05])
    network_map(left, runs["lam"], runs["c"], runs["measured"], border, named="λ · duty\nat λ = β")
    regime_legend(fig, ["held", "partial", "collapsed"])
    plane(right, 5.8, rate_target=5.0)
    for lam, each in seen.items():
        colour, at = looks[lam]
        paths(right, each, colour, f"λ = {lam:g}", at)
    return fig


def readings(
    ax: Axes, groups: Mapping[str, tuple[ArrayLike, ArrayLike, str, str]], c: float, line: tuple[ArrayLike, ArrayLike]
) -> None:
    """beta - slope against the rate it was read at: groups are name -> (rates, readings, marker, colour), a mark a run.

    `line`: rates and readings of the first group, mean over seeds; where the others agree with it they lie on it.
    """
    ax.plot(*line, color=next(iter(groups.values()))[3], linewidth=1.3, zorder=1)
    for name, (rates, values, marker, colour) in groups.items():
        ax.plot(rates, values, marker=marker, color=colour, linestyle="none", markersize=8, alpha=0.75, label=name)
    ax.axvline(c, color=GREY, linewidth=1, linestyle=":")
    ax.text(c, ax.get_ylim()[1], " target c", color=GREY, va="top")
    ax.legend(loc="lower right")

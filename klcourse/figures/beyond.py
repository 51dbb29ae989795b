"""Figures of notebook 13: what the cures of the literature price, and who gets information at what cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from klcourse.plots import BLUE, GREY, MIST, ORANGE, label_ends, plane, style_of

HINGES = {"rate-hinge": "hinge on the rate R", "info-hinge": "hinge on the information $I_q$"}
LAM_SHADES = {
    "rate-hinge": ("#9ecae1", "#4292c6", "#08519c", "#08244a"),
    "info-hinge": ("#f2c46d", "#E69F00", "#a86f00", "#5e3c00"),
}
END: Mapping[str, Any] = {"markersize": 10, "markeredgecolor": "white", "clip_on": False, "zorder": 4}
LAM_DASHES = ("-", (0, (6, 1.5)), (0, (3, 1.5)), (0, (1, 1)))


def weights(ramps: Mapping[str, tuple[ArrayLike, ArrayLike, str]]) -> Figure:
    """The weight of the KL over the epochs: name -> (epochs, weights, objective)."""
    fig, axes = plt.subplots(1, len(ramps), figsize=(4.2 * len(ramps), 2.5), sharey=True)
    for ax, (name, (epochs, values, objective)) in zip(np.atleast_1d(axes), ramps.items()):
        ax.fill_between(epochs, values, color=style_of(objective).colour, alpha=0.15, linewidth=0)
        ax.plot(epochs, values, color=style_of(objective).colour)
        ax.set(title=name, xlabel="epoch", ylim=(0, 1.08), xlim=(0, np.max(epochs)))
    np.atleast_1d(axes)[0].set_ylabel("weight of the KL")
    return fig


def prices(rates: ArrayLike, curves: Mapping[str, tuple[ArrayLike, str]], c: float) -> Figure:
    """What each objective charges an encoder for its rate alone: label -> (charges in nats, key of the style)."""
    fig, ax = plt.subplots(figsize=(7.2, 3.9))
    ends = []
    for label, (values, key) in curves.items():
        style = style_of(key)
        ax.plot(rates, values, color=style.colour, linestyle=style.dash)
        ends.append((0, np.asarray(values)[-1], label, style.colour))
    ax.axvline(c, color=GREY, linewidth=1, linestyle=":")
    ax.set(xlabel="rate R [nats]", ylabel="charge, less that of R = 0 [nats]", xlim=(np.min(rates), np.max(rates)))
    ax.text(c, ax.get_ylim()[1], " target c", color=GREY, va="top")
    label_ends(ax, ends)
    return fig


def batch_estimates(information: ArrayLike, seen: Mapping[int, ArrayLike], c: float) -> Figure:
    """The mini-batch's estimate of the information against the true one, a curve for each batch size."""
    information = np.asarray(information, float)
    fig, ax = plt.subplots(figsize=(6.6, 4.2))
    ax.plot(information, information, color=MIST, linewidth=1)
    ends = []
    for size, shade in zip(seen, plt.get_cmap("cividis")(np.linspace(0.75, 0.0, len(seen)))):
        ax.plot(information, seen[size], color=shade)
        ends.append((0, float(np.asarray(seen[size])[-1]), f"B = {size}: at most {np.log(size):.1f}", shade))
        if (at := needed(information, seen[size], c)) is not None:
            ax.plot([at, at], [0, c], color=shade, linewidth=1, linestyle=":")
            ax.plot(at, c, "o", color=shade)
    ax.axhline(c, color=GREY, linewidth=1, linestyle=":")
    ax.text(0.05, c, f"c = {c:g}", color=GREY, va="bottom")
    ax.set(xlabel="true information $I_q$ [nats]", ylabel="mean estimate $I_B$ [nats]")
    ax.set(xlim=(0, information[-1]), ylim=(0, None))
    label_ends(ax, ends)
    return fig


def needed(information: ArrayLike, seen: ArrayLike, c: float) -> float | None:
    """The least information whose mini-batch estimate reaches c; None if none does. Both arrays must rise.

    >>> needed([0.0, 1.0, 2.0], [0.0, 0.8, 1.6], c=1.2)
    1.5
    """
    seen = np.asarray(seen, float)
    return float(np.interp(c, seen, np.asarray(information, float))) if seen[-1] >= c else None


def paths(ax: Axes, runs: pd.DataFrame, objective: str, dots: int = 5) -> None:
    """Mean paths over seeds in the (R, I) plane, one for each lam: lines with dots at every `dots`-th measurement.

    runs: columns lam, step, rate, mi, one row a measurement of a run.
    """
    lams = sorted(runs["lam"].unique())
    for lam, colour, dash in zip(lams, LAM_SHADES[objective], LAM_DASHES):
        mean = runs[runs["lam"] == lam].groupby("step")[["rate", "mi"]].mean()
        ax.plot(mean["rate"], mean["mi"], color=colour, linestyle=dash, linewidth=1.8, label=f"λ = {lam:g}", zorder=2)
        ax.plot(mean["rate"].iloc[::dots], mean["mi"].iloc[::dots], "o", color=colour, markersize=3, zorder=2)
        ax.plot(*mean.iloc[-1], style_of(objective).marker, color=colour, **END)


def speeds(signals: ArrayLike, lines: Mapping[str, tuple[ArrayLike, Sequence[tuple[float, float]], str]]) -> Figure:
    """Growth rate of information against the signal, both logarithmic: name -> (rates, [(signal, measured), ...], style)."""
    fig, ax = plt.subplots(figsize=(6.6, 4.0))
    ends = []
    for (name, (rates, dots, key)), dash in zip(lines.items(), ("-", "-", (0, (5, 2)))):
        style = style_of(key)
        ax.plot(signals, rates, color=style.colour, linestyle=dash)
        ax.plot(*np.transpose(dots), style.marker, color=style.colour, markeredgecolor="white")
        ends.append((0, np.asarray(rates)[-1], name, style.colour))
    ax.set(xscale="log", yscale="log", xlim=(np.min(signals), np.max(signals)))
    ax.set(xlabel="signal Λ", ylabel="growth rate of information [1 / time]")
    label_ends(ax, ends, gap=0.075)
    return fig


def race(runs: Mapping[str, tuple[pd.DataFrame, str, str | tuple]], c: float) -> Figure:
    """A few runs in the (R, I) plane, smoothed, left, and their information over the steps, right.

    label -> (measurements with rate, mi and step, key of the style, dash).
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(10.6, 4.3), width_ratios=[1.15, 1])
    widest, highest = (max(history[column].max() for history, *_ in runs.values()) for column in ("rate", "mi"))
    plane(left, 1.15 * widest, max(4.0, 1.1 * highest), rate_target=c, information_target=c, word_at=None)
    left.grid(False)
    ends = []
    for label, (history, key, dash) in runs.items():
        style = style_of(key)
        smooth = history[["rate", "mi"]].rolling(3, min_periods=1, center=True).mean()
        left.plot(smooth["rate"], smooth["mi"], color=style.colour, linestyle=dash)
        left.plot(*smooth.iloc[-1], style.marker, color=style.colour, **END)
        right.plot(history["step"], history["mi"], color=style.colour, linestyle=dash)
        ends.append((0, history["mi"].iloc[-1], label, style.colour))
    right.set(xlabel="training step", ylabel="information $I_q$ [nats]", ylim=left.get_ylim(), xlim=(0, None))
    right.axhline(c, color=MIST, linewidth=1, linestyle=":")
    label_ends(right, ends, gap=0.075)
    return fig


def road(runs: Mapping[str, pd.DataFrame], c: float, size: float, top: float | None = None) -> Figure:
    """The two hinges side by side in the (R, I) plane: objective -> measurements of its runs (see `paths`)."""
    fig, axes = plt.subplots(1, 2, figsize=(10.4, 4.9), sharey=True)
    for ax, (objective, table) in zip(axes, runs.items()):
        plane(ax, size, top, rate_target=c, information_target=c, word_at=None)
        paths(ax, table, objective)
        ax.grid(False)
        ax.set_title(HINGES[objective])
        ax.legend(loc="upper left", title="at β = 1", alignment="left")
    axes[1].set_ylabel("")
    return fig


def held(studies: Mapping[str, pd.DataFrame], c: float, most: float = 6.0) -> Figure:
    """Rate (light bar), information (dark bar) and saved distortion (diamond) of every method, a panel a study.

    studies: title -> runs as klcourse.studies.from_elbo gives them, means over seeds are drawn. The order is that
    of the information in the first study. Bars longer than `most` are cut, with their length written in.
    """
    means = {title: t.groupby("method", sort=False)[["rate", "mi", "saved"]].mean() for title, t in studies.items()}
    first = next(iter(means.values()))
    order = list(first["mi"].sort_values().index)
    order = [m for m in dict.fromkeys(m for t in means.values() for m in t.index) if m not in order] + order
    fig, axes = plt.subplots(1, len(means), figsize=(5.3 * len(means), 0.29 * len(order) + 1.3), sharey=True)
    for ax, (title, table) in zip(np.atleast_1d(axes), means.items()):
        at = [order.index(method) for method in table.index]
        ax.barh(at, table["rate"].clip(upper=most), color="#d4dde6", height=0.74, label="rate R")
        ax.barh(at, table["mi"].clip(upper=most), color=BLUE, height=0.4, label="information $I_q$")
        ax.plot(table["saved"], at, "D", color=ORANGE, markersize=5, label="distortion saved", zorder=3)
        for y, rate in zip(at, table["rate"]):
            if rate > most:
                ax.text(most, y, f" {rate:.1f}", va="center", fontsize=9.5)
        ax.axvline(c, color=GREY, linewidth=1, linestyle=":")
        ax.axvline(0, color="#808080", linewidth=0.8)
        ax.set(title=title, xlabel="nats", ylim=(-0.6, len(order) - 0.4))
        ax.grid(False, axis="y")
    np.atleast_1d(axes)[0].set_yticks(range(len(order)), order)
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return fig


def against_lam(studies: Mapping[str, pd.DataFrame], rows: Mapping[str, str], c: float) -> Figure:
    """Both hinges over lam, a column a study, a row a metric (column -> label): every seed a point, means joined.

    studies: title -> runs as klcourse.studies.settings gives them. The side lam > beta = 1 is shaded.
    """
    size = (3.6 * len(studies), 2.4 * len(rows) + 0.6)
    fig, axes = plt.subplots(len(rows), len(studies), figsize=size, sharex=True, sharey="row", squeeze=False)
    for column, (title, table) in zip(axes.T, studies.items()):
        for ax, metric in zip(column, rows):
            ax.axvspan(1.0, 8, color="#f3f3f3", zorder=0)
            for name, objective, shift in (("hinge on R", "rate-hinge", 0.97), ("hinge on I", "info-hinge", 1.03)):
                runs, style = table[table["name"] == name].dropna(subset=[metric]), style_of(objective)
                if runs.empty:
                    continue
                mean = runs.groupby("lam")[metric].mean()
                ax.plot(mean.index * shift, mean, color=style.colour, linestyle=style.dash, linewidth=1.6)
                ax.plot(runs["lam"] * shift, runs[metric], style.marker, color=style.colour, markersize=5.5, alpha=0.75)
            if metric in ("mi", "rate"):
                ax.axhline(c, color=GREY, linewidth=1, linestyle=":")
            else:
                ax.axhline(0, color=GREY, linewidth=1)
            ax.set(xscale="log", xlim=(0.65, 4.7))
            ax.set_xticks([0.75, 1, 2, 4], ["¾", "1", "2", "4"], minor=False)
            ax.set_xticks([], minor=True)
        column[0].set_title(title)
        column[-1].set_xlabel("penalty weight λ (β = 1)")
    for ax, label in zip(axes[:, 0], rows.values()):
        ax.set_ylabel(label)
    handles = [
        plt.Line2D([], [], color=style_of(o).colour, marker=style_of(o).marker, label=name) for o, name in HINGES.items()
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=2)
    return fig

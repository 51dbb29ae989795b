"""Figures of notebook 10: beta, the rate-distortion curve, and what the rate is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from klcourse.exact.ppca import PPCA
from klcourse.plots import GREEN


def tangents(curve: PPCA, betas: Sequence[float], top: float) -> Figure:
    """D(R) with the optimum of each beta as a dot, and the line of slope -beta that touches it there."""
    fig, ax = plt.subplots(figsize=(7.2, 4.3))
    rates = np.linspace(0, top, 400)
    values = np.asarray(curve.distortion(rates))
    span = values[0] - values[-1]
    ax.plot(rates, values, color="black", zorder=2)
    ax.set(
        xlabel="rate R [nats]",
        ylabel="distortion D [nats]",
        xlim=(0, top),
        ylim=(values[-1] - 0.1 * span, values[0] + 0.08 * span),
    )
    for beta, colour in zip(betas, plt.get_cmap("viridis")(np.linspace(0.62, 0.05, len(betas)))):
        rate = curve.rate(beta)
        d = float(curve.distortion(rate))
        reach = min(0.17 * top, 0.28 * span / beta)
        line = np.array([max(rate - reach, 0.0), rate + reach])
        ax.plot(line, d - beta * (line - rate), color=colour, linewidth=2.6, zorder=3)
        ax.plot(rate, d, "o", color=colour, zorder=4, clip_on=False)
        ax.annotate(f"β = {beta:g}", (rate, d), xytext=(9, 9), textcoords="offset points", color=colour)
    return fig


def stacked(ax: Axes, x: ArrayLike, parts: Mapping[str, tuple[ArrayLike, str]]) -> None:
    """Areas on top of one another, first at the bottom: name -> (values, colour)."""
    x = np.asarray(x, float)
    values = np.array([v for v, _ in parts.values()], float)
    colours = [colour for _, colour in parts.values()]
    ax.stackplot(x, values, colors=colours, alpha=0.85, linewidth=0)
    ax.plot(x, values.sum(0), color="black", linewidth=1.6)
    ax.set(xlim=(x[0], x[-1]), ylim=(0, 1.05 * values.sum(0).max()))


def two_prices(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike, str, str]],
    named: Sequence[float],
    at: Mapping[str, tuple[float, float]],
) -> Figure:
    """I_q against total correlation: curves are name -> (betas, TC, I, colour, marker), named at `at`."""
    fig, ax = plt.subplots(figsize=(7.2, 4.2))
    for name, (betas, tc, mi, colour, marker) in curves.items():
        betas, tc, mi = (np.asarray(part, float) for part in (betas, tc, mi))
        ax.plot(tc, mi, color=colour, marker=marker, markersize=6)
        for beta in named:
            k = int(np.argmin(abs(betas - beta)))
            shift = (9, -1 if mi[k] < 0.1 else -14)
            ax.annotate(
                f"β = {betas[k]:g}", (tc[k], mi[k]), xytext=shift, textcoords="offset points", color=colour, fontsize=10
            )
        ax.text(*at[name], name, color=colour, weight="bold")
    ax.annotate(
        "β = 1:\nthe ELBO", (np.asarray(tc)[0], np.asarray(mi)[0]), xytext=(0, -34), textcoords="offset points", ha="center"
    )
    ax.set(
        xlabel="total correlation of q(z) [nats]",
        ylabel="information $I_q(x;z)$ [nats]",
        xlim=(-0.006, 0.315),
        ylim=(-0.03, 1.2),
    )
    return fig


def measured_curve(rates: ArrayLike, distortions: ArrayLike, betas: ArrayLike, named: Sequence[float]) -> Figure:
    """Measured (R, D), one entry a run; each beta's mean has a short line of slope -beta that should touch the curve.

    Several runs with one beta, seeds, are small dots around their mean.
    """
    rates, distortions, betas = (np.asarray(part, float) for part in (rates, distortions, betas))
    fig, ax = plt.subplots(figsize=(7.2, 4.3))
    each = np.unique(betas)
    if len(each) < len(betas):
        ax.plot(rates, distortions, ".", color=GREEN, markersize=5, alpha=0.6, zorder=2)
    rates, distortions = (np.array([part[betas == beta].mean() for beta in each]) for part in (rates, distortions))
    order = np.argsort(rates)
    ax.plot(rates[order], distortions[order], color="#c0c0c0", linewidth=1.2, zorder=1)
    width, height = np.ptp(rates), np.ptp(distortions)
    for r, d, beta in zip(rates, distortions, each):
        reach = 0.09 / np.hypot(1 / width, beta / height)  # the same length on paper for every slope
        ends = np.array([max(r - reach, 0.0), r + reach])
        ax.plot(ends, d - beta * (ends - r), color=GREEN, linewidth=2.4)
        ax.plot(r, d, "D", color=GREEN, markersize=6, markeredgecolor="white", zorder=3)
        if beta in named:
            ax.annotate(f"β = {beta:g}", (r, d), xytext=(10, 7), textcoords="offset points")
    ax.set(xlabel="rate R [nats]", ylabel="distortion D [nats]", xlim=(-0.02 * width, None))
    return fig

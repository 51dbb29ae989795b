"""Figures of notebook 03: what cannot be had, the parts of a rate, the Jensen gap, when collapse pays, one collapse."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from klcourse.exact.linear_gaussian import LinearGaussianVAE
from klcourse.plots import BLUE, DARK, GREY, INFORMATION, ORANGE, SHADE, WASTE, mark_guess, plane, style_of


def wish(rate: ArrayLike, mi: ArrayLike, top: float = 1.2) -> Figure:
    """Rate and information of encoders, the impossible half (grey), the article's ideal on the I axis."""
    fig, ax = plt.subplots(figsize=(5.4, 4.7))
    plane(ax, top, word_at=(0.16, 0.63))
    ax.plot(rate, mi, ".", color=BLUE, markersize=3, alpha=0.5)
    ax.plot([0, 0], [0.02 * top, top], color=ORANGE, linewidth=5, clip_on=False, solid_capstyle="butt", zorder=4)
    ax.plot(0, 0, style_of("elbo").marker, color=style_of("elbo").colour, markersize=9, clip_on=False, zorder=5)
    ax.text(0.04 * top, 0.93 * top, "the ideal: R = 0, I > 0", color=ORANGE, weight="bold")
    ax.annotate(
        "collapse:\nR = I = 0",
        (0, 0),
        (0.035 * top, 0.34 * top),
        color=style_of("elbo").colour,
        va="center",
        arrowprops={"arrowstyle": "-", "color": style_of("elbo").colour},
    )
    return fig


def same_rate(models: dict[str, LinearGaussianVAE]) -> Figure:
    """Encoders of x ~ N(0, 1), by name: posteriors of five x, their mixture q(z) and the prior; below, R as I_q and M."""
    fig, axes = plt.subplots(2, len(models), figsize=(9.6, 3.9), height_ratios=[4, 1], sharex="row", sharey="row")
    z = np.linspace(-3.2, 4.6, 600)

    def density(mean: float, variance: float) -> np.ndarray:
        return np.exp(-((z - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)

    for (name, model), (top, bar) in zip(models.items(), axes.T):
        for x in (-1.6, -0.8, 0.0, 0.8, 1.6):
            top.plot(z, density(float(model.v * x + model.m), float(model.s2)), color=BLUE, linewidth=1, alpha=0.6)
        mixed = density(float(model.m), float(model.v**2 + model.s2))
        top.fill_between(z, mixed, color=WASTE, alpha=0.25, linewidth=0)
        top.plot(z, mixed, color=WASTE, linewidth=2.5)
        top.plot(z, density(0, 1), color=DARK, linestyle=(0, (4, 2)), linewidth=2)
        top.set(title=name, yticks=[], xlabel="z")
        mi, waste = float(model.mi), float(model.marginal_kl)
        bar.barh(0, mi, color=BLUE)
        bar.barh(0, waste, left=mi, color=WASTE)
        for start, width, text in ((0, mi, "$I_q$"), (mi, waste, "$M$")):
            if width > 0.2:
                bar.text(
                    start + width / 2, 0, f"{text} = {width:.2f}", color="white", ha="center", va="center", weight="bold"
                )
        bar.set(yticks=[], xlabel="nats", xlim=(0, 1.05 * float(model.rate)))
        bar.grid(False)
    first = axes[0, 0]
    for height, text, colour in (
        (1.55, "q(z|x) of five x", BLUE),
        (1.3, "q(z), their mixture", WASTE),
        (1.05, "p(z), dashed", DARK),
    ):
        first.text(-3.1, height, text, color=colour)
    return fig


def jensen(strength: ArrayLike, log_p: float, expected: ArrayLike) -> Figure:
    """E_p(z) log p(x|z) below log p(x) as a decoder comes to use z more; the distance is the Jensen gap J."""
    strength, expected = np.asarray(strength), np.asarray(expected)
    fig, ax = plt.subplots(figsize=(7.2, 3.6))
    ax.fill_between(strength, expected, log_p, color=ORANGE, alpha=0.16, linewidth=0)
    ax.axhline(log_p, color=GREY, linewidth=1.5)
    ax.plot(strength, expected, color=BLUE)
    ax.plot(
        0,
        log_p,
        style_of("elbo").marker,
        color=style_of("elbo").colour,
        markersize=9,
        clip_on=False,
        zorder=4,
    )
    height = log_p - expected.min()
    ax.text(
        1.0,
        log_p + 0.03 * height,
        "log p(x), the same for every strength",
        ha="right",
        va="bottom",
        color=GREY,
    )
    ax.text(0.015, log_p + 0.03 * height, "decoder ignores z", va="bottom", color=style_of("elbo").colour)
    at = 0.8
    y = np.interp(at, strength, expected)
    ax.annotate("", (at, log_p), (at, y), arrowprops={"arrowstyle": "<->", "color": ORANGE})
    ax.text(at + 0.015, log_p - 0.15 * height, "Jensen gap J", va="center", color=ORANGE)
    ax.text(
        0.7,
        np.interp(0.7, strength, expected) - 0.05 * height,
        r"$E_{p(z)}\,\log\,p(x|z)$",
        ha="right",
        va="top",
        color=BLUE,
    )
    ax.set(
        xlim=(0, 1),
        ylim=(expected.min() - 0.03 * height, log_p + 0.2 * height),
        xlabel="how much the decoder uses z (0: not at all, 1: the table above)",
        ylabel="nats, mean over $p_D$",
    )
    return fig


def transition(signal: ArrayLike, rate: ArrayLike, found: tuple[ArrayLike, ArrayLike], guess: float | None = None) -> Figure:
    """The optimal rate against the signal-to-noise ratio (log axis): exact (line), by search (circles); a reader's guess."""
    signal = np.asarray(signal)
    fig, ax = plt.subplots(figsize=(7.2, 3.7))
    ax.axvspan(signal[0], 1, color=SHADE, linewidth=0)
    ax.plot(signal, rate, color=BLUE, zorder=3)
    ax.plot(*found, "o", color=BLUE, markerfacecolor="white", markersize=8, clip_on=False, zorder=4)
    ax.set_xscale("log")
    ax.set(
        xlim=(signal[0], signal[-1]),
        ylim=(0, None),
        xlabel="signal-to-noise ratio Λ/σ²",
        ylabel="rate at the optimum [nats]",
    )
    ticks = [0.25, 0.5, 1, 2, 4, 8, 16]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    top = ax.get_ylim()[1]
    ax.text(
        np.sqrt(signal[0]),
        0.5 * top,
        "the optimum ignores z:\nthe first nat buys\nless than one nat",
        color=GREY,
        ha="center",
        va="center",
    )
    ax.text(1.15, 0.85 * top, "the optimum uses z", color=BLUE, va="center")
    mark_guess(ax, guess)
    return fig


def live_collapse(
    probes: pd.DataFrame, history: pd.DataFrame, sketch: tuple[Sequence[float], Sequence[float]] | None = None
) -> Figure:
    """Above: rate and information against the step (log axis). Below: distortion, which falls anyway.

    `sketch` is the reader's prediction of the rate: steps, nats.
    """
    look = style_of("elbo")
    fig, (above, below) = plt.subplots(2, 1, figsize=(7.2, 5.2), sharex=True, height_ratios=[1.25, 1])
    above.plot(probes["step"], probes["rate"], color=look.colour)
    above.plot(probes["step"], probes["mi"], color=INFORMATION, linestyle=(0, (4, 2)))
    peak = probes.loc[probes["rate"].idxmax()]
    above.annotate(
        "rate R",
        (peak["step"], peak["rate"]),
        xytext=(8, -2),
        textcoords="offset points",
        color=look.colour,
        weight="bold",
    )
    above.text(
        0.97,
        0.14,
        "information $I_q$ (dashed)",
        transform=above.transAxes,
        ha="right",
        color=INFORMATION,
        weight="bold",
    )
    if sketch is not None:
        above.plot(*sketch, ":o", color=DARK, markerfacecolor="white", clip_on=False, zorder=5)
        last = sketch[0][-1], sketch[1][-1]
        above.annotate("your guess", last, (-8, 6), textcoords="offset points", ha="right", color=DARK)
    above.set(ylabel="nats per sentence", ylim=(min(0.0, 1.1 * probes["mi"].min()), None))
    below.plot(history["step"], history["distortion"], color=look.colour)
    below.text(0.98, 0.86, "distortion D", transform=below.transAxes, ha="right", color=look.colour, weight="bold")
    below.set(xlabel="training step (log axis)", ylabel="nats per sentence", xscale="log")
    below.set_xlim(probes["step"].iloc[0], probes["step"].iloc[-1])
    ticks = [t for t in (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if t <= probes["step"].iloc[-1]]
    below.set_xticks(ticks, [str(t) for t in ticks])
    below.minorticks_off()
    return fig

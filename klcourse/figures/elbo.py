"""Figures of notebook 01: the bound, the gap, and what the two terms of the ELBO trade."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from klcourse.plots import BLUE, GREY, ORANGE, SHADE, mark_guess, style_of

BOX = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5}  # behind words on dots


def bound(
    q: ArrayLike, elbo: ArrayLike, log_px: float, posterior: float, event: str, code: str, guess: float | None = None
) -> Figure:
    """The ELBO of one observation against the encoder's one free number q(code|event), below log p(event).

    `guess` is where the reader expects the two to touch.
    """
    q, elbo = np.asarray(q), np.asarray(elbo)
    fig, ax = plt.subplots(figsize=(7.2, 4.0))
    ax.fill_between(q, elbo, log_px, color=ORANGE, alpha=0.16, linewidth=0)
    ax.axhline(log_px, color=GREY, linewidth=1.5)
    ax.plot(q, elbo, color=BLUE)
    ax.plot(posterior, log_px, "o", color=BLUE, markersize=9, zorder=4)
    low = elbo.min()
    height = log_px - low
    ax.text(0.995, log_px + 0.02 * height, f"log p({event}) = {log_px:.3f}", ha="right", va="bottom", color=GREY)
    ax.annotate(
        f"exact posterior,\np({code}|{event}) = {posterior:.3f}",
        (posterior, log_px),
        (posterior + 0.03, log_px + 0.2 * height),
        color=BLUE,
        arrowprops={"arrowstyle": "-", "color": BLUE},
        va="center",
    )
    at = 0.6
    ax.annotate("", (at, log_px), (at, np.interp(at, q, elbo)), arrowprops={"arrowstyle": "<->", "color": ORANGE})
    ax.text(at + 0.015, log_px - 0.16 * height, "gap = KL(q || posterior)", color=ORANGE, va="center")
    ax.text(
        0.86,
        np.interp(0.86, q, elbo) - 0.03 * height,
        "ELBO",
        color=BLUE,
        ha="right",
        va="top",
        weight="bold",
    )
    ax.set(
        xlim=(0, 1),
        ylim=(low - 0.05 * height, log_px + 0.32 * height),
        xlabel=f"encoder's belief q({code}|{event})",
        ylabel="nats",
    )
    mark_guess(ax, guess, at=0.1)
    return fig


def posterior_guesses(
    posterior: tuple[float, float], guesses: Mapping[str, tuple[float, float]], notes: Mapping[str, str]
) -> Figure:
    """One panel a guess: the true posterior (grey) and q, both (mean, variance); `notes` go in the title."""
    fig, axes = plt.subplots(1, len(guesses), figsize=(2.75 * len(guesses), 3.2), sharex=True, sharey=True)
    z = np.linspace(-2.6, 3.4, 500)

    def density(mean: float, variance: float) -> np.ndarray:
        return np.exp(-((z - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)

    for ax, (name, guess) in zip(np.atleast_1d(axes), guesses.items()):
        ax.fill_between(z, density(*posterior), color="#d9d9d9", linewidth=0)
        ax.plot(z, density(*guess), color=BLUE)
        ax.set_title(f"{name}\n{notes[name]}", fontsize=11.5)
        ax.set(xlabel="z", yticks=[])
        ax.grid(False)
        ax.spines["left"].set_visible(False)
    first, guess = np.atleast_1d(axes)[0], next(iter(guesses.values()))
    first.set_ylim(0, None)
    first.text(posterior[0] + 0.75, 0.62, "true\nposterior", color=GREY, fontsize=10.5)
    first.text(guess[0] - 0.5, 0.62, "q", ha="right", color=BLUE, weight="bold")
    return fig


def trade_off(
    rates: ArrayLike,
    distortions: ArrayLike,
    best: tuple[float, float],
    random: tuple[ArrayLike, ArrayLike],
    guess: float | None = None,
) -> Figure:
    """D against R, nats: the best curve D(R), random models, the line of equal ELBO through `best`; the reader's R."""
    rates, distortions = np.asarray(rates), np.asarray(distortions)
    fig, ax = plt.subplots(figsize=(7.2, 4.4))
    bottom, top = distortions[-1] - 0.45, distortions[0] + 0.75
    ax.fill_between(rates, bottom, distortions, color=SHADE, linewidth=0)
    ax.plot(*random, ".", color="#c4c4c4", markersize=3, zorder=1)
    ax.plot(rates, distortions, color=BLUE)
    total = sum(best)
    ax.plot(rates, total - rates, color=ORANGE, linewidth=1.5, linestyle=(0, (5, 2)))
    ax.plot(0, distortions[0], "s", color=BLUE, markersize=9, clip_on=False, zorder=5)
    ax.plot(*best, "o", color=ORANGE, markersize=10, zorder=5)
    ax.annotate(
        "the decoder ignores z: R = 0",
        (0, distortions[0]),
        (0.16, distortions[0] + 0.3),
        color=BLUE,
        va="center",
        arrowprops={"arrowstyle": "-", "color": BLUE},
        bbox=BOX,
    )
    ax.annotate(
        f"highest ELBO: D + R = {total:.2f}",
        best,
        (best[0] + 0.3, best[1] + 0.55),
        color=ORANGE,
        va="center",
        arrowprops={"arrowstyle": "-", "color": ORANGE},
        bbox=BOX,
    )
    ax.text(rates[-1], distortions[-1] - 0.04, "best possible D(R) ", color=BLUE, ha="right", va="top")
    ax.text(0.08, bottom + 0.14, "no model of this kind gets here", color=GREY)
    ax.set(xlim=(0, rates[-1]), ylim=(bottom, top), xlabel="rate R [nats]", ylabel="distortion D [nats]")
    mark_guess(ax, guess)
    return fig


def training(history: pd.DataFrame, guess: float | None = None) -> Figure:
    """Left the distortion, right the rate, both in nats per example against the epoch; the reader's guess of the rate."""
    style = style_of("elbo")
    fig, axes = plt.subplots(1, 2, figsize=(8.6, 3.4))
    for ax, column, name in zip(axes, ("distortion", "rate"), ("distortion D", "rate R")):
        ax.plot(history["epoch"], history[column], color=style.colour)
        ax.plot(
            history["epoch"].iloc[-1],
            history[column].iloc[-1],
            style.marker,
            color=style.colour,
            clip_on=False,
        )
        ax.set(title=name, xlabel="epoch", ylabel="nats per digit", xlim=(0, None))
    axes[1].set_ylim(0, max(axes[1].get_ylim()[1], 1.08 * (guess or 0)))
    mark_guess(axes[1], guess, "y")
    return fig

"""Figures of notebook 09: what the theorems say, drawn from the exact models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from numpy.typing import ArrayLike

from klcourse.exact.channels import LinearModel
from klcourse.exact.equilibria import equilibria
from klcourse.games import PayoffTable, replicator
from klcourse.plots import AMBER, BLUE, DARK, GREEN, GREY, MIST, ORANGE, WASTE, label_ends, plane

STARTS = ((0.15, 0.45), (0.3, 0.85), (0.5, 0.2), (0.6, 0.62), (0.85, 0.35), (0.9, 0.9), (0.2, 0.12))


def learning_paths(ax: Axes, game: PayoffTable, title: str, starts: Sequence[tuple[float, float]] = STARTS) -> None:
    """Replicator paths of a 2 x 2 game in the square of both players' mixtures; pure equilibria are stars."""
    times = np.linspace(0, 14, 700)
    for a, b in starts:
        x, y = replicator(game, [1 - a, a], [1 - b, b], times)
        ax.plot(y[:, 1], x[:, 1], color=BLUE, linewidth=1.8)
        ax.plot(b, a, "o", color=DARK, markersize=6)
        k = 40
        ax.annotate(
            "",
            (y[k + 6, 1], x[k + 6, 1]),
            (y[k, 1], x[k, 1]),
            arrowprops={"arrowstyle": "-|>", "color": BLUE, "mutation_scale": 18},
        )
    for found in game.equilibria():
        ax.plot(found.col, found.row, "*", color=ORANGE, markersize=24, markeredgecolor="white", clip_on=False, zorder=5)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=[0, 1], yticks=[0, 1], title=title)
    ax.set_aspect("equal")
    ax.grid(False)


def price_of_silence(lam: float, c: float, beta: float, top: float) -> Figure:
    """What B pays while A is deaf, over the (R, I) plane, for both hinges; where it is least is drawn in orange."""
    fig, axes = plt.subplots(1, 2, figsize=(11.0, 4.9), layout="constrained")
    rate, mi = np.meshgrid(np.linspace(0, top, 400), np.linspace(0, top, 400))
    for ax, bought, name in zip(axes, (rate, mi), ("hinge on the rate R", "hinge on the information I")):
        price = beta * rate + lam * np.maximum(c - bought, 0) - min(lam, beta) * c
        shown = np.where(mi <= rate, price, np.nan)
        levels = np.arange(0, np.nanmax(shown) + 0.25, 0.25)
        bands = ax.contourf(rate, mi, shown, levels=levels, cmap="Greys", vmin=-0.3, vmax=2 * levels[-1])
        ax.contour(rate, mi, shown, levels=levels, colors=MIST, linewidths=0.8)
        plane(ax, top, top, word_at=(0.04, 0.94))
        ax.set_aspect("equal")
        ax.set(title=name, xticks=np.arange(0, top, 0.5), yticks=np.arange(0, top, 0.5))
        ax.grid(False)
    bar = fig.colorbar(bands, ax=axes, label="paid above the least [nats]", shrink=0.85)
    bar.set_ticks([float(level) for level in np.arange(0, levels[-1], 0.5)])
    left, right = axes
    left.plot([c, c], [0, c], color=ORANGE, linewidth=7, solid_capstyle="round", clip_on=False, zorder=5)
    left.text(c + 0.06, 0.3 * c, "all of these\nare best", color="#8A3B00", weight="bold")
    right.plot(c, c, "o", color=ORANGE, markersize=17, zorder=5)
    right.text(c + 0.1, 0.9 * c, "only this one", color="#8A3B00", weight="bold", va="top")
    for ax in axes:
        ax.plot(0, 0, "X", color=DARK, markersize=14, markeredgecolor="white", clip_on=False, zorder=6)
    return fig


def equilibria_over_lam(
    data_var: float, beta: float, c: float, lams: ArrayLike, found: Mapping[str, Sequence[tuple[float, float]]], top: float
) -> Figure:
    """Information of every equilibrium against lam, for both hinges: lines are the list, circles what the search found.

    `found` maps "rate" and "mi" to points (lam, I_q).
    """
    fig, axes = plt.subplots(1, 2, figsize=(11.6, 4.4), sharey=True)
    lams = np.asarray(lams, float)
    titles = {"rate": "hinge on the rate R", "mi": "hinge on the information I"}
    for ax, on in zip(axes, ("rate", "mi")):
        if on == "mi":
            ax.axvspan(beta, lams[-1], color=GREEN, alpha=0.2, linewidth=0)
            ax.text(0.5 * (beta + lams[-1]), 0.55 * c, "the theorem", ha="center", color="#00543D", weight="bold")
        pairs = [equilibria(data_var, 1.0, float(lam), c, beta, on).informative for lam in lams]
        ax.plot(lams, [np.nan if p is None else float(p.mi) for p in pairs], color=BLUE, linewidth=3)
        ax.plot([0, beta], [0, 0], color=DARK, linewidth=4, clip_on=False)
        ax.text(0.22 * beta, 0.03 * top, "collapse", ha="center", va="bottom", color=DARK, weight="bold")
        if on == "rate":
            ax.plot([beta, lams[-1]], [0, 0], color=WASTE, linewidth=6, clip_on=False)
            ax.text(
                0.5 * (beta + lams[-1]),
                0.03 * top,
                "waste: R = c, I = 0",
                ha="center",
                va="bottom",
                color=WASTE,
                weight="bold",
            )
        x, y = np.array(found[on]).T
        ax.plot(x, y, "o", markerfacecolor="none", markeredgecolor="black", markersize=10, clip_on=False, zorder=5)
        ax.axvline(beta, color=GREY, linewidth=1, linestyle=":")
        ax.text(beta, top, " λ = β", va="top", color=GREY)
        ax.set(xlim=(0, lams[-1]), ylim=(0, top), xlabel="penalty weight λ", title=titles[on])
        ax.grid(False)
    axes[0].set_ylabel("information I of the equilibrium [nats]")
    axes[0].text(0.98 * lams[-1], 1.04 * c, "informative pair", ha="right", color=BLUE, weight="bold")
    return fig


def two_latents(sigma: np.ndarray, models: Mapping[str, LinearModel]) -> Figure:
    """For each model the decoder's two columns over the data, and the covariance of q(z) against that of the prior."""
    fig, axes = plt.subplots(2, len(models), figsize=(5.2 * len(models), 6.6), height_ratios=[1.15, 1], layout="constrained")
    for (title, model), (top, bottom) in zip(models.items(), axes.T):
        for scale in (1, 2):
            widths = 2 * scale * np.sqrt(np.diag(sigma))
            top.add_patch(Ellipse((0, 0), *widths, facecolor=MIST, alpha=0.35, linewidth=0))
        for column, colour in zip(model.W.T, (BLUE, ORANGE)):
            top.annotate("", column, (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 3})
        top.set(xlim=(-4.3, 4.3), ylim=(-2.4, 2.4), title=title, xlabel="x₁", ylabel="x₂")
        values, turn = np.linalg.eigh(model.aggregate(sigma))
        angle = float(np.degrees(np.arctan2(turn[1, -1], turn[0, -1])))
        bottom.add_patch(Ellipse((0, 0), 2, 2, facecolor=MIST, alpha=0.6, linewidth=0))
        size = 2 * np.sqrt(values[::-1])
        bottom.add_patch(Ellipse((0, 0), *size, angle=angle, facecolor="none", edgecolor=GREEN, linewidth=3))
        bottom.set(xlim=(-2.2, 2.2), ylim=(-1.4, 1.4), xlabel="z₁", ylabel="z₂")
        for ax in (top, bottom):
            ax.set_aspect("equal")
            ax.grid(False)
    axes[1, 0].text(1.15, -1.1, "prior", color=GREY)
    axes[1, 0].text(1.15, 0.9, "q(z)", color="#00543D", weight="bold")
    return fig


def waste_needed(rates: np.ndarray, least: np.ndarray, targets: ArrayLike, stars: Mapping[str, ArrayLike]) -> Figure:
    """Left: the least D at exactly each rate. Right: lam*(c) without and with a way to waste rate, beta = 1."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(11.6, 4.3))
    left.plot(rates, least, color=DARK, linewidth=3)
    left.plot(rates, np.minimum.accumulate(least), color=GREEN, linewidth=3, linestyle=(0, (2, 1.2)))
    left.set(xlim=(0, rates[-1]), ylim=(0, None), xlabel="rate R [nats]", ylabel="least distortion D [nats]")
    left.text(1.62, 0.47, "at exactly\nthis rate", color=DARK, va="top")
    left.text(1.45, 0.035, "with a spare latent", color="#00543D")
    for (name, values), colour, dash in zip(stars.items(), (DARK, GREEN), ("-", (0, (2, 1.2)))):
        right.plot(targets, values, color=colour, linewidth=3, linestyle=dash, label=name)
    right.axhline(1, color=GREY, linewidth=1, linestyle=":")
    right.text(0.06, 1.06, "λ = β", color=GREY, va="bottom")
    right.set(xlim=(0, rates[-1]), ylim=(0, 6), xlabel="target c [nats]", ylabel="λ*(c)")
    right.text(1.5, 3.4, "no way to waste", color=DARK)
    right.text(1.34, 0.52, "with a spare latent", color="#00543D")
    return fig


def small_threshold(betas: ArrayLike, lowest: ArrayLike, rates: ArrayLike, s0: float) -> Figure:
    """A model of 3 bits: the lowest eigenvalue of the Hessian at collapse, and the rate that training ends with."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(11.0, 3.9))
    left.plot(betas, lowest, "o-", color=BLUE)
    left.axhline(0, color=GREY, linewidth=1)
    left.set(xlabel="β", ylabel="lowest eigenvalue at collapse")
    right.plot(betas, rates, "s-", color=ORANGE)
    right.set(xlabel="β", ylabel="rate after training [nats]")
    for ax in (left, right):
        ax.axvline(s0, color=DARK, linestyle="--", linewidth=2)
        ax.text(s0, ax.get_ylim()[1], " s(0)", va="top", color=DARK, weight="bold")
    return fig


def digits_threshold(values: ArrayLike, first: ArrayLike, runs: pd.DataFrame) -> Figure:
    """Rates of trained VAEs over beta, the threshold of every eigenvalue, and the direction that opens first as a picture.

    `values` are eigenvalues of the pixel correlation matrix, `first` (784,) the direction of the largest; `runs` has beta
    and train_rate, a row a run.
    """
    values = np.sort(np.asarray(values, float))[::-1]
    fig, (ax, picture) = plt.subplots(1, 2, figsize=(11.6, 4.5), width_ratios=[2.3, 1], layout="constrained")
    ax.plot(runs["beta"], runs["train_rate"], "o", color=GREEN, markersize=8, alpha=0.8, zorder=4)
    beta = np.geomspace(6, 0.999 * values[0], 300)
    guide = 0.5 * np.log(np.maximum(values[:, None] / beta, 1)).sum(0)
    ax.plot(beta, guide, color=AMBER, linestyle=(0, (5, 2)))
    ax.axvspan(values[0], 70, color=DARK, alpha=0.12, linewidth=0)
    ax.axvline(values[0], color=DARK, linestyle="--", linewidth=2)
    ax.set(xscale="log", yscale="log", xlim=(6, 70), ylim=(3e-4, 8), xlabel="β", ylabel="rate R on the training data [nats]")
    ax.set_xticks([7, 10, 15, 20, 30, 40, 60], [str(b) for b in (7, 10, 15, 20, 30, 40, 60)])
    ax.minorticks_off()
    ax.text(values[0] * 1.03, 4.5, f"s(0) = {values[0]:.1f}:\ncollapse is stable", color=DARK, va="top")
    ax.text(6.3, 1.0, "guide: ½ Σ ln(eigenvalue / β)", color="#7A5500", va="top")
    shape = np.asarray(first, float).reshape(28, 28)
    reach = float(abs(shape).max())
    picture.imshow(shape, cmap="RdBu_r", vmin=-reach, vmax=reach)
    picture.set(title="what opens first", xticks=[], yticks=[])
    picture.grid(False)
    return fig


def strong_decoders(memory: Mapping[str, Sequence[float]], trained: pd.DataFrame) -> Figure:
    """Left: s(0) of exact autoregressive decoders against how far back they see. Right: s(0) and rate of trained ones.

    `trained` has decoder, s0, error and rate, a row a seed.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(11.8, 4.4), layout="constrained")
    for (name, values), colour, marker in zip(memory.items(), (BLUE, GREEN), ("o", "s")):
        left.plot(range(len(values)), values, marker + "-", color=colour, label=name)
    left.axhline(1, color=DARK, linestyle="--", linewidth=1.5)
    left.legend(frameon=False, loc="upper left")
    left.set(xlabel="symbols the decoder sees back, of 8", ylabel="s(0)", ylim=(0.86, 2.35))
    left.text(0, 0.98, "β = 1", color=DARK, va="top")
    beside = {"mlp": 12.0, "ar": 6.0, "lstm": 3.2}  # where the names stand
    looks = {
        "mlp": (GREEN, "D", "MLP, digits"),
        "ar": (BLUE, "s", "PixelCNN, digits"),
        "lstm": (ORANGE, "^", "LSTM, sentences"),
    }
    right.axvspan(0.7, 1, color=DARK, alpha=0.12, linewidth=0)
    for decoder, (colour, marker, name) in looks.items():
        rows = trained[trained["decoder"] == decoder]
        right.errorbar(
            rows["s0"], rows["rate"], xerr=2 * rows["error"], fmt=marker, color=colour, markersize=9, linewidth=1.5, zorder=4
        )
        right.text(beside[decoder], float(rows["rate"].max()) * 1.7, name, color=colour, weight="bold", ha="center")
    right.axvline(1, color=DARK, linestyle="--", linewidth=1.5)
    right.text(0.97, 2e-4, "stable", rotation=90, ha="right", va="bottom", color=DARK)
    right.set(
        xscale="log",
        yscale="log",
        xlim=(0.7, 60),
        ylim=(1.5e-4, 80),
        xlabel="s(0), estimated without z",
        ylabel="rate R at β = 1 [nats]",
    )
    right.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    right.minorticks_off()
    return fig


def free_encoder(paths: pd.DataFrame, amortised: float) -> Figure:
    """Rate of a first latent while it is learnt with a code for every example: a colour a beta, a line a seed.

    `paths` has beta, seed, epoch, rate; `amortised` is the rate that the VAE with its usual encoder ends with at beta = 1.
    """
    fig, ax = plt.subplots(figsize=(8.4, 4.2))
    ends = []
    for (beta, rows), colour in zip(paths.groupby("beta"), (ORANGE, DARK)):
        for _, run in rows.groupby("seed"):
            ax.plot(run["epoch"], run["rate"], color=colour, linewidth=2.4)
        ends.append((float(rows["epoch"].max()), float(rows.groupby("seed")["rate"].last().mean()), f"β = {beta:g}", colour))
    ax.axhline(amortised, color=GREY, linewidth=1.5, linestyle=":")
    ax.text(
        0.42 * float(paths["epoch"].max()), amortised * 1.15, "the usual encoder at β = 1, trained", color=GREY, va="bottom"
    )
    ax.set(yscale="log", xlim=(0, paths["epoch"].max()), xlabel="epoch", ylabel="rate R [nats]")
    label_ends(ax, ends)
    return fig

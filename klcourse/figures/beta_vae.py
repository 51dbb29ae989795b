"""Figures of notebook 10: beta, the rate-distortion curve, and what the rate is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from klcourse.exact.ppca import PPCA
from klcourse.plots import AMBER, BLUE, GREEN, GREY, PINK, label_ends, mark_guess, style_of


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


def closing_latents(curve: PPCA, betas: ArrayLike) -> Figure:
    """The rate of each of five latents at the optimum, stacked, over beta (log axis); where each closes."""
    betas = np.asarray(betas, float)
    rates = np.array([curve.channels(curve.rate(beta)).rate for beta in betas])  # (betas, latents)
    fig, ax = plt.subplots(figsize=(7.2, 4))
    shades = plt.get_cmap("viridis")(np.linspace(0.1, 0.9, rates.shape[1]))
    ax.set(xscale="log", xlabel="β", ylabel="rate R [nats]")
    stacked(ax, betas, {f"latent {i + 1}": (rates[:, i], shade) for i, shade in enumerate(shades)})
    ax.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
    ax.minorticks_off()
    for i, closes in enumerate(curve.collapse_betas()):
        height = curve.rate(closes) + 0.35
        ax.plot([closes, closes], [0, height], color=GREY, linewidth=1)
        side = "left" if i > 1 else "center"
        ax.text(closes, height + 0.05, f" latent {i + 1} closes", ha=side, va="bottom", fontsize=10)
    ax.set_ylim(0, 4.9)
    return fig


def rate_and_its_parts(betas: ArrayLike, rate: ArrayLike, mi: ArrayLike, marginal_kl: ArrayLike) -> Figure:
    """R, I_q and M of the exact optimum of the two-code table over beta (log axis), nats."""
    fig, ax = plt.subplots(figsize=(7.2, 4))
    ax.set(xscale="log", xlabel="β", ylabel="nats", ylim=(0, 0.73), xlim=(0.01, 4))
    ax.plot(betas, rate, color="black")
    ax.plot(betas, marginal_kl, color=AMBER, linestyle="--")
    ax.plot(betas, mi, color=BLUE)
    ax.text(0.22, 0.45, "rate R", color="black")
    ax.text(0.012, 0.62, "M = KL(q(z) ‖ p(z))", color=AMBER)
    ax.text(0.05, 0.1, "information $I_q$", color=BLUE)
    ax.set_xticks([0.01, 0.1, 1, 4], ["0.01", "0.1", "1", "4"])
    return fig


def correlation_over_beta(worlds: Mapping[str, pd.Series]) -> Figure:
    """Total correlation over beta (log axis), a panel a world; each series is indexed by beta."""
    fig, axes = plt.subplots(1, len(worlds), figsize=(5.5 * len(worlds), 3.8))
    for ax, (name, line) in zip(axes, worlds.items()):
        ax.set(xscale="log", xlabel="β", title=name, ylim=(0, 1.15 * line.max()))
        ax.plot(line, color=AMBER)
        ax.set_xticks([0.2, 1, 10, 100], ["0.2", "1", "10", "100"])
    axes[0].set_ylabel("total correlation [nats]")
    return fig


def rate_and_information(decoders: Mapping[str, pd.DataFrame]) -> Figure:
    """R and the bounds of I_q over beta, a panel a decoder; thin lines are seeds, marks their means.

    Each table has beta, seed, rate, mi, mi_upper and mi_cap, a row a run; the first is the factorised decoder.
    """
    fig, axes = plt.subplots(1, 2, figsize=(11.2, 4.0))
    for ax, (title, runs) in zip(axes, decoders.items()):
        for _, one in runs.groupby("seed"):
            ax.plot(one["beta"], one["rate"], color="black", linewidth=0.7, alpha=0.5)
            ax.plot(one["beta"], one["mi"], color=BLUE, linewidth=0.7, alpha=0.5)
        mean = runs.groupby("beta")[["rate", "mi", "mi_upper"]].mean()
        upper = np.minimum(mean["mi_upper"], mean["rate"])
        ax.plot(mean["rate"], "o-", color="black")
        ax.fill_between(mean.index, mean["mi"], upper, color=BLUE, alpha=0.3, linewidth=0)
        ax.plot(mean["mi"], "s-", color=BLUE)
        ticks = [beta for beta in mean.index if beta not in (7, 15, 30, 0.7)]
        ax.set(xscale="log", xlabel="β", title=title, ylim=(0, None))
        ax.set_xticks(ticks, [f"{beta:g}" for beta in ticks])
        ax.minorticks_off()
    left, right = axes
    left.set_ylabel("nats")
    left.text(2.3, 11.5, "rate R")
    left.text(0.48, 3.4, "information $I_q$:\nbounds", color=BLUE)
    right.text(0.185, 5.4, "rate R")
    right.text(0.098, 0.5, "information $I_q$", color=BLUE)
    cap = next(iter(decoders.values()))["mi_cap"].iloc[0]
    left.axhline(cap, color=GREY, linewidth=1, linestyle=":")
    left.text(60, cap, f"cap log N = {cap:.1f}", color=GREY, ha="right", va="bottom")
    return fig


def held_over_beta(
    signal: PPCA, betas: ArrayLike, held: ArrayLike, lam: float, c: float, guess: float | None = None
) -> Figure:
    """The rate at the optimum over beta with the constraint (`held`) and without it; the reader's guess of its end."""
    plain, hinge = style_of("beta").colour, style_of("rate-hinge").colour
    fig, ax = plt.subplots(figsize=(7.2, 3.8))
    ax.set(xlabel="β", ylabel="rate at the optimum [nats]", ylim=(0, 2.4), xlim=(0, 16))
    ax.plot(betas, [signal.rate(beta) for beta in np.asarray(betas, float)], color=plain, linestyle="--")
    ax.plot(betas, held, color=hinge)
    ax.text(1.6, 1.55, "without the constraint", color=plain)
    ax.text(3.4, 1.06, f"with λ = {lam:g}, c = {c:g}", color=hinge)
    ends = ((0.0, "β = λ"), (float(signal.slope(c)), "β = λ + s(c)"), (float(signal.slope(0.0)), "β = λ + s(0)"))
    for beyond, text in ends:
        ax.axvline(lam + beyond, color=GREY, linewidth=1, linestyle=":")
        ax.text(lam + beyond, 2.35, f"{text} ", rotation=90, ha="right", va="top", color=GREY)
    mark_guess(ax, guess, at=0.08)
    return fig


def three_histories(plain: pd.DataFrame, same: pd.DataFrame, crossing: pd.DataFrame) -> Figure:
    """Rate over the steps of a plain run (β = 10), of one that equals it, and of one that passes its target."""
    wide, thin = style_of("beta").colour, style_of("rate-hinge").colour
    fig, ax = plt.subplots(figsize=(7.4, 3.8))
    ax.plot(plain["step"], plain["rate"], color=wide, linewidth=5, alpha=0.45)
    ax.plot(same["step"], same["rate"], color=thin)
    ax.plot(crossing["step"], crossing["rate"], color=AMBER, linestyle="--")
    ax.set(xlabel="training step", ylabel="rate [nats]", ylim=(0, None), xlim=(0, None))
    names = [
        (0.0, float(plain["rate"].iloc[-1]) * 0.8, "β = 10, and\nβ = 40, λ = 30, c = 5", thin),
        (0.0, float(crossing["rate"].iloc[-1]) * 1.6, "β = 40, λ = 30, c = 1", AMBER),
    ]
    label_ends(ax, names, gap=0.16)
    return fig


def two_prices(betas: ArrayLike, curves: Mapping[str, ArrayLike], named: Sequence[float] = (3, 20)) -> Figure:
    """I_q against total correlation of "β-VAE" and "β-TCVAE": for each beta a pair (I, TC), in nats."""
    looks = {"β-VAE": (GREEN, "D", (0.15, 0.52)), "β-TCVAE": (PINK, "v", (0.12, 1.08))}
    fig, ax = plt.subplots(figsize=(7.2, 4.2))
    betas = np.asarray(betas, float)
    for name, points in curves.items():
        colour, marker, at = looks[name]
        mi, tc = np.asarray(points, float).T
        ax.plot(tc, mi, color=colour, marker=marker, markersize=6)
        for beta in named:
            k = int(np.argmin(abs(betas - beta)))
            shift = (9, -1 if mi[k] < 0.1 else -14)
            ax.annotate(
                f"β = {betas[k]:g}", (tc[k], mi[k]), xytext=shift, textcoords="offset points", color=colour, fontsize=10
            )
        ax.text(*at, name, color=colour, weight="bold")
    ax.annotate("β = 1:\nthe ELBO", (tc[0], mi[0]), xytext=(0, -34), textcoords="offset points", ha="center")
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

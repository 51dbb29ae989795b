"""Figures of notebook 05: SLVAE's tilted prior, a run landing on it, and its two ways of training g."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.stats import norm

from klcourse.exact import selflabel
from klcourse.plots import ALTERNATING, DARK, label_ends, style_of

SL = style_of("sl")
"""g trained jointly; ALTERNATING is g trained as in the SLCVAE paper."""


def tilted_priors(ax: Axes, lams: Sequence[float], labels: Sequence[float]) -> None:
    """Densities of the tilted prior for each (lam, g), and of the prior."""
    z = np.linspace(-3.2, 3.2, 401)
    ax.fill_between(z, norm.pdf(z), color="#e0e0e0", linewidth=0)
    ax.text(-3.1, 0.09, "prior p(z)", color="#606060")
    shades = np.linspace(0.45, 1.0, len(lams)) if len(lams) > 1 else [1.0]
    for lam, shade in zip(lams, shades):
        for g in labels:
            mean, var = selflabel.tilted_prior(lam, g)
            density = norm.pdf(z, mean, np.sqrt(var))
            ax.plot(z, density, color=SL.colour, alpha=shade)
            ax.annotate(
                f"λ = {lam:g}",
                (mean, density.max()),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                va="bottom",
                color=SL.colour,
                fontsize=10,
            )
    for g in labels:
        ax.plot(g, 0, "^", color="black", markersize=9, clip_on=False, zorder=4)
        ax.annotate("g(x)", (g, 0), xytext=(8, 6), textcoords="offset points")
    ax.set_ylim(0, 1.09 * ax.get_ylim()[1])
    ax.set(xlim=(-3.2, 3.2), yticks=[], ylabel="density")


def landing(ax: Axes, history: pd.DataFrame, lam: float, d: int) -> None:
    """Rate and information of a training run against the closed form of the tilted prior."""
    predicted = float(selflabel.tilted_rate(lam, d))
    ax.axhline(predicted, color="black", linewidth=1.2, linestyle=(0, (2, 2)))
    ax.plot(history.step, history.rate, color=SL.colour)
    info = history.dropna(subset=["mi"])
    ax.plot(info.step, info.mi.clip(lower=0), color=SL.colour, linestyle=SL.dash, marker=SL.marker)
    top = max(1.45 * predicted, 1.07 * history.rate.max())
    ax.set(xlabel="training step", ylabel="nats", ylim=(-0.03 * predicted, top))
    ax.margins(x=0.01)
    label_ends(
        ax,
        [
            (0, predicted, "predicted rate", "black"),
            (0, history.rate.iloc[-1], "rate R", SL.colour),
            (0, max(info.mi.iloc[-1], 0.0), "information $I_q$", SL.colour),
        ],
        gap=0.07,
    )


def moved_threshold(ax: Axes, lams: Sequence[float], sigma2: float = 1.0) -> None:
    """Information at the optimum of the linear model with joint labels against the signal Lambda."""
    data_var = np.linspace(0.02, 2.2, 400)
    ends = []
    for lam, shade in zip(lams, np.linspace(0.45, 1.0, len(lams))):
        info = selflabel.joint_optimum(data_var, sigma2, lam).mi
        colour, name = (DARK, "ELBO (λ = 0)") if lam == 0 else (SL.colour, f"λ = {lam:g}")
        ax.plot(data_var, info, color=colour, alpha=1 if lam == 0 else shade)
        edge = float(selflabel.joint_collapse_variance(sigma2, lam))
        ax.plot(edge, 0, "o", color=colour, clip_on=False, zorder=3)
        ends.append((2.2, float(info[-1]), name, colour))
    ax.set(xlabel="signal Λ / σ²", ylabel="information $I_q$ at the optimum [nats]")
    ax.set(xlim=(0, 2.2), ylim=(0, None))
    label_ends(ax, ends, gap=0.07)


def joint_and_alternating(rate_ax: Axes, info_ax: Axes, rows: pd.DataFrame, d: int) -> None:
    """Rate (log scale), with the closed form, and information against lam for both ways of training g."""
    lams = np.geomspace(0.8 * rows.lam.min(), 1.25 * rows.lam.max(), 100)
    rate_ax.plot(lams, selflabel.tilted_rate(lams, d), color="black", linewidth=1.4, linestyle=(0, (2, 2)))
    for label, colour, marker in (("joint", SL.colour, SL.marker), ("alternating", ALTERNATING, "o")):
        one = rows[rows.label == label]
        mean = one.groupby("lam")[["rate", "mi"]].mean()
        for ax, column in ((rate_ax, "rate"), (info_ax, "mi")):
            ax.plot(mean.index, mean[column], color=colour, linewidth=1.2, alpha=0.6)
            ax.plot(one.lam, one[column], marker, color=colour, linestyle="none", alpha=0.85)
    for ax in (rate_ax, info_ax):
        ax.set_xscale("log")
        ax.set_xticks(sorted(rows.lam.unique()), [f"{lam:g}" for lam in sorted(rows.lam.unique())])
        ax.minorticks_off()
        ax.set_xlabel("λ")
    rate_ax.set_yscale("log")

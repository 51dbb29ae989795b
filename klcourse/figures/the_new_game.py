"""Figures of notebook 08: where conditions (5), (6) hold, and where the equilibria of the new game are."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from klcourse.exact import linear_gaussian
from klcourse.exact.linear_gaussian import Array, LinearGaussianVAE
from klcourse.games import Quantities
from klcourse.plots import CONDITION, MIST, WASTE, style_of

HINGE = style_of("rate-hinge")


def gap_plane(ax: Axes, trained: Sequence[Quantities], untrained: Sequence[Quantities], lam: float, c: float) -> None:
    """The (J, G) plane of decoders with I_p >= c: where (5) holds, and where B stays at the target cell."""
    top = 1.9 * lam * c
    edge = lam * c
    ax.axvspan(0, edge, color=CONDITION, alpha=0.28, linewidth=0)
    corners = [0, edge, edge, 0], [0, edge, top, top]
    ax.fill(*corners, facecolor="none", hatch="//", edgecolor="#b59a62", linewidth=0)
    ax.plot([0, top], [0, top], color="#404040", linewidth=1.4)
    for points, marker, colour in ((untrained, "o", "#808080"), (trained, HINGE.marker, HINGE.colour)):
        ax.plot(
            [x.J for x in points], [x.G for x in points], marker, color=colour, markersize=4, alpha=0.65, linestyle="none"
        )
    ax.text(edge / 2, 1.015 * top, "(5) holds: J < λc", color="#7A5500", ha="center", va="bottom")
    for y, text, colour in (
        (0.86, "B stays:  G > J\n(hatched: and (5) holds)", "#404040"),
        (0.55, "random encoders", "#606060"),
        (0.13, "fitted encoders", HINGE.colour),
    ):
        ax.text(1.02, y, text, color=colour, transform=ax.transAxes, va="center")
    ax.set(
        xlim=(0, top),
        ylim=(0, top),
        xlabel="J: what listening to noise costs A [nats]",
        ylabel="G: what B's encoder lacks [nats]",
    )
    ax.grid(False)


def jensen_gap(w: Array, data_var: float, sigma2: float = 1.0) -> Array:
    """J = E log p(x) - E_p(z) E log p(x|z) of the decoder N(wz, sigma2), nats: the left side of (5)."""
    # With q = p the ELBO is E_p(z) log p(x|z).
    decoder = LinearGaussianVAE(w, 0.0, 1.0, data_var=data_var, sigma2=sigma2)
    return decoder.log_p - decoder.elbo


def condition_map(ax: Axes, data_var: float, beta: float = 1.0, sigma2: float = 1.0, top: float = 3.0) -> None:
    """(c, lam): where (5), (6) hold for the constrained optimum's decoder, and where it is an equilibrium."""
    c = np.linspace(1e-3, 2.5, 400)
    free = float(linear_gaussian.optimum(data_var, sigma2, beta).rate)
    target = linear_gaussian.constrained_optimum(np.maximum(c, free), data_var, sigma2)
    needed = jensen_gap(target.w, data_var, sigma2) / c
    star = linear_gaussian.lam_star(c, data_var, sigma2, beta)
    ax.fill_between(c, star, top, color=HINGE.colour, alpha=0.22, linewidth=0)
    held = np.minimum(needed, top)
    ax.fill_between(c, held, top, facecolor="none", edgecolor=CONDITION, hatch="..", linewidth=0)
    ax.plot(c, needed, color=CONDITION, linestyle=(0, (6, 2)), linewidth=2.2)
    ax.plot(c, star, color=HINGE.colour)
    ax.axhline(beta, color="#404040", linewidth=1.4, linestyle=":")
    ax.set(xlim=(0, 2.5), ylim=(0, top), xlabel="target c [nats]", ylabel="penalty weight λ")
    ax.grid(False)


def loss_along_paths(ax: Axes, data_var: float, lam: float, c: float, beta: float = 1.0, sigma2: float = 1.0) -> None:
    """The loss minus that of collapse against the rate, once all of it information, once all of it waste."""
    rate = np.linspace(0, 1.6 * c, 300)
    start = linear_gaussian.distortion(0.0, data_var, sigma2)
    penalty = beta * rate + lam * (np.maximum(c - rate, 0) - c)
    used = linear_gaussian.distortion(rate, data_var, sigma2) - start + penalty
    for loss, colour, dash in ((used, HINGE.colour, "-"), (penalty, WASTE, (0, (5, 2)))):
        ax.plot(rate, loss, color=colour, linestyle=dash)
        k = int(np.argmin(loss))
        ax.plot(rate[k], loss[k], "o", color=colour, markersize=8)
    ax.axhline(0, color=MIST, linewidth=1)
    ax.axvline(c, color=MIST, linewidth=1, linestyle=":")
    ax.set(xlabel="rate R [nats]", title=f"λ = {lam:g}")


def condition_maps(weak: float, strong: float) -> Figure:
    """`condition_map` for two signals, with its regions named."""
    fig, axes = plt.subplots(1, 2, figsize=(11.0, 4.4), sharey=True)
    for ax, signal, name in zip(axes, (weak, strong), ("weak", "strong")):
        condition_map(ax, signal)
        ax.set_title(f"{name} signal, Λ = {signal:g}")
        ax.text(2.47, 1.03, "λ = β", ha="right", va="bottom", color="#404040")
    left, right = axes
    right.set_ylabel("")
    white = {"facecolor": "white", "edgecolor": "none", "pad": 2}
    left.text(1.25, 1.9, "equilibrium, and (5), (6) hold", ha="center", bbox=white)
    left.text(1.5, 0.5, "(5), (6) hold, no equilibrium", ha="center", bbox=white)
    right.text(1.5, 2.3, "equilibrium,\n(5), (6) hold", ha="center", bbox=white)
    right.text(0.05, 1.35, "equilibrium,\n(5) fails", ha="left")
    right.text(1.0, 0.42, "λ*(c)", color=HINGE.colour, ha="left")
    left.text(0.02, 0.05, "J / c", color="#7A5500", ha="left")
    right.text(0.66, 2.6, "J / c", color="#7A5500", ha="left", bbox=white)
    return fig


def watershed(lams: Sequence[float], data_var: float, c: float) -> Figure:
    """`loss_along_paths` for several lam, a panel each; the first names its two lines."""
    fig, axes = plt.subplots(1, len(lams), figsize=(4.0 * len(lams), 3.7))
    for ax, lam in zip(axes, lams):
        loss_along_paths(ax, data_var=data_var, lam=lam, c=c)
    axes[0].set_ylabel("loss − loss of collapse [nats]")
    axes[0].text(0.62, 0.52, "wasted rate", color=WASTE, ha="right")
    axes[0].text(1.0, 0.20, "informative rate", color=HINGE.colour, ha="left")
    return fig


def codes_and_aggregate(
    ax: Axes, model: LinearGaussianVAE, quantiles: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95)
) -> None:
    """Posteriors of some x (quantiles of the data), the aggregate q(z) and the prior; one latent."""
    z = np.linspace(-3.6, 4.2, 500)
    ax.fill_between(z, norm.pdf(z), color="#dddddd", linewidth=0)
    for share in quantiles:
        x = norm.ppf(share) * np.sqrt(model.data_var)
        density = norm.pdf(z, model.v * x + model.m, np.sqrt(model.s2))
        ax.plot(z, density, color=HINGE.colour if model.v else WASTE, linewidth=1.3, alpha=0.8)
    spread = np.sqrt(model.v**2 * model.data_var + model.s2)
    ax.plot(z, norm.pdf(z, model.m, spread), color="black", linestyle=(0, (3, 2)))
    ax.set(yticks=[], xlabel="z", xlim=(-3.6, 4.2), ylim=(0, None))
    ax.text(-3.5, 0.06, "prior", color="#606060")
    ax.grid(False)

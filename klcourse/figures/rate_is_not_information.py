"""The figure of notebook 06: encoders as their posteriors, with rate, information and waste."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from klcourse.exact.linear_gaussian import LinearGaussianVAE
from klcourse.plots import GREY


def encoders(models: Mapping[str, LinearGaussianVAE], xs: Sequence[float]) -> Figure:
    """One panel a model: the prior (grey, filled) and q(z|x) for each x, with R, I_q and M in the title."""
    fig, axes = plt.subplots(1, len(models), figsize=(4.3 * len(models), 3.4), sharex=True, sharey=True)
    z = np.linspace(-4.2, 4.2, 600)
    colours = plt.get_cmap("viridis")(np.linspace(0.05, 0.8, len(xs)))
    for ax, (name, model) in zip(np.atleast_1d(axes), models.items()):
        ax.fill_between(z, np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), color="#dddddd", linewidth=0)
        ax.text(-3.6, 0.12, "prior\n$p(z)$", color=GREY, ha="center")
        s2 = float(model.s2)
        for x, colour in zip(xs, colours):
            mean = float(model.v) * x + float(model.m)
            ax.plot(z, np.exp(-((z - mean) ** 2) / (2 * s2)) / np.sqrt(2 * np.pi * s2), color=colour)
        numbers = f"R = {model.rate:.2f}   $I_q$ = {model.mi:.2f}   M = {model.marginal_kl:.2f}"
        ax.set_title(f"{name}\n{numbers}", fontsize=11.5)
        ax.set(xlabel="z", yticks=[], ylim=(0, None))
        ax.grid(False)
    np.atleast_1d(axes)[0].set_ylabel("density of q(z|x), one curve per x")
    return fig

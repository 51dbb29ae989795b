"""Figures of notebook 11: curves of training, a run each, and a latent space with its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from klcourse.plots import label_ends, style_of


def history_curves(
    ax: Axes, histories: Mapping[str, pd.DataFrame], column: str, ylabel: str, names: Mapping[str, str]
) -> None:
    """One curve of a history column per run; `names` says which objective's style a run has.

    Runs with the same objective are told apart by their labels at the right end.
    """
    ends = []
    for label, history in histories.items():
        style = style_of(names[label])
        rows = history.dropna(subset=[column])
        ax.plot(rows["epoch"], rows[column], color=style.colour, linestyle=style.dash)
        ends.append((rows["epoch"].iloc[-1], rows[column].iloc[-1], label, style.colour))
    ax.set(xlabel="epoch", ylabel=ylabel)
    ax.margins(x=0.01)
    label_ends(ax, ends)


def latent_map(ax: Axes, mu: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> None:
    """The posterior means on the two latents that vary most, a colour per label, each label named at its median."""
    first, second = np.argsort(mu.var(0))[::-1][:2]
    palette = plt.get_cmap("tab10")
    for k, name in enumerate(names):
        chosen = mu[labels == k]
        ax.scatter(chosen[:, first], chosen[:, second], s=7, alpha=0.55, color=palette(k % 10), linewidths=0)
        if len(chosen):
            x, y = np.median(chosen[:, [first, second]], 0)
            ax.text(
                x,
                y,
                name,
                weight="bold",
                ha="center",
                va="center",
                bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1},
            )
    ax.set(xlabel=f"mean of $z_{{{first + 1}}}$", ylabel=f"mean of $z_{{{second + 1}}}$")

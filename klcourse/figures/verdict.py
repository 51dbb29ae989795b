"""Figures of notebook 14: the argument as a chain of claims with their verdicts, and information against its cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.typing import FillStyleType
from numpy.typing import ArrayLike

from klcourse.plots import BLUE, GREEN, ORANGE

MARKS: Mapping[str, tuple[str, FillStyleType, str]] = {
    "holds": ("o", "full", BLUE),
    "holds if": ("o", "left", BLUE),
    "fails as written": ("X", "full", ORANGE),
}
RING: Mapping[str, Any] = {"marker": "o", "fillstyle": "none", "color": GREEN, "markeredgewidth": 2, "linestyle": "none"}


def chain(
    stages: Mapping[str, Mapping[str, str]], verdicts: Mapping[str, str], rescued: Mapping[str, bool | None]
) -> Figure:
    """One row a stage of the argument, stage -> {claim: short words}, a mark a claim.

    Full: 'holds'; half: 'holds if'; a cross: 'fails as written'; a ring: a rescue reading works.
    """
    fig, ax = plt.subplots(figsize=(10.8, 0.62 * len(stages) + 0.9))
    for row, (stage, claims) in enumerate(stages.items()):
        ax.text(-0.22, -row, stage, ha="right", va="center", weight="bold")
        for k, (claim, words) in enumerate(claims.items()):
            marker, fill, colour = MARKS[verdicts[claim]]
            ax.plot(
                k,
                -row,
                marker=marker,
                fillstyle=fill,
                color=colour,
                markersize=17,
                markerfacecoloralt="white",
                markeredgecolor=colour,
            )
            if rescued.get(claim):
                ax.plot(k, -row, markersize=25, **RING)
            ax.text(k + 0.12, -row, f"{claim}  {words}", va="center", fontsize=10.5)
    handles = [
        plt.Line2D(
            [],
            [],
            marker=m,
            fillstyle=f,
            color=colour,
            markerfacecoloralt="white",
            linestyle="none",
            markersize=12,
            label=name,
        )
        for name, (m, f, colour) in MARKS.items()
    ]
    handles.append(plt.Line2D([], [], markersize=15, label="a rescue reading works", **RING))
    fig.legend(handles=handles, loc="outside lower center", ncols=4)
    ax.set(xlim=(-0.2, max(map(len, stages.values()))), ylim=(-len(stages) + 0.4, 0.6))
    ax.axis("off")
    return fig


def frontier(sweep: tuple[ArrayLike, ArrayLike], groups: Mapping[str, tuple[ArrayLike, ArrayLike, str, str]]) -> Figure:
    """Information against its cost in ELBO, nats.

    sweep: (costs, informations) of plain beta-VAEs, means over seeds, drawn as a line; groups: name -> (costs,
    informations, marker, colour), a mark a run.
    """
    fig, ax = plt.subplots(figsize=(7.4, 4.4))
    ax.plot(*sweep, color=GREEN, linewidth=1.3, zorder=1)
    for name, (cost, info, marker, colour) in groups.items():
        ax.plot(cost, info, marker, color=colour, alpha=0.75, linestyle="none", label=name)
    ax.set(xlabel="cost: ELBO of the best run − ELBO [nats]", ylabel="information $I_q$ [nats]")
    ax.legend(loc="lower right")
    return fig

"""Figures of notebook 04: the payoff along lines through collapse, and the four cells as trained networks pay them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from klcourse.exact import linear_gaussian
from klcourse.exact.linear_gaussian import Array
from klcourse.plots import MIST, MODULE_A, MODULE_B, matched_payoff


def cuts_through_collapse(ax: Axes, data_var: float, sigma2: float = 1.0, beta: float = 1.0, reach: float = 0.9) -> None:
    """The payoff minus that of collapse along three lines through it: A alone, B alone, both together."""
    t = np.linspace(-reach, reach, 201)
    w, v, zero = t * np.sqrt(data_var), t / np.sqrt(data_var), 0 * t
    collapse = -float(linear_gaussian.distortion(0.0, data_var, sigma2))
    for label, at_w, at_v, colour, dash in (
        ("A alone", w, zero, MODULE_A, "--"),
        ("B alone", zero, v, MODULE_B, "-."),
        ("together", w, v, "black", "-"),
    ):
        gain = matched_payoff(at_w, at_v, data_var, sigma2, beta) - collapse
        ax.plot(t, gain, color=colour, linestyle=dash, label=label)
    ax.plot(0, 0, "X", color="black", markersize=11)
    ax.set(xlabel="step t:  w = t √Λ  and/or  v = t / √Λ", ylabel="payoff − payoff of collapse [nats]")


# --- measured -----------------------------------------------------------------------------------------------

CELLS = (
    (True, True, "z hidden,\nq = p"),
    (True, False, "z hidden,\nq free"),
    (False, True, "z shown,\nq = p"),
    (False, False, "z shown,\nq free"),
)
"""The four cells as (without_z, prior_encoder, name), in the order of the article's matrix."""


def cell_payoffs(rows: pd.DataFrame) -> Mapping[tuple[str, str], Array]:
    """{(row, column): ELBO of every seed} for one decoder of the study `measured_game`."""
    names = {True: "z hidden from A", False: "z shown to A"}, {True: "q(z|x) = p(z)", False: "q(z|x) free"}
    return {
        (names[0][hidden], names[1][prior]): rows[(rows.without_z == hidden) & (rows.prior_encoder == prior)]
        .sort_values("seed")
        .elbo.to_numpy()
        for hidden, prior, _ in CELLS
    }


def measured_cells(ax: Axes, rows: pd.DataFrame, title: str) -> None:
    """Payoff of the four trained cells minus the mean of the first, a dot a seed, bars mean ± sd."""
    payoffs = list(cell_payoffs(rows).values())
    base = payoffs[0].mean()
    for k, values in enumerate(payoffs):
        gain = values - base
        colour = "black" if k == 3 else "#808080"
        sd = gain.std(ddof=1) if len(gain) > 1 else 0.0
        ax.errorbar(k, gain.mean(), yerr=sd, fmt="_", color=colour, markersize=22, capsize=7, linewidth=1.6)
        places = k + np.linspace(-0.12, 0.12, len(gain))
        ax.plot(places, gain, "o", color=colour, alpha=0.6, markersize=5)
    ax.axhline(0, color=MIST, linewidth=1)
    ax.set(xticks=range(4), xlim=(-0.5, 3.5), title=title)
    ax.set_xticklabels([name for _, _, name in CELLS], fontsize=9.5)
    ax.grid(axis="x", visible=False)

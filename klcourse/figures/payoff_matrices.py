"""Figures of the games: who would leave which cell, and the plane of one number per module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from klcourse.exact import linear_gaussian
from klcourse.exact.linear_gaussian import Array, LinearGaussianVAE
from klcourse.games import Game

MODULE_A, MODULE_B = "#8C510A", "#01665E"
"""Brown and teal: the two modules, told apart from every objective's colour, and in grey by their dashes."""

CENTRES = ((0.0, 1.0), (1.0, 0.0))  # x of the columns, y of the rows: row 0 is on top


def payoff_arrows(ax: Axes, game: Game, rows: Sequence[str], columns: Sequence[str], digits: int = 2) -> None:
    """A 2 x 2 game as a picture: every arrow is a move that its module gains by, in nats; "tie": a free one.

    Equilibria are framed (dashed: weak). `rows` and `columns` are short names for the axes.
    """
    xs, ys = CENTRES
    equilibria = {e.cell: e for e in game.equilibria()}
    for i in (0, 1):
        for j in (0, 1):
            number = f"{game.a[i, j] + 1e-12:.{digits}f}".replace("-", "−")  # and never -0.00
            text = number if game.feasible[i, j] else "empty"
            if game.sd is not None and game.feasible[i, j]:
                text += f"\n± {game.sd[i, j]:.{digits}f}"
            found = equilibria.get((i, j))
            if found:
                text += "\nequilibrium" if found.strict else "\nweak eq."
            ax.add_patch(
                Rectangle(
                    (xs[j] - 0.27, ys[i] - 0.2),
                    0.54,
                    0.4,
                    facecolor="#f4ead2" if found else "#f7f7f7",
                    edgecolor="black" if found else "#c0c0c0",
                    linewidth=2.2 if found else 1.0,
                    linestyle="-" if not found or found.strict else "--",
                )
            )
            weight = "bold" if found else "normal"
            ax.text(xs[j], ys[i], text, ha="center", va="center", weight=weight, fontsize=11)
    for j in (0, 1):
        _move(ax, game, (0, j), (1, j), "A", digits)
    for i in (0, 1):
        _move(ax, game, (i, 0), (i, 1), "B", digits)
    ax.set(xlim=(-0.36, 1.36), ylim=(-0.28, 1.28), xticks=xs, yticks=ys)
    ax.set_xticklabels(columns)
    ax.set_yticklabels(rows)
    ax.xaxis.tick_top()
    ax.tick_params(length=0, labelsize=11)
    ax.grid(False)
    for side in ax.spines.values():
        side.set_visible(False)


def _move(ax: Axes, game: Game, one: tuple[int, int], two: tuple[int, int], player: str, digits: int) -> None:
    """The arrow between two cells, towards the one the player likes more."""
    if not (game.feasible[one] and game.feasible[two]):
        return
    gain = float(game.payoff(player)[two] - game.payoff(player)[one])
    colour, (xs, ys) = (MODULE_A if player == "A" else MODULE_B), CENTRES
    mid = ((xs[one[1]] + xs[two[1]]) / 2, (ys[one[0]] + ys[two[0]]) / 2)
    if abs(gain) <= game.tol:
        ax.text(*mid, f"{player}: tie", color=colour, ha="center", va="center", fontsize=10.5)
        return
    reach = (0.19, 0.0) if player == "B" else (0.0, -0.26)
    sign = 1 if gain > 0 else -1
    start = (mid[0] - sign * reach[0], mid[1] - sign * reach[1])
    end = (mid[0] + sign * reach[0], mid[1] + sign * reach[1])
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2.2})
    offset, align = ((0, 0.05), "center") if player == "B" else ((0.03, 0), "left")
    ax.text(
        mid[0] + offset[0],
        mid[1] + offset[1],
        f"{player} +{abs(gain):.{digits}f}",
        color=colour,
        ha=align,
        va="center",
        fontsize=10.5,
    )


# --- the (w, v) plane ---------------------------------------------------------------------------------------


def matched_payoff(w: Array, v: Array, data_var: float, sigma2: float = 1.0, beta: float = 1.0) -> Array:
    """-(D + beta R) in nats, of decoder gain w against the encoder N(v x, 1 - Lambda v^2).

    Among all encoders of gain v this one has q(z) = p(z), so a single number says what B does; |v| < 1/√Λ.
    """
    model = LinearGaussianVAE(w, v, 1 - data_var * np.square(v), data_var=data_var, sigma2=sigma2)
    return -(model.distortion + beta * model.rate)


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
    ax.axhline(0, color="#b0b0b0", linewidth=1)
    ax.set(xticks=range(4), xlim=(-0.5, 3.5), title=title)
    ax.set_xticklabels([name for _, _, name in CELLS], fontsize=9.5)
    ax.grid(axis="x", visible=False)

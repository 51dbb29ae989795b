"""The 2 x 2 games as pictures, and the payoff as a function of one number per module."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from klcourse.exact.linear_gaussian import Array, LinearGaussianVAE
from klcourse.games import Game
from klcourse.plots.palette import MODULE_A, MODULE_B

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


def matched_payoff(w: Array, v: Array, data_var: float, sigma2: float = 1.0, beta: float = 1.0) -> Array:
    """-(D + beta R) in nats, of decoder gain w against the encoder N(v x, 1 - Lambda v^2).

    Among all encoders of gain v this one has q(z) = p(z), so a single number says what B does; |v| < 1/√Λ.
    """
    model = LinearGaussianVAE(w, v, 1 - data_var * np.square(v), data_var=data_var, sigma2=sigma2)
    return -(model.distortion + beta * model.rate)

"""How a game is shown: HTML for notebooks, plain sentences for those who hear the page.

The marks are text, not colour: an arrow is the move a player would make ("A ↓" = A gains by going down), "="
a move that costs nothing, "stays" a strict best reply. GitHub drops styles and scripts, so the table must do
without.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import numpy as np

from klcourse.games.table import PayoffTable


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-0." + "0" * digits, "0." + "0" * digits).replace("-", "−")


def _payoffs(game: PayoffTable, i: int, j: int, digits: int) -> str:
    a, b = game.a[i, j], game.b[i, j]
    text = _number(a, digits) if a == b else f"{_number(a, digits)}, {_number(b, digits)}"
    return text if game.sd is None else f"{text} ± {_number(game.sd[i, j], digits)}"


def _move(game: PayoffTable, player: str, i: int, j: int) -> str:
    """'A ↓' the player gains there, 'A =' a free move, 'A stays' every move loses, '' nowhere to go."""
    cells = game.deviations(player, i, j)
    if not cells:
        return f"{player} has no other choice"
    gain = game.gain(player, i, j)
    if gain > game.tol:
        k, col = max(cells, key=lambda cell: game.payoff(player)[cell])
        return f"{player} " + ("↓" if k > i else "↑" if k < i else "→" if col > j else "←")
    return f"{player} =" if gain >= -game.tol else f"{player} stays"


def _verdict(game: PayoffTable, i: int, j: int) -> str:
    return {e.cell: "Nash equilibrium" + ("" if e.strict else " (weak)") for e in game.equilibria()}.get((i, j), "")


def describe(game: PayoffTable) -> str:
    """The game in plain sentences: equilibria, who leaves which cell, which cells are empty.

    >>> from klcourse.games import Game
    >>> print(Game([[1., 0.]], rows=("r",), columns=("x", "y"), title="Tiny").describe())
    Tiny. Equilibrium: (r, x), payoff 1.000. From (r, y): B moves to x.
    """

    def name(i: int, j: int) -> str:
        return f"({game.rows[i]}, {game.columns[j]})"

    found = game.equilibria()
    parts = [game.title] if game.title else []
    parts.append(
        "; ".join(
            ("Equilibrium: " if e.strict else "Weak equilibrium: ")
            + name(*e.cell)
            + f", payoff {_payoffs(game, *e.cell, 3)}"
            for e in found
        )
        or "No pure equilibrium"
    )
    for i, j in np.argwhere(game.feasible).tolist():
        for player in game.players:
            if game.gain(player, i, j) > game.tol:
                k, col = max(game.deviations(player, i, j), key=lambda cell: game.payoff(player)[cell])
                target = game.rows[k] if player == game.players[0] else game.columns[col]
                parts.append(f"From {name(i, j)}: {player} moves to {target}")
    parts += [f"{name(*cell)} is infeasible: {why}" for cell, why in game.infeasible.items()]
    return ". ".join(part.rstrip(".") for part in parts) + "."


def formulas(game: PayoffTable) -> str:
    """The game's formulas as a Markdown table, for `IPython.display.Markdown`. ValueError for a game without formulas.

    >>> from klcourse.games import Quantities, vae_game
    >>> print(formulas(vae_game(Quantities())).splitlines()[-1])
    | z dependent on x | $E_{p(z)}[\\log p(x\\mid z)]$ | $ELBO$ |
    """
    if not game.latex:
        raise ValueError("this game has no formulas: build it with vae_game, slvae_game or constrained_game")

    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    def cell(formula: str) -> str:  # a bare | would end the cell
        return "$" + formula.replace(r"\parallel", r"\Vert").replace("|", r"\mid ") + "$"

    head = [line([r"A \\ B", *(name.replace("|", r"\|") for name in game.columns)]), "|---" * (len(game.columns) + 1) + "|"]
    return "\n".join(head + [line([name, *map(cell, row)]) for name, row in zip(game.rows, game.latex)])


def to_html(game: PayoffTable, digits: int = 3) -> str:
    """An HTML table: payoff, formula, each player's move, equilibria in bold; `describe` is its label.

    >>> from klcourse.games import Game
    >>> "<b>Nash equilibrium</b>" in to_html(Game([[1., 0.]]))
    True
    """

    def cell(i: int, j: int) -> str:
        if (i, j) in game.infeasible:
            return f"<td><i>infeasible</i><br><small>{escape(game.infeasible[i, j])}</small></td>"
        lines = [f"<b>{_payoffs(game, i, j, digits)}</b>"]
        if game.latex:
            lines.append(f"${escape(game.latex[i][j])}$")
        lines.append(escape(" · ".join(_move(game, player, i, j) for player in game.players)))
        verdict = _verdict(game, i, j)
        style = ' style="outline: 2px solid currentColor; outline-offset: -3px"' if verdict else ""
        return f"<td{style}>" + "<br>".join(lines + ([f"<b>{verdict}</b>"] if verdict else [])) + "</td>"

    corner = f"<th scope='col'>{escape(game.players[0])} \\ {escape(game.players[1])}</th>"
    head = corner + "".join(f"<th scope='col'>{escape(c)}</th>" for c in game.columns)
    body = "".join(
        f"<tr><th scope='row'>{escape(r)}</th>" + "".join(cell(i, j) for j in range(len(game.columns))) + "</tr>"
        for i, r in enumerate(game.rows)
    )
    unit = "payoff in nats per example" + (", mean ± sd over seeds" if game.sd is not None else "")
    caption = f"<caption>{escape(game.title)} ({unit}; ties within {game.tol:.2g})</caption>"
    return f'<table aria-label="{escape(describe(game))}">{caption}<tr>{head}</tr>{body}</table>'

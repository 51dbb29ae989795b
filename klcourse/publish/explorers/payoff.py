"""States of the payoff explorer: the article's constrained game, solved at every λ, c and β of the sliders."""

from __future__ import annotations

from typing import Any

from klcourse.games import Game, Quantities, constrained_game

LAM, C, BETA = (0.0, 6.0, 0.5), (0.1, 1.0, 0.1), (0.5, 3.0, 0.25)
TARGET = Quantities(J=1.45, G=0.0, R=0.55)  # a decoder that uses z, with its encoder: notebook 08
DEAF = Quantities(J=0.0, G=0.3, R=0.3, M=0.3)  # a decoder that ignores z, and an encoder that spends rate on it
READINGS = {"I ≥ c, as the article writes it": "written", "R ≥ c, as it is trained": "implemented"}
CELLS = ((0, 0), (0, 1), (1, 0), (1, 1))
MOVES = (("A", (0, 0), (1, 0)), ("A", (0, 1), (1, 1)), ("B", (0, 0), (0, 1)), ("B", (1, 0), (1, 1)))


def steps(control: tuple[float, float, float]) -> list[float]:
    """The values a slider reaches.

    >>> steps((0.5, 1.0, 0.25))
    [0.5, 0.75, 1.0]
    """
    first, last, step = control
    return [round(first + k * step, 6) for k in range(round((last - first) / step) + 1)]


def state(game: Game) -> list[Any]:
    """What the page shows of a game: payoffs of the four cells (None: empty), marks, and who gains by which move.

    marks   a letter a cell: e an equilibrium, w a weak one, x empty, - none of these
    gains   of the four moves in MOVES, forwards if positive; None where a cell is empty, 0 for a tie
    """
    found = {equilibrium.cell: "e" if equilibrium.strict else "w" for equilibrium in game.equilibria()}
    marks = "".join("x" if cell in game.infeasible else found.get(cell, "-") for cell in CELLS)
    gains: list[float | None] = []
    for player, one, two in MOVES:
        gain = float(game.payoff(player)[two] - game.payoff(player)[one])
        there = bool(game.feasible[one] and game.feasible[two])
        gains.append(None if not there else 0 if abs(gain) <= game.tol else round(gain, 4))
    payoffs = [None if cell in game.infeasible else round(float(game.a[cell]), 4) for cell in CELLS]
    return [payoffs, marks, gains]


def payoff() -> dict[str, Any]:
    """The tables of the payoff explorer's page: for each reading its states by lam, c, beta, the last fastest."""
    lams, cs, betas = map(steps, (LAM, C, BETA))
    return {
        "controls": {"lam": LAM, "c": C, "beta": BETA},
        "shape": [len(lams), len(cs), len(betas)],
        "states": {
            name: [
                state(constrained_game(DEAF, TARGET, lam, c, beta, "generative", penalty=penalty))
                for lam in lams
                for c in cs
                for beta in betas
            ]
            for name, penalty in READINGS.items()
        },
    }

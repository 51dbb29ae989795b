"""Mixed equilibria and the dynamics that may lead to one; Nashpy is imported only where it is needed."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from klcourse.exact.inputs import distribution, non_negative
from klcourse.games.table import Array, CellIndex, PayoffTable


def _nashpy(game: PayoffTable) -> Any:  # a nashpy.Game; nashpy has no types
    if not np.isfinite(game.a).all() or not np.isfinite(game.b).all():
        raise ValueError(
            "Nashpy needs a finite payoff in every cell: build the game under a reading in which all "
            "cells are feasible, or drop the strategy"
        )
    import nashpy

    return nashpy.Game(game.a, game.b)


def mixed_equilibria(game: PayoffTable) -> list[tuple[Array, Array]]:
    """Equilibria as pairs of probability vectors, (m,) and (n,): the pure ones, then mixed ones.

    A 2 x 2 game may have a continuum of equilibria (collapse makes ties); then both ends of every piece are here, and every
    other equilibrium lies between two of them. For larger games they are those that Nashpy's support enumeration finds,
    checked against the game's own tolerance; of a continuum some ends may be missing.

    >>> from klcourse.games import Game
    >>> [x.round(2).tolist() for x, _ in mixed_equilibria(Game([[2., 0.], [0., 1.]]))]
    [[1.0, 0.0], [0.0, 1.0], [0.33, 0.67]]
    """
    solver = _nashpy(game)
    m, n = game.a.shape
    found = [(np.eye(m)[e.row], np.eye(n)[e.col]) for e in game.equilibria()]
    if (m, n) == (2, 2):
        candidates = list(itertools.product(_turning_points(game.b.T, game.tol), _turning_points(game.a, game.tol)))
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the degeneracy warning: handled by the check below
            candidates = list(solver.support_enumeration())
    for x, y in candidates:
        value_a, value_b = game.a @ y, x @ game.b
        if max(value_a.max() - x @ value_a, value_b.max() - value_b @ y) > max(game.tol, 1e-9):
            continue
        if not any(np.allclose(x, u) and np.allclose(y, v) for u, v in found):
            found.append((x, y))
    return found


def _turning_points(payoff: Array, tol: float) -> list[Array]:
    """Mixtures of the other player at which the best reply of the player with this table, (own, other), may change."""
    ends = [np.array([1.0, 0.0]), np.array([0.0, 1.0])]
    first, second = payoff[0] - payoff[1]  # what the first move gains over the second against either pure move
    if abs(first) > tol and abs(second) > tol and first * second < 0:
        share = second / (second - first)
        ends.append(np.array([share, 1 - share]))
    return ends


def reply_path(game: PayoffTable, row: int, col: int, steps: int = 1000) -> list[CellIndex]:
    """The cells that A and B visit by moving to a best reply in turn, A first; a player whose best is a tie stays.

    It ends when neither wants to move, or with the first cell that it has seen before with the same player to move: a
    cycle. With a common payoff every move raises it, so there is none (Monderer & Shapley 1996).

    >>> from klcourse.games import Game
    >>> reply_path(Game([[2., 0.], [0., 1.]]), 0, 1)
    [(0, 1), (1, 1)]
    >>> reply_path(Game([[1., -1.], [-1., 1.]], [[-1., 1.], [1., -1.]]), 0, 0)            # matching pennies
    [(0, 0), (0, 1), (1, 1), (1, 0), (0, 0)]
    """
    if not (0 <= row < game.a.shape[0] and 0 <= col < game.a.shape[1]):
        raise ValueError(f"no cell {(row, col)} in a {game.a.shape} table")
    path, seen, still, player = [(row, col)], set(), 0, 0
    for _ in range(steps):
        here, name = path[-1], game.players[player]
        if (here, player) in seen or still == 2:
            break
        seen.add((here, player))
        if game.gain(name, *here) > game.tol:
            payoff = game.payoff(name)
            path.append(max(game.deviations(name, *here), key=lambda cell: payoff[cell]))
            still = 0
        else:
            still += 1
        player = 1 - player
    return path


def replicator(game: PayoffTable, x0: ArrayLike, y0: ArrayLike, times: ArrayLike) -> tuple[Array, Array]:
    """Replicator dynamics from mixtures x0 (m,), y0 (n,): paths (len(times), m) and (len(times), n).

    >>> from klcourse.games import Game
    >>> x, y = replicator(Game([[2., 0.], [0., 1.]]), [.5, .5], [.5, .5], [0., 5., 10.])
    >>> x[-1].round(2).tolist()
    [1.0, 0.0]
    """
    for name, value, size in ("x0", x0, game.a.shape[0]), ("y0", y0, game.a.shape[1]):
        if distribution(name, value).shape != (size,):
            raise ValueError(f"{name} must be a mixture of {size} moves, got {np.asarray(value)}")
    non_negative(times=times)
    if np.any(np.diff(np.asarray(times, float)) <= 0):
        raise ValueError(f"times must rise, got {np.asarray(times)}")
    x, y = _nashpy(game).asymmetric_replicator_dynamics(
        x0=np.asarray(x0, float), y0=np.asarray(y0, float), timepoints=np.asarray(times, float)
    )
    return x, y

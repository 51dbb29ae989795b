"""Best replies in turn: with one payoff for both they climb and stop at an equilibrium, else they may run in circles."""

import numpy as np
import pytest

from klcourse import games as g


@pytest.mark.parametrize("seed", range(40))
def test_with_a_common_payoff_every_move_gains_and_the_end_is_an_equilibrium(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(2, 7, 2)
    table = rng.integers(0, 4, shape).astype(float) if seed % 2 else rng.standard_normal(shape)  # with ties and without
    game = g.Game(table)
    for row, col in np.ndindex(*shape):
        path = g.reply_path(game, row, col)
        gains = np.diff([game.a[cell] for cell in path])
        assert path[0] == (row, col) and (gains > 0).all() and len(set(path)) == len(path)
        assert game.is_equilibrium(*path[-1])
        assert all((one[0] == two[0]) != (one[1] == two[1]) for one, two in zip(path, path[1:]))


def test_every_move_is_a_best_reply_of_the_player_whose_turn_it_is():
    game = g.Game([[0.0, 3.0, 1.0], [2.0, 1.0, 0.0]], [[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]])
    path = g.reply_path(game, 0, 0)
    assert path[:3] == [(0, 0), (1, 0), (1, 2)]  # A to the larger of column 0, B to the largest of row 1
    assert game.best_replies("A")[path[1]] and game.best_replies("B")[path[2]]


def test_matching_pennies_goes_in_a_circle():
    pennies = g.Game([[1, -1], [-1, 1]], [[-1, 1], [1, -1]])
    path = g.reply_path(pennies, 0, 0)
    assert path[0] == path[-1] and len(set(path)) == 4 and not pennies.equilibria()


def test_replicator_payoff_never_falls_in_a_common_payoff_game():
    game = g.Game([[0.0, -0.5], [-0.7, 0.8]])
    for a, b in ((0.2, 0.9), (0.6, 0.4), (0.45, 0.5)):
        x, y = g.replicator(game, [1 - a, a], [1 - b, b], np.linspace(0, 20, 400))
        assert (np.diff(np.einsum("ti,ij,tj->t", x, game.a, y)) > -1e-7).all()

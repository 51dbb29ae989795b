"""mixed_equilibria keeps its promise for 2 x 2 games: both ends of every piece, in general and in degenerate games."""

import itertools

import numpy as np
import pytest

from klcourse.games import Game, mixed_equilibria


def is_nash(game, x, y, tol=1e-9):
    """Nobody gains by a pure move: written out."""
    a, b = x @ game.a @ y, x @ game.b @ y
    return (game.a @ y).max() <= a + tol and (x @ game.b).max() <= b + tol


def grid(game):
    """Shares to try: a grid, every share at which somebody is indifferent, and the middles between them."""
    shares = set(np.linspace(0, 1, 13))
    for table in (game.a, game.b.T):
        first, second = table[0] - table[1]
        if first * second < 0:
            shares.add(second / (second - first))
    shares = sorted(shares)
    return np.array(sorted({*shares, *((p + q) / 2 for p, q in zip(shares, shares[1:]))}))


def games():
    """Every 2 x 2 common-payoff game with payoffs 0, 1, 2, and random integer games with two tables."""
    for values in itertools.product((0, 1, 2), repeat=4):
        yield Game(np.reshape(values, (2, 2)).astype(float))
    rng = np.random.default_rng(0)
    for _ in range(150):
        yield Game(*rng.integers(0, 3, (2, 2, 2)).astype(float))
    for _ in range(50):
        yield Game(*rng.standard_normal((2, 2, 2)))


@pytest.mark.parametrize("game", list(games()), ids=lambda game: f"{game.a.tolist()}-{game.b.tolist()}")
def test_every_equilibrium_of_a_fine_grid_is_between_listed_ones(game):
    listed = [(x[0], y[0]) for x, y in mixed_equilibria(game)]
    assert all(is_nash(game, *pair) for pair in mixed_equilibria(game)) and listed
    assert len({(round(p, 9), round(q, 9)) for p, q in listed}) == len(listed)  # none twice
    shares = grid(game)
    for p, q in itertools.product(shares, shares):
        if is_nash(game, np.array([p, 1 - p]), np.array([q, 1 - q])):  # it must lie in a piece whose corners are all listed
            around = [
                (one, two)
                for one, two in itertools.product(listed, listed)
                if min(one[0], two[0]) - 1e-9 <= p <= max(one[0], two[0]) + 1e-9
                and min(one[1], two[1]) - 1e-9 <= q <= max(one[1], two[1]) + 1e-9
                and (
                    min(abs(one[0] - two[0]), abs(one[1] - two[1])) < 1e-9
                    or {(one[0], two[1]), (two[0], one[1])} <= set(listed)
                )
            ]
            assert around, (p, q, listed)

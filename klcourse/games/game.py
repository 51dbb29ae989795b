"""The game as the course shows it: a payoff table that displays itself in a notebook."""

from __future__ import annotations

from klcourse.games import render
from klcourse.games.table import PayoffTable


class Game(PayoffTable):
    """Module A chooses a row, module B a column; `a` and `b` are their payoffs, (m, n), in nats per example.

    `b` left out means a common payoff. `infeasible` maps (row, column) to the reason why no such profile
    exists: nobody can stay there or move there. `latex` is an (m, n) table of formulas for display, `sd` the
    payoffs' standard deviations over seeds. Differences up to `tol` count as ties.

    >>> game = Game([[2., 0.], [0., 1.]], rows=("top", "bottom"), columns=("left", "right"))
    >>> [e.names for e in game.equilibria()], game.payoff_dominant().names
    ([('top', 'left'), ('bottom', 'right')], ('top', 'left'))
    """

    def describe(self) -> str:
        """The game in plain sentences (used as text alternative)."""
        return render.describe(self)

    def to_html(self, digits: int = 3) -> str:
        """An HTML table with best replies and equilibria marked in text, readable without styles."""
        return render.to_html(self, digits)

    _repr_html_ = to_html

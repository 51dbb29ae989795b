"""A game of two players as a table, and its pure equilibria within a stated tolerance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

Array = np.ndarray
CellIndex = tuple[int, int]


@dataclass(frozen=True)
class Equilibrium:
    """A cell no player gains by leaving; `ties`: free moves, as (player, row, column)."""

    row: int
    col: int
    names: tuple[str, str]
    payoff: tuple[float, float]
    ties: tuple[tuple[str, int, int], ...] = ()

    @property
    def strict(self) -> bool:
        """True when every deviation loses more than the tolerance; otherwise the equilibrium is weak."""
        return not self.ties

    @property
    def cell(self) -> CellIndex:
        """(row, column)."""
        return self.row, self.col


@dataclass(frozen=True)
class Dominance:
    """`better` does at least as well as `worse` against everything; `strict`: better against everything."""

    player: str
    better: str
    worse: str
    strict: bool


def _difference(new: Array | float, old: Array | float) -> Array:
    """new - old, with inf - inf = 0: two cells that both pay -inf are tied."""
    new, old = np.broadcast_arrays(np.asarray(new, float), np.asarray(old, float))
    same = new == old
    return np.where(same, 0.0, np.where(same, 0.0, new) - np.where(same, 0.0, old))


@dataclass(frozen=True, eq=False)
class Game:
    """Module A chooses a row, module B a column; `a` and `b` are their payoffs, (m, n), in nats per example.

    `b` left out means a common payoff. `infeasible` maps (row, column) to the reason why no such profile
    exists: nobody can stay there or move there. `latex` is an (m, n) table of formulas for display, `sd` the
    payoffs' standard deviations over seeds. Differences up to `tol` count as ties.

    >>> game = Game([[2., 0.], [0., 1.]], rows=("top", "bottom"), columns=("left", "right"))
    >>> [e.names for e in game.equilibria()], game.payoff_dominant().names
    ([('top', 'left'), ('bottom', 'right')], ('top', 'left'))
    """

    a: Array
    b: Array | None = None
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    latex: tuple[tuple[str, ...], ...] = ()
    infeasible: Mapping[CellIndex, str] = field(default_factory=dict)
    sd: Array | None = None
    title: str = ""
    players: tuple[str, str] = ("A", "B")
    tol: float = 1e-9

    def __post_init__(self) -> None:
        a = np.array(self.a, float)
        b = a.copy() if self.b is None else np.array(self.b, float)
        if a.ndim != 2 or a.shape != b.shape:
            raise ValueError(f"payoffs have shapes {a.shape} and {b.shape}: give two tables (rows, columns) alike")
        for i, j in self.infeasible:
            a[i, j] = b[i, j] = np.nan
        open_cells = ~np.isnan(a)
        if (np.isnan(a) != np.isnan(b)).any() or open_cells.sum() + len(self.infeasible) != a.size:
            raise ValueError("a payoff is nan in a cell not named in `infeasible`: give a number or a reason")
        set_ = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731 (frozen dataclass)
        set_("a", a), set_("b", b)
        set_("rows", tuple(self.rows) or tuple(f"row {i}" for i in range(a.shape[0])))
        set_("columns", tuple(self.columns) or tuple(f"column {j}" for j in range(a.shape[1])))
        if (len(self.rows), len(self.columns)) != a.shape:
            raise ValueError(f"{len(self.rows)} row and {len(self.columns)} column names for a {a.shape} table")
        if not self.tol >= 0:
            raise ValueError(f"tol = {self.tol} must be 0 or more")

    # --- replies -----------------------------------------------------------------------------------------
    @property
    def feasible(self) -> Array:
        """Boolean (m, n)."""
        return ~np.isnan(self.a)

    @property
    def common(self) -> bool:
        """Do both players get the same payoff everywhere?"""
        return bool(np.array_equal(self.a, self.b, equal_nan=True))

    def payoff(self, player: str) -> Array:
        """The table of one player by name."""
        if player not in self.players:
            raise ValueError(f"no player {player!r}: choose one of {self.players}")
        return self.a if player == self.players[0] else self.b

    def deviations(self, player: str, row: int, col: int) -> list[CellIndex]:
        """Feasible cells the player reaches from (row, col) by moving alone."""
        m, n = self.a.shape
        cells = (
            [(i, col) for i in range(m) if i != row]
            if player == self.players[0]
            else [(row, j) for j in range(n) if j != col]
        )
        return [cell for cell in cells if self.feasible[cell]]

    def gain(self, player: str, row: int, col: int) -> float:
        """The most the player gains by leaving (row, col) alone; -inf where there is nowhere to go."""
        payoff = self.payoff(player)
        return max(
            (float(_difference(payoff[cell], payoff[row, col])) for cell in self.deviations(player, row, col)),
            default=-np.inf,
        )

    def best_replies(self, player: str, tol: float | None = None) -> Array:
        """Boolean (m, n): is this cell, within tol, the player's best answer to the other's choice?"""
        tol = self.tol if tol is None else tol
        return np.array(
            [
                [bool(ok) and self.gain(player, i, j) <= tol for j, ok in enumerate(line)]
                for i, line in enumerate(self.feasible)
            ]
        )

    # --- equilibria --------------------------------------------------------------------------------------
    def equilibria(self, tol: float | None = None) -> list[Equilibrium]:
        """All pure Nash equilibria: feasible cells where no player gains more than tol by moving alone."""
        tol = self.tol if tol is None else tol
        both = self.best_replies(self.players[0], tol) & self.best_replies(self.players[1], tol)
        found = []
        for i, j in np.argwhere(both).tolist():
            ties = tuple(
                (player, *cell)
                for player in self.players
                for cell in self.deviations(player, i, j)
                if abs(_difference(self.payoff(player)[cell], self.payoff(player)[i, j])) <= tol
            )
            found.append(
                Equilibrium(i, j, (self.rows[i], self.columns[j]), (float(self.a[i, j]), float(self.b[i, j])), ties)
            )
        return found

    def is_equilibrium(self, row: int, col: int, tol: float | None = None) -> bool:
        """Is this cell a (strict or weak) pure equilibrium?"""
        return any(e.cell == (row, col) for e in self.equilibria(tol))

    def payoff_dominant(self) -> Equilibrium | None:
        """The equilibrium that pays every player more than every other equilibrium, or None."""
        equilibria = self.equilibria()
        for e in equilibria:
            if all(e is o or all(x > y + self.tol for x, y in zip(e.payoff, o.payoff)) for o in equilibria):
                return e
        return None

    def dominance(self) -> list[Dominance]:
        """Every pair of one player's strategies where the first dominates the second.

        A strategy that is infeasible against something does not dominate there, and loses to a feasible one.
        """
        found = []
        for player, table, names in (
            (self.players[0], self.a, self.rows),
            (self.players[1], self.b.T, self.columns),
        ):
            for i in range(len(names)):
                for k in range(len(names)):
                    meet = ~np.isnan(table[k])  # where the dominated strategy is available at all
                    if i == k or not meet.any() or np.isnan(table[i][meet]).any():
                        continue
                    gain = _difference(table[i][meet], table[k][meet])
                    if (gain >= -self.tol).all() and (gain > self.tol).any():
                        found.append(Dominance(player, names[i], names[k], bool((gain > self.tol).all())))
        return found

    def potential(self) -> Array | None:
        """A table whose changes are the mover's gains (its maximum is an equilibrium), or None.

        A common payoff is its own potential (Monderer & Shapley 1996). Needs all cells feasible and finite
        otherwise.
        """
        if self.common:
            return self.a.copy()
        if not np.isfinite(self.a).all() or not np.isfinite(self.b).all():
            raise ValueError("the potential of a game with separate payoffs needs all cells feasible and finite")
        table = self.a - self.a[:1] + self.b[:1] - self.b[0, 0]  # A's gains down the column, B's along the first row
        residual = np.diff(table, axis=1) - np.diff(self.b, axis=1)
        return table if abs(residual).max(initial=0) <= max(self.tol, 1e-12) else None

    # --- display -----------------------------------------------------------------------------------------
    def describe(self) -> str:
        """The game in plain sentences (used as text alternative)."""
        from klcourse.games.render import describe

        return describe(self)

    def to_html(self, digits: int = 3) -> str:
        """An HTML table with best replies and equilibria marked in text, readable without styles."""
        from klcourse.games.render import to_html

        return to_html(self, digits)

    _repr_html_ = to_html

    def to_markdown(self, digits: int = 3) -> str:
        """The same table in Markdown."""
        from klcourse.games.render import to_markdown

        return to_markdown(self, digits)

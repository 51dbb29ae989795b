"""Two players' payoffs as tables: who gains by leaving which cell, and the pure equilibria within a stated tolerance.

`klcourse.games.render` shows such a table, and `klcourse.games.game.Game` is one that shows itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from klcourse.exact.inputs import numbers

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
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
        """The cell as (row, column)."""
        return self.row, self.col


def _difference(new: Array | float, old: Array | float) -> Array:
    """new - old, with inf - inf = 0: two cells that both pay -inf are tied."""
    new, old = np.broadcast_arrays(np.asarray(new, float), np.asarray(old, float))
    same = new == old
    return np.where(same, 0.0, np.where(same, 0.0, new) - np.where(same, 0.0, old))


@dataclass(frozen=True, eq=False)
class PayoffTable:
    """The first player chooses a row, the second a column; `a` and `b` (m, n) are what they get, nats per example.

    The fields are explained at `klcourse.games.Game`. ValueError for tables of different shapes, names that are too
    few or too many, and a nan in a cell that `infeasible` does not name.
    """

    a: Array
    b: Array
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    latex: tuple[tuple[str, ...], ...]
    infeasible: Mapping[CellIndex, str]
    sd: Array | None
    title: str
    players: tuple[str, str]
    tol: float

    def __init__(
        self,
        a: ArrayLike,
        b: ArrayLike | None = None,
        rows: Sequence[str] = (),
        columns: Sequence[str] = (),
        latex: tuple[tuple[str, ...], ...] = (),
        infeasible: Mapping[CellIndex, str] | None = None,
        sd: ArrayLike | None = None,
        title: str = "",
        players: tuple[str, str] = ("A", "B"),
        tol: float = 1e-9,
    ) -> None:
        a = np.array(numbers("a", a))
        b = a.copy() if b is None else np.array(numbers("b", b))
        infeasible = {} if infeasible is None else infeasible
        if a.ndim != 2 or a.shape != b.shape:
            raise ValueError(f"payoffs have shapes {a.shape} and {b.shape}: give two tables (rows, columns) alike")
        for i, j in infeasible:
            if not (0 <= i < a.shape[0] and 0 <= j < a.shape[1]):
                raise ValueError(f"infeasible names the cell {(i, j)} of a {a.shape} table")
            a[i, j] = b[i, j] = np.nan
        open_cells = ~np.isnan(a)
        if (np.isnan(a) != np.isnan(b)).any() or open_cells.sum() + len(infeasible) != a.size:
            raise ValueError("a payoff is nan in a cell not named in `infeasible`: give a number or a reason")
        rows = tuple(rows) or tuple(f"row {i}" for i in range(a.shape[0]))
        columns = tuple(columns) or tuple(f"column {j}" for j in range(a.shape[1]))
        if (len(rows), len(columns)) != a.shape:
            raise ValueError(f"{len(rows)} row and {len(columns)} column names for a {a.shape} table")
        if not 0 <= tol < np.inf:
            raise ValueError(f"tol = {tol} must be 0 or more")
        fields = {"a": a, "b": b, "rows": rows, "columns": columns, "latex": latex, "infeasible": infeasible}
        fields |= {"sd": None if sd is None else np.asarray(sd, float), "title": title, "players": players, "tol": tol}
        for name, value in fields.items():
            object.__setattr__(self, name, value)  # frozen: nobody else may

    # --- replies -----------------------------------------------------------------------------------------
    @property
    def feasible(self) -> Mask:
        """Which cells exist, boolean (m, n)."""
        return ~np.isnan(self.a)

    @property
    def common(self) -> bool:
        """Do both players get the same payoff everywhere?"""
        return bool(np.array_equal(self.a, self.b, equal_nan=True))

    def payoff(self, player: str) -> Array:
        """The table (m, n) of one player by name. ValueError for any other name."""
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

    def best_replies(self, player: str, tol: float | None = None) -> Mask:
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

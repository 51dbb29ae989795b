"""PayoffExplorer (notebooks 04, 05, 08): the article's 2 x 2 games with their numbers on sliders.

All logic is `klcourse.games`; this file chooses which numbers a reader may move, and draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from klcourse import games
from klcourse.exact import selflabel
from klcourse.games import Condition, Game, Quantities
from klcourse.plots import CENTRES, MODULE_A, MODULE_B
from klcourse.widgets.frame.base import Widget
from klcourse.widgets.frame.controls import Choice, Slider

LIT, DARK = "#F0B400", "#5a5a5a"
Values = dict[str, Any]


# --- which numbers make which game ---------------------------------------------------------------------------


def _pair(v: Values) -> Quantities:
    """The decoder that uses z with its encoder, all of its rate information; log p(x) is the zero of all payoffs."""
    return Quantities(J=v["J"], G=v["G"], R=v["R"])


def _deaf(v: Values) -> Quantities:
    """The pair of the row I < c: a decoder that ignores z. Its posterior is the prior, so J' = 0, G' = R' = M'."""
    return Quantities(J=0.0, G=v["R0"], R=v["R0"], M=v["R0"])


def _f(v: Values) -> np.ndarray:
    """f(π_ij) of SLVAE, one latent dimension: -λ E||z - g||² for q = p, and for codes pulled to the label.

    The label of the lower row is g = 0; that of the upper row lies at ||g||² = `away` (0: the same g).
    """
    k = 1 + 2 * v["lam"]
    prior, pulled = np.array([1 + v["away"], 1.0]), np.array([1 / k + v["away"] / k**2, 1 / k])
    return -v["lam"] * np.stack([prior, pulled], axis=1)


def _letter(v: Values) -> Game:
    return games.vae_game(replace(_pair(v), R=v["M"], M=v["M"]))


def _one_move(v: Values) -> Game:
    game = games.vae_game(replace(_pair(v), L0=-v["worth"]), free="best", encoder="unchanged")
    if v["J"] < v["worth"] - 1e-9:
        # Claim A4: under q = p an average of slices cannot beat the best z-free decoder.
        return replace(game, infeasible={(1, 0): "impossible:\nJ < log p − L0"})
    return game


def _slvae(v: Values) -> Game:
    tilted = float(selflabel.tilted_rate(v["lam"], 1, v["away"]))  # of B's best reply to a deaf decoder
    return games.slvae_game(Quantities(J=v["J"], G=v["G"], R=tilted, M=tilted), _f(v))


def _constraint(reading: str, penalty: str) -> Callable[[Values], Game]:
    def build(v: Values) -> Game:
        high = _pair(v)
        game = games.constrained_game(_deaf(v), high, v["lam"], v["c"], v["beta"], reading, penalty=penalty)
        short = {
            cell: "empty: q = p\nmakes I = 0" if cell == (1, 0) else f"empty:\nI = {high.mi:.2f} < c"
            for cell in game.infeasible
        }
        return replace(game, infeasible=short)

    return build


def _early(v: Values) -> dict[str, Condition]:
    f = _f(v) if v["game"] == "SLVAE" else np.zeros((2, 2))
    return {"1": games.condition_1(_pair(v), f), "2": games.condition_2(_pair(v), f)}


def _late(v: Values) -> dict[str, Condition]:
    high, low = _pair(v), _deaf(v)
    lam, c, beta = v["lam"], v["c"], v["beta"]
    return {
        "5": games.condition_5(high, lam, c),
        "6": games.condition_6(low, lam, c),
        "6 corrected": games.corrected_6(low, high, lam, c, beta),
        "B stays": games.target_keeps_encoder(high, beta),
        "collapse": games.collapse_is_equilibrium(lam, beta),
    }


class Kind(NamedTuple):
    """A game on offer: how it is built, its conditions, the numbers that enter, and where they start."""

    build: Callable[[Values], Game]
    conditions: Callable[[Values], dict[str, Condition]]
    uses: Sequence[str]
    start: dict[str, float]
    rows: tuple[str, str]


USES, NEEDS = ("A ignores z", "A uses z"), ("I < c", "I ≥ c")
_LATE_USES = ("J", "G", "R", "R0", "lam", "c", "beta")
_LATE_START = {"J": 1.45, "G": 0.0, "R": 0.55, "R0": 0.3, "lam": 4.0, "c": 0.5}
KINDS = {
    "VAE, the letter": Kind(_letter, _early, ("J", "G", "M"), {}, USES),
    "VAE, one move": Kind(_one_move, _early, ("J", "G", "R", "worth"), {}, USES),
    "SLVAE": Kind(_slvae, _early, ("J", "G", "lam", "away"), {"lam": 0.5}, USES),
    "I ≥ c, per example": Kind(_constraint("per_example", "written"), _late, _LATE_USES, _LATE_START, NEEDS),
    "I ≥ c, of the model": Kind(_constraint("generative", "written"), _late, _LATE_USES, _LATE_START, NEEDS),
    "R ≥ c, as trained": Kind(_constraint("generative", "implemented"), _late, _LATE_USES, _LATE_START, NEEDS),
}

LAMPS = {
    "1": ("(1)", "A stays: −J + f₁₀ > f₀₀"),
    "2": ("(2)", "B stays: −J + f₁₀ > −G + f₁₁"),
    "5": ("(5)", "A stays at the target: −J > −λc"),
    "6": ("(6)", "λ(c − R′) > 0"),
    "6 corrected": ("(6)", "corrected: λ(c − R′) > ΔG + (β−1)ΔR"),
    "B stays": ("", "B stays at the target: G + (β−1)R > J"),
    "collapse": ("", "B stays at collapse: β ≥ λ"),
}
"""Condition -> its number in the article, and what it says; the last three are missing in the article."""


# --- the widget ----------------------------------------------------------------------------------------------


class PayoffExplorer(Widget):
    """A 2 x 2 game of decoder A and encoder B: payoffs, best replies, equilibria, empty cells, conditions.

    `game` is one of KINDS; each starts from numbers that show its point.

    >>> print(PayoffExplorer(game="VAE, the letter").text.replace("  ", "\\n"))
    Payoffs 0.00, −0.20 | −1.00, −0.30.
    Equilibria: (A ignores z, q = p).
    The article's target (A uses z, q = p): A and B leave it; (1) fails, (2) fails.
    """

    title = "Who would leave which cell?"
    caption = (
        "A game of decoder A (rows, brown) and encoder B (columns, teal). Payoffs in nats, relative to log p(x). Each "
        "arrow is a move that its module gains by, alone; framed cells are equilibria (dashed: weak); hatched cells do "
        "not exist. Lamps: a condition that holds is lit."
    )
    size = (9.6, 3.9)  # with its controls it fits under a projector's 720 lines
    lines = 2
    controls = {
        "game": Choice("game", "VAE, the letter", tuple(KINDS), "Whose payoffs, under which reading."),
        "J": Slider("J", 1.0, 0.0, 5.0, 0.05, "nats", "The Jensen gap: what listening to noise from the prior costs A."),
        "G": Slider("G", 0.3, 0.0, 5.0, 0.05, "nats", "KL(q || posterior): what B's encoder lacks."),
        "M": Slider("M", 0.2, 0.0, 3.0, 0.05, "nats", "KL(q(z) || p(z)): what an x-free encoder pays if nobody listens."),
        "R": Slider("R", 1.2, 0.0, 4.0, 0.05, "nats", "The rate of the encoder that speaks."),
        "worth": Slider(
            "log p − L0", 0.8, 0.0, 4.0, 0.05, "nats", "What z is worth: log p(x) over the best decoder without z."
        ),
        "away": Slider(
            "‖g‖² deaf",
            0.0,
            0.0,
            5.0,
            0.1,
            "",
            "How far the labels of a deaf decoder lie from 0, in one "
            "latent dimension. 0: one g for both rows, as in the article; more: the paper's alternating g, "
            "which a deaf decoder teaches nothing.",
        ),
        "R0": Slider("R′", 0.3, 0.0, 4.0, 0.05, "nats", "The rate B spends although the decoder of the row I < c is deaf."),
        "lam": Slider("λ", 1.0, 0.0, 6.0, 0.05, "", "Penalty weight (SLVAE: weight of the label term)."),
        "c": Slider("c", 0.5, 0.05, 3.0, 0.05, "nats", "The target of the constraint."),
        "beta": Slider("β", 1.0, 0.1, 4.0, 0.05, "", "Weight of the rate."),
    }

    def __init__(self, game: str = "VAE, the letter", **values: Any) -> None:
        start = KINDS[game].start if game in KINDS else {}
        super().__init__(**{"game": game, **start, **values})

    def active(self, values: Values) -> list[str]:
        """The game, and the numbers that enter it. At β = 1 the rate of the informative pair enters by I ≥ c alone."""
        idle = ["R"] if values["game"] == "I ≥ c, of the model" and values["beta"] == 1 else []
        return ["game", *(name for name in KINDS[values["game"]].uses if name not in idle)]

    def figure_setup(self, fig: Figure) -> None:
        """Cells and arrows on the left, lamps on the right."""
        ax, lamps = fig.subplots(1, 2, width_ratios=[1.5, 1])
        xs, ys = CENTRES
        ax.set(xlim=(-0.72, 1.3), ylim=(-0.42, 1.5))
        ax.axis("off")
        for x, name in zip(xs, ("q = p", "q ≠ p")):
            ax.text(x, 1.36, f"B: {name}", color=MODULE_B, weight="bold", ha="center", fontsize=14)
        self.row_names = [
            ax.text(-0.7, y, "", color=MODULE_A, weight="bold", ha="left", va="center", fontsize=14) for y in ys
        ]
        self.boxes, self.payoffs, self.verdicts = {}, {}, {}
        for cell in ((0, 0), (0, 1), (1, 0), (1, 1)):
            x, y = xs[cell[1]], ys[cell[0]]
            self.boxes[cell] = self.live(ax.add_patch(Rectangle((x - 0.27, y - 0.2), 0.54, 0.4)))
            self.payoffs[cell] = self.live(ax.text(x, y + 0.05, "", ha="center", va="center", fontsize=19))
            self.verdicts[cell] = self.live(ax.text(x, y - 0.12, "", ha="center", va="center", fontsize=12))
        ax.text(xs[0], ys[1] - 0.24, "the article's target", ha="center", va="top", color="#505050", style="italic")
        self.arrows, self.gains = {}, {}
        for player, where in (("A", 0), ("A", 1), ("B", 0), ("B", 1)):
            colour = MODULE_A if player == "A" else MODULE_B
            arrow = FancyArrowPatch((0, 0), (1, 1), arrowstyle="-|>", mutation_scale=22, linewidth=2.8, color=colour)
            self.arrows[player, where] = self.live(ax.add_patch(arrow))
            x, y = (xs[where] + 0.035, 0.5) if player == "A" else (0.5, ys[where] + 0.07)
            align = {"ha": "left", "va": "center"} if player == "A" else {"ha": "center", "va": "bottom"}
            self.gains[player, where] = self.live(ax.text(x, y, "", color=colour, **align))

        lamps.set(xlim=(0, 1), ylim=(-0.42, 1.5))
        lamps.axis("off")
        lamps.text(0, 1.36, "The article's conditions", weight="bold", fontsize=14)
        lamps.text(0, 0.33, "What they leave out", weight="bold", fontsize=14)
        self.lamps, self.sides, self.words = {}, {}, {}
        for name, y in zip(LAMPS, (1.2, 0.98, 0.76, 0.54, 0.16, -0.06, -0.28)):
            number, words = LAMPS[name]
            self.words[name] = lamps.text(0.1, y + 0.045, f"{number} {words}".strip(), va="center", fontsize=12)
            self.sides[name] = self.live(lamps.text(0.1, y - 0.055, "", va="center", fontsize=12, color="#404040"))
            self.lamps[name] = self.live(lamps.plot([0.035], [y], "o", markersize=17, markeredgewidth=2)[0])

    def update(self, values: Values) -> str:
        """Solve the game and move everything."""
        kind = KINDS[values["game"]]
        game, conditions = kind.build(values), kind.conditions(values)
        for text, name in zip(self.row_names, kind.rows):
            self.still(text, text="A:\n" + name.removeprefix("A "))
        self._cells(game)
        self._arrows(game)
        self._lamps(conditions)
        return self._words(game, kind.rows, conditions)

    def _cells(self, game: Game) -> None:
        found = {e.cell: e for e in game.equilibria()}
        for cell, box in self.boxes.items():
            e = found.get(cell)
            empty = cell in game.infeasible
            box.set(
                facecolor="#f4ead2" if e else "white" if empty else "#f7f7f7",
                hatch="//" if empty else None,
                edgecolor="black" if e else "#b0b0b0",
                linewidth=3 if e else 1.2,
                linestyle="--" if e and not e.strict else "-",
            )
            self.payoffs[cell].set(text="" if empty else number(game.a[cell]), weight="bold" if e else "normal")
            words = game.infeasible[cell] if empty else "" if not e else "equilibrium" if e.strict else "weak eq."
            self.verdicts[cell].set(
                text=words,
                weight="bold" if e else "normal",
                y=CENTRES[1][cell[0]] - 0.12 * (not empty),
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 2} if empty else None,
            )

    def _arrows(self, game: Game) -> None:
        xs, ys = CENTRES
        for (player, where), arrow in self.arrows.items():
            one, two = ((0, where), (1, where)) if player == "A" else ((where, 0), (where, 1))
            open_ = bool(game.feasible[one] and game.feasible[two])
            gain = float(game.payoff(player)[two] - game.payoff(player)[one]) if open_ else 0.0
            tie = abs(gain) <= game.tol
            arrow.set_visible(open_ and not tie)
            self.gains[player, where].set(text="" if not open_ else f"{player}: tie" if tie else f"+{abs(gain):.2f}")
            if player == "A":
                ends = (xs[where], 0.78), (xs[where], 0.22)
            else:
                ends = (0.29, ys[where]), (0.71, ys[where])
            arrow.set_positions(*(ends if gain > 0 else ends[::-1]))

    def _lamps(self, conditions: dict[str, Condition]) -> None:
        for name, lamp in self.lamps.items():
            condition = conditions.get(name)
            self.still(self.words[name], color="#a8a8a8" if condition is None else "black")
            if condition is None:
                lamp.set(markerfacecolor="white", markeredgecolor="#cccccc")
                self.sides[name].set_text("")
                continue
            lamp.set(markerfacecolor=LIT if condition else DARK, markeredgecolor="black")
            sign = "≥" if name == "collapse" else ">"
            sides = f"{number(condition.left)} {sign if condition else {'>': '≤', '≥': '<'}[sign]} {number(condition.right)}"
            self.sides[name].set_text(f"{sides}  {'holds' if condition else 'fails'}")

    def _words(self, game: Game, rows: tuple[str, str], conditions: dict[str, Condition]) -> str:
        def name(i: int, j: int) -> str:
            return f"({rows[i]}, {('q = p', 'q ≠ p')[j]})"

        pay = ["empty" if cell in game.infeasible else number(game.a[cell]) for cell in self.boxes]
        found = [name(*e.cell) + ("" if e.strict else ", weak") for e in game.equilibria()]
        if (1, 0) in game.infeasible:
            target = "does not exist"
        else:
            leave = [player for player in game.players if game.gain(player, 1, 0) > game.tol]
            target = f"{' and '.join(leave)} leave{'s' * (len(leave) == 1)} it" if leave else "nobody leaves it"
        lit = [f"({key}) {'holds' if condition else 'fails'}" for key, condition in conditions.items() if key.isdigit()]
        return (
            f"Payoffs {pay[0]}, {pay[1]} | {pay[2]}, {pay[3]}.  Equilibria: {'; '.join(found) or 'none'}.  "
            f"The article's target {name(1, 0)}: {target}; {', '.join(lit)}."
        )


def number(value: float) -> str:
    """Two digits, a true minus sign, never −0.00.

    >>> number(-0.001), number(-1.5)
    ('0.00', '−1.50')
    """
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text.replace("-", "−")

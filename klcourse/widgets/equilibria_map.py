"""EquilibriaMap (notebook 09): all equilibria of the constrained game, and where in (beta, lam) which of them exist."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from klcourse.exact.equilibria import Equilibria, equilibria
from klcourse.plots import AMBER, BLUE, DARK, GREEN, WASTE, plane
from klcourse.widgets.exact_map import spread
from klcourse.widgets.frame.base import Widget
from klcourse.widgets.frame.controls import Choice, Slider

HINGES = {"the rate R": "rate", "the information I": "mi"}
"""Choice -> the name in klcourse.exact.equilibria."""

TOP = 2.2
"""End of the axes of rate and information, nats: beyond the largest target."""
BETA, LAM = (0.2, 3.0), 4.0
COLOURS = {"alone": GREEN, "waste": WASTE, "good": BLUE, "short": AMBER, "collapse": DARK}
"""Region of the map -> colour."""
WORDS = {
    "alone": "the pair alone:\nthe theorem",
    "waste": "the pair, and\nwaste: R = c, I = 0",
    "good": "pair, I ≥ c,\nand collapse",
    "short": "pair, I < c,\nand collapse",
    "collapse": "collapse only",
}


def bands(beta: np.ndarray, data_var: float, c: float, on: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Lowest and highest lam of every region at each beta (sigma2 = 1), equal where it is nowhere.

    >>> {name: (low.tolist(), high.tolist()) for name, (low, high) in bands(np.array([2.0]), 0.5, 0.0, "mi").items()}
    {'collapse': ([0.0], [1.5]), 'short': ([1.5], [1.5]), 'good': ([1.5], [2.0]), 'waste': ([2.0], [2.0]), ...}
    """
    opens = np.clip(beta - data_var, 0, LAM)
    held = np.clip(beta - data_var * np.exp(-2 * c), 0, LAM)
    zero, top = np.zeros_like(beta), np.full_like(beta, LAM)
    above = {"waste": (beta, top), "alone": (beta, beta)} if on == "rate" else {"waste": (beta, beta), "alone": (beta, top)}
    return {"collapse": (zero, opens), "short": (opens, held), "good": (held, beta), **above}


class EquilibriaMap(Widget):
    """Theorem T3 for every lam, beta, c and Lambda, with the hinge on R or on I; linear-Gaussian game, sigma2 = 1.

    >>> EquilibriaMap(on="the information I").text
    'λ = 2.00 > β = 1.00: the theorem. Two equilibria, mirror images: R = I = 0.50 ≥ c, q(z) = p(z), as at β = 0.37.'
    """

    title = "Which equilibria does the game have?"
    caption = (
        "Linear-Gaussian game, σ² = 1, all equilibria. Left, rate against information: the star is the informative pair (it "
        "and its mirror image), the cross is collapse, plum is rate without information; dotted: the target. Right, which "
        "of them exist at each β and λ, the circle is the chosen point. Green, with the hinge on the information only: "
        "nothing but the informative pair, with I ≥ c."
    )
    size = (9.4, 4.9)
    controls = {
        "on": Choice("hinge on", "the rate R", tuple(HINGES), "What the penalty λ max(c − X, 0) measures."),
        "lam": Slider("λ", 2.0, 0.0, LAM, 0.05, "", "Weight of the penalty."),
        "beta": Slider("β", 1.0, *BETA, 0.05, "", "Weight of the rate."),
        "c": Slider("c", 0.5, 0.1, 2.0, 0.05, "nats", "Target of the penalty."),
        "data_var": Slider("Λ", 1.0, 0.1, 4.0, 0.05, "", "The signal: variance of the data, in units of the noise σ² = 1."),
    }

    def figure_setup(self, fig: Figure) -> None:
        """The plane of rate and information on the left, the map over beta and lam on the right."""
        left, right = fig.subplots(1, 2)
        plane(left, TOP, TOP, word_at=(0.03, 0.95))
        ticks = [0, 0.5, 1, 1.5, 2]
        left.set(xticks=ticks, yticks=ticks, ylabel="information I [nats]")
        left.grid(False)
        self.target = self.live(left.plot([0, 0], [0, 0], color=DARK, linestyle=":", linewidth=2)[0])
        self.floor = self.live(left.plot([], [], color=WASTE, marker="o", markersize=13, linewidth=9, clip_on=False)[0])
        self.cross = self.live(
            left.plot(0, 0, "X", color=DARK, markersize=16, markeredgecolor="white", zorder=6, clip_on=False)[0]
        )
        self.star = self.live(left.plot([], [], "*", color=BLUE, markersize=24, markeredgecolor="white", zorder=7)[0])
        self.names = {
            name: self.live(left.text(0, 0, word, color=colour, weight="bold", va="bottom", zorder=8))
            for name, word, colour in (
                ("star", "informative pair", BLUE),
                ("floor", "waste", WASTE),
                ("cross", "collapse", DARK),
            )
        }

        self.beta = np.linspace(*BETA, 113)
        self.fills, self.words = {}, {}
        for name, colour in COLOURS.items():
            lit = 0.55 if name == "alone" else 0.22
            self.fills[name] = self.live(right.fill_between([0, 0], 0, 0, color=colour, alpha=lit, linewidth=0))
            self.words[name] = self.live(right.text(0, 0, WORDS[name], ha="center", va="center", color="black"))
        right.plot(BETA, BETA, color="black")
        self.borders = [
            self.live(right.text(BETA[1] + 0.06, 0, name, va="center", clip_on=False)) for name in ("β − s(0)", "λ*(c)", "β")
        ]
        self.here = self.live(
            right.plot([], [], "o", markersize=15, markerfacecolor="none", markeredgecolor="black", markeredgewidth=2.5)[0]
        )
        right.set(
            xlim=BETA,
            ylim=(0, LAM),
            xlabel="weight of the rate β",
            ylabel="penalty weight λ",
            xticks=[1, 2, 3],
            yticks=[0, 1, 2, 3, 4],
        )
        right.grid(False)

    def update(self, values: dict[str, Any]) -> str:
        """Move the equilibria, the borders of the regions and the chosen point."""
        on, lam, beta, c, data_var = HINGES[values["on"]], *(values[name] for name in ("lam", "beta", "c", "data_var"))
        found = equilibria(data_var, 1.0, lam, c, beta, on)
        self.target.set_data(*(([c, c], [0, c]) if on == "rate" else ([c, TOP], [c, c])))
        self.draw_equilibria(found)
        for name, (low, high) in bands(self.beta, data_var, c, on).items():
            self.fills[name].set_data(self.beta, low, high)
            room = np.where(self.beta < BETA[0] + 0.45, -1, np.where(self.beta > BETA[1] - 0.55, -1, high - low))
            k = int(np.argmin(abs(self.beta - 1.1))) if name in ("alone", "waste") else int(np.argmax(np.round(room, 9)))
            self.words[name].set(
                position=(self.beta[k], 0.5 * (low[k] + high[k])),
                visible=bool(room[k] > (0.5 if name == "collapse" else 0.95)),
            )
        heights = BETA[1] - np.array([data_var, data_var * np.exp(-2 * c), 0.0])
        for text, true, height in zip(self.borders, heights, spread(heights.tolist(), 0.26)):
            text.set(y=height, visible=bool(true > 0.1))
        self.here.set_data([beta], [lam])
        return said(found, lam, beta, c, on)

    def draw_equilibria(self, found: Equilibria) -> None:
        """Star, cross and floor, each with its name."""
        pair = found.informative
        self.star.set_visible(pair is not None)
        if pair is not None:
            self.star.set_data([float(pair.rate)], [float(pair.mi)])
            x, y, left = float(pair.rate), float(pair.mi), float(pair.rate) > 0.6 * TOP
            self.names["star"].set(
                position=(x - 0.1, y + 0.02) if left else (x + 0.1, y - 0.12), ha="right" if left else "left"
            )
        self.names["star"].set_visible(pair is not None and float(pair.mi) > 0.2)
        low, high = found.deaf if found.deaf is not None else (0.0, 0.0)
        self.floor.set_visible(high > 0)
        self.floor.set_data([low, high], [0, 0])
        self.cross.set_visible(found.deaf is not None and low == 0)
        side = -0.1 if high > 0.7 * TOP else 0.1
        self.names["floor"].set(position=(high + side, 0.06), ha="left" if side > 0 else "right", visible=high > 0)
        self.names["cross"].set(position=(0.08, 0.06), visible=found.deaf == (0.0, 0.0))


def said(found: Equilibria, lam: float, beta: float, c: float, on: str) -> str:
    """The equilibria in words.

    >>> said(equilibria(0.5, 1.0, 0.2, 1.0), 0.2, 1.0, 1.0, "rate")
    'λ = 0.20 < β = 1.00: one equilibrium, collapse, R = I = 0.00 < c = 1.00.'
    """
    sign = "<" if lam < beta else "=" if lam == beta else ">"
    start = f"λ = {lam:.2f} {sign} β = {beta:.2f}"
    pair = found.informative
    if pair is None:
        return f"{start}: one equilibrium, collapse, R = I = 0.00 < c = {c:.2f}."
    mi = float(pair.mi)
    reached = "≥ c" if mi > c - 1e-9 else f"< c = {c:.2f}"
    good = f"R = I = {mi:.2f} {reached}, q(z) = p(z), as at β = {found.multiplier:.2f}"
    if found.deaf is None:
        return f"{start}: the theorem. Two equilibria, mirror images: {good}."
    low, high = found.deaf
    rest = "collapse" if high == 0 else f"every silent encoder with R {'=' if low == high else '≤'} {high:.2f}, I = 0.00"
    return f"{start}: the informative pair, {good}; and {rest}."

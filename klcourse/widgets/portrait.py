"""PhasePortrait (notebooks 04, 08): one number per module, and where training goes from near collapse."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure

from klcourse.exact import dynamics, linear_gaussian, regimes
from klcourse.exact.linear_gaussian import Array, LinearGaussianVAE
from klcourse.exact.ppca import PPCA
from klcourse.plots import BLUE, MODULE_A, MODULE_B, matched_payoff, plane
from klcourse.widgets.frame.base import Widget
from klcourse.widgets.frame.controls import Choice, Slider

HINGES = {"off": "rate", "on the rate R": "rate", "on the information I": "mi"}
"""Choice -> the name in klcourse.exact.dynamics."""

# Payoff minus that of collapse, nats. Greys: worse than collapse; ochre: better.
LEVELS = [-99, -4, -2, -1, -0.5, -0.2, 0.0, 0.1, 0.3, 0.6, 1.0, 99]
SHADES = [
    "#8f8f8f",
    "#a6a6a6",
    "#bababa",
    "#cecece",
    "#e0e0e0",
    "#f2f2f2",
    "#fff4cf",
    "#ffe9a3",
    "#fbd872",
    "#f2c14e",
    "#e0a526",
]
EDGE = 0.985
WIDTH = 1.3
# Starts in the plane's units (w/√Λ, v√Λ): four near collapse, two far from it. A training run starts with a
# shift that is small but not zero; without it the lazy direction could not grow at all.
STARTS = np.array([[0.10, 0.02], [-0.10, -0.02], [0.10, -0.07], [-0.03, 0.10], [1.15, 0.06], [-0.06, -0.85]])
SHIFT = 0.05
TOP = 2.2
"""End of the axes of rate and information, nats: just beyond the largest target."""
STEPS, LEARNING_RATE, BLOCK = 496, 0.05, 8


def payoff_gain(w: Array, v: Array, data_var: float, beta: float, lam: float, c: float) -> Array:
    """Payoff minus that of collapse at w = ŵ√Λ, v = v̂/√Λ, nats; σ² = 1, and s² such that q(z) = p(z).

    There R = I_q, so a hinge on either charges the same.

    >>> float(payoff_gain(0.0, 0.0, data_var=2.0, beta=1.0, lam=2.0, c=1.0))
    0.0
    """
    rate = -0.5 * np.log1p(-np.square(v))
    value = matched_payoff(w * np.sqrt(data_var), v / np.sqrt(data_var), data_var, beta=beta)
    collapse = -float(linear_gaussian.distortion(0.0, data_var, 1.0))
    return value - collapse + lam * np.minimum(rate, c)  # -lam max(c - R, 0) against -lam c


def encoder_reply(w: Array, data_var: float, beta: float, lam: float, c: float) -> Array:
    """B's best v̂ against ŵ in the plane, with the hinge; nan at ŵ = 0 where λ >= β: there B has no single one.

    >>> encoder_reply(np.array([0.5]), data_var=3.0, beta=1.0, lam=0.0, c=0.0).round(3)
    array([0.721])
    """

    def stationary(level: float) -> Array:  # the root of level v = Λ w (1 - v²) next to 0
        pull = 2 * data_var * w
        return pull / (level + np.sqrt(level**2 + pull**2))

    corner = np.sqrt(-np.expm1(-2 * c))  # here R = c
    free = stationary(beta)
    reply = np.where(np.abs(free) >= corner, free, np.sign(w) * corner)
    if lam < beta:
        held = stationary(beta - lam)
        return np.where(np.abs(held) < corner, held, reply)
    return np.where(w == 0, np.nan, reply)


def training_runs(data_var: float, beta: float, lam: float, c: float, hinge: str) -> LinearGaussianVAE:
    """Gradient descent from STARTS: the models on the way, (records, starts).

    Where a hinge is held, descent chatters across the kink; means over a few steps show where it is. The first
    steps are long and are kept one by one.

    >>> abs(training_runs(3.0, 1.0, 0.0, 1.0, "rate").w[-1]).round(1)        # the optimum: w² = Λ − β = 2
    array([1.4, 1.4, 1.4, 1.4, 1.4, 1.4])
    """
    w, v = STARTS[:, 0] * np.sqrt(data_var), STARTS[:, 1] / np.sqrt(data_var)
    start = LinearGaussianVAE(w, v, 1 - STARTS[:, 1] ** 2, m=SHIFT, data_var=data_var)
    path = dynamics.descend(start, steps=STEPS, lr=LEARNING_RATE, beta=beta, lam=lam, c=c, hinge=hinge).model

    def thin(values: Array) -> Array:
        first, rest = values[: 2 * BLOCK + 1], values[2 * BLOCK + 1 :]
        return np.concatenate([first, rest.reshape(-1, BLOCK, len(STARTS)).mean(1)])

    w, v, s2, b, m = (thin(part) for part in (path.w, path.v, path.s2, path.b, path.m))
    return LinearGaussianVAE(w, v, s2, b, m, data_var=data_var)


class PhasePortrait(Widget):
    """Payoff, best replies and training runs of the linear-Gaussian VAE, σ² = 1, with and without the hinge.

    >>> PhasePortrait(data_var=0.5).text
    'Collapse is a strict equilibrium and stable: Λ ≤ β.  The first run ends at R = 0.00, I = 0.00 nats.'
    """

    title = "Does training stay at collapse?"
    caption = (
        "Linear-Gaussian VAE, σ² = 1. Left: payoff over the decoder's gain and the encoder's gain, among encoders with "
        "q(z) = p(z); grey is worse than collapse (cross), ochre better; stars are the best. Lines: best replies of A "
        "(brown, dashed) and B (teal). Black: gradient descent in all five numbers of the model from six starts (dots); "
        "runs need not keep q(z) = p(z) and may leave the shaded band. Right: the same runs, rate against information."
    )
    size = (9.4, 4.9)
    controls = {
        "data_var": Slider("Λ", 3.0, 0.1, 4.0, 0.05, "", "The signal: variance of the data, in units of the noise σ² = 1."),
        "beta": Slider("β", 1.0, 0.2, 3.0, 0.05, "", "Weight of the rate."),
        "hinge": Choice("hinge", "off", tuple(HINGES), "The penalty λ max(c − R, 0), or λ max(c − I, 0), or none."),
        "lam": Slider("λ", 2.0, 0.0, 4.0, 0.05, "", "Weight of the penalty."),
        "c": Slider("c", 1.0, 0.1, 2.0, 0.05, "nats", "Target of the penalty."),
    }

    def active(self, values: dict[str, Any]) -> list[str]:
        """λ and c matter with a hinge only."""
        return [name for name in values if values["hinge"] != "off" or name not in ("lam", "c")]

    def figure_setup(self, fig: Figure) -> None:
        """The plane on the left, rate against information on the right."""
        ax, right = fig.subplots(1, 2, width_ratios=[1.35, 1])
        self.w, self.v = np.meshgrid(np.linspace(-WIDTH, WIDTH, 81), np.linspace(-EDGE, EDGE, 81))
        self.ax = ax
        self.bands: QuadContourSet | None = None
        self.line = np.linspace(-WIDTH, WIDTH, 521)
        self.live(ax.plot(self.line, self.line, color=MODULE_A, linestyle=(0, (4, 2)))[0])
        self.reply = self.live(ax.plot(self.line, self.line, color=MODULE_B)[0])
        self.stars = self.live(ax.plot([], [], "*", color="black", markersize=20, zorder=5)[0])
        self.live(ax.plot(0, 0, "X", color="black", markersize=15, markeredgecolor="white", zorder=6)[0])
        near = ["black"] * 4 + ["#555555"] * 2
        self.runs = [self.live(ax.plot([], [], color=colour, linewidth=1.8, zorder=4)[0]) for colour in near]
        self.live(ax.plot(*STARTS.T, "o", color="black", markersize=6, linestyle="none", zorder=4)[0])
        ax.set(xlim=(-WIDTH, WIDTH), ylim=(-WIDTH, WIDTH), xlabel="decoder gain  w / √Λ", ylabel="encoder gain  v √Λ")
        ax.grid(False)
        for x, text, colour in ((0.0, "A's best reply (dashed)", MODULE_A), (0.58, "B's best reply", MODULE_B)):
            ax.text(x, 1.02, text, transform=ax.transAxes, color=colour, weight="bold", va="bottom")

        plane(right, TOP, TOP, word_at=(0.03, 0.95))
        self.target = self.live(right.plot([0, 0], [0, 0], color=BLUE, linestyle=":", linewidth=2.5)[0])
        self.paths = [self.live(right.plot([], [], color=colour, linewidth=2.2, zorder=4)[0]) for colour in near]
        self.ends = self.live(right.plot([], [], "o", color="black", markersize=8, zorder=5, clip_on=False)[0])
        ticks = [0, 0.5, 1, 1.5, 2]
        right.set(xticks=ticks, yticks=ticks, ylabel="information I [nats]")
        right.grid(False)

    def update(self, values: dict[str, Any]) -> str:
        """Shade the plane, move replies and stars, descend from the six starts."""
        data_var, beta, c = values["data_var"], values["beta"], values["c"]
        on = values["hinge"] != "off"
        lam = values["lam"] if on else 0.0
        hinge = HINGES[values["hinge"]]
        gain = payoff_gain(self.w, self.v, data_var, beta, lam, c)
        if self.bands is not None:
            self.bands.remove()
        # new bands are four times as fast as an image of the same size
        self.bands = self.live(self.ax.contourf(self.w, self.v, gain, levels=LEVELS, colors=SHADES, zorder=0))
        self.reply.set_ydata(encoder_reply(self.line, data_var, beta, lam, c if on else 0.0))
        best = regimes.best_rate(PPCA([data_var], 1, 1.0), lam, c, beta)
        height = np.sqrt(-np.expm1(-2 * best))  # at the optimum ŵ = v̂, and R = -log(1 - v̂²) / 2
        self.stars.set_data([height, -height], [height, -height])
        self.stars.set_visible(bool(best > 0))

        model = training_runs(data_var, beta, lam, c, hinge)
        w, v, rate, mi = model.w / np.sqrt(data_var), model.v * np.sqrt(data_var), model.rate, model.mi
        for k, (left, right) in enumerate(zip(self.runs, self.paths)):
            left.set_data(w[:, k], v[:, k])
            right.set_data(rate[:, k], mi[:, k])
        self.ends.set_data(rate[-1], mi[-1])
        self.target.set_visible(on)
        self.target.set_data(*(([c, c], [0, c]) if hinge == "rate" else ([c, TOP], [c, c])))
        end = f"The first run ends at R = {rate[-1, 0]:.2f}, I = {abs(mi[-1, 0]):.2f} nats."
        return f"{verdict(data_var, beta, lam, hinge)}  {end}"


def verdict(data_var: float, beta: float, lam: float, hinge: str) -> str:
    """What collapse is, in words, from the growth rates at (0, 0).

    >>> verdict(3.0, 1.0, 0.0, "rate")
    'Collapse is a strict equilibrium, yet a saddle: Λ > β.'
    >>> verdict(0.25, 1.0, 2.0, "rate")
    'Collapse is no equilibrium: λ > β. The fastest way out is the shift: waste.'
    """
    growth = dynamics.growth_rates(data_var, 1.0, beta, lam, hinge)
    level = "β − λ" if lam else "β"
    if lam > beta:
        way = "shift: waste" if growth.shift > growth.gain else "gain: information"
        return f"Collapse is no equilibrium: λ > β. The fastest way out is the {way}."
    kind = "a weak equilibrium" if lam == beta else "a strict equilibrium"
    if growth.gain > 0:
        return f"Collapse is {kind}, yet a saddle: Λ > {level}."
    return f"Collapse is {kind} and stable: Λ ≤ {level}."

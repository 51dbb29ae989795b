"""ElboGap (notebook 01): identity 1 as a picture, log p(x) = ELBO + KL(q || posterior), one latent dimension."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import minimize
from scipy.stats import norm

from klcourse.plots import BLUE, GREY, ORANGE
from klcourse.widgets.frame.base import Widget
from klcourse.widgets.frame.controls import Choice, Slider

DEPTH = 6.0
"""How deep the ruler reaches, nats."""


class World(NamedTuple):
    """p(z) = N(0, 1) and one observed x: `log_likelihood` is log p(x|z), nats, for an array of z."""

    log_likelihood: Callable[[np.ndarray], np.ndarray]
    words: str


WORLDS = {
    "x = z + noise": World(lambda z: norm.logpdf(1.5, z, np.sqrt(0.5)), "one answer, a Gaussian"),
    "x = z² + noise": World(lambda z: norm.logpdf(1.5, z**2, 0.5), "two answers"),
    "x counts, mean exp(2z)": World(lambda z: -np.exp(2 * z), "a skewed answer"),
}
"""Name -> world. Observed: x = 1.5 with noise of variance 0.5 and of 0.25, and a count of 0."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_GRID = np.linspace(-8.0, 8.0, 3201)


class Gap(NamedTuple):
    """What an ELBO is made of, nats."""

    log_p: float
    elbo: float
    gap: float
    distortion: float
    rate: float


def log_evidence(world: World) -> float:
    """log p(x) of a world, by quadrature over z.

    >>> exact = norm.logpdf(1.5, 0, 1.5**0.5)           # x = z + noise: x ~ N(0, 1 + 0.5)
    >>> bool(abs(log_evidence(WORLDS["x = z + noise"]) - exact) < 1e-9)
    True
    """
    return float(np.log(np.trapezoid(np.exp(world.log_likelihood(_GRID)) * norm.pdf(_GRID), _GRID)))


def gap_of(world: World, mu: float, s: float) -> Gap:
    """ELBO, gap and their parts for q = N(mu, s²); the gap is computed from its own definition.

    >>> parts = gap_of(WORLDS["x = z + noise"], mu=1.0, s=3**-0.5)          # the exact posterior
    >>> abs(parts.gap) < 1e-9
    True
    """
    z = mu + s * _NODES
    log_lik, log_q, log_prior = world.log_likelihood(z), norm.logpdf(z, mu, s), norm.logpdf(z)
    log_p = log_evidence(world)
    log_posterior = log_lik + log_prior - log_p
    rate = 0.5 * (mu**2 + s**2 - 1 - 2 * np.log(s))
    distortion = -float(_WEIGHTS @ log_lik)
    gap = max(float(_WEIGHTS @ (log_q - log_posterior)), 0.0)  # a rounding error below 0 is 0
    return Gap(log_p, -distortion - rate, gap, distortion, rate)


MU = Slider("μ", 0.4, -2.5, 2.5, 0.05, help="The centre of the guess q.")
S = Slider("s", 0.7, 0.1, 2.0, 0.05, help="The standard deviation of the guess q.")


class ElboGap(Widget):
    """A posterior and a Gaussian guess q; beside them log p(x) and the gap, which add up to the ELBO.

    >>> ElboGap(world="x = z + noise", mu=0).text
    'ELBO −3.41 + gap 1.54 = log p(x) −1.87 nats.  D 3.31, R 0.10.'
    """

    title = "How far is the ELBO below log p(x)?"
    caption = (
        "Left: a true posterior with two peaks (grey), the prior (dotted) and a Gaussian guess q (blue); orange marks "
        "where q puts more mass than the posterior has. Right: two columns that end at the ELBO, whatever q is: log p(x) "
        "and the gap KL(q || posterior); distortion D and rate R. Only the grey part never moves. By quadrature, no "
        "sampling."
    )
    size = (8.8, 4.1)
    controls = {
        "world": Choice(
            "world",
            "x = z² + noise",
            tuple(WORLDS),
            "What z does to x: a posterior with one peak, with two, or a skewed one.",
        ),
        "mu": MU,
        "s": S,
    }
    actions = {"Best q from here": "best_q"}

    def figure_setup(self, fig: Figure) -> None:
        """Densities on the left, the ruler in nats on the right."""
        ax, ruler = fig.subplots(1, 2, width_ratios=[2.5, 1])
        self.z = np.linspace(-3.2, 3.2, 321)
        flat = np.zeros_like(self.z)
        ax.plot(self.z, norm.pdf(self.z), color=GREY, linestyle=":", linewidth=2)
        names = ("posterior p(z|x)", "#505050"), ("guess q", BLUE), ("prior p(z), dotted", GREY)
        for row, (text, colour) in enumerate(names):
            ax.text(0.01, 0.97 - 0.085 * row, text, color=colour, weight="bold", va="top", transform=ax.transAxes)
        self.area = self.live(ax.fill_between(self.z, flat, flat, color="#d4d4d4", linewidth=0))
        self.excess = self.live(ax.fill_between(self.z, flat, flat, color=ORANGE, alpha=0.35, linewidth=0))
        self.outline = self.live(ax.plot(self.z, flat, color=GREY, linewidth=1.4)[0])
        self.curve = self.live(ax.plot(self.z, flat, color=BLUE, zorder=3)[0])
        ax.set(xlim=(-3.2, 3.2), ylim=(0, 1.25), xlabel="z", yticks=[])
        ax.grid(False)
        ax.spines["left"].set_visible(False)

        ruler.set(xlim=(0, 2), ylim=(-DEPTH, 0), xticks=[], ylabel="nats")
        ruler.grid(False)
        ruler.spines["bottom"].set_visible(False)
        # two columns that hang from 0 and end at the same depth: log p(x) and the gap, -D and -R
        self.bars, self.labels = [], []
        for x, colour in ((0.5, "#9a9a9a"), (0.5, ORANGE), (1.5, "#8CBBDD"), (1.5, "#4C93C4")):
            self.bars.append(self.live(ruler.bar(x, 0, 0.86, color=colour, linewidth=0)[0]))
            self.labels.append(self.live(ruler.text(x, 0, "", ha="center", va="center", weight="bold", zorder=4)))
        self.floor = self.live(ruler.plot([0, 2], [0, 0], color=BLUE, linewidth=3.5, zorder=5)[0])
        self.depth, self.missing = [
            self.live(ruler.text(x, 0, "", ha="center", va="top", color=colour, weight="bold", zorder=5))
            for x, colour in ((1.43, BLUE), (0.43, "#A84300"))
        ]

    def update(self, values: dict) -> str:
        """Move q, the orange excess and the two columns."""
        world, mu, s = WORLDS[values["world"]], values["mu"], values["s"]
        parts = gap_of(world, mu, s)
        posterior = np.exp(world.log_likelihood(self.z) + norm.logpdf(self.z) - parts.log_p)
        q = norm.pdf(self.z, mu, s)
        shown = np.minimum(q, 1.25)
        self.area.set_data(self.z, 0 * q, posterior)
        self.excess.set_data(self.z, np.minimum(posterior, shown), shown)
        self.outline.set_ydata(posterior)
        self.curve.set_ydata(q)
        stack = (
            ("−log p", 0, parts.log_p),
            ("", parts.log_p, parts.elbo),
            ("D", 0, -parts.distortion),
            ("R", -parts.distortion, parts.elbo),
        )
        for bar, label, (name, start, end) in zip(self.bars, self.labels, stack):
            bar.set_y(start)
            bar.set_height(end - start)
            low, high = max(min(start, end), -DEPTH), max(start, end)
            label.set(text=f"{name}\n{abs(end - start):.2f}" if name else "", y=(low + high) / 2, visible=high - low > 0.75)
        self.floor.set_ydata([parts.elbo, parts.elbo])
        deep = parts.elbo < 0.5 - DEPTH  # then the words stand on the bottom instead of hanging from the ELBO
        for text, words in ((self.depth, f"ELBO {_signed(parts.elbo)}"), (self.missing, f"gap {parts.gap:.2f}")):
            text.set(text=words, y=0.06 - DEPTH if deep else parts.elbo - 0.08, va="bottom" if deep else "top")
        return (
            f"ELBO {_signed(parts.elbo)} + gap {parts.gap:.2f} = log p(x) {_signed(parts.log_p)} nats.  "
            f"D {parts.distortion:.2f}, R {parts.rate:.2f}."
        )

    def best_q(self, values: dict) -> dict:
        """The Gaussian with the smallest gap that is found downhill from the present one."""
        world = WORLDS[values["world"]]
        found = minimize(
            lambda p: gap_of(world, *p).gap,
            (values["mu"], values["s"]),
            bounds=[(MU.low, MU.high), (S.low, S.high)],
            tol=1e-12,
        )
        return {"mu": float(found.x[0]), "s": float(found.x[1])}


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")

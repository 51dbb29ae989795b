"""TiltedPrior (notebook 05): B's best reply to a decoder that ignores z under SLVAE, and what its rate is made of."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

from klcourse.exact import selflabel
from klcourse.plots import WASTE, style_of
from klcourse.widgets.frame.base import Widget
from klcourse.widgets.frame.controls import Choice, Slider

SL, MI = style_of("sl"), style_of("rate-hinge")

LABELS = ("joint: g = 0", "one label for all x", "labels that differ")
QUANTILES = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
DIMENSIONS = ("1", "16", "32")
LAMS = np.linspace(0, 4, 161)


def rate_and_information(labels: str, lam: np.ndarray, size: float, d: int) -> tuple[np.ndarray, np.ndarray]:
    """R and I_q of the tilted prior, nats, for a decoder that ignores z; `lam` may be an array.

    `labels` is one of LABELS. Labels act on the first of d dimensions: g = size for every x, or
    g(x) ~ N(0, size²) over the data. Claim A7.

    >>> r, i = rate_and_information("joint: g = 0", np.array(0.5), size=1.0, d=32)
    >>> round(float(r), 2), float(i)
    (3.09, 0.0)
    """
    lam = np.asarray(lam, float)
    rate = selflabel.tilted_rate(lam, d, 0.0 if labels == LABELS[0] else size**2)
    if labels != LABELS[2]:
        return rate, np.zeros_like(rate)
    # 0.5 log det of a 1 x 1 matrix: selflabel.tilted_mi at a whole row of lam
    k = 1 + 2 * lam
    return rate, 0.5 * np.log1p((k - 1) ** 2 / k * size**2)


class TiltedPrior(Widget):
    """Codes of a self-labelled encoder that nobody listens to, and how much of their KL is information.

    >>> TiltedPrior(lam=0.5, d="32").text
    'λ = 0.5: R = 3.09 nats = information 0.00 + waste 3.09.  KL has not vanished, information has.'
    """

    title = "KL > 0: is any of it information?"
    caption = (
        "SLVAE against a decoder that ignores z. Left: the prior (grey) and B's best reply q*(z|x), the prior tilted "
        "towards the label g(x) (black triangles), in the first latent dimension. Right: its rate R against λ in closed "
        "form, split into information (blue) and waste M (plum). With joint labels all of it is waste."
    )
    size = (8.8, 4.1)
    controls = {
        "labels": Choice(
            "labels",
            LABELS[0],
            LABELS,
            "Where g comes from. Joint training drives g to 0. The paper's "
            "alternating training leaves labels that differ between the x.",
        ),
        "lam": Slider("λ", 0.5, 0.0, 4.0, 0.05, help="Weight of the pull towards the label."),
        "g": Slider(
            "g",
            1.5,
            -2.5,
            2.5,
            0.1,
            help="Where the one label sits; for labels that differ, how far they spread (one standard deviation).",
        ),
        "d": Choice("latent d", "16", DIMENSIONS, "Number of latent dimensions; the label acts in the first one."),
    }

    def active(self, values: dict) -> list[str]:
        """g has no say when joint training has driven it to 0."""
        return [name for name in values if name != "g" or values["labels"] != LABELS[0]]

    def figure_setup(self, fig: Figure) -> None:
        """Densities on the left, the rate curve on the right."""
        ax, self.curve_ax = fig.subplots(1, 2, width_ratios=[1.25, 1])
        self.z = np.linspace(-3.6, 3.6, 361)
        flat = np.zeros_like(self.z)
        ax.fill_between(self.z, norm.pdf(self.z), color="#dddddd", linewidth=0)
        ax.text(-3.5, 0.04, "prior", color="#606060")
        self.codes = [self.live(ax.plot(self.z, flat, color=SL.colour, linewidth=2.2)[0]) for _ in QUANTILES]
        self.together = self.live(ax.plot(self.z, flat, color="black", linestyle=(0, (4, 2)), linewidth=2)[0])
        self.marks = self.live(ax.plot([0], [0], "^", color="black", markersize=11, clip_on=False, zorder=4)[0])
        ax.text(-3.5, 1.27, "q*(z|x)", color=SL.colour, weight="bold", va="top")
        self.all_x = ax.text(3.5, 1.27, "", ha="right", va="top", color="black")
        ax.set(xlim=(-3.6, 3.6), ylim=(0, 1.3), xlabel="z (first dimension)", yticks=[])
        ax.spines["left"].set_visible(False)
        ax.grid(False)

        right = self.curve_ax
        right.set(xlim=(0, 4), xlabel="λ", ylabel="nats")
        self.info = self.live(right.fill_between(LAMS, 0 * LAMS, 0 * LAMS, color=MI.colour, alpha=0.75, linewidth=0))
        self.waste = self.live(right.fill_between(LAMS, 0 * LAMS, 0 * LAMS, color=WASTE, alpha=0.45, linewidth=0))
        self.line = self.live(right.plot(LAMS, 0 * LAMS, color="black")[0])
        self.split = [
            self.live(right.plot([0, 0], [0, 0], color=colour, linewidth=7, solid_capstyle="butt", zorder=3)[0])
            for colour in (MI.colour, WASTE)
        ]
        self.dot = self.live(right.plot([0], [0], "o", color="black", markersize=11, clip_on=False, zorder=4)[0])
        self.numbers = []
        for row, (text, colour) in enumerate((("rate R", "black"), ("waste M", WASTE), ("information", MI.colour))):
            place = {"va": "top", "color": colour, "weight": "bold", "transform": right.transAxes}
            right.text(0.03, 0.98 - 0.09 * row, text, **place)
            self.numbers.append(self.live(right.text(0.55, 0.98 - 0.09 * row, "", ha="right", **place)))

    def update(self, values: dict) -> str:
        """Move the codes, the split area and the dot."""
        labels, lam, d = values["labels"], values["lam"], int(values["d"])
        size = values["g"]
        g = {LABELS[0]: np.zeros(1), LABELS[1]: np.array([size])}.get(labels, abs(size) * norm.ppf(QUANTILES))
        mean, var = (np.asarray(part) for part in selflabel.tilted_prior(lam, g))
        for k, line in enumerate(self.codes):
            line.set_visible(k < len(g))
            if k < len(g):
                line.set_ydata(norm.pdf(self.z, mean[k], np.sqrt(var)))
        spread = labels == LABELS[2]
        self.together.set_visible(spread)
        if spread:  # g ~ N(0, size²), so the aggregate is Gaussian
            total = (2 * lam / (1 + 2 * lam)) ** 2 * size**2 + var
            self.together.set_ydata(norm.pdf(self.z, 0, np.sqrt(total)))
        self.marks.set_data(g, 0 * g)
        self.still(self.all_x, text="five x, five codes\ndashed: all x together" if spread else "every x has\nthis one code")

        rates, infos = rate_and_information(labels, LAMS, size, d)
        rate, info = (float(part) for part in rate_and_information(labels, lam, size, d))
        top = 1.08 * float(rate_and_information(LABELS[2], LAMS[-1], 2.5, d)[0])  # the same for every g
        self.still(self.curve_ax, ylim=(0.0, top))
        self.info.set_data(LAMS, 0 * infos, infos)
        self.waste.set_data(LAMS, infos, rates)
        self.line.set_ydata(rates)
        self.dot.set_data([lam], [rate])
        for part, low, high in zip(self.split, (0, info), (info, rate)):
            part.set_data([lam, lam], [low, high])
        for number, value in zip(self.numbers, (rate, rate - info, info)):
            number.set_text(f"{value:.2f}")
        verdict = (
            "Nothing pulls: q* is the prior."
            if lam == 0
            else "KL has not vanished, information has."
            if info == 0
            else f"{100 * info / rate:.0f} % of the KL is information."
        )
        return f"λ = {lam:g}: R = {rate:.2f} nats = information {info:.2f} + waste {rate - info:.2f}.  {verdict}"

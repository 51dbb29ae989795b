"""Figures in the course's one style: the same colour, marker and name for an objective everywhere."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Image, Markdown, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SIDE = 28


@dataclass(frozen=True)
class Style:
    """How an objective looks: a colour-blind safe colour, and a marker and dash that survive a grey printer."""

    label: str
    colour: str
    marker: str
    dash: str | tuple


STYLES = {
    "elbo": Style("ELBO", "#444444", "o", "-"),
    "sl": Style("SLVAE", "#D55E00", "^", (0, (6, 2))),
    "mi": Style("MI constraint", "#0072B2", "s", "-"),
    "beta": Style("β-VAE", "#009E73", "D", (0, (2, 1))),
    "tc": Style("β-TCVAE", "#CC79A7", "v", (0, (4, 1, 1, 1))),
    # the literature's baselines share hues with their relatives above and differ in marker and dash
    "mi-hinge": Style("hinge on I", "#E69F00", "P", "-"),
    "freebits": Style("free bits, total", "#56B4E9", "p", (0, (3, 1))),
    "freebits-dim": Style("free bits, per dimension", "#56B4E9", "$F$", (0, (1, 1))),
    "capacity": Style("capacity", "#0072B2", "X", (0, (5, 1, 1, 1, 1, 1))),
    "dual": Style("dual ascent", "#0072B2", "d", (0, (1, 1))),
    "anneal": Style("linear annealing", "#444444", ">", (0, (4, 2))),
    "cyclical": Style("cyclical annealing", "#444444", "<", (0, (1, 1.5))),
    "mmd": Style("InfoVAE-MMD", "#CC79A7", "*", (0, (1, 1))),
    # and those that change the model or the schedule of updates, under any objective
    "word-dropout": Style("word dropout", "#999999", "$W$", (0, (2, 2))),
    "bn": Style("BN-VAE", "#009E73", "$B$", (0, (5, 1))),
    "delta": Style("δ-VAE", "#009E73", "$\\delta$", (0, (1, 1))),
    "lagging": Style("lagging inference", "#D55E00", "$L$", (0, (1, 1))),
}


def use_style() -> None:
    """Switch matplotlib to the course's style; every notebook calls it once."""
    plt.style.use(Path(__file__).with_name("klcourse.mplstyle"))


def style_of(objective: str) -> Style:
    """The style of an objective by its name on the command line.

    >>> style_of("mi").label
    'MI constraint'
    """
    if objective not in STYLES:
        raise ValueError(f"no style for objective {objective!r}: known are {', '.join(STYLES)}")
    return STYLES[objective]


def show(fig: Figure, caption: str) -> None:
    """Put a figure into the notebook with its caption below, which is its alternative text as well, and close it."""
    png = io.BytesIO()
    # tight, so that no label is cut off; no version inside, so that the same picture has the same bytes
    fig.savefig(png, format="png", bbox_inches="tight", pad_inches=0.08, metadata={"Software": None})
    plt.close(fig)
    display(Image(png.getvalue(), alt=caption), metadata={"image/png": {"alt": caption}})
    display(Markdown("*" + caption.replace("*", r"\*") + "*"))  # a caption says λ*, it does not emphasise


def show_text_table(frame: pd.DataFrame) -> None:
    """Put a table of sentences into the notebook: left-aligned, wrapped, without an index."""
    cell = '<td style="text-align: left; vertical-align: top; white-space: normal; max-width: 17em">'
    html = frame.to_html(index=False, justify="left", border=0).replace("<td>", cell)
    display({"text/html": html, "text/plain": frame.to_string(index=False)}, raw=True)


def label_ends(ax: Axes, ends: Sequence[tuple[float, float, str, str]], gap: float = 0.055) -> None:
    """Write names at the right end of curves, (x, y, text, colour) each, moved apart where they would overlap.

    `gap` is the smallest distance as a share of the axis height. Call it after the axis limits are set.
    """
    if not ends:
        return
    low, high = ax.get_ylim()
    log = ax.get_yscale() == "log"

    def height(y: float) -> float:
        return (np.log(y / low) / np.log(high / low)) if log else (y - low) / (high - low)

    order = sorted(ends, key=lambda e: e[1])
    heights = [height(e[1]) for e in order]
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + gap)
    overflow = max(0.0, heights[-1] - 1.0)
    for (_, _, text, colour), h in zip(order, heights):
        ax.annotate(
            text,
            (1.0, h - overflow),
            xycoords="axes fraction",
            xytext=(6, 0),
            textcoords="offset points",
            color=colour,
            va="center",
            ha="left",
            annotation_clip=False,
        )


def history_curves(
    ax: Axes, histories: Mapping[str, pd.DataFrame], column: str, ylabel: str, names: Mapping[str, str]
) -> None:
    """One curve of a history column per run; `names` says which objective's style a run has.

    Runs with the same objective are told apart by their labels at the right end.
    """
    ends = []
    for label, history in histories.items():
        style = style_of(names[label])
        rows = history.dropna(subset=[column])
        ax.plot(rows["epoch"], rows[column], color=style.colour, linestyle=style.dash)
        ends.append((rows["epoch"].iloc[-1], rows[column].iloc[-1], label, style.colour))
    ax.set(xlabel="epoch", ylabel=ylabel)
    ax.margins(x=0.01)
    label_ends(ax, ends)


def rate_information_plane(ax: Axes, points: Sequence[tuple[str, str, float, float]]) -> None:
    """The (R, I) plane, nats: points are (label, objective, rate, mi). Above the diagonal I > R is impossible.

    Points that would print on top of each other share one label.
    """
    right = 1.3 * max(1.0, *(r for _, _, r, _ in points))
    top = min(right, 1.5 * max(0.5, *(i for _, _, _, i in points)))
    ax.fill_between([0, top], [0, top], top, color="#eeeeee", linewidth=0, zorder=0)
    ax.plot([0, top], [0, top], color="#b0b0b0", linewidth=1, zorder=1)
    ax.text(0.02 * right, 0.93 * top, "impossible: I > R", color="#707070")
    groups: list[list[tuple[str, str, float, float]]] = []
    for point in sorted(points, key=lambda p: p[2]):
        label, objective, r, i = point
        style = style_of(objective)
        ax.plot(r, i, marker=style.marker, color=style.colour, markersize=9, linestyle="none", clip_on=False, zorder=3)
        near = (g for g in groups if r - g[-1][2] < 0.04 * right and abs(i - g[-1][3]) < 0.09 * top)
        group = next(near, None)
        groups.append([point]) if group is None else group.append(point)
    for group in groups:
        r, i = group[-1][2], np.mean([p[3] for p in group])
        colour = style_of(group[0][1]).colour if len({p[1] for p in group}) == 1 else "#404040"
        crowded = any(g is not group and 0 < g[0][2] - r < 0.3 * right and abs(g[0][3] - i) < 0.08 * top for g in groups)
        leftwards = crowded and r > 0.3 * right
        x, ha = (-10, "right") if leftwards else (10, "left")
        text = ", ".join(p[0] for p in group)
        ax.annotate(
            text if len(text) < 33 else "\n".join(p[0] for p in group),
            (group[0][2] if leftwards else r, i),
            color=colour,
            ha=ha,
            xytext=(x, 16 if crowded and not leftwards else 3),
            textcoords="offset points",
            va="bottom",
            annotation_clip=False,
        )
    ax.set(xlim=(0, right), ylim=(0, top), xlabel="rate R [nats]", ylabel="information $I_q(x;z)$ [nats]")


def digits(rows: Mapping[str, np.ndarray], scale: float = 0.62) -> Figure:
    """Rows of digits with a name each: every value is (n, 784), 0 white to 1 black."""
    n = max(len(v) for v in rows.values())
    fig, axes = plt.subplots(len(rows), 1, figsize=(scale * n + 1.7, (scale + 0.05) * len(rows)), squeeze=False)
    for ax, (name, x) in zip(axes[:, 0], rows.items()):
        strip = np.ones((SIDE + 2, n * (SIDE + 2))) * np.nan
        for i, digit in enumerate(np.asarray(x, dtype=float)):
            strip[1 : SIDE + 1, i * (SIDE + 2) + 1 : (i + 1) * (SIDE + 2) - 1] = digit.reshape(SIDE, SIDE)
        ax.imshow(strip, vmin=0, vmax=1, interpolation="nearest")
        ax.set_axis_off()
        ax.text(-0.012, 0.5, name, transform=ax.transAxes, ha="right", va="center")
    return fig


def latent_map(ax: Axes, mu: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> None:
    """The posterior means on the two latents that vary most, a colour per label, each label named at its median."""
    first, second = np.argsort(mu.var(0))[::-1][:2]
    palette = plt.get_cmap("tab10")
    for k, name in enumerate(names):
        chosen = mu[labels == k]
        ax.scatter(chosen[:, first], chosen[:, second], s=7, alpha=0.55, color=palette(k % 10), linewidths=0)
        if len(chosen):
            ax.text(
                *np.median(chosen[:, [first, second]], 0),
                name,
                weight="bold",
                ha="center",
                va="center",
                bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1},
            )
    ax.set(xlabel=f"mean of $z_{{{first + 1}}}$", ylabel=f"mean of $z_{{{second + 1}}}$")

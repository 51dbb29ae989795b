"""Axes that several notebooks draw: names at the ends of curves, the (R, I) plane, rows of digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from klcourse.plots.palette import DARK, GREY, MIST, SHADE, style_of

SIDE = 28


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


def mark_guess(ax: Axes, guess: float | None, axis: str = "x", at: float = 0.97) -> None:
    """A dotted line at the reader's prediction, on the axis it is about; nothing where none was made.

    `at` is where its name stands along the line, as a share of the axes.
    """
    if guess is None:
        return
    line: dict[str, Any] = {"color": DARK, "linestyle": ":", "linewidth": 1.8, "zorder": 6}
    text: dict[str, Any] = {"color": DARK, "fontsize": 10.5, "textcoords": "offset points"}
    if axis == "x":
        ax.axvline(guess, **line)
        frame = ax.get_xaxis_transform()
        right = ax.transAxes.inverted().transform(ax.transData.transform((guess, ax.get_ylim()[0])))[0] > 0.8
        shift, ha = ((-4, 0), "right") if right else ((4, 0), "left")
        ax.annotate("your guess", (guess, at), xytext=shift, xycoords=frame, ha=ha, va="top", **text)
    else:
        ax.axhline(guess, **line)
        frame = ax.get_yaxis_transform()
        ax.annotate("your guess", (at, guess), xytext=(0, 3), xycoords=frame, ha="right", va="bottom", **text)


def plane(
    ax: Axes,
    right: float,
    top: float | None = None,
    *,
    rate_target: float | None = None,
    information_target: float | None = None,
    word_at: tuple[float, float] | None = (0.05, 0.93),
) -> None:
    """An empty (R, I) plane in nats, the half I > R shaded and called impossible at `word_at`, shares of both axes.

    Square with equal scales unless `top` is given. Targets are dotted lines; a target of the rate alone is named.
    """
    square, top = top is None, right if top is None else top
    ax.fill_between([0, top], [0, top], top, color=SHADE, linewidth=0, zorder=0)
    ax.plot([0, top], [0, top], color=MIST, linewidth=1, zorder=1)
    if word_at is not None:
        ax.text(word_at[0] * right, word_at[1] * top, "impossible: I > R", color=GREY, va="top")
    if rate_target is not None:
        ax.axvline(rate_target, color=GREY, linewidth=1, linestyle=":")
    if information_target is not None:
        ax.axhline(information_target, color=GREY, linewidth=1, linestyle=":")
    elif rate_target is not None:
        ax.text(rate_target, 0.97 * top, "R = c ", color=GREY, va="top", ha="right")
    ax.set(xlim=(0, right), ylim=(0, top), xlabel="rate R [nats]", ylabel="information $I_q(x;z)$ [nats]")
    if square:
        ax.set_aspect("equal")


def rate_information_plane(ax: Axes, points: Sequence[tuple[str, str, float, float]]) -> None:
    """The (R, I) plane, nats: points are (label, objective, rate, mi). Above the diagonal I > R is impossible.

    Points that would print on top of each other share one label.
    """
    right = 1.3 * max(1.0, *(r for _, _, r, _ in points))
    top = min(right, 1.5 * max(0.5, *(i for _, _, _, i in points)))
    plane(ax, right, top, word_at=(0.02, 0.985))
    groups: list[list[tuple[str, str, float, float]]] = []
    for point in sorted(points, key=lambda p: p[2]):
        label, objective, r, i = point
        style = style_of(objective)
        ax.plot(r, i, marker=style.marker, color=style.colour, markersize=9, linestyle="none", clip_on=False, zorder=3)
        near = (g for g in groups if r - g[-1][2] < 0.04 * right and abs(i - g[-1][3]) < 0.09 * top)
        group = next(near, None)
        groups.append([point]) if group is None else group.append(point)
    for group in groups:
        r, i = group[-1][2], float(np.mean([p[3] for p in group]))
        colour = style_of(group[0][1]).colour if len({p[1] for p in group}) == 1 else "#404040"
        text = ", ".join(p[0] for p in group)
        text = text if len(text) < 33 else "\n".join(p[0] for p in group)
        width = (0.03 + 0.0145 * max(map(len, text.split("\n")))) * right  # of the label, about
        crowded = any(g is not group and 0 < g[0][2] - r < width and abs(g[0][3] - i) < 0.08 * top for g in groups)
        leftwards = crowded and r > 0.3 * right
        x, ha = (-10, "right") if leftwards else (10, "left")
        ax.annotate(
            text,
            (group[0][2] if leftwards else r, i),
            color=colour,
            ha=ha,
            xytext=(x, 16 if crowded and not leftwards else 3),
            textcoords="offset points",
            va="bottom",
            annotation_clip=False,
        )


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

"""Methods as points with names that cover nothing."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from klcourse.plots.palette import style_of


def map_of_methods(table: pd.DataFrame, x: str, y: str, xlabel: str, ylabel: str, loud: Sequence[str] = ()) -> Figure:
    """Every method as a point, mean over seeds with a bar of one standard deviation each way, named beside it.

    table: as klcourse.studies.settings gives it. The names in `loud` are set in bold; bars no longer than the
    marker disappear behind it.
    """
    fig, ax = plt.subplots(figsize=(10.2, 6.2))
    groups = table.groupby("method", sort=False)
    means, spreads, keys = groups[[x, y]].mean(), groups[[x, y]].std().fillna(0), groups["style"].first()
    for name, at in means.iterrows():
        style, bar = style_of(keys[name]), spreads.loc[name]
        ax.errorbar(
            at[x],
            at[y],
            xerr=bar[x],
            yerr=bar[y],
            color=style.colour,
            marker=style.marker,
            markersize=8,
            elinewidth=1,
            zorder=4 if name in loud else 3,
        )
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.margins(0.1)
    name_points(ax, means.to_numpy(), spreads.to_numpy(), list(means.index), [style_of(key).colour for key in keys], loud)
    return fig


def name_points(
    ax: Axes, points: np.ndarray, bars: np.ndarray, names: Sequence[str], colours: Sequence[str], loud: Sequence[str] = ()
) -> None:
    """Write a name beside each point (n, 2) where it covers no point, bar (n, 2) or other name: the nearest free place.

    Call it after everything else of the axes is set: the places are found on the canvas.
    """
    fig = ax.figure
    fig.canvas.draw()
    pixels = ax.transData.transform(points)
    low, high = (ax.transData.transform(points + sign * bars) for sign in (-1, 1))
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in pixels]
    taken += [(a[0], p[1] - 1, b[0], p[1] + 1) for a, p, b in zip(low, pixels, high)]
    taken += [(p[0] - 1, a[1], p[0] + 1, b[1]) for a, p, b in zip(low, pixels, high)]
    frame = ax.get_window_extent().extents
    for i in sorted(range(len(names)), key=lambda i: (names[i] not in loud, -pixels[i][1])):
        text = ax.annotate(
            names[i],
            points[i],
            color=colours[i],
            fontsize=9.5,
            textcoords="offset points",
            xytext=(0, 0),
            weight="bold" if names[i] in loud else "normal",
            annotation_clip=False,
            zorder=5,
        )
        box = text.get_window_extent()
        size = np.array([box.width, box.height])
        place = free_place(pixels[i], box.width, box.height, taken, frame)
        taken.append((*(place - 1), *(place + size + 1)))
        text.set_position((place - pixels[i] + [0, 3]) * 72 / fig.dpi)
        near = np.clip(pixels[i], place, place + size)  # of the name's box, nearest to the point
        if np.hypot(*(near - pixels[i])) > 16:
            leader = ax.transData.inverted().transform([pixels[i], near])
            ax.plot(*leader.T, color=colours[i], linewidth=0.6, alpha=0.7, zorder=2)


def free_place(
    point: Sequence[float], width: float, height: float, taken: Sequence[Sequence[float]], inside: Sequence[float]
) -> np.ndarray:
    """Lower left corner, in pixels, for a box of that size near a point: the nearest that overlaps least.

    taken: boxes (x0, y0, x1, y1) that are occupied; inside: the box to stay in.

    >>> free_place((0, 0), 10, 4, taken=[(-6, -6, 6, 6)], inside=(-50, -50, 50, 50))
    array([ 9., -2.])
    """
    best, least = np.asarray(point, float), np.inf
    for distance in (9, 14, 20, 28, 38, 50, 64, 80, 100, 125):
        for angle in np.arange(0, 360, 22.5):
            dx, dy = float(np.round(np.cos(np.radians(angle)), 6)), float(np.round(np.sin(np.radians(angle)), 6))
            left = point[0] + distance * dx - (width if dx < 0 else width / 2 if dx == 0 else 0)
            low = point[1] + distance * dy - (height if dy < 0 else height / 2 if dy == 0 else 0)
            right, top = left + width, low + height
            overlap = sum(
                max(0, min(right, x1) - max(left, x0)) * max(0, min(top, y1) - max(low, y0)) for x0, y0, x1, y1 in taken
            )
            outside = max(0, inside[0] - left, right - inside[2]) + max(0, inside[1] - low, top - inside[3])
            cost = 20 * overlap + 50 * outside + distance
            if cost < least:
                best, least = np.array([left, low], float), cost
    return best

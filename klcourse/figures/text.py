"""Figures of notebook 12: who is the better language model, and at which rate."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from klcourse.plots import GREY, MIST, style_of
from klcourse.plots.methods import name_points
from klcourse.studies import Family

NEAR = 0.1  # nats of rate: methods closer than this are drawn side by side, as the axis says
BESIDE = 0.26  # nats between two of them: as little as keeps their marks apart
COLOURS = ("#117733", "#332288", "#AA4499", "#661100")  # where methods of one family share theirs, as the hinges do


def perplexity(nats: float | pd.Series, words: float) -> float | pd.Series:
    """exp of nats per word, from nats per sentence of so many words.

    >>> print(f"{perplexity(10 * np.log(50), words=10.0):.1f}")
    50.0
    """
    return np.exp(nats / words)


def places(rates: Sequence[float]) -> np.ndarray:
    """Where methods stand on the axis of the rate: at it, or side by side around their mean, if theirs are nearly the same.

    >>> places([0.0, 5.0, 5.1, 9.0]).round(2).tolist()
    [0.0, 4.92, 5.18, 9.0]
    """
    at = np.asarray(rates, float)
    found = at.copy()
    order = np.argsort(at, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(at[order]) > NEAR) + 1):
        if len(group) > 1:
            found[group] = at[group].mean() + BESIDE * (np.arange(len(group)) - (len(group) - 1) / 2)
    return found


def readable(colour: str) -> str:
    """A shade of the colour dark enough for words on white, contrast 4.5.

    >>> readable("#60C0F0"), readable("#202020")
    ('#3d7997', '#202020')
    """
    red, green, blue = to_rgb(colour)
    while 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 > 0.18:
        red, green, blue = 0.95 * red, 0.95 * green, 0.95 * blue
    return to_hex((red, green, blue))


def against_rate(runs: pd.DataFrame, family: Family, rival: str, words: float) -> Figure:
    """Perplexity of every method over its rate: a small dot a seed, a large mark the mean, a line through the rival's mean.

    runs: as klcourse.studies.settings gives them, with iw_nll, rate, iw_flat; family: comparisons of their iw_nll with
    the rival's. Bars are the 95 % intervals of these differences, so one that does not reach the line is a difference that
    is clear on its own. A hollow triangle is a bound that still falls with more samples: the truth is lower.
    """
    groups = runs.groupby("method", sort=False)
    means = groups[["rate", "iw_nll", "iw_flat"]].mean()
    names, keys = list(means.index), groups["style"].first()
    centre = float(means.loc[rival, "iw_nll"])
    at = places(means["rate"].to_list())
    used: list[str] = []
    fig, ax = plt.subplots(figsize=(9.0, 5.2))
    ax.axhline(perplexity(centre, words), color=MIST, linewidth=1.2, zorder=1)
    bars = np.zeros((len(names), 2))
    for i, name in enumerate(names):
        style = style_of(keys[name])
        own = GREY if name == rival else style.colour
        colour = next((c for c in (own, *COLOURS) if c not in used), own)
        used.append(colour)
        seeds = runs.loc[runs["method"] == name, "iw_nll"]
        spread = at[i] + np.linspace(-0.08, 0.08, len(seeds))
        ax.plot(spread, perplexity(seeds.sort_values(), words), "o", color=colour, markersize=4.5, alpha=0.45, zorder=2)
        flat = means.loc[name, "iw_flat"] == 1
        here = perplexity(means.loc[name, "iw_nll"], words)
        bars[i, 1] = float(np.abs(perplexity(seeds, words) - here).max())
        if name != rival:
            low, high = (perplexity(centre + end, words) for end in (family[name, rival].low, family[name, rival].high))
            ax.plot([at[i], at[i]], [low, high], color=colour, linewidth=1.8, zorder=3)
            bars[i, 1] = max(bars[i, 1], high - here, here - low)
        mark, face = (style.marker, colour) if flat else ("v", "white")
        ax.plot(at[i], here, marker=mark, color=colour, markersize=10, markerfacecolor=face, markeredgewidth=1.8, zorder=4)
    ax.set(
        xlabel="rate R on the test sentences [nats]; methods of the same rate side by side",
        ylabel="test perplexity, importance-weighted",
    )
    ax.margins(0.12)
    ax.grid(axis="x", visible=False)
    points = np.column_stack([at, perplexity(means["iw_nll"], words)])
    name_points(ax, points, bars, names, [readable(colour) for colour in used])
    return fig

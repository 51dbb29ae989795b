"""Between two digits, and around them: what the decoder of a trained image model draws from a code z."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from klcourse.measure import posteriors
from klcourse.models import SIDE
from klcourse.plots import ORANGE
from klcourse.runs import Trained, test_tensors
from klcourse.widgets.frame.base import Widget
from klcourse.widgets.frame.controls import Choice, Slider

PATHS = ("linear", "spherical")
OFFSETS = np.arange(-3, 4)  # the slice is drawn at these distances from the path, along either latent
STEPS = np.linspace(0, 1, 11)
MARK = ORANGE


def interpolate(start: ArrayLike, end: ArrayLike, t: ArrayLike, path: str = "linear") -> np.ndarray:
    """Codes on the way from `start` to `end`, (d,) each, at the shares t (T,) of the way: (T, d).

    "linear" is the straight line. "spherical" (White 2016) turns from one direction to the other at an even
    pace: in high dimension the straight line passes close to the origin, where the prior has no mass. Codes
    that point the same way, opposite ways or nowhere leave the turn undefined: then it is the line.

    >>> interpolate([1, 0], [0, 1], [0.5], "spherical").round(3)
    array([[0.707, 0.707]])
    """
    start, end, t = np.asarray(start, float), np.asarray(end, float), np.atleast_1d(np.asarray(t, float))[:, None]
    if path not in PATHS:
        raise ValueError(f"path = {path!r} is not on offer: choose {' or '.join(map(repr, PATHS))}")
    lengths = np.linalg.norm(start) * np.linalg.norm(end)
    cosine = start @ end / lengths if lengths > 0 else 1.0
    if path == "linear" or abs(cosine) > 1 - 1e-9:
        return (1 - t) * start + t * end
    angle = np.arccos(cosine)
    return (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)


def far_apart(mu: np.ndarray) -> tuple[int, int]:
    """Two examples whose codes mu (N, d) lie farthest apart, among the first 300."""
    some = torch.as_tensor(mu[:300])
    first, second = divmod(int(torch.cdist(some, some).argmax()), len(some))
    return first, second


class LatentExplorer(Widget):
    """z = path(t) + a e_i + b e_j: a walk between two test digits, and two latents to leave it by.

    `run` is a trained image model whose decoder has a mean image E[x|z] (decoder="mlp"), ValueError for others.
    first and second are numbers of test digits, by default two whose codes lie far apart; i and j are the
    latents whose posterior means vary most. Right away from the path, `a` and `b` are offsets from it.
    """

    title = "What lies between two digits, and which way does a latent point?"
    caption = (
        "Left: posterior means of the test digits on latents i and j, coloured by class; the path from the first to the "
        "second digit (line) and the code z (ring). Middle: mean images around the path, moved along latents i and j; the "
        "frame is where a and b are. Right: the mean image of z. Below: the two test digits and the path between them."
    )
    size = (8.8, 4.4)
    lines = 2

    def __init__(self, run: Trained, **values) -> None:
        model, data = run.model, run.data
        if data.kind != "image" or not model.decoder.factorised:
            raise ValueError(
                f"LatentExplorer draws mean images, and {type(model.decoder).__name__} has none: "
                "give a run with data='mnist' and decoder='mlp'"
            )
        self.model, self.data = model, data
        self.x, y = test_tensors(data, run.config, next(model.parameters()).device)
        self.mu = posteriors(model, self.x, y)[0].cpu().numpy()
        n, d = self.mu.shape
        first, second = far_apart(self.mu)
        i, j = (int(k) + 1 for k in np.argsort(self.mu.var(0))[::-1][:2]) if d > 1 else (1, 1)
        self.controls = {
            "t": Slider("t", 0.5, 0, 1, 0.05, help="How far along the path: 0 is the first digit, 1 the second."),
            "first": Slider("first", first, 0, n - 1, 1, help="Number of the test digit where the path begins."),
            "second": Slider("second", second, 0, n - 1, 1, help="Number of the test digit where it ends."),
            "a": Slider("a", 0.0, -3, 3, 0.1, help="How far to leave the path along latent i."),
            "b": Slider("b", 0.0, -3, 3, 0.1, help="How far to leave the path along latent j."),
            "i": Slider("latent i", i, 1, d, 1, help="The latent that a moves; at first the one that varies most."),
            "j": Slider("latent j", j, 1, d, 1, help="The latent that b moves."),
            "path": Choice("path", "linear", PATHS, "A straight line, or a turn that keeps the length."),
        }
        if model.n_labels:
            names = data.label_names
            self.controls["condition"] = Choice("label y", names[0], names, "The label that the decoder is told.")
        super().__init__(**values)

    def decode(self, z: np.ndarray, condition: str | None = None) -> np.ndarray:
        """Mean images E[x|z], (n, 784), of codes (n, d), under a label for a conditional model."""
        codes = torch.as_tensor(z, dtype=torch.float32, device=self.x.device)
        label = None
        if condition is not None:
            label = torch.full((len(codes),), self.data.label_names.index(condition), device=codes.device)
        return self.model.mean(codes, label).cpu().numpy()

    def code(self, t: float, path: str, a: float, b: float, i: int, j: int, first: int, second: int) -> np.ndarray:
        """z = path(t) + a e_i + b e_j, (d,)."""
        z = interpolate(self.mu[first], self.mu[second], t, path)[0]
        z[i - 1] += a
        z[j - 1] += b
        return z

    # --- the picture -----------------------------------------------------------------------------------------

    def figure_setup(self, fig: Figure) -> None:
        """Axes at fixed places; the map's dots are redrawn only when i or j moves."""
        fig.set_layout_engine("none")
        self.map = fig.add_axes((0.07, 0.37, 0.29, 0.51))
        self.slice = fig.add_axes((0.43, 0.37, 0.27, 0.51), anchor="W")
        self.big = fig.add_axes((0.735, 0.37, 0.25, 0.48))
        self.strip = fig.add_axes((0.01, 0.01, 0.98, 0.22))
        self.dots: list[Artist] = []
        self.shown: tuple[int, int] | None = None  # the i, j of the map as it is drawn
        edge = OFFSETS[-1] + 0.5
        picture: dict[str, Any] = dict(vmin=0, vmax=1, cmap="gray_r", interpolation="nearest")
        for ax in (self.slice, self.big, self.strip):
            ax.grid(False)
        size = len(OFFSETS) * SIDE
        self.around = self.live(self.slice.imshow(np.zeros((size, size)), extent=(-edge, edge, -edge, edge), **picture))
        self.slice.set(xticks=OFFSETS[::3], yticks=OFFSETS[::3])
        self.frame = self.live(Rectangle((0, 0), 1, 1, fill=False, color=MARK, linewidth=3))
        self.slice.add_patch(self.frame)
        self.digit = self.live(self.big.imshow(np.zeros((SIDE, SIDE)), **picture))
        self.big.set(xticks=[], yticks=[], title="mean image E[x|z]")
        for spine in self.big.spines.values():
            spine.set(visible=True)
        width = (len(STEPS) + 3) * SIDE  # the first digit, half a gap, the path, half a gap, the second digit
        self.film = self.live(self.strip.imshow(np.zeros((SIDE, width)), extent=(0, width, SIDE, 0), **picture))
        self.strip.set(xlim=(0, width), ylim=(SIDE + 1, -12))
        self.strip.set_axis_off()
        self.here = self.live(Rectangle((0, 0), SIDE, SIDE, fill=False, color=MARK, linewidth=3))
        self.strip.add_patch(self.here)
        self.names = [
            self.live(self.strip.text(x, -2, "", ha=ha, va="bottom", fontsize=13))
            for x, ha in ((0, "left"), (width, "right"))
        ]
        self.way = self.live(self.map.plot([], [], color="black", zorder=4)[0])
        self.ends = [
            self.live(
                self.map.text(
                    0,
                    0,
                    "",
                    ha="center",
                    va="center",
                    fontsize=14,
                    weight="bold",
                    zorder=5,
                    bbox={"facecolor": "white", "edgecolor": "black", "pad": 2},
                )
            )
            for _ in range(2)
        ]
        self.ring = self.live(
            self.map.plot([], [], "o", color=MARK, markersize=15, markerfacecolor="none", markeredgewidth=3.5, zorder=6)[0]
        )

    def draw_map(self, i: int, j: int) -> None:
        """The posterior means on latents i and j: standing still until another latent is chosen."""
        for artist in self.dots:
            artist.remove()
        self.dots = draw_means(self.map, self.mu[:, [i - 1, j - 1]], self.data.test_labels, self.data.label_names)
        self.map.set(xlabel=f"mean of latent {i}", ylabel=f"mean of latent {j}")
        self.slice.set(xlabel=f"a, along latent {i}", ylabel=f"b, along latent {j}")
        self.shown = i, j
        self.stale()

    def update(self, values: dict) -> str:
        """Decode the code, its surroundings and the path; move the marks."""
        return self.walk(**values)

    def walk(self, t, path, a, b, i, j, first, second, condition=None) -> str:
        """`update`, the controls by name."""
        if self.shown != (i, j):
            self.draw_map(i, j)
        z = self.code(t, path, a, b, i, j, first, second)
        way = interpolate(self.mu[first], self.mu[second], STEPS, path)
        around = np.repeat(self.code(t, path, 0, 0, i, j, first, second)[None], len(OFFSETS) ** 2, 0)
        across, up = np.meshgrid(OFFSETS, OFFSETS[::-1])  # rows of the picture run downwards
        around[:, i - 1] += across.ravel()
        around[:, j - 1] += up.ravel()
        images = self.decode(np.concatenate([z[None], way, around]), condition)

        self.digit.set_data(images[0].reshape(SIDE, SIDE))
        side = len(OFFSETS)
        tiles = images[1 + len(STEPS) :].reshape(side, side, SIDE, SIDE)
        self.around.set_data(tiles.swapaxes(1, 2).reshape(side * SIDE, -1))
        self.frame.set_xy((a - 0.5, b - 0.5))
        originals = self.x[[first, second]].cpu().numpy().reshape(2, SIDE, SIDE)
        gap = np.zeros((SIDE, SIDE // 2))
        path_images = images[1 : 1 + len(STEPS)].reshape(-1, SIDE, SIDE)
        self.film.set_data(np.concatenate([originals[0], gap, *path_images, gap, originals[1]], 1))
        self.here.set_x((1.5 + t * (len(STEPS) - 1)) * SIDE)

        low, high = self.map.get_xlim()
        corner = np.clip(z[[i - 1, j - 1]], low, high)
        self.ring.set_data([corner[0]], [corner[1]])
        self.way.set_data(way[:, i - 1], way[:, j - 1])
        digits = [self.data.label_names[self.data.test_labels[n]] for n in (first, second)]
        for text, n, name in zip(self.ends, (first, second), digits):
            text.set(position=self.mu[n, [i - 1, j - 1]], text=name)
        for text, n, name, what in zip(self.names, (first, second), digits, ("first", "second")):
            text.set_text(f"{what}: test digit {n}, a {name}")
        told = "" if condition is None else f" The decoder is told label {condition}."
        return (
            f"z is {t:.2f} of the {path} way from a {digits[0]} (no. {first}) to a {digits[1]} (no. {second}), then "
            f"{a:+.1f} along latent {i} and {b:+.1f} along latent {j}. Length of z: {np.linalg.norm(z):.2f}; "
            f"a draw from the prior has about √{len(z)} = {np.sqrt(len(z)):.1f}.{told}"
        ).replace("-", "−")


def draw_means(ax: Axes, means: np.ndarray, labels: np.ndarray, names: tuple[str, ...]) -> list[Artist]:
    """Posterior means (N, 2) on `ax`: a colour a class, its name at the class's median; what was drawn."""
    palette = mpl.colormaps["tab10"]
    drawn: list[Artist] = [ax.scatter(means[:, 0], means[:, 1], s=10, alpha=0.6, c=palette(labels % 10), linewidths=0)]
    for k, name in enumerate(names):
        if (chosen := means[labels == k]).size:
            x, y = np.median(chosen, 0)
            drawn.append(
                ax.text(
                    x,
                    y,
                    name,
                    color=palette(k % 10),
                    weight="bold",
                    ha="center",
                    va="center",
                    bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1},
                )
            )
    reach = max(3.2, 1.08 * np.abs(means).max())
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    return drawn

"""For which lam and c does the constraint hold? The map of the exact model, and of trained runs one can look into."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from klcourse.exact.ppca import PPCA
from klcourse.exact.regimes import Curve
from klcourse.figures.constraint import REGIME_LOOKS
from klcourse.widgets.base import Widget
from klcourse.widgets.controls import Choice, Slider
from klcourse.widgets.exact_map import ExactMap
from klcourse.widgets.runs_map import RunsMap
from klcourse.widgets.spots import Spot
from klcourse.widgets.stored_runs import StoredRuns, load_runs

MODEL = PPCA(2.0 * 0.88 ** np.arange(16), d=16, sigma2=1.0)  # 16 latents; the first nat buys two, the eighth a third of one
STUDIES = {"images": "phase_diagram", "text": "text_phase"}
ABOUT = {"images": "PixelCNN on digits", "text": "LSTM on sentences"}
LAM, C = 4.0, 8.5  # the ends of the axes


class PhaseDiagram(Widget):
    """The plane of target c and penalty weight lam: regimes of an exact model, or stored runs of a network.

    `curve` is the exact model (anything with `distortion(R)` and `slope(R)`); `runs` maps "images" and "text" to
    StoredRuns, by default the studies phase_diagram and text_phase in `folder`; `stars` may map them to a curve
    lam*(c) measured elsewhere, (c (n,), lam* (n,)). With stored runs lam and c snap to the runs there are, and beta
    is theirs, 1; ValueError for another. A click on a marker moves lam and c to it.
    """

    title = "Which price λ holds the target c?"
    caption = (
        "Left: the regimes over target c and penalty weight λ, with their thresholds; the large marker is the chosen point. "
        "Right, exact model: what one more nat of rate buys and what it costs; training stops where the two cross. "
        "Right, trained runs: rate R and information I while training, a line a seed, and what the first seed's model "
        "draws: test examples, the same again from their z, and new ones from the prior."
    )
    size = (8.8, 4.4)
    lines = 2
    controls = {
        "lam": Slider("λ", 2.0, 0, LAM, 0.05, help="Price of a missing nat of rate; steps from one stored run to the next."),
        "c": Slider("c", 4.0, 0.1, C, 0.1, unit="nats", help="Target of the rate; steps from one stored run to the next."),
        "beta": Slider("β", 3.0, 0.5, 3.5, 0.1, help="Weight of the rate. The stored runs all have β = 1."),
        "model": Choice("model", "exact", ("exact", *STUDIES), "The linear-Gaussian model, or stored runs of networks."),
    }

    def __init__(
        self,
        curve: Curve = MODEL,
        runs: Mapping[str, StoredRuns] | None = None,
        stars: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
        folder: str | Path | None = None,
        **values,
    ) -> None:
        self.curve, self.stars = curve, stars or {}
        self.runs = {name: load_runs(study, folder) for name, study in STUDIES.items()} if runs is None else dict(runs)
        self.exact_beta = self.controls["beta"].value  # to come back to
        super().__init__()
        self._values |= self.settle(self._checked(values))
        self._start = self.value_dict

    # --- where the controls come to rest ---------------------------------------------------------------------

    def set(self, **values) -> PhaseDiagram:
        """Move controls and redraw; see the class for what stored runs allow."""
        return super().set(**self.settle(self._checked(values)))

    def settle(self, wanted: Mapping) -> dict:
        """The values at which the controls come to rest when they are moved to `wanted`."""
        now, values = self.value_dict, dict(wanted)
        model = values.get("model", now["model"])
        if model == "exact":
            self.exact_beta = values.setdefault("beta", self.exact_beta)
            return values
        if values.setdefault("beta", 1.0) != 1.0:
            raise ValueError(f"beta = {values['beta']:g}, and all stored runs were trained with beta = 1: "
                             "leave it alone, or choose the model 'exact'")
        for name, grid in (("lam", self.runs[model].lams), ("c", self.runs[model].cs)):
            if len(grid):
                values[name] = snap(grid, now[name], values.get(name, now[name]), self.controls[name].step)
        return values

    def active(self, values: Mapping) -> list[str]:
        """All controls; with stored runs all but beta."""
        return [name for name in values if name != "beta" or values["model"] == "exact"]

    def spots(self) -> list[Spot]:
        """The points of the grid of runs, to be clicked."""
        model = self.value_dict["model"]
        if model == "exact":
            return []
        figure = self.figure  # makes the map
        share = self.map.transData + figure.transFigure.inverted()
        found = []
        for (lam, c), rows in self.runs[model].table.groupby(["lam", "c"]):
            x, y = share.transform((c, lam))
            name = f"λ = {lam:g}, c = {c:g}: {', '.join(np.unique(rows['regime']))}"
            found.append(Spot(float(x), 1 - float(y), name, {"lam": lam, "c": c}))
        return found

    # --- the picture -----------------------------------------------------------------------------------------

    def figure_setup(self, fig: Figure) -> None:
        """The map with its marker, and both halves; one of them is shown."""
        fig.set_layout_engine("none")  # places are given
        self.map = fig.add_axes((0.085, 0.125, 0.315, 0.735))
        self.map.grid(False)
        self.map.autoscale(False)
        self.exact = ExactMap(self.curve, fig, self.map, self.live, LAM, C)
        self.measured = RunsMap(fig, self.map, self.live)
        self.here = self.live(self.map.plot([], [], markeredgecolor="black", markeredgewidth=2.5, zorder=9, linestyle="none",
                                            clip_on=False)[0])
        self.view = None  # the model that is shown

    def update(self, values: dict) -> str:
        """Move everything to the chosen point; another model has other axes, so it draws all anew."""
        model, lam, c, beta = (values[name] for name in ("model", "lam", "c", "beta"))
        if self.view != model:
            self.exact.show(model == "exact")
            self.measured.hide() if model == "exact" else self.measured.show(self.runs[model], self.stars.get(model))
            self.view = model
            self.stale()
        if model == "exact":
            which, said = self.exact.move(lam, c, beta)
        else:
            which, said = self.move_run(model, lam, c)
        self.here.set(data=([c], [lam]), visible=which is not None)
        if model == "exact":
            self.here.set(marker=REGIME_LOOKS[which].marker, markerfacecolor=REGIME_LOOKS[which].colour, markersize=19)
        else:  # a ring around the runs
            self.here.set(marker="o", markerfacecolor="none", markersize=40)
        return said.replace("-0.00", "0.00").replace("-", "−")

    def move_run(self, model: str, lam: float, c: float) -> tuple[str | None, str]:
        """Curves and drawings of the runs at (lam, c): what most of them are, None without any, and the read-out."""
        runs = self.runs[model]
        here = runs.at(lam, c)
        if not len(here):
            return None, f"{ABOUT[model]}: {runs.missing.get('table', 'no such run').splitlines()[0]}"
        self.measured.move(runs, here, c)
        counts = here["regime"].value_counts()
        said = ", ".join(f"{name} ({n} of {len(here)} seeds)" if len(here) > 1 else name for name, n in counts.items())
        mean = here.mean(numeric_only=True)
        between = f" ({here['mi'].min():.2f} to {here['mi'].max():.2f})" if len(here) > 1 else ""
        return str(counts.index[0]), (
            f"{ABOUT[model]}, λ = {lam:g}, c = {c:g} nats, β = 1: {said}. Rate {mean['rate']:.2f}, information "
            f"{mean['mi']:.2f}{between} nats. Penalty on in {mean['duty']:.0%} of the last batches: "
            f"λ · duty = {lam * mean['duty']:.2f}."
        )


def snap(grid: np.ndarray, old: float, new: float, step: float) -> float:
    """The value of the grid nearest to `new`; for a single step of a slider the next one in its direction.

    >>> grid = np.array([0.25, 0.5, 1.0, 3.0])
    >>> [snap(grid, 1.0, new, 0.05) for new in (1.05, 0.95, 2.9, 1.2)], snap(grid, 3.0, 3.05, 0.05)
    ([3.0, 0.5, 3.0, 1.0], 3.0)
    """
    nearest = float(grid[np.argmin(np.abs(grid - new))])
    if nearest != old or not 0 < abs(new - old) < 1.5 * step:
        return nearest
    further = grid[grid > old][:1] if new > old else grid[grid < old][-1:]
    return float(further[0]) if len(further) else nearest

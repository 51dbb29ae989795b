"""For which lam and c does the constraint hold? The map of the exact model, and of trained runs one can look into."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from klcourse.exact.ppca import SIXTEEN
from klcourse.exact.regimes import Curve
from klcourse.plots import REGIME_LOOKS
from klcourse.widgets.exact_map import ExactMap
from klcourse.widgets.frame.base import Widget
from klcourse.widgets.frame.controls import Choice, Slider
from klcourse.widgets.frame.spots import Spot
from klcourse.widgets.runs_map import RunsMap
from klcourse.widgets.stored_runs import StoredRuns, load_runs

STUDIES = {"images": "phase_diagram", "text": "text_phase"}
ABOUT = {"images": "PixelCNN on digits", "text": "LSTM on sentences"}
LAM, C = 4.0, 8.5  # the ends of the axes


class PhaseDiagram(Widget):
    """The plane of target c and penalty weight lam: regimes of an exact model, or stored runs of a network.

    `curve` is the exact model (anything with `distortion(R)` and `slope(R)`); `runs` maps "images" and "text" to
    StoredRuns, by default the studies phase_diagram and text_phase in `folder`; `stars` may map them to a curve
    lam*(c) measured elsewhere, (c (n,), lam* (n,)). Of stored runs those nearest to lam and c are shown; beta is
    theirs, 1, and another a ValueError. A click on a marker moves lam and c to it.
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
        "lam": Slider("λ", 2.0, 0, LAM, 0.05, help="Price of a missing nat of rate. Of stored runs the nearest is shown."),
        "c": Slider("c", 4.0, 0.25, C, 0.25, unit="nats", help="Target of the rate. Of stored runs the nearest is shown."),
        "beta": Slider("β", 3.0, 0.5, 3.5, 0.1, help="Weight of the rate. The stored runs all have β = 1."),
        "model": Choice("model", "exact", ("exact", *STUDIES), "The linear-Gaussian model, or stored runs of networks."),
    }

    def __init__(
        self,
        curve: Curve = SIXTEEN,
        runs: Mapping[str, StoredRuns] | None = None,
        stars: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
        folder: str | Path | None = None,
        **values,
    ) -> None:
        self.curve, self.stars = curve, stars or {}
        self.runs = {name: load_runs(study, folder) for name, study in STUDIES.items()} if runs is None else dict(runs)
        self.exact_beta = self.controls["beta"].value  # to come back to
        points = [runs.table[["lam", "c"]].drop_duplicates() for runs in self.runs.values() if len(runs.table)]
        self.most_spots = max(map(len, points), default=0)
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
            raise ValueError(
                f"beta = {values['beta']:g}, and all stored runs were trained with beta = 1: "
                "leave it alone, or choose the model 'exact'"
            )
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
        self.here = self.live(
            self.map.plot([], [], markeredgecolor="black", markeredgewidth=2.5, zorder=9, linestyle="none", clip_on=False)[0]
        )
        self.cross = self.live(self.map.plot([], [], "+", color="black", markersize=14, markeredgewidth=2, zorder=10)[0])
        self.view = None  # the model that is shown

    def update(self, values: dict) -> str:
        """Move everything to the chosen point; another model has other axes, so it draws all anew."""
        model, lam, c, beta = (values[name] for name in ("model", "lam", "c", "beta"))
        if self.view != model:
            self.exact.show(model == "exact")
            self.measured.hide() if model == "exact" else self.measured.show(self.runs[model], self.stars.get(model))
            self.view = model
            self.stale()
        said = self.move_exact(lam, c, beta) if model == "exact" else self.move_run(model, lam, c)
        return said.replace("-0.00", "0.00").replace("-", "−")

    def move_exact(self, lam: float, c: float, beta: float) -> str:
        """The marker of the regime at (lam, c), and why it is that one."""
        which, said = self.exact.move(lam, c, beta)
        look = REGIME_LOOKS[which]
        self.here.set(data=([c], [lam]), marker=look.marker, markerfacecolor=look.colour, markersize=19, visible=True)
        self.cross.set_visible(False)
        return said

    def move_run(self, model: str, lam: float, c: float) -> str:
        """A ring around the runs nearest to (lam, c), their curves and drawings; a cross where the sliders are."""
        runs = self.runs[model]
        self.here.set_visible(len(runs.table) > 0)
        if not len(runs.table):
            self.cross.set_visible(False)
            return f"{ABOUT[model]}: {runs.missing.get('table', 'no runs').splitlines()[0]}"
        wanted, (lam, c) = (lam, c), runs.nearest(lam, c)
        self.cross.set(data=([wanted[1]], [max(wanted[0], self.map.get_ylim()[0])]), visible=wanted != (lam, c))
        self.here.set(data=([c], [lam]), marker="o", markerfacecolor="none", markersize=40)
        here = runs.at(lam, c)
        self.measured.move(runs, here, c)
        counts = here["regime"].value_counts()
        said = ", ".join(f"{name} ({n} of {len(here)} seeds)" if len(here) > 1 else name for name, n in counts.items())
        mean = here.mean(numeric_only=True)
        between = f" ({here['mi'].min():.2f} to {here['mi'].max():.2f})" if len(here) > 1 else ""
        return (
            f"{ABOUT[model]}, runs with λ = {lam:g}, c = {c:g} nats, β = 1: {said}. Rate {mean['rate']:.2f}, information "
            f"{mean['mi']:.2f}{between} nats. Penalty on in {mean['duty']:.0%} of the last batches: "
            f"λ · duty = {lam * mean['duty']:.2f}."
        )

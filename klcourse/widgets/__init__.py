"""Live figures: one class a question, sliders to move, a read-out, a still picture where no kernel runs.

    from klcourse.widgets import ElboGap
    ElboGap(mu=1.0)

`klcourse.widgets.frame.base` says how to write one. A widget's module is imported when its name is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from klcourse.widgets.frame import Choice, Slider, Toggle, Widget

_MODULES = {  # class -> module
    "ElboGap": "elbo_gap",
    "PayoffExplorer": "payoffs",
    "TiltedPrior": "tilted_prior",
    "PhasePortrait": "portrait",
    "PhaseDiagram": "phase_diagram",
    "EquilibriaMap": "equilibria_map",
    "LatentExplorer": "latent",
    "Sentences": "sentences",
}

__all__ = ["Choice", "Slider", "Toggle", "Widget", *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"klcourse.widgets has no {name!r}: there are {', '.join(__all__)}")
    return getattr(import_module(f"klcourse.widgets.{_MODULES[name]}"), name)

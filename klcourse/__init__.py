"""klcourse: the helper package of a Jupyter course on KL vanishing in variational autoencoders.

    import klcourse as kl

    kl.methods()                                                     # what there is: names, losses, papers, knobs, files
    run = kl.Run(data="mnist", decoder="ar", epochs=3)
    found = kl.train(run, objective=kl.RateHinge(lam=1, c=5))        # or an instance of a class of your own
    found.metrics["rate"], found.history, found.model
    kl.Cockpit(data="text", objective="rate-hinge", lam=1, c=5)      # the same, steered while it trains

Importing it is instant: what a name needs is loaded when the name is first used. `dir(kl)` lists them all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from klcourse.version import __version__

if TYPE_CHECKING:  # for type checkers and editors; at run time __getattr__ finds them
    # ruff: noqa: F401
    from klcourse import data, exact, games, ledger, measure, objectives, plots, studies
    from klcourse.catalogue import deviations, methods
    from klcourse.live import Cockpit, LiveRun
    from klcourse.measure import evaluate, mutual_information
    from klcourse.objectives import ELBO, BetaVAE, InfoHinge, Objective, RateHinge, SelfLabelling, Terms, knob
    from klcourse.runs import Run, load, train
    from klcourse.studies import load_study

# name -> the module that has it; "" for a module of the package itself
_HOME = {
    "methods": "catalogue",
    "deviations": "catalogue",
    "Run": "runs",
    "train": "runs",
    "load": "runs",
    "evaluate": "measure",
    "mutual_information": "measure",
    "load_study": "studies",
    "Objective": "objectives",
    "Terms": "objectives",
    "knob": "objectives",
    "ELBO": "objectives",
    "BetaVAE": "objectives",
    "SelfLabelling": "objectives",
    "RateHinge": "objectives",
    "InfoHinge": "objectives",
    "LiveRun": "live",
    "Cockpit": "live",
    "data": "",
    "exact": "",
    "games": "",
    "ledger": "",
    "measure": "",
    "objectives": "",
    "plots": "",
    "studies": "",
}

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"klcourse has no {name!r}: there are {', '.join(_HOME)}")
    try:
        module = import_module(f"klcourse.{_HOME[name] or name}")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ImportError(f"kl.{name} needs PyTorch, which is not installed: pip install -r requirements.txt") from None
    return getattr(module, name) if _HOME[name] else module


def __dir__() -> list[str]:
    return __all__

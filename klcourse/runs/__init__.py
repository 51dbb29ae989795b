"""A run: one configuration trained from start to finish, and the files it leaves.

    found = train(Run(data="mnist", decoder="ar", epochs=3), objective=RateHinge(lam=1, c=5), out="runs/hinge")
    found.metrics["rate"], found.history, found.model
    load("runs/hinge")

`out` gets metrics.json, history.csv, run.json (configuration, versions, data fingerprint, cost) and checkpoint.safetensors,
from which a run that was stopped, or killed, goes on bit for bit. Without `out` nothing is written.

`config` says what a run is, `build` makes a trainer of it, `trained` trains and measures, `files` and `weights` are what is
kept on disk.
"""

from .build import build_trainer, test_tensors
from .config import Run, RunError
from .files import history_frame, write_json
from .trained import Interrupted, Trained, summary, train
from .weights import load, load_model

__all__ = [
    "Interrupted",
    "Run",
    "RunError",
    "Trained",
    "build_trainer",
    "history_frame",
    "load",
    "load_model",
    "summary",
    "test_tensors",
    "train",
    "write_json",
]

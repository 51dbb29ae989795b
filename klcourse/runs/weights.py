"""Trained weights on disk: those a sweep keeps, and those in the checkpoint of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
from safetensors import safe_open
from safetensors.torch import save

from klcourse import data as datasets
from klcourse.data import Dataset

from .build import build_trainer
from .config import Run, RunError
from .files import CHECKPOINT, WEIGHTS, history_frame
from .trained import Trained


def weights(run: Trained) -> bytes:
    """The model's weights as safetensors, without what only training needs; `load` reads them."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in run.model.state_dict().items()}
    return save(tensors, {"config": json.dumps(run.config.as_dict()), "fingerprint": run.data.fingerprint})


def load(path: str | Path, data: Dataset | None = None) -> Trained:
    """A trained run from its folder, or from the model.safetensors that a sweep kept; the model is ready to be used.

    From a folder come its metrics and history too, and where it has a checkpoint, a trainer that can go on. `data` saves
    loading what it was trained on. Raises RunError if there is no run at `path`, or if that data are others by now.

    >>> folder = getfixture("tmp_path") / "run"
    >>> from klcourse.runs import train
    >>> _ = train(Run(limit=100, epochs=1, iw_samples=0), folder, progress=False)
    >>> found = load(folder)
    >>> found.config, sorted(found.metrics)[:3], found.trainer.steps
    (Run(epochs=1, limit=100, iw_samples=0), ['active_units', 'distortion', 'elbo'], 2)
    """
    path = Path(path)
    folder, kept = (path, path / WEIGHTS) if path.is_dir() else (path.parent, path)
    checkpoint = folder / CHECKPOINT
    if kept.is_file():
        with safe_open(kept, framework="pt") as file:
            meta, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
        config, fingerprint = Run(**json.loads(meta["config"])), meta["fingerprint"]
    elif checkpoint.is_file() and (folder / "run.json").is_file():
        record, tensors = json.loads((folder / "run.json").read_text(encoding="utf-8")), None
        config, fingerprint = Run(**record["config"]), record["data"]["fingerprint"]
    else:
        raise RunError(f"no trained run at {path}: give a folder that `klcourse run --out` wrote, or a {WEIGHTS}")
    data = datasets.load(config.data, limit=config.limit) if data is None else data
    if data.fingerprint != fingerprint:
        raise RunError(
            f"{path} was trained on {config.data} with fingerprint {fingerprint}, here it is {data.fingerprint}: "
            "install the versions in requirements.txt, or train the model anew"
        )
    trainer = build_trainer(config, data)
    if tensors is None:
        trainer.load(checkpoint)
    else:
        trainer.model.load_state_dict(tensors)
    metrics, history = folder / "metrics.json", folder / "history.csv"
    return Trained(
        config,
        trainer.model.eval(),
        pd.read_csv(history) if history.is_file() else history_frame([]),
        json.loads(metrics.read_text(encoding="utf-8")) if metrics.is_file() else {},
        data,
        trainer,
    )

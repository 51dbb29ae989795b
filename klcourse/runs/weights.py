"""Trained weights on disk: those a sweep or a study keeps, and those in the checkpoint of a run."""

from __future__ import annotations

import json
import numbers
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from klcourse.data import Dataset
from klcourse.seals import altered
from klcourse.studies import kept_models, load_provenance, load_study, settings
from klcourse.training import CheckpointError
from klcourse.training.checkpoint import seal, unseal

from .build import available, build_trainer
from .config import Run, RunError
from .files import CHECKPOINT, WEIGHTS, DamagedRun, history_frame, read_record
from .trained import Trained, go_on_from


def weights(run: Trained) -> bytes:
    """The model's weights as safetensors, without what only training needs; `load` reads them."""
    return seal(run.model.state_dict(), {"config": json.dumps(run.config.as_dict()), "fingerprint": run.data.fingerprint})


ABOUT = ("config", "fingerprint")  # texts in a file of weights
SCALE, MANY = "/scale", 4_096  # of a tensor in eight bits; tensors smaller than that are not worth it


def smaller(path: str | Path, bits: int = 16) -> bytes:
    """A file of weights at half of its size, in half precision; or, in 8 `bits`, at a quarter. `load` reads both.

    In eight bits every row of a matrix becomes whole numbers from -127 to 127 and a scale; what is small stays in half
    precision. On small models of digits and text metrics moved by .015 nat at most. What half precision cannot hold stays.
    """
    tensors, meta = unseal(Path(path))
    found = {}
    for name, tensor in tensors.items():
        small = tensor.half() if tensor.is_floating_point() else tensor
        found[name] = small if torch.isfinite(small).all() else tensor
        if bits == 8 and found[name].dtype == torch.float16 and tensor.dim() > 1 and tensor.numel() >= MANY:
            largest = tensor.abs().amax(tuple(range(1, tensor.dim())), keepdim=True)
            scale = found[name + SCALE] = (largest.float() / 127).clamp_min(1e-30)
            found[name] = (tensor / scale).round().clamp(-127, 127).to(torch.int8)
    return seal(found, meta)


def whole(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a file as the model takes them: those in eight bits times their scales."""
    names = [name for name in tensors if not name.endswith(SCALE)]
    return {n: tensors[n] * tensors[n + SCALE] if n + SCALE in tensors else tensors[n] for n in names}


def load_model(study: str, method: str | int, folder: str | Path | None = None, data: Dataset | None = None) -> Trained:
    """The model that a stored study keeps of a method, ready to be used, with the metrics of its row in the table.

    `method` is a method (column `name`), a setting ("hinge on R, λ = 2") or a run's number. Weights have few
    digits: measured again, a metric agrees to about .01 nat. Raises StudyError for a study that keeps no models, ValueError
    for a method of which it keeps none or several, RunError as `load` does. `data` saves loading what it was trained on.

        found = load_model("methods_text", "hinge on R, λ = 1, c = 5")
        found.model.encode(x), found.metrics["iw_nll"]
    """
    kept = kept_models(study, folder)
    table = load_study(study, folder)
    if isinstance(method, str):
        table = settings(table) if "name" in table else table.assign(name="", method="")
        table = table[table["run"].isin(kept)]
        rows = table[(table["name"] == method) | (table["method"] == method)]
        known = ", ".join(f"{each!r} (run {run})" for each, run in zip(table["method"], table["run"]))
    else:
        table = table[table["run"].isin(kept)]
        rows, known = table[table["run"] == method], ", ".join(map(str, table["run"]))
    if len(rows) != 1:
        what = f"no model of {method!r}" if rows.empty else f"{len(rows)} models of {method!r}"
        raise ValueError(f"study {study} keeps {what}: choose one of {known}")
    row = rows.iloc[0]
    found = load(kept[int(row["run"])], data)
    stored = next(each["config"] for each in load_provenance(study, folder)["runs"] if each["run"] == int(row["run"]))
    if Run(**stored).identity() != found.config.identity():
        raise DamagedRun(f"{kept[int(row['run'])]} holds the model of another run: {found.config}")
    shown = set(found.config.as_dict()) | set(load_provenance(study, folder)["varies"]) | {"run", "method", "style"}
    found.metrics = {k: float(v) for k, v in row.items() if k not in shown and isinstance(v, numbers.Real) and pd.notna(v)}
    return found


def load(path: str | Path, data: Dataset | None = None) -> Trained:
    """A trained run from its folder, or from weights that a sweep or a study kept; the model is ready to be used.

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
    tensors = None
    try:
        record = read_record(folder)
        if kept.is_file():
            tensors, meta = unseal(kept, ABOUT)
            config, fingerprint = Run(**json.loads(meta["config"])), meta["fingerprint"]
        elif checkpoint.is_file() and record:
            config, fingerprint = Run(**record["config"]), record["data"]["fingerprint"]
        else:
            raise RunError(f"no trained run at {path}: give a folder that `klcourse run --out` wrote, or a {WEIGHTS}")
    except CheckpointError as error:
        raise DamagedRun(f"{error}: train the model anew") from None
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedRun(f"{path} holds no run of this course ({error}): train the model anew") from None
    if path.is_dir() and record and (bad := altered(folder, record)):
        raise DamagedRun(f"{folder / bad[0]} is not what was written: measure the run again with --resume, or train it anew")
    recorded = config
    if not available(config.device):
        config = replace(config, device="auto")  # trained elsewhere
    data = config.load_data() if data is None else data
    if data.fingerprint != fingerprint:
        raise RunError(
            f"{path} was trained on {config.data} with fingerprint {fingerprint}, here it is {data.fingerprint}: "
            "install the versions in requirements.txt, or train the model anew"
        )
    trainer = build_trainer(config, data)
    if tensors is None:
        go_on_from(checkpoint, folder, recorded, trainer, data)
        trainer.use_best()
    else:
        try:
            trainer.model.load_state_dict(whole(tensors))
        except RuntimeError as error:
            raise DamagedRun(f"{kept} holds the weights of another model: {error}") from None
    metrics, history = folder / "metrics.json", folder / "history.csv"
    return Trained(
        config,
        trainer.model.eval(),
        pd.read_csv(history) if history.is_file() else history_frame([]),
        json.loads(metrics.read_text(encoding="utf-8")) if metrics.is_file() else {},
        data,
        trainer,
    )

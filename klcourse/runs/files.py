"""The files of a run: the folder, history.csv, run.json; every one is written whole or not at all."""

from __future__ import annotations

import io
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from klcourse.data import Dataset
from klcourse.system import write_atomically
from klcourse.training import MEASURED, STEP_MEANS, Trainer
from klcourse.version import __version__

from .config import Run, RunError

CHECKPOINT, WEIGHTS, SCORES = "checkpoint.safetensors", "model.safetensors", "scores.npz"
DISTRIBUTIONS = ("torch", "numpy", "safetensors")  # whose versions a run records


def prepare_folder(out: Path, config: Run, resume: bool) -> None:
    """Make the folder; refuse one that holds another run."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot write to {out}: {error.strerror}; choose another --out") from None
    path = out / "run.json"
    if not path.exists():
        return
    if not resume:
        raise RunError(f"{out} holds a run already: continue it with --resume, or choose another --out")
    now, then = config.as_dict(), Run(**json.loads(path.read_text())["config"]).as_dict()
    changed = [k for k in now | then if k != "epochs" and now.get(k) != then.get(k)]
    if changed or config.epochs < then["epochs"]:
        differ = ", ".join(f"{k} was {then.get(k)}, is {now.get(k)}" for k in changed or ["epochs"])
        raise RunError(
            f"cannot resume {out} with another configuration ({differ}): repeat the first one, or choose another --out"
        )


def last_good(checkpoint: Path | None) -> str:
    """Where the last good checkpoint is, in words."""
    if checkpoint is None or not checkpoint.exists():
        return "No checkpoint had been written."
    return f"The last good checkpoint is {checkpoint}."


def history_frame(history: list[dict[str, float]]) -> pd.DataFrame:
    """The history as a table, a row a logged step."""
    return pd.DataFrame(history, columns=["step", "epoch", *STEP_MEANS, "grad_norm", *MEASURED, "valid_loss"])


def write_history(out: Path, history: list[dict[str, float]]) -> None:
    """Write history.csv, atomically."""
    write_atomically(out / "history.csv", history_frame(history).to_csv(index=False).encode())


def write_scores(out: Path, scores: dict[str, np.ndarray]) -> None:
    """Write scores.npz, atomically: a number for every test example."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **scores)  # type: ignore[arg-type]
    write_atomically(out / SCORES, buffer.getvalue())


def write_json(path: Path, content: dict) -> None:
    """Write a JSON file, atomically."""
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())


def write_run_json(out: Path, config: Run, trainer: Trainer, data: Dataset, seconds: float, finished: bool) -> None:
    """Where the numbers come from and what they cost."""
    device = next(trainer.model.parameters()).device
    write_json(
        out / "run.json",
        {
            "config": config.as_dict(),
            "data": {
                "name": data.name,
                "fingerprint": data.fingerprint,
                "train": len(data.train),
                "valid": 0 if data.valid is None else len(data.valid),
                "test": len(data.test),
            },
            "parameters": sum(p.numel() for p in trainer.parameters),
            "versions": {"python": platform.python_version(), "klcourse": __version__}
            | {name: version(name) for name in DISTRIBUTIONS},
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "threads": torch.get_num_threads(),
            "steps": trainer.steps,
            "epochs_done": round(trainer.steps / trainer.steps_per_epoch, 4),
            "lr": trainer.lr,
            "encoder_steps_done": trainer.encoder_steps_done,
            "seconds": round(seconds, 2),
            "peak_memory_mib": peak_memory_mib(),
            "finished": finished,
        },
    )


def peak_memory_mib() -> int | None:
    """The largest memory this process has held so far, in MiB; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))

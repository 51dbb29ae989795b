"""The files of a run: the folder, history.csv, run.json; every one is written whole or not at all."""

from __future__ import annotations

import io
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from klcourse.data import Dataset
from klcourse.seals import FILES, Altered, checksums, read_sealed, sealed
from klcourse.system import Busy, locked, reason, remove_leftovers, write_atomically
from klcourse.training import MEASURED, STEP_MEANS, Trainer
from klcourse.version import __version__

from .config import Run, RunError

CHECKPOINT, WEIGHTS, SCORES, RECORD = "checkpoint.safetensors", "model.safetensors", "scores.npz", "run.json"
RESULTS = ("metrics.json", "history.csv", SCORES)  # what the record of a finished run speaks for
DISTRIBUTIONS = ("torch", "numpy", "safetensors")  # whose versions a run records


class DamagedRun(RunError):
    """Files of a run are not what was written; the message says which, and what to do."""


@contextmanager
def held(out: Path) -> Iterator[None]:
    """A block in which the folder of a run is this process's alone, without what killed writers left there.

    Raises RunError if another one is at work in it, and for whatever the disk refuses within the block.
    """
    try:
        with locked(out):
            remove_leftovers(out)
            yield
    except Busy as error:
        raise RunError(
            f"another run ({error.process}) is at work in {out}: wait for it, stop it, or choose another --out"
        ) from None
    except OSError as error:
        raise RunError(
            f"cannot write to {out}: {reason(error)}; make room, or choose another --out. What is whole there stays, and "
            "--resume goes on from it"
        ) from error


def read_record(folder: Path) -> dict[str, Any] | None:
    """A run's run.json; None where there is none. Raises DamagedRun if it is not what was written."""
    try:
        return read_sealed(folder / RECORD)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Altered as error:
        raise DamagedRun(f"{error}: start afresh with another --out, or remove the folder") from None
    except OSError as error:
        raise DamagedRun(f"cannot read {folder / RECORD}: {reason(error)}; choose another --out") from None


def prepare_folder(out: Path, config: Run, resume: bool) -> None:
    """Refuse a folder that holds another run.

    If run.json is damaged and a checkpoint is there, that one says what run it is of.
    """
    path = out / RECORD
    if not resume and os.path.lexists(path):
        raise RunError(f"{out} holds a run already: continue it with --resume, or choose another --out")
    try:
        record = read_record(out)
        if record is not None:
            same_run(out, config, record.get("config", {}))
    except DamagedRun:
        if not (out / CHECKPOINT).is_file():
            raise
        if path.is_dir():
            raise RunError(f"{path} is a folder: move it away, or choose another --out") from None


def same_run(out: Path, config: Run, then: dict[str, Any]) -> None:
    """RunError unless a run may go on with these settings where one with those of `then` was stopped."""
    try:
        recorded = Run(**then)
    except (RunError, TypeError) as error:
        raise DamagedRun(f"{out / RECORD} is no record of a run ({error}): start afresh with another --out") from None
    now, before = config.as_dict(), recorded.as_dict()
    changed = [k for k in now | before if k != "epochs" and now.get(k) != before.get(k)]
    if changed or config.epochs < before["epochs"]:
        differ = ", ".join(f"{k} was {before.get(k)}, is {now.get(k)}" for k in changed or ["epochs"])
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
    write_record(
        out / RECORD,
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
        }
        | ({FILES: checksums(out, RESULTS)} if finished else {}),
    )


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a record with its seal, atomically."""
    write_json(path, sealed(record))


def vouch(out: Path, names: Sequence[str]) -> None:
    """Put the checksums of files that came later into the record of a run."""
    record = read_record(out) or {}
    write_record(out / RECORD, record | {FILES: record.get(FILES, {}) | checksums(out, names)})


def peak_memory_mib() -> int | None:
    """The largest memory this process has held so far, in MiB; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))

"""Training a run from start to finish, its measurement, and the files it leaves."""

from __future__ import annotations

import math
import os
import signal
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

from klcourse import measure
from klcourse.data import Dataset
from klcourse.models import VAE
from klcourse.objectives import Objective
from klcourse.training import CheckpointError, Trainer, TrainingDiverged

from .build import build_trainer, tensors
from .config import Run, RunError
from .files import (
    CHECKPOINT,
    RECORD,
    DamagedRun,
    held,
    history_frame,
    last_good,
    prepare_folder,
    read_record,
    same_run,
    write_history,
    write_json,
    write_run_json,
    write_scores,
)

VALIDATED = ("distortion", "rate", "mi", "mi_upper", "elbo", "iw_nll", "shuffle_gap")  # measured on validation examples too
VALID_SHARE = 4  # there with one importance sample for so many on the test part
SUMMARY = (
    "distortion",
    "rate",
    "mi",
    "mi_upper",
    "mi_cap",
    "marginal_kl",
    "active_units",
    "shuffle_gap",
    "prior_gap",
    "elbo",
    "iw_nll",
    "elbo_ppl",
)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, or another `signal` to end, stopped a run after a whole step; `run` holds what there was by then."""

    def __init__(self, message: str, run: Trained, signum: int = signal.SIGINT):
        super().__init__(message)
        self.run, self.signal = run, signum


@dataclass
class Trained:
    """A run's results: `metrics` on the test part, `history` as a table, the trained `model`, its `data`.

    Metrics whose names begin with valid_ are of the validation part: choose settings by these, then report the others.
    `scores` has some of them for every test example, (N,) each, for comparisons of two runs example by example.
    """

    config: Run
    model: VAE
    history: pd.DataFrame
    metrics: dict[str, float]
    data: Dataset
    trainer: Trainer = field(repr=False)
    seconds: float = 0.0
    scores: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def measure(self, progress: bool = True) -> None:
        """Measure the model: `metrics` and `scores` anew. Raises RunError for what cannot be measured."""
        config, device = self.config, next(self.model.parameters()).device
        text = self.data.kind == "text"
        evaluate = partial(
            measure.evaluate, self.model, prior_share=config.iw_prior, seed=config.seed, text=text, progress=progress
        )
        scores: dict[str, Tensor] = {}
        x, y = tensors(self.data, "test", config, device)
        self.metrics = evaluate(x, y, iw_samples=config.iw_samples, tolerance=config.iw_tolerance, scores=scores)
        self.scores = {name: values.cpu().numpy().astype(np.float32) for name, values in scores.items()}
        if self.data.valid is not None and len(self.data.valid) > 1:
            samples = min(config.iw_samples, max(2, config.iw_samples // VALID_SHARE))
            found = evaluate(*tensors(self.data, "valid", config, device), iw_samples=samples)
            self.metrics |= {f"valid_{name}": found[name] for name in VALIDATED if name in found}
        self.metrics["largest_gradient"] = max((row["grad_norm"] for row in self.trainer.history), default=math.nan)
        self.metrics["loss_jumps"] = float(self.trainer.jumps)
        if config.generate:
            options = {"per_condition": config.generate, "seed": config.seed}
            self.metrics |= measure.text.diversity(self.model, self.data, **options, progress=progress)


def train(
    config: Run,
    out: str | Path | None = None,
    *,
    objective: Objective | str | None = None,
    resume: bool = False,
    data: Dataset | None = None,
    progress: bool = True,
    checkpoint_every: int = 200,
) -> Trained:
    """Train a configuration and measure it on the test set; with `out`, write the files of a run there.

    `objective` takes the place of the run's own: an instance with its knobs, of a class of the course or of your own. With
    `resume`, go on from DIR's checkpoint (a finished run is measured again); more epochs than before are fine, any
    other change of the configuration is refused. `data` saves loading it again. Raises RunError for what cannot be
    done, Interrupted (a KeyboardInterrupt) on Ctrl-C, TrainingDiverged if the loss stops being a number.

    >>> from klcourse.objectives import RateHinge
    >>> found = train(Run(limit=100, epochs=1, iw_samples=0), objective=RateHinge(lam=1, c=5), progress=False)
    >>> found.config.objective, found.metrics["rate"] > 0
    ('rate-hinge', True)
    """
    if objective is not None:
        config = config.with_objective(objective)
    if out is None:
        return _train(config, None, resume, data, progress, checkpoint_every)
    if not str(out).strip():
        raise RunError(f"out = {str(out)!r} names no folder: give one, such as runs/first")
    if checkpoint_every < 1:
        raise RunError(f"checkpoint_every = {checkpoint_every}: choose 1 or more steps")
    with held(Path(out)):
        return _train(config, Path(out), resume, data, progress, checkpoint_every)


@dataclass
class Begun:
    """A run that trains: its trainer, and where its checkpoints go."""

    config: Run
    data: Dataset
    trainer: Trainer
    out: Path | None = None
    before: float = 0.0  # seconds that it had taken when it was cut off
    share: float = 1.0  # of the time that passes is charged to it
    started: float = field(default_factory=time.perf_counter)

    def charge(self, share: float) -> None:
        """From now on it takes so large a part of the time."""
        self.before, self.share, self.started = self.seconds, share, time.perf_counter()

    @property
    def seconds(self) -> float:
        """What it has taken so far."""
        return self.before + self.share * (time.perf_counter() - self.started)

    def save(self) -> None:
        """Write what the same run goes on from, and the history so far."""
        if self.out is not None:
            more = {"seconds": self.seconds, "fingerprint": self.data.fingerprint, "config": self.config.as_dict()}
            self.trainer.save(self.out / CHECKPOINT, **more)
            write_history(self.out, self.trainer.history)


def begin(config: Run, out: Path | None, data: Dataset | None, resume: bool) -> Begun:
    """A run at its first step, or where it was cut off, in a folder that is held. Raises RunError as `train` does."""
    if out is not None:
        prepare_folder(out, config, resume)
    data = config.load_data() if data is None else data
    begun = Begun(config, data, build_trainer(config, data), out)
    if out is not None:
        if resume and os.path.lexists(checkpoint := out / CHECKPOINT):
            begun.before = go_on_from(checkpoint, out, config, begun.trainer, data)
        write_run_json(out, config, begun.trainer, data, begun.seconds, finished=False)
    return begun


def _train(
    config: Run, out: Path | None, resume: bool, data: Dataset | None, progress: bool, checkpoint_every: int
) -> Trained:
    """`train`, in a folder that is held."""
    begun = begin(config, out, data, resume)
    data, trainer = begun.data, begun.trainer

    def on_step(trainer: Trainer) -> None:
        if trainer.steps % checkpoint_every == 0:
            begun.save()

    try:
        finished = trainer.fit(config.epochs, progress=progress, on_step=None if out is None else on_step)
        begun.save()
    except TrainingDiverged as error:
        remedy = "Try a smaller learning rate (--lr), or smaller lam and beta."
        raise TrainingDiverged(f"{error}. {last_good(out and out / CHECKPOINT)} {remedy}") from None
    result = Trained(config, trainer.model, history_frame(trainer.history), {}, data, trainer, begun.seconds)
    go_on = f"go on with --resume --out {out}" if out else "its .run holds what there is; trainer.fit() goes on"
    if not finished:
        raise Interrupted(
            f"stopped after step {trainer.steps} of {config.epochs * trainer.steps_per_epoch}: {go_on}",
            result,
            trainer.interrupted,
        )
    trainer.use_best()
    trainer.model.eval()  # as whoever measures or samples next needs it; a further step switches back
    try:
        result.measure(progress)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped while the trained model was measured: {go_on}", result) from None
    result.seconds = begun.seconds
    if out is not None:
        write_json(out / "metrics.json", result.metrics)
        write_scores(out, result.scores)
        write_run_json(out, config, trainer, data, result.seconds, finished=True)
    return result


def go_on_from(checkpoint: Path, out: Path, config: Run, trainer: Trainer, data: Dataset) -> float:
    """Load the checkpoint of a run into its trainer; returns the seconds it had taken. RunError if it is of another run."""
    try:
        extra = trainer.load(checkpoint)
    except CheckpointError as error:
        raise DamagedRun(
            f"{error}. Start afresh with another --out; or remove that file, and --resume trains from the first step"
        ) from None
    if "config" in extra:
        same_run(out, config, extra["config"])
    elif not read_record(out):
        raise DamagedRun(f"{checkpoint} does not say of which run it is, and {out / RECORD} is gone: choose another --out")
    if extra["fingerprint"] != data.fingerprint:
        raise RunError(
            f"{out} was trained on data {extra['fingerprint']}, now {data.name} is {data.fingerprint}: "
            "the installed packages or the file changed; start afresh with another --out"
        )
    return extra["seconds"]


def summary(runs: dict[str, Trained], columns: tuple[str, ...] = SUMMARY) -> pd.DataFrame:
    """The metrics of several runs side by side, a row a run, nats per example; columns that no run has are left out."""
    rows = {name: run.metrics | {"seconds": run.seconds} for name, run in runs.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table[[c for c in columns if c in table]]

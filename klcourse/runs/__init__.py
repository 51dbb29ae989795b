"""A run: one configuration trained from start to finish, and the files it leaves.

    run = train(Run(data="mnist", decoder="ar", objective="mi", lam=1, c=5, epochs=3), out="runs/mi")
    run.metrics["rate"], run.history, run.model

`out` gets measure.json, history.csv, run.json (configuration, versions, data fingerprint, cost) and checkpoint.safetensors,
from which a run that was stopped, or killed, goes on bit for bit. Without `out` nothing is written.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from klcourse import measure
from klcourse.data import Dataset, load
from klcourse.measure import text
from klcourse.models import DECODERS, VAE, LabellingNetwork, build_vae
from klcourse.objectives import Objective, make_objective
from klcourse.runs.files import (
    DISTRIBUTIONS,
    RunError,
    history_frame,
    last_good,
    peak_memory_mib,
    prepare_folder,
    write_history,
    write_json,
    write_run_json,
)
from klcourse.training import Trainer, TrainingDiverged

__all__ = [
    "DISTRIBUTIONS",
    "Interrupted",
    "Trained",
    "Run",
    "RunError",
    "build_trainer",
    "peak_memory_mib",
    "summary",
    "test_tensors",
    "train",
    "write_json",
]

PROBE = 1000  # examples on which I_q is measured while training
SUMMARY = (
    "distortion",
    "rate",
    "mi",
    "mi_upper",
    "marginal_kl",
    "active_units",
    "shuffle_gap",
    "elbo",
    "iw_nll",
    "elbo_ppl",
)
KNOBS = ("lam", "c", "beta", "label", "warmup", "period", "ratio", "eta")  # fields that belong to the objective


class Interrupted(KeyboardInterrupt):
    """Ctrl-C stopped a run after a whole step; `run` holds what there was by then."""

    def __init__(self, message: str, run: Trained):
        super().__init__(message)
        self.run = run


@dataclass(frozen=True)
class Run:
    """Everything that decides a run's numbers. None means the default for the data, or an objective's own.

    lam, c, beta, label, warmup, period, ratio and eta are the objective's knobs; one it does not have is an error. limit
    trains on the first examples only. binarisation "dynamic" draws the pixels afresh at every step. conditional gives the
    labels to encoder and decoder. without_z hides z from the decoder, prior_encoder fixes q(z|x) = p(z). bn_gamma, delta
    and encoder_steps switch on BN-VAE, delta-VAE and lagging inference, under any objective. mi_every measures rate and
    I_q every so many steps and not only at the end of an epoch. iw_samples = 0 skips the importance-weighted likelihood,
    the slowest of the metrics; generate > 0 has a conditional text model write that many sentences per condition and adds
    the metrics of klcourse.measure.text.
    """

    data: str = "mnist"
    decoder: str | None = None  # mlp or ar for images, lstm for text
    objective: str = "elbo"
    lam: float | None = None
    c: float | None = None
    beta: float | None = None
    label: str | None = None  # joint or alternating, for sl
    warmup: float | None = None  # epochs, for anneal
    period: float | None = None  # epochs, for cyclical
    ratio: float | None = None  # for cyclical
    eta: float | None = None  # for dual
    epochs: int = 10
    seed: int = 0
    latent_dim: int | None = None  # 16 for images, 32 for text
    hidden: int | None = None  # 200 for images, 256 for text
    batch_size: int | None = None  # 50 for images, 100 for text
    lr: float | None = None  # 2e-3 for images, 1e-3 for text
    word_dropout: float = 0.0
    bn_gamma: float | None = None  # BN-VAE
    delta: float = 0.0  # nats, delta-VAE
    encoder_steps: int = 1  # encoder updates per decoder update, lagging inference
    conditional: bool = False
    without_z: bool = False
    prior_encoder: bool = False
    binarisation: str = "static"
    limit: int | None = None
    mi_every: int | None = None  # steps
    iw_samples: int = 64
    generate: int = 0  # sentences per condition
    device: str = "auto"

    def __post_init__(self):
        positive = ("epochs", "latent_dim", "hidden", "batch_size", "lr", "bn_gamma", "encoder_steps", "mi_every")
        for name in positive:
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise RunError(f"{name} = {value}: choose a number above 0")
        for name in ("seed", "delta", "iw_samples", "generate"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise RunError(f"{name} = {value}: choose 0 or more")
        if self.binarisation not in ("static", "dynamic"):
            raise RunError(f"binarisation = {self.binarisation!r}: choose static or dynamic")
        try:
            self.make_objective()
        except ValueError as error:
            raise RunError(str(error)) from None

    def make_objective(self) -> Objective:
        """The objective with the knobs that were given."""
        knobs = {k: getattr(self, k) for k in KNOBS if getattr(self, k) is not None}
        return make_objective(self.objective, **knobs)


@dataclass
class Trained:
    """A run's results: `metrics` on the test set, `history` as a table, the trained `model`, its `data`."""

    config: Run
    model: VAE
    history: pd.DataFrame
    metrics: dict[str, float]
    data: Dataset
    trainer: Trainer = field(repr=False)
    seconds: float = 0.0


def build_trainer(config: Run, data: Dataset) -> Trainer:
    """The trainer a configuration describes, at step 0: same configuration, same weights.

    Raises RunError if the configuration does not fit the data.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
    image = data.kind == "image"
    grey = config.binarisation == "dynamic"
    if grey and data.grey_train is None:
        raise RunError(f"binarisation = dynamic needs grey images, and {data.name} has none: choose static")
    n_labels = len(data.label_names) if config.conditional else 0
    if config.conditional and n_labels < 2:
        raise RunError(f"a conditional model needs labels, and {data.name} has none")
    if config.generate and not (n_labels and data.kind == "text"):
        raise RunError(f"generate = {config.generate} needs a conditional text model: add --conditional, or leave it out")
    hidden = config.hidden or (200 if image else 256)
    latent_dim = config.latent_dim or (16 if image else 32)
    objective = config.make_objective()
    with torch.random.fork_rng():  # leave the caller's random numbers alone
        torch.manual_seed(config.seed)
        try:
            model = build_vae(
                data.kind,
                config.decoder or DECODERS[data.kind][0],
                latent_dim=latent_dim,
                hidden=hidden,
                vocab_size=len(data.vocab),
                n_labels=n_labels,
                word_dropout=config.word_dropout,
                without_z=config.without_z,
                prior_encoder=config.prior_encoder,
                bn_gamma=config.bn_gamma,
                delta=config.delta,
            ).to(device)
        except ValueError as error:
            raise RunError(str(error)) from None
        labeller = None
        if config.objective == "sl":
            labeller = LabellingNetwork(data.kind, latent_dim, hidden=hidden, vocab_size=len(data.vocab)).to(device)
    test, labels = test_tensors(data, config, device)
    try:
        return Trainer(
            model,
            objective,
            torch.as_tensor(data.grey_train if grey else data.train, device=device).to(torch.uint8 if image else torch.long),
            torch.as_tensor(data.train_labels, device=device) if config.conditional else None,
            labeller=labeller,
            batch_size=config.batch_size or min(50 if image else 100, len(data.train)),
            lr=config.lr or (2e-3 if image else 1e-3),
            seed=config.seed,
            clip=None if image else 5.0,  # the usual guard of recurrent networks
            grey=grey,
            # test examples, as what is reported is measured on them; all that training takes from it is when lagging ends
            probe=(test[:PROBE], None if labels is None else labels[:PROBE]),
            mi_every=config.mi_every,
            encoder_steps=config.encoder_steps,
        )
    except ValueError as error:
        raise RunError(str(error)) from None


def test_tensors(data: Dataset, config: Run, device) -> tuple[Tensor, Tensor | None]:
    """The test set as the model takes it, and its labels if the model is conditional."""
    x = torch.as_tensor(data.test, device=device).to(torch.float32 if data.kind == "image" else torch.long)
    return x, torch.as_tensor(data.test_labels, device=device) if config.conditional else None


def train(
    config: Run,
    out: str | Path | None = None,
    *,
    resume: bool = False,
    data: Dataset | None = None,
    progress: bool = True,
    checkpoint_every: int = 200,
) -> Trained:
    """Train a configuration and measure it on the test set; with `out`, write the files of a run there.

    With `resume`, go on from DIR's checkpoint (a finished run is measured again); more epochs than before are fine, any
    other change of the configuration is refused. `data` saves loading it again. Raises RunError for what cannot be
    done, Interrupted (a KeyboardInterrupt) on Ctrl-C, TrainingDiverged if the loss stops being a number.
    """
    out = None if out is None else Path(out)
    checkpoint = None if out is None else out / "checkpoint.safetensors"
    if out is not None:
        prepare_folder(out, config, resume)
    data = load(config.data, limit=config.limit) if data is None else data
    trainer = build_trainer(config, data)
    started, before = time.perf_counter(), 0.0

    def seconds() -> float:
        return before + time.perf_counter() - started

    def save() -> None:
        trainer.save(checkpoint, seconds=seconds(), fingerprint=data.fingerprint)
        write_history(out, trainer.history)

    def on_step(trainer: Trainer) -> None:
        if trainer.steps % checkpoint_every == 0:
            save()

    if resume and checkpoint is not None and checkpoint.exists():
        extra = trainer.load(checkpoint)
        before = extra["seconds"]
        if extra["fingerprint"] != data.fingerprint:
            raise RunError(
                f"{out} was trained on data {extra['fingerprint']}, now {data.name} is {data.fingerprint}: "
                "the installed packages or the file changed; start afresh with another --out"
            )
    if out is not None:
        write_run_json(out, config, trainer, data, seconds(), finished=False)
    try:
        finished = trainer.fit(config.epochs, progress=progress, on_step=None if out is None else on_step)
        if out is not None:
            save()
    except TrainingDiverged as error:
        remedy = "Try a smaller learning rate (--lr), or smaller lam and beta."
        raise TrainingDiverged(f"{error}. {last_good(checkpoint)} {remedy}") from None
    result = Trained(config, trainer.model, history_frame(trainer.history), {}, data, trainer, seconds())
    if not finished:
        go_on = f"go on with --resume --out {out}" if out else "its .run holds what there is; trainer.fit() goes on"
        raise Interrupted(
            f"stopped after step {trainer.steps} of {config.epochs * trainer.steps_per_epoch}: {go_on}", result
        )
    model = trainer.model.eval()  # as whoever measures or samples next needs it; a further step switches back
    x, y = test_tensors(data, config, next(model.parameters()).device)
    text = data.kind == "text"
    result.metrics = measure.evaluate(
        model, x, y, iw_samples=config.iw_samples, seed=config.seed, text=text, progress=progress
    )
    if config.generate:
        known = {"per_condition": config.generate, "seed": config.seed}
        result.metrics |= text.diversity(model, data, **known, progress=progress)
    result.seconds = seconds()
    if out is not None:
        write_json(out / "measure.json", result.metrics)
        write_run_json(out, config, trainer, data, result.seconds, finished=True)
    return result


def summary(runs: dict[str, Trained], columns: tuple[str, ...] = SUMMARY) -> pd.DataFrame:
    """The metrics of several runs side by side, a row a run, nats per example; columns that no run has are left out."""
    rows = {name: run.metrics | {"seconds": run.seconds} for name, run in runs.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table[[c for c in columns if c in table]]

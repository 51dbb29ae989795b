"""From a run's settings and its data to a trainer at step 0."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from klcourse.data import Dataset
from klcourse.models import DECODERS, Features, build_floor, build_vae
from klcourse.objectives import Sizes
from klcourse.training import Plateau, Trainer
from klcourse.training.stopping import MIN_EXAMPLES

from .config import Run, RunError

CLIP = {"image": 2000.0, "text": 5.0}  # largest norm of the gradient; for images above what a healthy run has


def build_trainer(config: Run, data: Dataset) -> Trainer:
    """The trainer a configuration describes, at step 0: same configuration, same weights.

    Raises RunError if the configuration does not fit the data.
    """
    device = device_of(config.device)
    image = data.kind == "image"
    grey = config.binarisation == "dynamic"
    if grey and data.grey_train is None:
        raise RunError(f"binarisation = dynamic needs grey images, and {data.name} has none: choose static")
    n_labels = len(data.label_names) if config.conditional else 0
    if config.conditional and n_labels < 2:
        raise RunError(f"a conditional model needs labels, and {data.name} has none")
    if config.generate and not (n_labels and data.kind == "text"):
        raise RunError(f"generate = {config.generate} needs a conditional text model: add --conditional, or leave it out")
    if len(data.test) < 2:
        raise RunError(f"{data.name} has 1 test example, and its information takes 2: choose a larger limit")
    if config.patience and (n := 0 if data.valid is None else len(data.valid)) < MIN_EXAMPLES:
        raise RunError(
            f"patience = {config.patience} asks when the loss on the validation part stops falling, and {data.name} has {n} "
            f"examples for it: at least {MIN_EXAMPLES} can say. Give more, a larger hold_out or limit, or no patience"
        )
    if config.encoder_steps > 1 and data.valid is None:
        raise RunError(
            f"encoder_steps = {config.encoder_steps}: lagging inference ends when information about validation examples "
            "stops growing, and none are held out: leave hold_out = 0 out"
        )
    hidden = config.hidden or (200 if image else 256)
    latent_dim = config.latent_dim or (16 if image else 32)
    vocab_size = len(data.vocab)
    sizes = Sizes(latent_dim, hidden, vocab_size, partial(Features, data.kind, hidden=hidden, vocab_size=vocab_size))
    objective = config.make_objective()
    with torch.random.fork_rng():  # leave the caller's random numbers alone
        torch.manual_seed(config.seed)
        try:
            model = build_vae(
                data.kind,
                config.decoder or DECODERS[data.kind][0],
                latent_dim=latent_dim,
                hidden=hidden,
                vocab_size=vocab_size,
                n_labels=n_labels,
                word_dropout=config.word_dropout,
                dropout=config.dropout,
                embedding=config.embedding or 0,
                layers=config.layers,
                skip=config.skip,
                without_z=config.without_z,
                prior_encoder=config.prior_encoder,
                floor=build_floor(latent_dim, bn_gamma=config.bn_gamma, delta=config.delta),
            ).to(device)
            helper = objective.build_helper(sizes)
            return Trainer(
                model,
                objective,
                torch.as_tensor(data.grey_train if grey else data.train, device=device).to(
                    torch.uint8 if image else torch.long
                ),
                torch.as_tensor(data.train_labels, device=device) if config.conditional else None,
                helper=None if helper is None else helper.to(device),
                sizes=sizes,
                batch_size=config.batch_size or min(50 if image else 100, len(data.train)),
                lr=config.lr or (2e-3 if image else 1e-3),
                seed=config.seed,
                clip=config.clip or CLIP[data.kind],
                grey=grey,
                valid=None if data.valid is None else tensors(data, "valid", config, device),
                mi_every=config.mi_every,
                encoder_steps=config.encoder_steps,
                pretrain=config.pretrain,
                plateau=Plateau(config.patience, config.halvings) if config.patience else None,
            )
        except ValueError as error:
            raise RunError(str(error)) from None


def available(name: str) -> bool:
    """Whether a run may compute on the device of that name here."""
    kind, _, index = name.partition(":")
    if kind == "cuda":
        return torch.cuda.is_available() and (not index or (index.isdigit() and int(index) < torch.cuda.device_count()))
    return name in ("auto", "cpu", "cpu:0")


def device_of(name: str) -> torch.device:
    """The device of that name; "auto" is a GPU where there is one. Raises RunError for one that is not there.

    >>> device_of("cpu")
    device(type='cpu')
    >>> device_of("gpu")
    Traceback (most recent call last):
    ...
    klcourse.runs.config.RunError: device = gpu is not known: choose cpu...
    """
    if not available(name):
        known = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
        what = "is not here" if name.partition(":")[0] in ("cuda", "mps") else "is not known"
        raise RunError(f"device = {name} {what}: choose {', '.join(['cpu', *known])} or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def tensors(data: Dataset, part: str, config: Run, device) -> tuple[Tensor, Tensor | None]:
    """The "valid" or "test" part as the model takes it, and its labels if the model is conditional."""
    x = torch.as_tensor(getattr(data, part), device=device).to(torch.float32 if data.kind == "image" else torch.long)
    return x, torch.as_tensor(getattr(data, f"{part}_labels"), device=device) if config.conditional else None


def test_tensors(data: Dataset, config: Run, device) -> tuple[Tensor, Tensor | None]:
    """The test part as the model takes it, and its labels if the model is conditional."""
    return tensors(data, "test", config, device)

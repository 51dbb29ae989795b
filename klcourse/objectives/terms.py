"""What a training step hands to an objective: the terms of its mini-batch, and what a helper network can be built from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass
class Terms:
    """What one mini-batch of B examples gives an objective; everything in nats.

    >>> import torch
    >>> t = Terms(rec=torch.tensor([80.0, 90.0]), kl=torch.tensor([1.0, 3.0]))
    >>> t.rec.mean(), t.kl.mean()      # D and R of the batch
    (tensor(85.), tensor(2.))
    """

    rec: Tensor  # (B,)   -log p(x|z), z ~ q(z|x)
    kl: Tensor  # (B,)   KL(q(z|x) || p(z)), closed form
    mu: Tensor | None = None  # (B, d) of q(z|x)
    logvar: Tensor | None = None  # (B, d)
    z: Tensor | None = None  # (B, d) the sample behind rec
    x: Tensor | None = None  # (B, ...) the examples
    helper: Callable[..., Tensor] | None = None  # the network that `Objective.build_helper` asked for
    dataset_size: int = 0  # N, the number of training examples
    epoch: float = 0.0  # passes over the data before this step, for schedules
    epochs: float = 0.0  # passes planned in all, for schedules (0: not known)
    batch_size: int = 0  # of a full mini-batch: the last one of an epoch may be smaller (0: this one is full)


@dataclass(frozen=True)
class Sizes:
    """What a helper network can be built from: the model's sizes; `encoder(n_out)` is a network from x to n_out numbers."""

    latent_dim: int
    hidden: int
    vocab_size: int
    encoder: Callable[[int], nn.Module]

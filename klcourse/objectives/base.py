"""What every objective is told about a mini-batch, and what all objectives share."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar

from torch import Tensor


@dataclass
class Terms:
    """What one mini-batch of B examples gives an objective; everything in nats."""

    rec: Tensor  # (B,)   -log p(x|z), z ~ q(z|x)
    kl: Tensor  # (B,)   KL(q(z|x) || p(z)), closed form
    mu: Tensor | None = None  # (B, d) of q(z|x)
    logvar: Tensor | None = None  # (B, d)
    z: Tensor | None = None  # (B, d) the sample behind rec
    label: Tensor | None = None  # (B, d) g(x), only for SelfLabelling
    dataset_size: int = 0  # N, the number of training examples, only for BetaTC
    epoch: float = 0.0  # passes over the data before this step, for schedules
    batch_size: int = 0  # of a full mini-batch: the last one of an epoch may be smaller (0: this one is full)


class Objective:
    """What all objectives share: a name for the command line, validation, and the state of the penalty.

    A subclass says how a batch becomes a loss, and where it needs to, how much of its penalty acts on a batch
    (penalty_on), what it changes in itself after a training step (after_step, state), and which mini-batches are too
    small for it (check_batch_size).
    """

    name: ClassVar[str]
    choices: ClassVar[dict[str, tuple[str, ...]]] = {}  # the fields that are words, and the words they take
    bounds: ClassVar[dict[str, tuple[float, float]]] = {}  # the numbers with a range narrower than [0, infinity)

    def __call__(self, t: Terms) -> Tensor:
        raise TypeError(f"{type(self).__name__} is abstract: use make_objective(name)")

    def penalty_on(self, t: Terms) -> float:
        """How much of the penalty acts on this batch: 0 or 1 for a hinge, a share for a hinge a latent; else 0."""
        return 0.0

    def after_step(self, t: Terms) -> None:
        """Called once after the training step on t; here an objective may move its own knobs."""

    def state(self) -> dict[str, float]:
        """The knobs that training itself moves, with their values: what a checkpoint must keep."""
        return {}

    def check_batch_size(self, size: int) -> None:
        """Raise ValueError if the objective cannot do its work with full mini-batches of `size` examples."""

    def __setattr__(self, field: str, value) -> None:
        # checked here and not once at the start, because live controls change a field while a run trains
        if field not in {f.name for f in fields(self)}:
            known = ", ".join(f.name for f in fields(self)) or "none"
            raise AttributeError(f"objective {self.name} has no knob {field!r}; it has: {known}")
        if isinstance(value, (int, float)):
            low, high = self.bounds.get(field, (0, math.inf))
            if not (math.isfinite(value) and low <= value <= high):
                choose = f"a finite number >= {low}" if high == math.inf else f"a number from {low} to {high}"
                raise ValueError(f"{field} = {value} of objective {self.name}: choose {choose}")
        if isinstance(value, str) and value not in self.choices.get(field, ()):
            raise ValueError(f"{field} = {value!r} of objective {self.name}: choose {self.choices.get(field, 'a number')}")
        super().__setattr__(field, value)

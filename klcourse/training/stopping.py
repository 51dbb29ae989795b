"""When to slow down and when to stop, by the loss on examples that training does not see."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal

MIN_GAIN = 0.01  # nats by which the validation loss must fall to count as progress
MIN_EXAMPLES = 50  # fewer validation examples say nothing about when to stop

Advice = Literal["better", "wait", "slower", "stop"]


@dataclass
class Plateau:
    """Halve the learning rate after `patience` epochs without progress on validation, stop after `halvings` of them.

    At a halving training goes back to its best weights. Progress is a validation loss at least 0.01 nat below the best.

    >>> plateau = Plateau(patience=2, halvings=1)
    >>> [plateau.after_epoch(loss) for loss in (9.0, 8.0, 8.5, 8.2, 7.9, 7.9, 7.895)]
    ['better', 'better', 'wait', 'slower', 'better', 'wait', 'stop']
    """

    patience: int
    halvings: int = 4
    best: float = math.inf
    since: int = 0  # epochs since the best
    halved: int = 0

    def after_epoch(self, loss: float) -> Advice:
        """What to do after an epoch that ended with this validation loss."""
        if loss < self.best - MIN_GAIN:
            self.best, self.since = loss, 0
            return "better"
        self.since += 1
        if self.since < self.patience:
            return "wait"
        if self.halved == self.halvings:
            return "stop"
        self.since, self.halved = 0, self.halved + 1
        return "slower"

    def state(self) -> dict[str, float]:
        """What a checkpoint must keep."""
        return asdict(self)

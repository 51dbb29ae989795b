"""How a weight or a target grows while training goes on: functions of the epoch alone."""

from __future__ import annotations

import math


def linear_weight(epoch: float, warmup: float) -> float:
    """The share of its final value that a weight has after `epoch` passes over the data: from 0 to 1 in `warmup` passes.

    >>> [linear_weight(epoch, warmup=4) for epoch in (0, 1, 4, 9)]
    [0.0, 0.25, 1.0, 1.0]
    """
    return min(1.0, epoch / warmup) if warmup else 1.0


def cyclical_weight(epoch: float, period: float, ratio: float) -> float:
    """The same in cycles of `period` passes: from 0 to 1 in the first `ratio` of each cycle, 1 for the rest of it.

    >>> [cyclical_weight(epoch, period=2, ratio=0.5) for epoch in (0, 0.5, 1, 1.9, 2, 2.5)]
    [0.0, 0.5, 1.0, 1.0, 0.0, 0.5]
    """
    return linear_weight(epoch % period, ratio * period) if math.isfinite(epoch) else 1.0

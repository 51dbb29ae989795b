"""Which examples a step sees, and its random numbers: all a function of the seed and the step, with nothing to remember."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from klcourse.data import PAD

ORDER, NOISE, HELPER_ORDER, PROBE, ENCODER, VALID = range(6)  # independent streams of random numbers
POOL = 50  # mini-batches' worth of sentences that are sorted by length together


def seeded(seed: int, stream: int, *index: int) -> torch.Generator:
    """The generator for one stream at one index (a step or an epoch): well mixed, and nothing to remember."""
    state = np.random.SeedSequence((seed, stream, *index)).generate_state(1)
    return torch.Generator().manual_seed(int(state[0]))


class Batches:
    """The mini-batches of every epoch, as row numbers of x: images (N, 784) in random order, sentences (N, T) by length.

    Sentences of like length go together, so that next to no work is done on padding: a random permutation is cut into
    pools of 50 mini-batches, each pool is sorted by length and cut, and the mini-batches are shuffled. Every sentence comes
    once an epoch. `stream` names the stream of random numbers.

    >>> batches = Batches(torch.tensor([[5, 2, 0], [5, 5, 2], [6, 2, 0], [6, 6, 2]]), batch_size=2)
    >>> sorted(sorted(rows.tolist()) for rows in batches.of(epoch=0))  # the short ones are 0 and 2
    [[0, 2], [1, 3]]
    """

    def __init__(self, x: Tensor, batch_size: int, seed: int = 0, stream: int = ORDER):
        self.n, self.batch_size, self.seed, self.stream = len(x), batch_size, seed, stream
        self.words = None if x.dtype == torch.uint8 or x.is_floating_point() else (x != PAD).sum(1).cpu()  # (N,)
        self._epoch, self._found = -1, list[Tensor]()

    def __len__(self) -> int:
        return math.ceil(self.n / self.batch_size)

    def of(self, epoch: int) -> list[Tensor]:
        """The mini-batches of an epoch, row numbers on the CPU."""
        if epoch != self._epoch:
            generator = seeded(self.seed, self.stream, epoch)
            order = torch.randperm(self.n, generator=generator)
            if self.words is None:
                found = list(order.split(self.batch_size))
            else:
                pools = order.split(POOL * self.batch_size)
                found = [b for pool in pools for b in pool[self.words[pool].argsort(stable=True)].split(self.batch_size)]
                found = [found[i] for i in torch.randperm(len(found), generator=generator).tolist()]
            self._epoch, self._found = epoch, found
        return self._found

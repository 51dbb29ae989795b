"""What a model makes of a few test examples: encode each, draw it again from its z, a little at a time.

If the decoder ignores z, what it draws has nothing to do with what was encoded; the eye sees it at once. The randomness of
drawing is the same for every example, so that what differs between two of them comes from z alone.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from klcourse.data import EOS, PAD, Dataset
from klcourse.gaussians import reparameterise
from klcourse.models import SIDE, VAE, PixelCNNDecoder

DIGITS, SENTENCES = 6, 4
WORDS = range(4, 9)  # of sentences that fit on a line
MAX_WORDS = 14


def choose_examples(data: Dataset) -> np.ndarray:
    """Rows of the test set to show: digits of different classes, or short sentences."""
    if data.kind == "image":
        first = [np.flatnonzero(data.test_labels == k)[:1] for k in np.unique(data.test_labels)]
        return np.concatenate(first)[:DIGITS]
    words = (data.test != PAD).sum(1) - 1
    short = np.flatnonzero((words >= WORDS.start) & (words < WORDS.stop) & (data.test[:, 0] != EOS))
    return (short if len(short) >= SENTENCES else np.arange(len(data.test)))[:SENTENCES]


def reconstruct(model: VAE, x: Tensor, y: Tensor | None, seed: int, before: Tensor | None = None) -> Iterator[Tensor]:
    """Draw the examples x (n, ...) again from z ~ q(z|x); yields after every piece of work what there is so far.

    Images by the PixelCNN come row by row, over the picture `before`, so that training may go on in between: it works on
    a copy of the model as it is now. Factorised images are means; sentences are written greedily, the likeliest word
    each time.
    """
    model = copy.deepcopy(model).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        mu, logvar = model.encode(x, y)
        z = reparameterise(mu, logvar, generator)
        if isinstance(model.decoder, PixelCNNDecoder):
            rows = draw_rows(model.decoder, model.told(z, y), torch.rand(SIDE, SIDE, 1, generator=generator), before)
        elif model.decoder.factorised:
            rows = iter([model.mean(z, y)])
        else:
            rows = iter([model.sample(z, y, generator, greedy=True, max_words=MAX_WORDS)])
    yield from rows


def draw_rows(decoder: PixelCNNDecoder, h: Tensor, u: Tensor, before: Tensor | None = None) -> Iterator[Tensor]:
    """The PixelCNN's `sample` one row of pixels at a time: yields (n, 784) after each; rows to come are as in `before`.

    u (28, 28, n) or (28, 28, 1) are uniform numbers, one a pixel. Only the pixels that a prediction depends on are computed:
    `context_rows` above it and as many columns to either side.
    """
    reach = decoder.context_rows  # the kernels are as wide as they would be high: the same reach sideways
    with torch.no_grad():
        biases = decoder.biases(h)
    # pixels to come may hold anything: the masks hide them
    x = h.new_zeros(len(h), 1, SIDE, SIDE) if before is None else before.view(-1, 1, SIDE, SIDE).clone()
    for r in range(SIDE):
        top = max(0, r - reach)
        with torch.no_grad():  # not around the loop: the caller trains between two rows, in this very thread
            for c in range(SIDE):
                left = max(0, c - reach)
                logits = decoder.logits(x[:, :, top : r + 1, left : c + reach + 1], biases)
                x[:, 0, r, c] = (u[r, c].to(h.device) < logits[:, 0, -1, c - left].sigmoid()).float()
        yield x.flatten(1).clone()

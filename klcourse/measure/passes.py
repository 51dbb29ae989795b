"""Passing many examples through a model, in chunks, so that memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from klcourse.data import PAD
from klcourse.models import VAE

ROWS = 1000  # rows a network sees at a time, at most
CELLS = 30_000_000  # numbers it may hold meanwhile: 120 MB
GPU = 20  # a GPU has room for so many times as much, and needs it to be busy


def chunks(n: int, size: int) -> Iterator[slice]:
    """Slices that cover 0 ... n - 1, at most `size` long and at least 1."""
    size = max(1, size)
    return (slice(i, min(n, i + size)) for i in range(0, n, size))


def part(y: Tensor | None, rows) -> Tensor | None:
    """y[rows], for labels that may be absent."""
    return None if y is None else y[rows]


@torch.no_grad()
def posteriors(model: VAE, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """mu, logvar of q(z|x) for every example: (N, d) each. ValueError for examples that are not of the model's kind."""
    if isinstance(model, VAE):  # whatever else can encode is taken at its word
        model.check(x, y)
    parts = [model.encode(x[s], part(y, s)) for s in chunks(len(x), ROWS)]
    mu, logvar = (torch.cat(t) for t in zip(*parts))
    return mu, logvar


def most_rows(x: Tensor) -> int:
    """How many rows a network sees at a time, at most."""
    return ROWS * (GPU if x.is_cuda else 1)


def rows_at_a_time(model: VAE, x: Tensor) -> int:
    """How many examples like x fit into the memory that is set aside: long sentences of many words need much."""
    return min(most_rows(x), max(1, CELLS * (GPU if x.is_cuda else 1) // model.decoder.cells(x)))


@torch.no_grad()
def log_px(model: VAE, x: Tensor, z: Tensor, y: Tensor | None = None) -> Tensor:
    """log p(x|z) of every pair (x_i, z_i): (N,), nats. Sentences go in order of length: no work for padding."""
    if x.dtype != torch.long:
        return torch.cat([model.log_px(x[s], z[s], part(y, s)) for s in chunks(len(x), rows_at_a_time(model, x))])
    words = (x != PAD).sum(1)
    order = words.argsort(descending=True, stable=True)
    out, begin = torch.empty(len(x), dtype=z.dtype, device=z.device), 0
    while begin < len(x):
        short = x[order[begin:], : int(words[order[begin]])]  # none of the rest is longer
        rows = order[begin : begin + rows_at_a_time(model, short)]
        out[rows] = model.log_px(x[rows, : short.shape[1]], z[rows], part(y, rows))
        begin += len(rows)
    return out

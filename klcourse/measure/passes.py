"""Passing many examples through a model, in chunks, so that memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from klcourse.models import VAE

ROWS = 1000  # rows a network sees at a time


def chunks(n: int, size: int) -> Iterator[slice]:
    """Slices that cover 0 ... n - 1, at most `size` long and at least 1."""
    size = max(1, size)
    return (slice(i, min(n, i + size)) for i in range(0, n, size))


def part(y: Tensor | None, rows) -> Tensor | None:
    """y[rows], for labels that may be absent."""
    return None if y is None else y[rows]


@torch.no_grad()
def posteriors(model: VAE, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """mu, logvar of q(z|x) for every example: (N, d) each."""
    parts = [model.encode(x[s], part(y, s)) for s in chunks(len(x), ROWS)]
    mu, logvar = (torch.cat(t) for t in zip(*parts))
    return mu, logvar


@torch.no_grad()
def log_px(model: VAE, x: Tensor, z: Tensor, y: Tensor | None = None) -> Tensor:
    """log p(x|z) of every pair (x_i, z_i): (N,), nats."""
    return torch.cat([model.log_px(x[s], z[s], part(y, s)) for s in chunks(len(x), ROWS)])

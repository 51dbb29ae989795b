"""What a trained model draws: samples from the prior and reconstructions, small enough to be stored by the hundred."""

from __future__ import annotations

import base64

import numpy as np
import torch

from klcourse.runs import Trained, test_tensors
from klcourse.training import seeded

SAMPLES = 100  # the stream of random numbers; training and metrics use others


@torch.no_grad()
def draw(run: Trained, n: int) -> dict:
    """n samples x ~ p(x|z), z ~ p(z), and reconstructions of the first n test examples, from z ~ q(z|x).

    Decided by the run's seed. Sentences are drawn word by word from the prior, and reconstructed greedily.
    A conditional model gets the labels of those test examples for both. Returns what samples.json holds:
    images as `pack` writes them, sentences as text.
    """
    model, data = run.model.eval(), run.data
    generator = seeded(run.config.seed, SAMPLES, 0)
    x, y = test_tensors(data, run.config, next(model.parameters()).device)
    x, y = x[:n], None if y is None else y[:n]
    mu, logvar = model.encode(x, y)
    z = torch.randn(mu.shape, generator=generator).to(mu)  # as many samples as there are reconstructions
    samples = model.sample(z, y, generator)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator).to(mu)
    greedy = {"greedy": True} if data.kind == "text" else {}
    reconstructions = model.sample(z, y, generator, **greedy)
    store = pack if data.kind == "image" else lambda rows: [data.decode(row) for row in rows]
    found = {"kind": data.kind, "asked": n}
    if y is not None:
        found["labels"] = [data.label_names[label] for label in y.tolist()]
    drawn = {"originals": x, "samples": samples, "reconstructions": reconstructions}
    return found | {name: store(rows.cpu().numpy().astype(int)) for name, rows in drawn.items()}


def pack(images: np.ndarray) -> str:
    """0/1 images (n, 784) as base64 of one bit a pixel: 131 characters each. `studies.unpack` is the inverse."""
    return base64.b64encode(np.packbits(images.astype(bool), axis=1).tobytes()).decode()

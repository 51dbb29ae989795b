"""What the Trainer costs over a bare PyTorch loop: `python tests/benchmarks/training_loop.py`.

Both train the same model on the same mini-batches with the same optimiser, in turn, so that a machine that slows down slows
both. Prints the median over the pairs of (Trainer / bare); 1.00 is no overhead. Nothing is asserted. Measuring
I_q at the end of every epoch is a feature of the Trainer and not of a loop, so it is switched off. The guard on the norm of
the gradient stays on: most of what a small step on images costs more.
"""

from __future__ import annotations

import time
from statistics import median

import torch

from klcourse.data import PAD, load
from klcourse.gaussians import gaussian_kl
from klcourse.runs import Run, build_trainer
from klcourse.training import ORDER

PAIRS = 15
CASES = {
    "mnist, factorised": (Run(data="mnist"), 60),
    "mnist, PixelCNN": (Run(data="mnist", decoder="ar", batch_size=20), 8),
    "text, LSTM 64": (Run(data="text", hidden=64, batch_size=50), 12),
}


def bare_loop(model, x, batches, optimizer):
    """The loop one would write by hand: index, forward, loss, backward, step."""
    for rows in batches:
        batch = x[rows]
        batch = batch.float() if x.dtype == torch.uint8 else batch[:, : int((batch != PAD).sum(1).max())]
        mu, logvar = model.encode(batch)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        loss = -model.log_px(batch, z).mean() + gaussian_kl(mu, logvar).mean()
        optimizer.zero_grad()
        loss.backward()
        if x.dtype != torch.uint8:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        loss.item()  # everybody logs the loss


def seconds(work) -> float:
    """Processor time of a call: what other programs do on the machine does not count."""
    started = time.process_time()
    work()
    return time.process_time() - started


def ratio(config: Run, steps: int) -> float:
    """Median over pairs of the Trainer's time over the bare loop's."""
    data = load(config.data)
    ours, theirs = build_trainer(config, data), build_trainer(config, data)
    theirs.model.train()
    ours.valid = None
    optimizer = torch.optim.Adam(theirs.model.parameters(), lr=ours.lr, fused=True)

    def trainer():
        for _ in range(steps):
            ours.step()

    def both() -> float:
        at = [(ours.steps + i) % ours.steps_per_epoch for i in range(steps)]
        batches = [theirs.batches[ORDER].of(0)[i] for i in at]  # the same ones while the first epoch lasts
        return seconds(trainer) / seconds(lambda: bare_loop(theirs.model, theirs.x, batches, optimizer))

    both()  # warm up
    return median(both() for _ in range(PAIRS))


if __name__ == "__main__":
    for name, (config, steps) in CASES.items():
        print(f"{name:20} Trainer / bare loop = {ratio(config, steps):.3f}  (median of {PAIRS} pairs of {steps} steps)")

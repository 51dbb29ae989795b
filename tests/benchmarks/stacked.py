"""What stacking gains: `python tests/benchmarks/stacked.py [--models 16] [--threads 1]`.

The same models train for the same steps one after the other and as a stack, in turn, so that a machine that slows down slows
both; once as the course has them and once as small as in a live map. Prints model steps a second of processor time (with
`--threads` above 1: of the clock) and the median over pairs of their ratio. Nothing is asserted. Measuring I_q at the end of
an epoch costs both the same, so it is switched off.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import torch

from klcourse.runs import Run, build_trainer
from klcourse.training import Stack, Trainer

PAIRS = 7
STEPS = 20
CASES = {
    "as usual: 200 hidden units, 16 latents, batches of 50": {},
    "small: 32 hidden units, 4 latents, batches of 50": {"hidden": 32, "latent_dim": 4},
}


def trainers(settings: dict, models: int) -> list[Trainer]:
    """Hinges that differ in lam, c and seed, without a validation part."""
    data = Run(**settings).load_data()
    knobs = [{"lam": 1.0 + i % 4, "c": 5.0 + i // 4, "seed": i} for i in range(models)]
    found = [build_trainer(Run(objective="rate-hinge", device="cpu", **settings, **each), data) for each in knobs]
    for trainer in found:
        trainer.valid = None
    return found


def compare(settings: dict, models: int, threads: int) -> tuple[float, float, float]:
    """Model steps a second one after the other, stacked, and the median ratio of pairs."""
    alone, stack = trainers(settings, models), Stack(trainers(settings, models))
    clock = time.process_time if threads == 1 else time.perf_counter

    def one_by_one() -> float:
        started = clock()
        for trainer in alone:
            for _ in range(STEPS):
                trainer.step()
        return models * STEPS / (clock() - started)

    def together() -> float:
        started = clock()
        for _ in range(STEPS):
            stack.step()
        return models * STEPS / (clock() - started)

    one_by_one(), together()  # warm up
    pairs = [(one_by_one(), together()) for _ in range(PAIRS)]
    return median(a for a, _ in pairs), median(b for _, b in pairs), median(b / a for a, b in pairs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name, settings in CASES.items():
        one, many, ratio = compare(settings, options.models, options.threads)
        print(
            f"{name}: {one:.0f} model steps/s one after the other, {many:.0f} with {options.models} stacked, x {ratio:.2f}"
        )

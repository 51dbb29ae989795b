"""What mini-batches of sentences of like length are worth: `python -m tests.benchmarks.words`.

Trains text models on the docstring sentences with such mini-batches and with shuffled ones, in turn, and prints words a
second of processor time and their ratio; then the validation loss of both after as many epochs of a small model.
"""

from __future__ import annotations

import time
from statistics import median

import torch

from klcourse.runs import Run, build_trainer
from klcourse.training import ORDER, Batches, Trainer, seeded

PAIRS, STEPS, EPOCHS = 5, 12, 3
CASES = {
    "LSTM 256, batch 64": Run(data="text", hidden=256, batch_size=64),
    "LSTM 64, batch 50": Run(data="text", hidden=64, batch_size=50),
}


class Shuffled(Batches):
    """Sentences in random order, each mini-batch as long as its longest one."""

    def of(self, epoch: int) -> list[torch.Tensor]:
        return list(torch.randperm(self.n, generator=seeded(self.seed, self.stream, epoch)).split(self.batch_size))


def trainer(config: Run, shuffled: bool) -> Trainer:
    """A trainer at step 0, with one or the other kind of mini-batch."""
    made = build_trainer(config, config.load_data())
    if shuffled:
        made.batches[ORDER] = Shuffled(made.x, made.batch_size, made.seed)
    return made


def words_a_second(made: Trainer) -> float:
    """Words of some steps over their processor time; EOS counts."""
    batches = made.batches[ORDER]
    rows = [batches.of(0)[(made.steps + i) % len(batches)] for i in range(STEPS)]
    started = time.process_time()
    for _ in rows:
        made.step()
    return sum(int(batches.words[r].sum()) for r in rows) / (time.process_time() - started)


if __name__ == "__main__":
    for name, config in CASES.items():
        by_length, shuffled = trainer(config, False), trainer(config, True)
        words_a_second(by_length), words_a_second(shuffled)  # warm up
        pairs = [(words_a_second(by_length), words_a_second(shuffled)) for _ in range(PAIRS)]
        ours, theirs = (median(values) for values in zip(*pairs))
        ratio = median(a / b for a, b in pairs)
        print(f"{name}: {ours:.0f} words a second by length, {theirs:.0f} shuffled; ratio {ratio:.2f}")
    for shuffled in False, True:
        made = trainer(CASES["LSTM 64, batch 50"], shuffled)
        made.fit(EPOCHS, progress=False)
        losses = [row["valid_loss"] for row in made.history if row["valid_loss"] == row["valid_loss"]]
        print(f"validation loss after each epoch, {'shuffled' if shuffled else 'by length'}:", *(f"{v:.2f}" for v in losses))

"""What keeping freed memory is worth: `python tests/benchmarks/memory.py`.

Trains a PixelCNN and a text model for some steps in fresh processes, in turn with and without
klcourse.system.keep_freed_memory, and prints the median of (without / with) in processor time.
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median

PAIRS = 3
CASES = {
    "mnist, PixelCNN": "data='mnist', decoder='ar', batch_size=20",
    "text, LSTM 64": "data='text', hidden=64, batch_size=50",
}
STEPS = """
import time
from klcourse.training import trainer as loop
if not {keep}:
    loop.keep_freed_memory = lambda: None
from klcourse.data import load
from klcourse.runs import Run, build_trainer
config = Run({options})
trainer = build_trainer(config, load(config.data))
trainer.valid = None
for _ in range(5):
    trainer.step()
started = time.process_time()
for _ in range(40):
    trainer.step()
print(time.process_time() - started)
"""


def seconds(options: str, keep: bool) -> float:
    """Processor time of 40 steps in a fresh process."""
    code = STEPS.format(keep=keep, options=options)
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    for name, options in CASES.items():
        ratios = [seconds(options, keep=False) / seconds(options, keep=True) for _ in range(PAIRS)]
        print(f"{name:16} returned / kept = {median(ratios):.2f}  (median of {PAIRS} pairs)")

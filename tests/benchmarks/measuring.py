"""Memory and time of measuring text models: `python -m tests.benchmarks.measuring`, with PTB if it can be loaded.

Each case runs in a fresh process; printed is the peak of the whole process, libraries included, in GB.
"""

from __future__ import annotations

import subprocess
import sys

CASES = {
    "1 000 lines of 100 words of 6 000": "x, vocabulary = torch.randint(4, 6000, (1000, 100)), 6000",
    "PTB, test part": """
from klcourse.data import load
data = load("ptb")
x, vocabulary = torch.as_tensor(data.test).long(), len(data.vocab)
""",
}
MEASURE = """
import resource, time, torch
torch.set_num_threads(1)
from klcourse import measure
from klcourse.models import build_vae
{data}
model = build_vae("text", "lstm", latent_dim=32, hidden=128, vocab_size=vocabulary)
started = time.perf_counter()
measure.evaluate(model, x, iw_samples=2, prior_share=0.5, text=True)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # in KB on Linux
print(f"{{peak:.2f}} GB, {{time.perf_counter() - started:.0f}} s with K = 2")
"""

if __name__ == "__main__":
    for name, data in CASES.items():
        done = subprocess.run([sys.executable, "-c", MEASURE.format(data=data)], capture_output=True, text=True)
        print(f"{name}: {done.stdout.strip() or done.stderr.strip().splitlines()[-1]}")

"""What measuring generated sentences costs: `python tests/benchmarks/generation.py`.

An untrained model, whose sentences are all different, is the dearest case: equal ones are compared once. Prints seconds of
processor time for 20 conditions, both decoding modes together.
"""

from __future__ import annotations

import time

import torch

from klcourse.data import load
from klcourse.measure import text
from klcourse.models import build_vae

torch.set_num_threads(1)
data = load("grammar")
text.bleu([("a",)], ("a",))  # importing NLTK takes a second, once
for per_condition in (20, 50):
    torch.manual_seed(0)
    model = build_vae("text", "lstm", latent_dim=16, hidden=64, vocab_size=len(data.vocab), n_labels=20)
    started = time.process_time()
    text.diversity(model, data, per_condition=per_condition)
    print(f"{per_condition} sentences for each of 20 conditions: {time.process_time() - started:.1f} s")

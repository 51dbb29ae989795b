"""The stored estimates of s(0) for trained decoders (notebook 09): train without z, then measure.

    python -m klcourse.sweep.threshold --table notebooks/results/collapse_threshold.csv

redoes them: three kinds of decoder with the settings of the study measured_game; the LSTM is then given free codes, next to
the table in NAME_free.csv. A table that is there already keeps the rows of decoders that are not asked for. Minutes on a
CPU, but for the PixelCNN's samples, which want a GPU.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from klcourse.measure.threshold import free_codes, listening, own_samples, scores, threshold
from klcourse.runs import Run, train
from klcourse.studies import RESULTS
from klcourse.studies.read import seal
from klcourse.system import print_anything
from klcourse.version import __version__

from .grid import read_grid

SAMPLES = 4000
DECODERS = ("mlp", "ar", "lstm")

FREE = {"lstm": (1.0, 4.0)}
FREE_CODES: dict[str, Any] = {"epochs": 70, "lr": 1.5e-3}
FREE_EXAMPLES = 2000
"""For which beta a decoder is given free codes, for how long and for how many training examples."""


def without_z() -> dict[str, Run]:
    """A run for each kind of decoder, as the study measured_game has it, in the cell where z is neither told nor used.

    On the whole training part, as that study was made.
    """
    runs = [run.config for run in read_grid(RESULTS / "measured_game.toml").runs]
    chosen = [run for run in runs if run.without_z and run.prior_encoder]
    return {run.decoder: replace(run, hold_out=0, seed=0) for run in chosen if run.decoder}


def main(arguments: list[str] | None = None) -> int:
    """Train the three decoders without z, estimate s(0) for each, and store the table."""
    print_anything()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--table", default="collapse_threshold.csv", help="the table to write; a .json is put beside it")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--decoders", nargs="+", choices=DECODERS, default=list(DECODERS))
    parser.add_argument("--samples", type=int, default=SAMPLES, help="samples of its own that each decoder draws")
    options = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    paths: list[dict[str, Any]] = []
    fingerprints = {}
    known = without_z()
    for name in options.decoders:
        data = known[name].load_data()
        fingerprints[name] = data.fingerprint
        kind = torch.float32 if data.kind == "image" else torch.long
        parts = [torch.as_tensor(part).to(kind) for part in (data.train, data.test)]
        for seed in range(options.seeds):
            trained = train(replace(known[name], seed=seed), data=data, progress=False)
            decoder = listening(trained.model.decoder)
            parts = [part.to(next(decoder.parameters()).device) for part in parts]
            longest = {} if data.kind == "image" else {"max_words": parts[0].shape[1]}
            own = own_samples(decoder, options.samples, seed, **longest).to(kind)
            found = threshold(*(scores(decoder, x) for x in (*parts, own.to(parts[0].device))))
            row = {"decoder": name, "seed": seed, "log_likelihood": -trained.metrics["distortion"]}
            row |= {"fitted": found.fitted, "held_out": found.held_out, "error": found.error}
            row |= {"samples": options.samples, "device": parts[0].device.type}
            rows.append(row)
            print(row, flush=True)
            for beta in FREE.get(name, ()) if seed == 0 else ():  # one seed: it is slow
                learnt = free_codes(decoder, parts[0][:FREE_EXAMPLES], beta, seed=seed, **FREE_CODES)
                fresh = free_codes(decoder, parts[1], beta, seed=seed, direction=learnt.direction, **FREE_CODES)
                ends = {"fresh_rate": fresh.rate[-1], "fresh_gain": fresh.gain[-1]}
                at = {"decoder": name, "seed": seed, "beta": beta}
                paths += [at | {"epoch": k + 1, "rate": r} | ends for k, r in enumerate(learnt.rate)]
                print(paths[-1], flush=True)
    target, table = Path(options.table), pd.DataFrame(rows)
    if paths:
        pd.DataFrame(paths).to_csv(target.with_name(f"{target.stem}_free.csv"), index=False, float_format="%.6g")
    record: dict[str, Any] = {}
    if target.exists():
        old, record = pd.read_csv(target), json.loads(target.with_suffix(".json").read_text())
        table = pd.concat([old[~old["decoder"].isin(options.decoders)], table])
    table.to_csv(target, index=False, float_format="%.6g")
    record |= {
        "about": "s(0) of trained decoders without z (theorem T5): ratio of score variances, data to own samples",
        "command": "python -m klcourse.sweep.threshold --table notebooks/results/collapse_threshold.csv",
        "settings": record.get("settings", {}) | {name: known[name].given() for name in options.decoders},
        "versions": record.get("versions", {})
        | {
            name: {"klcourse": __version__, "torch": torch.__version__, "numpy": np.__version__} for name in options.decoders
        },
        "data": record.get("data", {}) | fingerprints,
        "free_codes": f"{target.stem}_free.csv: seed 0, {FREE_EXAMPLES} training examples, then the test examples",
    }
    seal(target.stem, record, target.parent)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

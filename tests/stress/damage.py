"""Damaged and foreign files: every one is noticed, or made anew the same; no result comes of it that was not written."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch

from klcourse.runs import Run, RunError, load, train
from klcourse.studies import StudyError, load_history, load_provenance, load_samples, load_study
from klcourse.sweep import sweep
from tests.stress.kills import GRID
from tests.stress.table import Row

TINY = dict(limit=60, batch_size=30, hidden=8, latent_dim=2, iw_samples=2, epochs=1)


def flip(content: bytes, rng: random.Random) -> bytes:
    """One bit."""
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


HOW: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "a bit": flip,
    "emptied": lambda content, rng: b"",
    "cut": lambda content, rng: content[: rng.randrange(len(content))],
    "zeros at the end": lambda content, rng: content[:-64] + bytes(min(64, len(content))),
    "something else": lambda content, rng: rng.randbytes(len(content)),
}


def hurt(path: Path, rng: random.Random) -> str:
    """Damage a file; says how, "" if it is as it was."""
    how, before = rng.choice(list(HOW)), path.read_bytes()
    path.write_bytes(HOW[how](before, rng))
    return "" if path.read_bytes() == before else how


def of_runs(place: Path, n: int, seed: int) -> list[Row]:
    """Of a finished run one file is damaged, or another seed's: load and resume."""
    rng, rows = (
        random.Random(seed),
        [Row("damaged: a run, loaded"), Row("damaged: a run, gone on with"), Row("foreign checkpoints")],
    )
    for each in (0, 1):
        train(Run(**TINY, seed=each), place / f"seed {each}", progress=False)
    whole = place / "seed 0"
    metrics, weights = (whole / "metrics.json").read_text(), load(whole).model.state_dict()
    names = [path.name for path in whole.iterdir()]
    for i in range(n):
        name, foreign = rng.choice(names), i % 10 == 0
        row = rows[2] if foreign else rows[i % 2]
        out = Path(shutil.copytree(whole, place / "hurt"))
        if foreign:
            name, how = "checkpoint.safetensors", "another seed's"
            shutil.copy(place / "seed 1" / name, out)
        else:
            how = hurt(out / name, rng)
        what = f"{name}, {how}"
        row.tried += 1
        try:
            run = load(out) if row is not rows[1] else train(Run(**TINY), out, resume=True, progress=False)
        except RunError:
            pass
        except Exception as error:
            row.note("tracebacks", f"{what}: {type(error).__name__}: {error}")
        else:
            if not all(torch.equal(weights[k], v) for k, v in run.model.state_dict().items()):
                row.note("wrong", f"{what}: other weights")
            if json.dumps(run.metrics, indent=2) + "\n" != metrics:
                row.note("wrong", f"{what}: other metrics")
        shutil.rmtree(out)
    return rows


def of_studies(place: Path, n: int, seed: int) -> list[Row]:
    """Of a stored study one file is damaged: every reader. Of a sweep's folder: swept again."""
    rng, read, again = random.Random(seed), Row("damaged: a study, read"), Row("damaged: a sweep, gone on with")
    (place / "g.toml").write_text(GRID.replace("epochs = 20", "epochs = 1"))
    whole = place / "swept"
    sweep(place / "g.toml", whole, jobs=1, progress=False)
    table, history, samples = load_study("g", whole), load_history("g", whole), load_samples("g", whole)
    scores, plain = table.scores(), pd.read_csv(whole / "g.csv").drop(columns="seconds")
    files = [path.name for path in whole.iterdir() if path.is_file() and not path.name.startswith(".")]
    for _ in range(n):
        read.tried += 1
        out = Path(shutil.copytree(whole, place / "hurt"))
        what = (name := rng.choice(files)) + ", " + hurt(out / name, rng)
        try:
            load_provenance("g", out)
            same = load_study("g", out).equals(table) and load_history("g", out).equals(history)
            same &= str(load_samples("g", out)) == str(samples) and load_study("g", out).scores().equals(scores)
            if not same:
                read.note("wrong", what)
        except (StudyError, ValueError):
            pass
        except Exception as error:
            read.note("tracebacks", f"{what}: {type(error).__name__}: {error}")
        shutil.rmtree(out)
    for _ in range(n // 5):
        again.tried += 1
        out = Path(shutil.copytree(whole, place / "hurt"))
        path = rng.choice([path for path in (out / "runs").rglob("*") if path.is_file()])
        what = f"{path.name}, {hurt(path, rng)}"
        try:
            result = sweep(place / "g.toml", out, jobs=1, progress=False)
            if result.failed or result.missing:
                again.note("lost", f"{what}: {result.failed}")
            elif not pd.read_csv(out / "g.csv").drop(columns="seconds").equals(plain):
                again.note("wrong", f"{what}: another table")
        except Exception as error:
            again.note("tracebacks", f"{what}: {type(error).__name__}: {error}")
        shutil.rmtree(out)
    return [read, again]

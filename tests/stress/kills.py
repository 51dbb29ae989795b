"""Kills at random moments over run and sweep: what is gone on from them must end bit for bit as if nothing had happened.

Each attempt is a fork of this process, which has loaded PyTorch and the data already, so that a kill costs no start.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from klcourse.__main__ import main
from klcourse.data import load
from klcourse.training import CheckpointError
from klcourse.training.checkpoint import read, unseal
from tests.stress.table import Row

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
SMALL = ("--limit=120", "--hidden=12", "--latent-dim=3", "--iw-samples=4", "--quiet")
RUNS: dict[str, tuple[str, ...]] = {
    "mlp": ("--epochs=60", "--batch-size=10", "--objective=rate-hinge", "--lam=2", "--c=3"),
    "ar (PixelCNN)": ("--decoder=ar", "--epochs=3", "--batch-size=20"),
    "lstm": ("--data=text", "--epochs=12", "--batch-size=20", "--word-dropout=0.3"),
    "sl, alternating": ("--epochs=40", "--batch-size=10", "--objective=sl", "--label=alternating"),
    "lagging": ("--epochs=10", "--batch-size=10", "--encoder-steps=3"),
    "pre-training, stopping": (
        "--epochs=60",
        "--batch-size=10",
        "--pretrain=2",
        "--patience=3",
        "--halvings=1",
        "--lr=0.02",
    ),
}
GRID = """
[store]
samples = 2
history = true
scores = true
models = true
[common]
limit = 120
hidden = 12
latent_dim = 3
iw_samples = 4
batch_size = 10
epochs = 20
[[grid]]
name = "hinge"
objective = "rate-hinge"
lam = [0.5, 2.0]
[[grid]]
name = "ELBO"
seed = [0, 1]
"""
MOST = 12  # kills of one run or sweep before it may end


def start(arguments: Sequence[str], said: Path) -> int:
    """A command in a process of its own, with a process group of its own; its number."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until the child is on its own
    child = os.fork()
    if child:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        return child
    status = 1
    try:
        os.setsid()
        stream = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        torch.set_num_threads(1)
        status = main(list(arguments))
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def ended(child: int, seconds: float) -> bool:
    """Whether a process has ended by itself within so many seconds."""
    until = time.monotonic() + seconds
    while True:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.002)


def cut_short(arguments: Sequence[str], said: Path, length: float, rng: random.Random, group: bool) -> bool:
    """Start a command and end it at a random moment; whether it was ended, and had not ended by itself."""
    child = start(arguments, said)
    if ended(child, rng.uniform(0, length)):
        return False
    signum = rng.choice(SIGNALS)
    (os.killpg if group else os.kill)(child, signum)
    if rng.random() < 0.2:  # twice
        time.sleep(rng.uniform(0, 0.05))
        try:
            (os.killpg if group else os.kill)(child, signum)
        except ProcessLookupError:
            pass
    if not ended(child, 120):
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return True
    return True


def timed(arguments: Sequence[str], said: Path) -> float:
    """Seconds of a command that nobody disturbs. RuntimeError if it fails."""
    began = time.monotonic()
    _, status = os.waitpid(start(arguments, said), 0)
    if status:
        raise RuntimeError(f"{' '.join(arguments)} failed undisturbed: {said.read_text()}")
    return time.monotonic() - began


def steps(out: Path) -> int:
    """The steps of a checkpoint; 0 where there is none. CheckpointError for one that is damaged."""
    path = out / "checkpoint.safetensors"
    return read(path, ("best.", ""))[1]["steps"] if path.exists() else 0


def run_kills(place: Path, n: int, seed: int) -> list[Row]:
    """At least n kills over run, of every kind as many."""
    rng, rows = random.Random(seed), []
    load("mnist"), load("text")
    for kind, options in RUNS.items():
        row, number = Row(f"kills: run, {kind}"), 0
        whole, said = place / f"{kind} whole", place / "said"
        said.write_text("")
        length = timed(["run", *SMALL, *options, f"--out={whole}"], said)
        while row.tried < n / len(RUNS):
            out, number = place / f"{kind} {number}", number + 1
            said.write_text("")
            before, kills = 0, 0
            while kills < MOST:
                resume = ["--resume"] if (out / "run.json").exists() else []
                if not cut_short(["run", *SMALL, *options, f"--out={out}", *resume], said, 0.6 * length, rng, group=False):
                    break
                kills += 1
                try:
                    now = steps(out)
                except CheckpointError as error:
                    row.note("wrong", f"{out.name}: {error}")
                    break
                if now < before:
                    row.note("lost", f"{out.name}: {before} steps became {now}")
                before = now
            row.tried += kills
            timed(["run", *SMALL, *options, f"--out={out}", *(["--resume"] if (out / "run.json").exists() else [])], said)
            compare(row, whole, out, said)
        print(row, file=sys.stderr, flush=True)  # it takes long
        rows.append(row)
    return rows


def compare(row: Row, whole: Path, out: Path, said: Path) -> None:
    """Note whatever a run that was killed has otherwise than one that was not."""
    if "Traceback" in said.read_text():
        row.note("tracebacks", said.read_text()[-600:])
    for name in ("metrics.json", "history.csv"):
        if (whole / name).read_bytes() != (out / name).read_bytes():
            row.note("wrong", f"{out.name}: another {name}")
    one, other = (unseal(each / "checkpoint.safetensors")[0] for each in (whole, out))
    if one.keys() != other.keys() or not all(torch.equal(one[k], other[k]) for k in one):
        row.note("wrong", f"{out.name}: other weights")
    if left := list(out.glob(".*")):
        row.note("lost", f"{out.name}: left behind {left}")


def sweep_kills(place: Path, n: int, seed: int, jobs: int) -> Row:
    """At least n kills over a sweep with so many processes."""
    rng, row, number = random.Random(seed), Row(f"kills: sweep, {jobs} at a time"), 0
    (place / "g.toml").write_text(GRID)
    said, whole = place / "said", place / f"sweep {jobs} whole"
    arguments = ["sweep", str(place / "g.toml"), f"--jobs={jobs}", "--quiet"]
    said.write_text("")
    length = timed([*arguments, f"--out={whole}"], said)
    while row.tried < n:
        out, number, kills = place / f"sweep {jobs} {number}", number + 1, 0
        said.write_text("")
        while kills < MOST:
            if not cut_short([*arguments, f"--out={out}"], said, 0.6 * length, rng, group=rng.random() < 0.5):
                break
            kills += 1
            time.sleep(1.0 if jobs > 1 else 0.0)  # workers follow within half a second
        row.tried += kills
        timed([*arguments, f"--out={out}"], said)
        if "Traceback" in said.read_text():
            row.note("tracebacks", said.read_text()[-600:])
        tables = [pd.read_csv(each / "g.csv").drop(columns="seconds") for each in (whole, out)]
        if not tables[0].equals(tables[1]):
            row.note("wrong", f"{out.name}: another table")
        for ending in ("_history.csv", "_samples.json", "_scores.npz"):
            if (whole / f"g{ending}").read_bytes() != (out / f"g{ending}").read_bytes():
                row.note("wrong", f"{out.name}: another g{ending}")
        if left := [path for path in out.rglob(".*") if path.suffix == ".tmp"]:
            row.note("lost", f"{out.name}: left behind {left}")
    return row

"""How far a sweep has come and how long it will take."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tqdm.auto import tqdm

from .folder import read_record
from .grid import GridRun

MAKE = ("data", "decoder", "latent_dim", "hidden", "batch_size", "conditional", "encoder_steps", "device")
"""Runs that agree in these take about as long a step."""


def done_steps(folder: Path) -> int:
    """How far an unfinished run has come, by the last row of its history."""
    try:
        return int((folder / "history.csv").read_text().splitlines()[-1].split(",")[0])
    except (OSError, ValueError, IndexError):
        return 0


def seconds_left(todo: dict[str, GridRun], steps: dict[str, int], runs: Path) -> float | None:
    """Seconds of computing in the runs that are not finished, by what finished ones of the same make took a step.

    Where there is none of the same make, the mean over all has to do; None without any.
    """
    rates: dict[tuple | None, list[float]] = {None: []}
    left: list[tuple[tuple, int]] = []
    for key, run in todo.items():
        make = tuple(getattr(run.config, name) for name in MAKE)
        record = read_record(runs / key)
        if record.get("finished"):
            rate = record["seconds"] / max(record["steps"], 1)
            rates.setdefault(make, []).append(rate)
            rates[None].append(rate)
        else:
            left.append((make, max(steps[key] - done_steps(runs / key), 0)))
    if not rates[None]:
        return None if left else 0.0
    mean = {make: sum(same) / len(same) for make, same in rates.items()}
    return sum(mean.get(make, mean[None]) * each for make, each in left)


def in_words(seconds: float) -> str:
    """A duration as people say it.

    >>> in_words(20), in_words(400), in_words(9000)
    ('20 s', '7 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Progress:
    """The bar of a sweep: finished runs of all, and the time left, which follows running ones by their histories."""

    def __init__(self, name: str, todo: dict[str, GridRun], steps: dict[str, int], runs: Path, jobs: int, show: bool):
        self.todo, self.steps, self.runs, self.jobs = todo, steps, runs, jobs
        self.bar = tqdm(total=len(todo), desc=name, disable=not show, smoothing=0, unit="run")
        self.bar.bar_format = "{desc}: {n_fmt}/{total_fmt} runs |{bar}| {elapsed} gone{postfix}"
        self.show, self.over = show, threading.Event()
        self.started, self.at_start = time.monotonic(), self.steps_done()

    def steps_done(self) -> int:
        """Training steps done in all runs together."""
        return sum(min(done_steps(self.runs / key), n) for key, n in self.steps.items()) if self.show else 0

    def __enter__(self) -> Progress:
        if self.show:
            threading.Thread(target=self.watch, daemon=True).start()
        return self

    def __exit__(self, *error) -> None:
        self.over.set()
        self.bar.close()

    def watch(self) -> None:
        """Say every few seconds how long it will take."""
        while not self.over.wait(3):
            if (left := self.left()) is not None:
                self.bar.set_postfix_str(f"about {in_words(left)} left")

    def left(self) -> float | None:
        """Seconds until the end; None as long as nothing tells."""
        computing = seconds_left(self.todo, self.steps, self.runs)
        if computing is not None:
            return computing / self.jobs
        done = self.steps_done()
        if done <= self.at_start:
            return None
        return (time.monotonic() - self.started) * (sum(self.steps.values()) - done) / (done - self.at_start)

    def say(self, line: str) -> None:
        """A line above the bar."""
        self.bar.write(line) if self.show else None

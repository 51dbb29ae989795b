"""A training run that can be steered while it goes: no widget, no notebook, only a thread.

    run = LiveRun(lambda: build_trainer(config, data), knobs={"lam": 0.5, "c": 5.0})
    run.start()                     # returns at once
    run.set(lam=2)                  # the next step uses it
    run.wait(steps=100)
    run.pause()                     # after the step in hand; start() goes on as if nothing had been
    run.history, run.trainer

Why a thread of its own and not slices of the kernel's event loop. PyTorch lets go of the interpreter lock inside its
operations, so a cell that the reader runs meanwhile answers at once and the training goes on under it; in the loop,
either waits for the other. And Ctrl-C is raised in the main thread only, so it can never tear a step in two. Measured on
two cores (tests/benchmarks/cockpit.py --loop; PixelCNN, batches of 20):

             steps/s   an empty cell answers in   steps during a cell that sleeps 2 s
    thread      25.2                       8 ms                                    49
    loop        23.9                     152 ms                                     0

What one thread must not do to another: values are handed over in a queue and put in force between two steps, by the thread
that trains; histories are columns that only ever grow.
"""

from __future__ import annotations

import atexit
import math
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from klcourse.live.background import Columns, Extra
from klcourse.objectives import OBJECTIVES, Objective, all_knobs, canonical, find_objective, knobs_of, make_objective
from klcourse.objectives.knobs import SHARED
from klcourse.training import MEASURED, Trainer, TrainingDiverged

NUMBERS = ("loss", "rate", "distortion", "penalty_on", "lam")  # what a step tells
WINDOW = 5.0  # seconds over which steps per second are counted
REMEDY = "Reset the run, then choose a smaller learning rate, or smaller lam and beta"


@dataclass(frozen=True)
class Move:
    """A knob that was moved: `step` is how many steps were done, so step + 1 is the first that used `value`."""

    step: int
    knob: str
    value: Any


class LiveRun:
    """A run of `make_trainer()` in the background; see the head of this module.

    `knobs` are the values at the start of what is not to be read off the trainer: the objective by name, lr, and knobs.
    lam, c and beta mean the same to every objective that has them, so they stay when the objective is exchanged, and one
    that the objective in force does not have is kept for when one is chosen that does. All other knobs belong to one
    objective: as the run began for the first, at their defaults for others.
    `extras` is called with the run and returns its extra work. `on_change` is called, in the thread that trains, after every
    step and when the training stops; it must not block.

    One run trains at a time: starting another pauses this one, which loses nothing. One with a plateau stops by itself.

    >>> from klcourse.data import load
    >>> from klcourse.runs import Run, build_trainer
    >>> data = load("mnist", limit=100)
    >>> run = LiveRun(lambda: build_trainer(Run(objective="rate-hinge"), data), {"lam": 0.5})
    >>> run.start(2).wait() and run.set(lam=2).start(1).wait(), run["lam"]
    (True, array([0.5, 0.5, 2. ]))
    """

    def __init__(
        self,
        make_trainer: Callable[[], Trainer],
        knobs: dict[str, Any] | None = None,
        *,
        extras: Callable[[LiveRun], Sequence[Extra]] = lambda run: (),
        on_change: Callable[[], None] = lambda: None,
    ):
        self._make_trainer, self.on_change = make_trainer, on_change
        self.trainer = make_trainer()
        self._first = with_knobs(self.trainer.objective)
        self._start = self._complete({"objective": self._first.name, "lr": self.trainer.lr} | (knobs or {}))
        self.check(self._start)
        self._state = threading.RLock()  # held by whoever starts, pauses, resets
        self._stop, self._training = threading.Event(), False
        self._thread: threading.Thread | None = None
        self._stepped = threading.Condition()
        self.extras = list(extras(self))
        self._begin()

    def _begin(self) -> None:
        self.knobs = dict(self._start)  # as wanted; what is in force may lag behind by the step in hand
        self._in_force = dict(self._start)
        self._pending: deque[dict[str, Any]] = deque()
        self.trainer.objective, self.trainer.lr = self._objective(self.knobs), self.knobs["lr"]
        numbers = [name for name, users in all_knobs().items() if next(iter(users.values())).kind is not str]
        self._told_knobs = [name for name in numbers if name not in NUMBERS]
        self._table = Columns("step", "seconds", *NUMBERS, *self._told_knobs, "lr", "objective")
        self.measured = Columns("step", *MEASURED)
        self.moves: list[Move] = []
        self.clock = 0.0  # seconds of training so far
        self.worked = 0.0  # seconds of processor time of the training thread
        self.error: Exception | None = None
        for extra in self.extras:
            extra.forget()

    # ---------------------------------------------------------------------------------------------------- knobs

    def _objective(self, knobs: dict[str, Any]) -> Objective:
        """The objective for these knobs."""
        name = canonical(knobs["objective"])
        if name == self._first.name:
            return with_knobs(self._first, **{k: knobs[k] for k in knobs_of(type(self._first)) if k in knobs})
        return make_objective(name, **{k: knobs[k] for k in knobs_of(find_objective(name)) if k in knobs})

    def _complete(self, knobs: dict[str, Any]) -> dict[str, Any]:
        """The same with the values of all knobs of the objective they name, and without those of others."""
        objective = self._objective(knobs)
        own = {name: getattr(objective, name) for name in knobs_of(type(objective))}
        kept = {name: value for name, value in knobs.items() if name in ("lr", *SHARED)}
        return {"objective": objective.name} | kept | own

    def set(self, **changes: Any) -> Self:
        """Move knobs: objective (by name), lr, or any knob. The next step that begins uses the new values.

        Raises ValueError, and moves nothing, for an unknown knob or objective or a value that it refuses.
        """
        wanted = self._with(self.knobs, changes)
        self.check(wanted)
        self.knobs = wanted
        self._pending.append(changes)
        with self._state:
            if not self.running:
                self._apply()
        return self

    def _with(self, knobs: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        """These knobs after these changes: what belongs to another objective than the new one goes."""
        name = canonical(changes.get("objective", knobs["objective"]))
        if name != knobs["objective"]:
            knobs = {k: value for k, value in knobs.items() if k in ("lr", *SHARED)}
        wanted = knobs | changes | {"objective": name}
        own = knobs_of(type(self._objective(wanted)))
        if unknown := changes.keys() - {"objective", "lr", *SHARED, *own}:
            raise ValueError(
                f"no knob {', '.join(sorted(unknown))}: choose objective, lr, {', '.join({**dict.fromkeys(SHARED), **own})}"
            )
        return self._complete(wanted)

    def check(self, knobs: dict[str, Any]) -> None:
        """Raise ValueError if the run could not train with these knobs."""
        objective = self._objective(knobs)
        if not (math.isfinite(knobs["lr"]) and knobs["lr"] > 0):
            raise ValueError(f"lr = {knobs['lr']}: choose a learning rate above 0")
        if objective.needs_helper and objective.name not in self.trainer.helpers and self.trainer.sizes is None:
            raise ValueError(f"objective {objective.name} trains a network of its own, and this run was built without one")
        objective.check_batch_size(self.trainer.batch_size)
        if self.trainer.sizes is not None:
            objective.check_sizes(self.trainer.sizes)

    def _apply(self) -> None:
        """Put the waiting changes in force: between two steps, never within one."""
        while self._pending:
            try:
                changes = self._pending.popleft()
            except IndexError:  # another thread was faster
                return
            moved = {k: v for k, v in changes.items() if v != self._in_force.get(k)}
            self._in_force = self._with(self._in_force, changes)
            for knob, value in moved.items():
                if knob == "objective":
                    self.trainer.objective = self._objective(self._in_force)
                elif knob == "lr":
                    self.trainer.lr = value
                elif knob in knobs_of(type(self.trainer.objective)):
                    setattr(self.trainer.objective, knob, value)  # not a new one: dual ascent keeps what it has learnt
                else:
                    continue  # without effect now, so no mark either
                self.moves.append(Move(self.trainer.steps, knob, value))

    # ------------------------------------------------------------------------------------------------- training

    @property
    def running(self) -> bool:
        """Whether it is training now."""
        return self._training

    def start(self, steps: int | None = None, *, extras: bool = True) -> Self:
        """Train in the background, for so many steps or until `pause`; pauses any other run. Returns at once.

        `extras=False` leaves the extra work out: then what the run has to show depends on the steps alone, not on the clock.
        """
        with self._state:
            if self.running:
                return self
            _pause_the_other(self)
            if self._thread is not None:
                self._thread.join()
            self._stop.clear()
            self.error, self._training = None, True
            # a daemon: the kernel can be shut down while it trains
            self._thread = threading.Thread(target=self._work, args=(steps, extras), name="klcourse-live-run", daemon=True)
            self._thread.start()
        return self

    def pause(self) -> Self:
        """Stop after the step in hand, and wait for it."""
        with self._state:
            self._stop.set()
            if self._thread is not None and self._thread is not threading.current_thread():
                self._thread.join()
                self._thread = None
        return self

    def reset(self) -> Self:
        """A new run at step 0, with the knobs as they were at the start."""
        with self._state:
            self.pause()
            self.trainer = self._make_trainer()
            self._begin()
        self.on_change()
        return self

    def wait(self, steps: int | None = None, timeout: float | None = None) -> bool:
        """Wait until so many more steps are done, or without a number until it stops by itself.

        False if an error (see `error`), a pause or `timeout` seconds came first.
        """
        target = math.inf if steps is None else self.trainer.steps + steps
        with self._stepped:
            self._stepped.wait_for(lambda: self.trainer.steps >= target or not self.running, timeout)
        return self.error is None and not self.running if steps is None else self.trainer.steps >= target

    def _work(self, steps: int | None, extras: bool) -> None:
        last = math.inf if steps is None else self.trainer.steps + steps
        started, before, idle = time.perf_counter(), self.clock, self.worked - time.thread_time()
        try:
            while self.trainer.steps < last and not self.trainer.stopped and not self._stop.is_set():
                self._apply()
                knobs = self._told()
                done = self.trainer.step()
                self.clock = before + time.perf_counter() - started
                self._table.add(step=self.trainer.steps, seconds=self.clock, **done, **knobs)
                self.worked = idle + time.thread_time()
                for extra in self.extras if extras else ():
                    extra.advance(self.worked)
                self._tell()
        except Exception as error:  # nobody is above this thread to raise to: the reader is told
            self.error = error
        finally:
            self.clock = before + time.perf_counter() - started
            self._training = False
            self._tell()

    def _told(self) -> dict[str, float]:
        objective = self.trainer.objective
        knobs = {name: getattr(objective, name, math.nan) for name in self._told_knobs}
        return knobs | {"lr": self.trainer.lr, "objective": list(OBJECTIVES).index(objective.name)}

    def _tell(self) -> None:
        with self._stepped:
            self._stepped.notify_all()
        self.on_change()

    def measure(self) -> Iterator[None]:
        """Measure I_q and the rate on validation examples, one piece of extra work; the numbers go into `measured`."""
        steps = self.trainer.steps
        if not (len(self.measured) and self.measured["step"][-1] == steps):
            self.measured.add(step=steps, **self.trainer.measure())
        yield

    # -------------------------------------------------------------------------------------------------- reading

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, name: str) -> np.ndarray:
        """A column of the history so far, a number a step."""
        return self._table[name]

    @property
    def history(self) -> pd.DataFrame:
        """A row a step: what it gave, what it was told, and what was measured after it (else nan); nats."""
        table = self._table.frame().astype({"step": int})
        table["objective"] = [list(OBJECTIVES)[int(i)] for i in table["objective"]]
        return table.merge(self.measured.frame().astype({"step": int}), on="step", how="left")

    @property
    def steps_per_second(self) -> float:
        """Over the last five seconds of training; nan before the second step."""
        seconds = self._table["seconds"]
        if len(seconds) < 2:
            return math.nan
        first = min(int(np.searchsorted(seconds, seconds[-1] - WINDOW)), len(seconds) - 2)
        return (len(seconds) - 1 - first) / (seconds[-1] - seconds[first])

    @property
    def message(self) -> str:
        """Why it stopped and what to do, in words; empty if nothing went wrong."""
        if self.error is None:
            return ""
        remedy = REMEDY if isinstance(self.error, TrainingDiverged) else "Move the knob back, or reset the run"
        return f"Training stopped: {self.error}. {remedy}."


def with_knobs(objective: Objective, **changes: Any) -> Objective:
    """Another objective of the same class, with the same knobs but for the changes."""
    knobs = {name: getattr(objective, name) for name in knobs_of(type(objective))}
    return type(objective)(**(knobs | changes))


_last: Callable[[], LiveRun | None] = lambda: None  # noqa: E731 (a weak reference later)
_pauses_at_exit = False


def _pause_the_other(run: LiveRun) -> None:
    global _last, _pauses_at_exit
    if not _pauses_at_exit:
        atexit.register(pause_all)  # a thread inside PyTorch while the interpreter is taken down would crash it
        _pauses_at_exit = True
    other = _last()
    if other is not None and other is not run:
        other.pause()
    _last = weakref.ref(run)


def pause_all() -> None:
    """Pause the run that trains, if one does."""
    if (run := _last()) is not None:
        run.pause()

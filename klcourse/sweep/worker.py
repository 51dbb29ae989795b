"""What a worker does with one run: train it or go on with it, draw from it, keep what is wanted, report."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import psutil
import torch

from klcourse.data import Dataset, load
from klcourse.runs import Run, RunError, train, write_json
from klcourse.runs.files import CHECKPOINT, RECORD, RESULTS, WEIGHTS, DamagedRun, vouch
from klcourse.runs.weights import weights
from klcourse.system import write_atomically

from .folder import SAMPLES, set_aside
from .grid import run_key
from .samples import draw
from .store import Store

THREAD_VARIABLES = ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMEXPR")
# the last says finished
SMALL_FILES = (*RESULTS, SAMPLES, WEIGHTS, RECORD)


@dataclass(frozen=True)
class Task:
    """A run as a worker gets it. `token` is in the lock file of the sweep's folder: who can read it shares the folder."""

    key: str
    config: Run
    store: Store
    folder: str
    token: str
    threads: int = 1

    def run(self) -> Outcome:
        """Do it, here and now."""
        return Outcome(self.key, "finished", files=do(self))


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `status` finished, failed or interrupted; `files` only if the worker could not write them itself.

    `members` has the outcomes of runs that were done together, as one task.
    """

    key: str
    status: str
    error: str = ""
    trace: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    members: tuple[Outcome, ...] = ()


def attempt(task: Task) -> Outcome:
    """Do a run; whatever ends it is a value, so that one bad run does not end the others."""
    try:
        with interruptible():
            return task.run()
    except KeyboardInterrupt:  # train() has written a checkpoint
        return Outcome(task.key, "interrupted")
    except Exception as error:
        return Outcome(task.key, "failed", f"{type(error).__name__}: {error}", traceback.format_exc())


def do(task: Task) -> dict[str, bytes]:
    """Train, or go on from the checkpoint, and leave a finished run's files; returns them if the folder is not shared."""
    torch.set_num_threads(task.threads)
    config, store = task.config, task.store
    data = dataset(config.data, config.limit, config.hold_out)
    if run_key(config, data.fingerprint) != task.key:
        raise RunError(
            f"the worker has torch {torch.__version__} and {data.name} with fingerprint {data.fingerprint}, the sweep "
            "was started with others: install the same requirements.txt on both"
        )
    if not (shared := shares_folder(task)):
        scratch = tempfile.TemporaryDirectory(prefix="klcourse-")
        folder = Path(scratch.name)
    else:
        folder = Path(task.folder)
    try:
        run = train(config, folder, resume=True, data=data, progress=False)
    except DamagedRun:  # the only copy of a run that can be made again
        set_aside(folder)
        run = train(config, folder, data=data, progress=False)
    if store.samples:
        write_json(folder / SAMPLES, draw(run, store.samples))
    if store.models:
        write_atomically(folder / WEIGHTS, weights(run))
    if store.samples or store.models:
        vouch(folder, (SAMPLES, WEIGHTS))
    (folder / CHECKPOINT).unlink()
    if shared:
        return {}
    with scratch:
        return {name: (folder / name).read_bytes() for name in SMALL_FILES if (folder / name).exists()}


@lru_cache(maxsize=1)
def dataset(name: str, limit: int | None, hold_out: int | None) -> Dataset:
    """The data, kept for the worker's next run."""
    return load(name, limit=limit, hold_out=hold_out)


def shares_folder(task: Task) -> bool:
    """Whether this machine sees the sweep's folder, and not one of its own with the same name."""
    try:
        return task.token in (Path(task.folder).parents[1] / ".lock").read_text()
    except OSError:
        return False


# --------------------------------------------------------------------------------------------- a worker's process


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C ends the run of this block, in a process that otherwise leaves Ctrl-C to the one that started it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def prepare_process() -> None:
    """Leave Ctrl-C to the sweep's own process, except within a run; and do not outlive that process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, args=(psutil.Process(os.getppid()),), daemon=True).start()


def end_with_parent(parent: psutil.Process) -> None:
    """End this process within half a second of its parent: files are written atomically, so nothing is lost."""
    try:
        while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.5)
    finally:  # the parent may go between the two questions
        os._exit(1)


def thread_variables(threads: int) -> dict[str, str]:
    """The environment in which numerical libraries, when they are loaded, take that many threads."""
    return {f"{name}_NUM_THREADS": str(threads) for name in THREAD_VARIABLES}


def attempt_in_process(task: Task, stopped: Callable[[], bool], patience: float = 3.0) -> Outcome:
    """attempt(task) in a process of its own, so that running out of memory ends this run only.

    When `stopped()` turns true the run may end by itself (Ctrl-C reaches it too); after `patience` seconds it
    is told to, and after a minute more it is killed.
    """
    with tempfile.TemporaryDirectory(prefix="klcourse-") as scratch:
        (Path(scratch) / "task").write_bytes(pickle.dumps(task))
        environment = os.environ | thread_variables(task.threads)
        command = f"from klcourse.sweep.worker import child; child({scratch!r})"
        process = subprocess.Popen([sys.executable, "-c", command], env=environment)
        stop, told = None, None
        try:
            while process.poll() is None:
                now = time.monotonic()
                if stop is None and stopped():
                    stop = now
                if stop is not None and told is None and now >= stop + patience:
                    process.send_signal(signal.SIGINT)
                    told = now
                if told is not None and now >= told + 60:
                    break
                time.sleep(0.2)
        finally:
            process.kill()
            process.wait()
        outcome = Path(scratch) / "outcome"
        if outcome.exists():
            return pickle.loads(outcome.read_bytes())
    if stop is not None:
        return Outcome(task.key, "interrupted")
    return Outcome(task.key, "failed", died(process.returncode))


def died(status: int) -> str:
    """What became of a process that left no outcome."""
    if status == -9:
        return "its process was killed, most likely because memory ran out: fewer --jobs, or a smaller batch_size"
    return f"its process ended with status {status}"


def child(place: str) -> None:
    """What the process that attempt_in_process starts does; its folder holds the task and gets the outcome."""
    prepare_process()
    result = attempt(pickle.loads((Path(place) / "task").read_bytes()))
    write_atomically(Path(place) / "outcome", pickle.dumps(result))

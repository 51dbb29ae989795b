"""Runs in processes of this machine: joblib's loky."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

import psutil
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import BrokenProcessPool

from .stop import PATIENCE, Stop
from .worker import Outcome, Task, attempt, attempt_in_process, prepare_process


def local(tasks: list[Task], jobs: int, stop: Stop) -> Iterator[Outcome]:
    """Every task's outcome as it ends, `jobs` at a time; with one job, in this process."""
    if min(jobs, len(tasks)) <= 1:
        for task in tasks:
            if stop:
                return
            yield attempt(task)
        return
    if not semaphores():
        yield from apart(tasks, jobs, stop)
        return
    ended: set[str] = set()
    while (left := [task for task in tasks if task.key not in ended]) and not stop:
        flying: dict[str, Task] = {}
        try:
            for outcome in processes(left, min(jobs, len(left)), stop, flying):
                del flying[outcome.key]
                ended.add(outcome.key)
                yield outcome
        except BrokenProcessPool:
            # A worker died and took the others with it. Alone, only the run whose fault it is dies again.
            for task in list(flying.values()):
                if not stop:
                    ended.add(task.key)
                    yield attempt_in_process(task, lambda: bool(stop), PATIENCE)


def semaphores() -> bool:
    """Whether processes can share locks here: joblib's need it, and where /dev/shm is read-only there are none."""
    try:
        multiprocessing.get_context("spawn").Lock()
    except (ImportError, OSError):
        return False
    return True


def apart(tasks: list[Task], jobs: int, stop: Stop) -> Iterator[Outcome]:
    """Every task's outcome, `jobs` at a time, each in a process of its own that shares nothing: slower to start."""

    def one(task: Task) -> Outcome:
        return Outcome(task.key, "interrupted") if stop else attempt_in_process(task, lambda: bool(stop), PATIENCE)

    warnings.warn("no locks between processes here (/dev/shm): every run gets a process that shares nothing", stacklevel=2)
    pool = ThreadPoolExecutor(jobs)
    try:
        for future in as_completed([pool.submit(one, task) for task in tasks]):
            yield future.result()
    except KeyboardInterrupt:  # the second one
        stop.now()
        for process in psutil.Process().children():
            with contextlib.suppress(psutil.Error):
                if "klcourse.sweep.worker" in " ".join(process.cmdline()):
                    process.kill()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def processes(tasks: list[Task], jobs: int, stop: Stop, flying: dict[str, Task]) -> Iterator[Outcome]:
    """joblib's loky processes; `flying` holds the tasks that have begun. Raises BrokenProcessPool if one dies."""

    def dispatch():
        for task in tasks:
            if stop:
                return
            flying[task.key] = task
            yield delayed(attempt)(task)

    stop.on_stop[:] = [interrupt_children]
    # inner_max_num_threads sets OMP_NUM_THREADS and its like before a worker loads its libraries.
    options = {"inner_max_num_threads": tasks[0].threads, "initializer": prepare_process}
    with parallel_config("loky", n_jobs=jobs, **options), warnings.catch_warnings():
        # It replaces a worker that has grown by 300 MB, which big models do. The next run starts a little later, no more.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given")
        yield from Parallel(return_as="generator_unordered", pre_dispatch=jobs, batch_size=1)(dispatch())


def interrupt_children() -> None:
    """Ctrl-C for the workers, if they have not got it: only a terminal sends it to all. Idle ones ignore it."""
    if os.name == "nt":  # where a process cannot be interrupted without being killed
        return
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # it may just have ended
            if "loky" in " ".join(process.cmdline()):
                process.send_signal(signal.SIGINT)

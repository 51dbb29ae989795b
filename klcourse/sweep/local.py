"""Where runs are done: in processes of this machine (joblib's loky), or on a dask.distributed cluster by its address."""

from __future__ import annotations

import os
import signal
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import BrokenProcessPool

from .worker import Outcome, Task, attempt, attempt_in_process, prepare_process

TIMEOUT = 10  # seconds that a scheduler, and a first worker, have to answer
PATIENCE = 3.0  # seconds that runs get to end by themselves before they are told to


class BackendError(Exception):
    """The place where runs should be done cannot be used; the message says why and what to do."""


class Stop:
    """Whether the sweep is to end early; `on_stop` are called once, a moment after Ctrl-C was pressed."""

    def __init__(self):
        self.set, self.on_stop = False, []

    def __bool__(self) -> bool:
        return self.set

    def now(self) -> None:
        """Start no more runs; tell those under way."""
        if not self.set:
            self.set = True
            # Not at once: Ctrl-C in a terminal reaches the workers too, and a second one would cut a step short.
            timer = threading.Timer(PATIENCE, lambda: [call() for call in self.on_stop])
            timer.daemon = True
            timer.start()


@contextmanager
def stop_on_interrupt(say: Callable[[str], None]) -> Iterator[Stop]:
    """The first Ctrl-C within the block lets every run write a checkpoint; a second one ends everything at once."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def note(signum, frame):
        if stop:
            raise KeyboardInterrupt
        stop.now()
        say("stopping: every run writes a checkpoint first (Ctrl-C again: at once)")

    previous = signal.signal(signal.SIGINT, note)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous)


# ------------------------------------------------------------------------------------------------- this machine


def local(tasks: list[Task], jobs: int, stop: Stop) -> Iterator[Outcome]:
    """Every task's outcome as it ends, `jobs` at a time; with one job, in this process."""
    if min(jobs, len(tasks)) <= 1:
        for task in tasks:
            if stop:
                return
            yield attempt(task)
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


def processes(tasks: list[Task], jobs: int, stop: Stop, flying: dict[str, Task]) -> Iterator[Outcome]:
    """joblib's loky processes; `flying` holds the tasks that have begun. Raises BrokenProcessPool if one dies."""

    def dispatch():
        for task in tasks:
            if stop:
                return
            flying[task.key] = task
            yield delayed(attempt)(task)

    stop.on_stop[:] = [interrupt_children]
    # It replaces a worker that has grown by 300 MB, which big models do. The next run starts a little later, no more.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given")
    # inner_max_num_threads sets OMP_NUM_THREADS and its like before a worker loads its libraries.
    options = {"inner_max_num_threads": tasks[0].threads, "initializer": prepare_process}
    with parallel_config("loky", n_jobs=jobs, **options):
        yield from Parallel(return_as="generator_unordered", pre_dispatch=jobs, batch_size=1)(dispatch())


def interrupt_children() -> None:
    """Ctrl-C for the workers, if they have not got it: only a terminal sends it to all. Idle ones ignore it."""
    if os.name == "nt":  # where a process cannot be interrupted without being killed
        return
    for process in psutil.Process().children():
        if "loky" in " ".join(process.cmdline()):
            process.send_signal(signal.SIGINT)


# --------------------------------------------------------------------------------------------------- a cluster


def cluster(tasks: list[Task], client, stop: Stop) -> Iterator[Outcome]:
    """Every task's outcome as it ends, one run for each thread of the cluster's workers.

    Not through joblib's dask backend: that waits for ever for a task whose worker died.
    """
    from distributed import as_completed

    futures = {client.submit(attempt_on_worker, task, key=f"{task.key}-{uuid.uuid4().hex}"): task for task in tasks}
    stop.on_stop[:] = [lambda: client.cancel(list(futures))]
    for future in as_completed(futures, loop=client.loop):
        if future.status == "finished":
            yield future.result()
        elif future.status in ("cancelled", "lost"):
            lost = "the cluster lost this run: is its scheduler still there?"
            yield Outcome(futures[future].key, "interrupted") if stop else Outcome(futures[future].key, "failed", lost)
        else:
            error = future.exception()
            yield Outcome(futures[future].key, "failed", f"{type(error).__name__}: {error}")
        future.release()


def attempt_on_worker(task: Task) -> Outcome:
    """attempt(task) on a worker of a cluster.

    In a process of its own: the worker stays alive whatever the run does, its threads do not share torch's
    settings and random numbers, and the run can be stopped when the sweep is.
    """
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def cancelled() -> bool:
        """The sweep took its task back, or is gone."""
        state = worker.state.tasks.get(key)
        return state is None or state.state == "cancelled"

    return attempt_in_process(task, cancelled, patience=0.0)


@contextmanager
def connect(address: str) -> Iterator:
    """A client of the cluster whose scheduler is at that address. Raises BackendError."""
    try:
        from distributed import Client
    except ImportError:
        raise BackendError(
            "--backend dask needs the package distributed, which is not installed: in the course's folder, "
            'pip install -e ".[cluster]"; or leave it out, to use this machine'
        ) from None
    import logging

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is said below, once
    try:
        client = Client(address, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise BackendError(
            f"no dask scheduler answers at {address} ({error}): start one with `dask scheduler`, "
            "and give the address it prints, such as tcp://127.0.0.1:8786"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=TIMEOUT)
        except TimeoutError:
            raise BackendError(f"the cluster at {address} has no workers: start some with `dask worker {address}`") from None
        yield client

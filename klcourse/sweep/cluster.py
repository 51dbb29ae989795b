"""Runs on a dask.distributed cluster, by the address of its scheduler."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from .stop import Stop
from .worker import Outcome, Task, attempt_in_process

TIMEOUT = 10  # seconds that a scheduler, and a first worker, have to answer


class BackendError(Exception):
    """The place where runs should be done cannot be used; the message says why and what to do."""


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
    with silent("distributed"):  # what goes wrong is said below, once
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
                remedy = f"start some with `dask worker {address}`"
                raise BackendError(f"the cluster at {address} has no workers: {remedy}") from None
            yield client


@contextmanager
def silent(logger: str) -> Iterator[None]:
    """A block in which a library's log says nothing below a catastrophe; afterwards it is as it was."""
    log = logging.getLogger(logger)
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)

"""Ending a sweep early: the first Ctrl-C lets every run write a checkpoint, a second one ends everything at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from klcourse.system import handled

PATIENCE = 3.0  # seconds that runs get to end by themselves before they are told to


class Stop:
    """Whether the sweep is to end early; `on_stop` are called once, a moment after Ctrl-C was pressed."""

    def __init__(self):
        self.set, self.on_stop, self.signal = False, [], signal.SIGINT

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
    """The first Ctrl-C, SIGTERM or SIGHUP in the block lets every run write a checkpoint; a second one ends all at once."""
    stop = Stop()

    def note(signum, frame):
        if stop:
            raise KeyboardInterrupt
        stop.now()
        stop.signal = signum
        with suppress(OSError):  # the terminal may be what has gone
            say("stopping: every run writes a checkpoint first (Ctrl-C again: at once)")

    with handled(note):
        yield stop

"""What long computations ask of the operating system: memory that stays, Ctrl-C between steps, files that are whole."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO


def keep_freed_memory() -> None:
    """Let the process keep memory that it frees, for the next step to use. Matters on Linux only.

    By default glibc gives large blocks back to the system after every operation and asks for them again in the next one,
    page by page. A training step frees and needs the same blocks over and over; keeping them makes a text step 1.3 to 1.5
    times as fast and a PixelCNN step 1.1 to 1.4 times (tests/benchmarks/memory.py).
    """
    if sys.platform != "linux":
        return
    m_trim_threshold, m_mmap_threshold = -1, -3  # the names of malloc.h
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(m_mmap_threshold, 32 * 2**20)  # blocks up to here come from the heap
        libc.mallopt(m_trim_threshold, 2**30)  # and the heap shrinks only if that much of it is free
    except (OSError, AttributeError):  # another C library: nothing to set
        pass


@contextmanager
def deferred_interrupt() -> Iterator[list[bool]]:
    """Turn the first Ctrl-C into a flag, so that it falls between two steps; a second one interrupts at once."""
    flag: list[bool] = []
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread only
        yield flag
        return

    def note(signum: int, frame: FrameType | None) -> None:
        if flag:
            raise KeyboardInterrupt
        flag.append(True)

    previous = signal.signal(signal.SIGINT, note)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, previous if previous is not None else signal.default_int_handler)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that whoever looks, and whenever the power goes, finds the old one or the new one, whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def take(file: IO) -> bool:
    """Lock an open file for this process; False if another has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(2**30)  # far behind the text, which others may read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

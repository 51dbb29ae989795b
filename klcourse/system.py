"""What long computations ask of the operating system: memory that stays, signals between steps, folders and whole files."""

from __future__ import annotations

import ctypes
import errno
import io
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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


def ending_signals() -> list[signal.Signals]:
    """The signals that ask a process to end and that nobody else has taken: Ctrl-C, and those of schedulers and shells.

    One that is ignored, as SIGHUP is under nohup, stays so.
    """
    others = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    free = (signal.SIG_DFL, *_LISTENING)
    return [signal.SIGINT, *(signum for signum in others if signal.getsignal(signum) in free)]


_LISTENING: list[Callable[[int, FrameType | None], None]] = []  # a run within a sweep hears of a signal first


@contextmanager
def handled(note: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """A block in which `note` hears of the signals that ask to end. Signals reach the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {signum: signal.signal(signum, note) for signum in ending_signals()}
    _LISTENING.append(note)
    try:
        yield
    finally:
        _LISTENING.remove(note)
        for signum, handler in previous.items():
            default = signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL
            signal.signal(signum, default if handler is None else handler)


@contextmanager
def deferred_interrupt() -> Iterator[list[int]]:
    """Keep the first signal that asks to end, Ctrl-C or another, for between two steps; a second one interrupts at once."""
    flag: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        if flag:
            raise KeyboardInterrupt
        flag.append(signum)

    with handled(note):
        yield flag


# ------------------------------------------------------------------------------------------------ folders and files


class Busy(Exception):
    """Another process, `process`, is at work in a folder."""

    def __init__(self, folder: Path, process: str):
        super().__init__(f"another process ({process}) is at work in {folder}")
        self.process = process


@contextmanager
def locked(folder: Path) -> Iterator[str]:
    """Hold a folder, which is made if need be; yields the token written into its lock file. Raises Busy and OSError.

    The operating system drops the lock with the process, so none is left behind by a kill. Where a file system knows no
    locks, nothing is held.
    """
    if "\0" in str(folder):
        raise OSError(errno.EINVAL, "a name with a NUL in it")
    folder.mkdir(parents=True, exist_ok=True)
    path, token = folder / ".lock", uuid.uuid4().hex
    while True:
        with open(path, "a+") as file:
            if not take(file):
                file.seek(0)
                who = file.read().split()
                raise Busy(folder, f"process {who[0]}" if who else "process unknown")
            if not _is_there(path, file):  # it was let go, and removed, between our opening and our locking it
                continue
            file.truncate(0)
            file.write(f"{os.getpid()} {token}\n")
            file.flush()
            try:
                yield token
            finally:
                if sys.platform != "win32":  # where a file that is open cannot be removed
                    with suppress(OSError):
                        path.unlink()
            return


def _is_there(path: Path, file: IO[str]) -> bool:
    """Whether an open file is the one of that name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def take(file: IO[str]) -> bool:
    """Lock an open file for this process; False if another has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(2**30)  # far behind the text, which others may read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
    return True


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that whoever looks, and whenever the power goes, finds the old one or the new one, whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, older: float = 0.0) -> None:
    """Remove what killed writers have left in a folder; where others may be writing, only what is `older` seconds old."""
    for path in folder.glob(".*.tmp"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime >= older:
                path.unlink()


def reason(error: OSError) -> str:
    """Why a file or folder cannot be used, in the system's words: with no number, and with the file if it is known.

    >>> reason(PermissionError(13, "Permission denied", "runs/a"))
    'Permission denied: runs/a'
    """
    named = f": {error.filename}" if error.filename and str(error.filename) else ""
    return f"{error.strerror or error}{named}"


def is_piped() -> bool:
    """Whether nobody watches the error stream: a file or another program reads it. A notebook is watched."""
    ipython = sys.modules.get("IPython")
    return not sys.stderr.isatty() and (ipython is None or ipython.get_ipython() is None)


def print_anything() -> None:
    """Let a console that has no lambda show a question mark in its place, instead of ending the command."""
    for stream in sys.stdout, sys.stderr:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")

"""A small file to hand in: what the reader answered, and work such as the capstone's result.

One JSON object in UTF-8:

    "format"    "klcourse hand-in 1"
    "versions"  {"klcourse": "0.2.0", "python": "3.11.4", "torch": ..., "numpy": ...}; null for what is not installed
    "answers"   the diary as it is: {"solved": {"5.2": true}, "guesses": {"4.1": 3.2}, "bets": {"A7": "holds"},
                "quizzes": {"3.1": "b"}}
    "work"      {"capstone": ...}, one entry a piece of work; each has its "seeds"
    "sha256"    of all the rest (klcourse.seals): a file that was changed afterwards is refused

It holds no name of a person, of a computer or of a folder. Numbers that are not finite are null.
"""

from __future__ import annotations

import json
import math
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from klcourse.seals import SEAL, is_whole, sealed
from klcourse.system import write_atomically
from klcourse.version import __version__

from . import diary

FORMAT = "klcourse hand-in 1"


class HandInError(ValueError):
    """A file is no hand-in, or not what was written; the message says which."""


def write(path: str | Path, **work: Any) -> Path:
    """Write a hand-in with the answers as they are now, and pieces of work by their names; where it is.

    Work that the file has already, under other names, stays. Raises HandInError for a file that is something else, and
    OSError where it cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write(Path(folder) / "mine.json", capstone={"seeds": [0, 1]})
    ...     read(path)["work"]
    {'capstone': {'seeds': [0, 1]}}
    """
    path = Path(path)
    before = read(path)["work"] if path.exists() else {}
    record = {"format": FORMAT, "versions": versions(), "answers": diary.read(), "work": before | _plain(work)}
    write_atomically(path, (json.dumps(sealed(_plain(record)), indent=1, ensure_ascii=False) + "\n").encode())
    return path


def read(path: str | Path) -> dict[str, Any]:
    """The content of a hand-in. Raises HandInError for what is none, or was changed; OSError if it cannot be read."""
    try:
        record = json.loads(Path(path).read_bytes())
    except ValueError:
        raise HandInError(f"{path} is no JSON: choose another file") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise HandInError(f"{path} is no {FORMAT!r}: choose another file")
    if SEAL not in record or not is_whole(record):
        raise HandInError(f"{path} was changed after it was written: write it again")
    return record


def versions() -> dict[str, str | None]:
    """The versions that decide digits: the course's, Python's, PyTorch's, NumPy's."""
    found: dict[str, str | None] = {"klcourse": __version__, "python": platform.python_version()}
    for name in ("torch", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _plain(thing: Any) -> Any:
    """The same as plain JSON has it."""
    if isinstance(thing, dict):
        return {str(key): _plain(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [_plain(value) for value in thing]
    if hasattr(thing, "item"):
        thing = thing.item()
    return None if isinstance(thing, float) and not math.isfinite(thing) else thing

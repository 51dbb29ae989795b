"""The file that the capstone's result is saved to, `klcourse hand-in --capstone FILE` takes it along.

One JSON object in UTF-8, a record with a seal (klcourse.seals):

    "format"     "klcourse capstone 1"
    "versions"   {"klcourse": "0.2.0", "python": "3.11.4", "torch": ..., "numpy": ...}; null for what is not installed
    "answers"    the diary as it is: {"solved": {"5.2": true}, "guesses": {"4.1": 3.2}, "bets": {"A7": "holds"},
                 "quizzes": {"3.1": "b"}}
    "objective"  {"name", "formula", "knobs", "code"}: code is the text of its __call__
    "seeds"      [0, 1]
    "settings"   data -> what its runs were given
    "runs"       a row a run: data, seed and all metrics
    "trouble"    sentences on what went wrong
    "sha256"     the seal, of all the rest

It holds no name of a person, of a computer or of a folder. Numbers that are not finite are null.
"""

from __future__ import annotations

import json
import math
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from klcourse.seals import SEAL, Altered, read_sealed, sealed
from klcourse.system import write_atomically
from klcourse.version import __version__

from . import diary

FORMAT = "klcourse capstone 1"


class NotSaved(ValueError):
    """A file is no saved capstone, or not what was written; the message says which."""


def write(path: str | Path, **parts: Any) -> Path:
    """Write a result's parts, with the versions and the reader's answers as they are now; where it is.

    An earlier result is replaced. Raises NotSaved for a file that is something else, OSError where nothing can be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     read(write(Path(folder) / "mine.json", seeds=[0, 1]))["seeds"]
    [0, 1]
    """
    path = Path(path)
    if path.exists():
        read(path)
    record = plain({"format": FORMAT, "versions": versions(), "answers": diary.read()} | parts)
    write_atomically(path, (json.dumps(sealed(record), indent=1, ensure_ascii=False) + "\n").encode())
    return path


def read(path: str | Path) -> dict[str, Any]:
    """The content of a saved capstone. Raises NotSaved for what is none, or was changed; OSError if it cannot be read."""
    try:
        record = read_sealed(Path(path))
    except Altered as error:
        raise NotSaved(f"{error}: choose another file") from None
    if record.get("format") != FORMAT or SEAL not in record:
        raise NotSaved(f"{path} is no {FORMAT!r}: choose another file")
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


def plain(thing: Any) -> Any:
    """The same as plain JSON has it.

    >>> plain({1: (float("nan"), 2.0)})
    {'1': [None, 2.0]}
    """
    if isinstance(thing, dict):
        return {str(key): plain(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [plain(value) for value in thing]
    if hasattr(thing, "item"):
        thing = thing.item()
    return None if isinstance(thing, float) and not math.isfinite(thing) else thing

"""The reader's own file: which exercises are solved, what was guessed, bet and ticked.

One small JSON file outside the course folder. The environment variable KLCOURSE_DIARY names another place for it. It is
written whole or not at all, under a lock, so that two notebooks at once lose nothing. Where it cannot be written, what
happens is kept until the kernel stops, and said once. A file that cannot be read is set aside, never overwritten.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from klcourse.system import take, write_atomically

SECTIONS = ("solved", "guesses", "bets", "quizzes")
PATIENCE = 2.0  # seconds to wait for another notebook that is writing

Pages = dict[str, dict[str, Any]]

_here: Pages = {}  # what could not be written: it lasts as long as this process
_news: list[str] = []  # sentences for the reader, not yet said


def where() -> Path:
    """The diary's path: KLCOURSE_DIARY if it is set, else diary.json in the user's data folder.

    >>> where().suffix
    '.json'
    """
    if chosen := os.environ.get("KLCOURSE_DIARY"):
        return Path(os.path.expanduser(chosen)).absolute()
    import platformdirs

    folder = platformdirs.user_data_path("klcourse")
    if not folder.is_absolute():  # whoever has no home folder has no user's folder either
        folder = Path(tempfile.gettempdir()) / "klcourse"
    return folder / "diary.json"


def read() -> Pages:
    """All that is kept, section by section: {"solved": {"1.1": True}, "guesses": {"4.1": 3.2}, ...}. Never raises."""
    kept = _stored(where())
    return {section: kept[section] | _here.get(section, {}) for section in SECTIONS}


def keep(section: str, key: str, value: Any) -> None:
    """Write one entry, leaving all others as they are now. Never raises for a file that cannot be written.

    >>> keep("dreams", "1.1", True)
    Traceback (most recent call last):
    ...
    ValueError: the diary has no section 'dreams': use one of solved, guesses, bets, quizzes
    """
    if section not in SECTIONS:
        raise ValueError(f"the diary has no section {section!r}: use one of {', '.join(SECTIONS)}")
    _here.setdefault(section, {})[key] = value
    path = where()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            write_atomically(path, json.dumps(read(), indent=1, ensure_ascii=False).encode())
        _here.clear()
    except OSError as error:
        _say(
            f"Your diary cannot be written ({error.strerror}), so it lasts "
            "until this kernel stops. To keep it, set the environment variable KLCOURSE_DIARY to a file you may write."
        )


def reset() -> bool:
    """Begin an empty diary: forget what was solved, guessed, bet and ticked. False if there was none.

    Raises OSError where the file cannot be removed.
    """
    path = where()
    there = path.exists() or bool(_here)
    _here.clear()
    path.unlink(missing_ok=True)
    return there


def news() -> list[str]:
    """What the reader should hear about the diary, once: it could not be read, or not be written."""
    said, _news[:] = list(_news), []
    return said


def _say(sentence: str) -> None:
    if sentence not in _said:
        _said.add(sentence)
        _news.append(sentence)


_said: set[str] = set()


def _stored(path: Path) -> Pages:
    """The sections in the file; empty ones if there is no file, or none that can be read."""
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {section: {} for section in SECTIONS}
    except OSError:  # there is one, and it is not for us: it must not be overwritten
        text = b""
    try:
        found = json.loads(text)
        if not isinstance(found, dict) or not all(isinstance(found.get(section, {}), dict) for section in SECTIONS):
            raise ValueError("no diary")
    except ValueError:  # not JSON, not text, or JSON of something else
        _set_aside(path)
        found = {}
    return {section: dict(found.get(section, {})) for section in SECTIONS}


def _set_aside(path: Path) -> None:
    """Rename a file that cannot be read, so that nothing of it is lost, and say so."""
    number = 1
    while (other := path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")).exists():
        number += 1
    try:
        os.replace(path, other)
        _say(f"Your diary could not be read. It is set aside as {other.name} in {other.parent}, and a new one begun.")
    except OSError:
        _say(f"Your diary {path} cannot be read, nor set aside: delete it, or set KLCOURSE_DIARY to another file.")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the diary while it is read and written again. OSError after some seconds of waiting for another notebook."""
    with open(path.with_name(f".{path.name}.lock"), "a+") as file:
        until = time.monotonic() + PATIENCE
        while not take(file):
            if time.monotonic() > until:
                raise OSError(0, "another notebook holds it")
            time.sleep(0.01)
        yield

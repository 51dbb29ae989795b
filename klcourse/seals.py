"""Seals: checksums that say whether a file is still what the course wrote.

A *record* is the JSON file of a run or a study. It carries the checksums of the files beside it under "files", and its own
under "sha256". What has no seal is of an older version, and is believed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

SEAL, FILES = "sha256", "files"
TEXT = (".csv", ".json")  # an editor or Git may change how their lines end


class Altered(ValueError):
    """A file that the course wrote is damaged, or another one has taken its place; the message says which."""


def checksum(content: bytes, text: bool = False) -> str:
    """The sha256 of a file's content; of a text as it is with lines that end in a newline alone.

    >>> checksum(b"a,b\\r\\n", text=True) == checksum(b"a,b\\n", text=True)
    True
    """
    return hashlib.sha256(content.replace(b"\r\n", b"\n") if text else content).hexdigest()


def checksum_of(path: Path) -> str:
    """The checksum of a file, read once for every time it was changed. Raises OSError."""
    stat = path.stat()
    return _checksum_of(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4096)
def _checksum_of(path: Path, changed: int, size: int) -> str:
    return checksum(path.read_bytes(), path.suffix in TEXT)


def checksums(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The checksums of those of these files that are in a folder."""
    return {name: checksum_of(folder / name) for name in names if (folder / name).is_file()}


def sealed(record: dict[str, Any]) -> dict[str, Any]:
    """A record with its seal as its last entry.

    >>> record = sealed({"steps": 3})
    >>> is_whole(record), is_whole(record | {"steps": 4})
    (True, False)
    """
    content = {key: value for key, value in record.items() if key != SEAL}
    return content | {SEAL: _seal(content)}


def is_whole(record: dict[str, Any]) -> bool:
    """Whether a record is as it was sealed; one without a seal counts as whole unless it names files."""
    if SEAL not in record:
        return FILES not in record
    return record[SEAL] == _seal({key: value for key, value in record.items() if key != SEAL})


def _seal(content: dict[str, Any]) -> str:
    as_read = json.loads(json.dumps(content))  # keys are text there
    return checksum(json.dumps(as_read, sort_keys=True).encode())


def read_sealed(path: Path) -> dict[str, Any]:
    """The record in a JSON file. Raises OSError if it cannot be read, Altered if it is not what was written."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # cut, emptied, bytes that are no text
        raise Altered(f"{path} is damaged: {error}") from None
    if not isinstance(record, dict):
        raise Altered(f"{path} is damaged: it holds no record")
    if not is_whole(record):
        raise Altered(f"{path} is not what was written: its checksum is wrong")
    return record


def altered(folder: Path, record: dict[str, Any]) -> list[str]:
    """The files that a record speaks for and that are not there, or not what they were."""
    found = []
    for name, kept in record.get(FILES, {}).items():
        try:
            same = checksum_of(folder / name) == kept
        except OSError:
            same = False
        if not same:
            found.append(name)
    return found

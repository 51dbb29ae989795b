"""The cache folder: whole files or none, checked when read, never a reason to fail."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from klcourse.system import remove_leftovers

from .dataset import ARRAYS, Dataset

AGE = 3600.0  # seconds after which nobody still writes a file
_META = ("name", "kind", "label_names", "vocab", "fingerprint")


def folder(cache: Path | str | None = None) -> Path:
    """The cache folder: `cache`, else the environment variable KLCOURSE_DATA, else the user's own.

    >>> folder("somewhere").name
    'somewhere'
    """
    chosen = cache or os.environ.get("KLCOURSE_DATA")
    if chosen:
        return Path(os.path.expanduser(chosen)).absolute()
    import platformdirs  # what pooch.os_cache("klcourse") calls; importing pooch takes longer than a load

    own = platformdirs.user_cache_path("klcourse")
    if own.is_absolute():
        return own
    return Path(tempfile.gettempdir()) / "klcourse"  # nobody's home: a user that the system does not know


def cached(name: str, key: object, build: Callable[[], Dataset], where: Path) -> Dataset:
    """The dataset stored under `key`, else the one that `build()` makes, stored for the next time.

    A stored file that is truncated or altered is built again; a folder that cannot be written only warns.
    Processes that build at once each write a whole file of their own and put it in place in one step.
    """
    path = where / f"{name}-{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.npz"
    data = read(path)
    if data is None:
        data = build()
        try:
            write(path, data)
        except OSError as error:
            warn_unwritable(where, error)
    return data


def given(name: str, where: Path) -> Dataset | None:
    """The dataset in the file `name`.npz of the cache folder, if somebody put it there.

    A copy of another machine's cache file: so that all machines train on the same examples, whatever they have installed.
    """
    return read(where / f"{name}.npz")


def read(path: Path) -> Dataset | None:
    """The dataset in a cache file, or None where there is no file or it is damaged."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            meta = json.loads(str(stored["meta"]))
            arrays = {name: stored[name] for name in ARRAYS if name in stored}
        as_stored = meta.pop("fingerprint")
        meta = {field: tuple(value) if isinstance(value, list) else value for field, value in meta.items()}
        data = Dataset(**meta, **arrays)  # computes the fingerprint anew
    except Exception:  # a damaged file makes zipfile, NumPy or json raise nearly anything: build again
        return None
    return data if data.fingerprint == as_stored else None


def write(path: Path, data: Dataset) -> None:
    """Write a cache file in one step: a reader sees the whole file or none. Raises OSError."""
    meta = json.dumps({field: getattr(data, field) for field in _META})
    arrays = {name: getattr(data, name) for name in ARRAYS if getattr(data, name) is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, older=AGE)
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with open(part, "xb") as file:
            np.savez(file, meta=np.array(meta), **arrays)  # not compressed: reading it is what must be fast
            file.flush()
            os.fsync(file.fileno())  # else a power cut can leave the new name on an empty file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def warn_unwritable(where: Path, error: OSError) -> None:
    """Say that the work will have to be done again next time, and why."""
    warnings.warn(
        f"cannot write the cache folder {where} ({error}); going on without it, so the next load "
        "takes as long. Remedy: set the environment variable KLCOURSE_DATA to a writable folder.",
        stacklevel=2,
    )

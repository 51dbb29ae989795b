"""Scores of single test examples, such as each one's IW-NLL: kept small by a sweep, read back as runs × examples.

NAME_scores.npz holds them in hundredths of a nat. That is far below the noise of the estimates, and a mean over 1 000
examples moves by 10⁻⁴. Written is what is left of every number when its example's mean over runs and its run's mean over
examples are taken off, as whole numbers, low bytes and high bytes apart: compressed, some ten bits a number.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

STEP = 0.01  # nats
MISSING = np.iinfo(np.int32).min  # stands for what is not a number
KNOWN = ("iw_nll", "elbo", "distortion", "rate")
"""What a run can keep of every test example, nats; elbo = -(distortion + rate)."""


def pack(runs: Mapping[str, tuple[str, Mapping[str, np.ndarray]]]) -> bytes:
    """What NAME_scores.npz holds, from run key -> (fingerprint of its data, name -> (N,) scores in nats).

    Runs on the same data have the same examples in the same order, so their scores are columns of one table.
    """
    tables: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for key, (fingerprint, scores) in runs.items():
        for name, values in scores.items():
            tables.setdefault((fingerprint, name), {})[key] = np.asarray(values, float)
    arrays: dict[str, np.ndarray] = {}
    for (fingerprint, name), table in tables.items():
        packed = squeeze(np.stack(list(table.values()))) | {"keys": np.array(list(table))}
        arrays |= {f"{fingerprint}/{name}/{part}": array for part, array in packed.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack_scores(content: bytes) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """The inverse of `pack`: fingerprint -> name -> run key -> (N,) scores in nats, to the nearest hundredth.

    >>> kept = pack({"a": ("data", {"iw_nll": np.array([90.123, 80.0])}), "b": ("data", {"iw_nll": np.array([91.0, 82.5])})})
    >>> unpack_scores(kept)["data"]["iw_nll"]["a"]
    array([90.12, 80.  ])
    """
    found: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        for entry in arrays.files:
            if entry.endswith("/keys"):
                fingerprint, _, name = entry.removesuffix("/keys").partition("/")
                rows = spread({part: arrays[f"{fingerprint}/{name}/{part}"] for part in PARTS})
                if (far := f"{fingerprint}/{name}/{FAR}") in arrays:
                    i, j, values = arrays[far]
                    rows[i.astype(int), j.astype(int)] = values
                found.setdefault(fingerprint, {})[name] = dict(zip(arrays[entry].tolist(), rows))
    return found


FAR, MOST = "far", 1e6  # (3, n): row, column and value of what does not fit: infinities, and more nats than anybody measures
PARTS = ("examples", "runs", "low", "high", "more")


def squeeze(scores: np.ndarray) -> dict[str, np.ndarray]:
    """Scores (runs, N) as whole steps: means of examples and of runs, and the rest, byte by byte."""
    finite = np.abs(scores) < MOST  # neither of nan
    far = np.nonzero(~finite & ~np.isnan(scores))
    whole = np.where(finite, np.rint(np.where(finite, scores, 0.0) / STEP), MISSING).astype(np.int64)
    known = np.where(finite, whole, 0)
    examples = known.mean(0).round().astype(np.int32)
    runs = (known - examples).mean(1).round().astype(np.int32)
    rest = np.where(finite, whole - examples - runs[:, None], MISSING).astype(np.int32)
    unsigned = (np.abs(rest.astype(np.int64)) * 2 - (rest < 0)).astype(np.uint64)  # 0 -1 1 -2 2 ... -> 0 1 2 3 4 ...
    parts = {"low": unsigned & 0xFF, "high": (unsigned >> 8) & 0xFF}
    more = (unsigned >> 16).astype(np.uint32)
    found = {name: part.astype(np.uint8) for name, part in parts.items()}
    beyond = {FAR: np.array([*far, scores[far]], dtype=float)} if far[0].size else {}
    return {"examples": examples, "runs": runs} | found | {"more": more} | beyond


def spread(packed: Mapping[str, np.ndarray]) -> np.ndarray:
    """The inverse of `squeeze`, as far as whole steps go."""
    low, high, more = (packed[name].astype(np.int64) for name in ("low", "high", "more"))
    unsigned = low | high << 8 | more << 16
    rest = np.where(unsigned % 2 == 1, -((unsigned + 1) // 2), unsigned // 2)
    whole = rest + packed["examples"] + packed["runs"][:, None].astype(np.int64)
    return np.where(rest == MISSING, np.nan, whole * STEP)


def read_scores(path: Path, runs: Mapping[int, str], name: str) -> pd.DataFrame:
    """Scores of the given runs, run -> key, a row a run, a column an example; `attrs["fingerprint"]` says of which data.

    Raises KeyError if the file does not have that score of any of them; ValueError if it lacks some, or if their data
    differ: other data have other examples.
    """
    found = [(fingerprint, names) for fingerprint, names in read_file(path, path.stat().st_mtime_ns).items()]
    where: dict[int, str] = {}
    rows: dict[int, np.ndarray] = {}
    for fingerprint, names in found:
        table = derived(names, name)
        for run, key in runs.items():
            if key in table:
                where[run], rows[run] = fingerprint, table[key]
    if not rows:
        known = sorted({each for _, names in found for each in names})
        raise KeyError(f"{path.name} keeps no scores {name!r} of these runs, only {', '.join(known)}")
    if missing := [run for run in runs if run not in rows]:
        raise ValueError(f"{path.name} lacks {name!r} of run {missing[0]}: it was made with other runs than the table")
    if len(set(where.values())) > 1:
        one, other = list(dict.fromkeys(where.values()))[:2]
        raise ValueError(
            f"these runs were measured on different examples (fingerprints {one} and {other}): choose runs on the same data"
        )
    frame = pd.DataFrame.from_dict({run: rows[run] for run in runs}, orient="index").rename_axis("run")
    frame.attrs["fingerprint"] = next(iter(where.values()))
    return frame


def derived(names: Mapping[str, Mapping[str, np.ndarray]], name: str) -> Mapping[str, np.ndarray]:
    """Run key -> scores; the ELBO is made of its two parts, if it is not there itself."""
    if name == "elbo" and name not in names and {"distortion", "rate"} <= names.keys():
        return {key: -(values + names["rate"][key]) for key, values in names["distortion"].items() if key in names["rate"]}
    return names.get(name, {})


@lru_cache(maxsize=4)
def read_file(path: Path, changed: int) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """A file of scores, kept in memory until it changes. ValueError for one that is damaged."""
    try:
        return unpack_scores(path.read_bytes())
    except (zipfile.BadZipFile, KeyError, EOFError, OSError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None

"""The table [store] of a grid file: what a sweep keeps beside the table of its runs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from klcourse.objectives import knobs_of
from klcourse.studies.scores import KNOWN

from .entries import GridError, refuse_unknown, typed

KEEP = ("first seed", "chosen")  # of which models a study keeps small copies
AUTO = "iw_nll or elbo"  # scores = true


@dataclass(frozen=True)
class Store:
    """What a sweep keeps beside the table: n samples and reconstructions a run, curves, weights, scores of test examples.

    `scores` has their names, AUTO for what decides; `keep` says of which models small weights are stored,
    `keep_methods` of which methods, all if empty, `keep_bits` how exactly.
    """

    samples: int = 0
    history: bool = False
    models: bool = False
    scores: tuple[str, ...] = ()
    keep: str = ""
    keep_methods: tuple[str, ...] = ()
    keep_bits: int = 16


def read_store(path: Path, table: dict) -> Store:
    """The [store] table."""
    where = f"{path}, [store]"
    refuse_unknown(where, table, [f.name for f in fields(Store)])
    known = {name: what for name, what in knobs_of(Store).items() if name not in ("scores", "keep_methods")}
    given: dict[str, Any] = {k: typed(where, k, what, table[k]) for k, what in known.items() if k in table}
    methods = table.get("keep_methods", [])
    if not isinstance(methods, list) or not all(isinstance(name, str) for name in methods):
        raise GridError(f'{where}: keep_methods = {methods!r}: write a list of names such as ["ELBO"]')
    store = Store(scores=read_scores(where, table.get("scores", False)), keep_methods=tuple(methods), **given)
    if store.samples < 0:
        raise GridError(f"{where}: samples = {store.samples}: choose 0 or more")
    if store.keep and store.keep not in KEEP:
        raise GridError(f"{where}: keep = {store.keep!r}: choose {' or '.join(map(repr, KEEP))}, or leave it out")
    if store.keep_bits not in (8, 16):
        raise GridError(f"{where}: keep_bits = {store.keep_bits}: choose 16, or 8 for a quarter of the full size")
    if store.keep_methods and not store.keep:
        raise GridError(f"{where}: keep_methods = {methods} without keep: say of which models, keep = {KEEP[0]!r}")
    return store


def read_scores(where: str, value: Any) -> tuple[str, ...]:
    """The entry `scores` of [store]: true, false, or a list of names."""
    if isinstance(value, bool):
        return (AUTO,) if value else ()
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise GridError(f'{where}: scores = {value!r}: write true, false, or a list such as ["iw_nll"]')
    for name in value:
        if name not in KNOWN:
            raise GridError(f"{where}: scores = {value}: {name!r} is no score of an example; choose from {', '.join(KNOWN)}")
    return tuple(dict.fromkeys(value))

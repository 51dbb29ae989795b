"""Entries of a grid file: known by name, of the kind that is wanted; and the error that says what is wrong with one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, cast

from klcourse.objectives import Knob
from klcourse.objectives.knobs import Value

WORDS = {int: "a whole number", float: "a number", str: "text in quotes", bool: "true or false"}


class GridError(Exception):
    """A grid file says something that cannot be run; the message names the file, the table and the remedy."""


def typed(where: str, name: str, what: Knob, value: Any) -> Value:
    """A value of the kind a setting takes: 1 becomes 1.0 where a number is wanted, so that both are the same run."""
    if what.kind is float and type(value) is int:
        return float(value)
    if type(value) is not what.kind:
        raise GridError(f"{where}: {name} = {value!r}: write {WORDS[what.kind]}")
    return cast(Value, value)


def refuse_unknown(where: str, table: dict, known: Iterable[str]) -> None:
    """GridError for the first key that nobody knows, with the nearest one that somebody does."""
    known = list(known)
    for key in table:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
            remedy = f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(known)}"
            raise GridError(f"{where}: unknown field {key!r}. {remedy}")

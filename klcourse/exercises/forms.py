"""What a guess may be: a number in a range, one of a few words, or a curve sketched by a few points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .answers import NotYet, Unusable, as_array, in_words


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`, set by a slider in steps of `step`.

    >>> Range(0, 10, 0.5, "nats").read(3), Range(0, 10, 0.5, "nats").words(3.0)
    (3.0, '3 nats')
    >>> Range(0, 10, 0.5, "nats").read(12)
    Traceback (most recent call last):
    ...
    ValueError: 12 is no guess that fits here: give a number from 0 to 10
    """

    low: float
    high: float
    step: float
    unit: str = ""

    @property
    def takes(self) -> str:
        """What may be given, in words."""
        return f"a number from {self.low:g} to {self.high:g}" + (f" {self.unit}" if self.unit else "")

    def read(self, value: Any) -> float:
        """The guess as a float; ValueError says what may be given."""
        try:
            number = float(f"{float(as_array(value)):.10g}")  # a slider adds up its steps: 17.000000000000004
        except (NotYet, Unusable, TypeError, ValueError):
            number = math.nan
        if not self.low <= number <= self.high:
            raise ValueError(f"{value!r} is no guess that fits here: give a number from {self.low:g} to {self.high:g}")
        return number

    def words(self, value: Any) -> str:
        """A guess or a measurement in words."""
        return " ".join(filter(None, (in_words(as_array(value)), self.unit)))


@dataclass(frozen=True)
class Options:
    """One of a few sentences; the first word or the number, from 1, will do.

    >>> Options(("it rises", "it falls")).read(2)
    'it falls'
    """

    options: tuple[str, ...]

    @property
    def takes(self) -> str:
        """What may be given, in words."""
        return ", ".join(f"{i} ({option})" for i, option in enumerate(self.options, 1))

    def read(self, value: Any) -> str:
        """The option; ValueError lists them."""
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= len(self.options):
            return self.options[value - 1]
        if value in self.options:
            return value
        raise ValueError(f"{value!r} is not among the choices: give {self.takes}")

    def words(self, value: Any) -> str:
        """The option itself."""
        return str(value)


@dataclass(frozen=True)
class Sketch:
    """A curve by a few points: one number for each place `at`, all in one range.

    >>> Sketch(("start", "end"), 0, 5, 0.5).read([1, 4])
    [1.0, 4.0]
    """

    at: tuple[str, ...]
    low: float
    high: float
    step: float
    unit: str = ""

    @property
    def takes(self) -> str:
        """What may be given, in words."""
        return f"{len(self.at)} numbers from {self.low:g} to {self.high:g}, for {', '.join(self.at)}"

    def read(self, value: Any) -> list[float]:
        """The points as a list of floats; ValueError says what may be given."""
        one = Range(self.low, self.high, self.step)
        try:
            points: Sequence[Any] = list(value)
        except TypeError:
            points = ()
        if len(points) != len(self.at):
            raise ValueError(f"{value!r} is no sketch that fits here: give {self.takes}")
        return [one.read(point) for point in points]

    def words(self, value: Any) -> str:
        """The points in a row."""
        return " ".join(filter(None, (in_words(np.asarray(value, dtype=float)), self.unit)))


Form = Range | Options | Sketch

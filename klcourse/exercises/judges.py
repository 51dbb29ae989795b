"""How an answer is judged: as a number, as code that must give the right results, or by what it does.

A judge turns an answer into measured values with a name each, `measure(answer)`, and knows what they should be, `wanted()`.
A typical mistake is a wrong answer; who measures the same has made it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from .answers import NotYet, Unusable, as_array, is_stub

Values = dict[str, np.ndarray]


class Judge(Protocol):
    """What an exercise needs of its judge."""

    @property
    def tolerance(self) -> float:
        """How far off a right value may be, absolute or relative."""

    @property
    def takes(self) -> str:
        """What kind of answer it takes, in words."""

    def measure(self, answer: Any) -> Values:
        """What the answer gives. May raise anything an answer raises, NotYet, Unusable."""

    def wanted(self) -> Values:
        """What it should give."""


@dataclass(frozen=True)
class Number:
    """A number, or an array of them. `expected` may be a function without arguments, called when it is needed.

    >>> Number(0.5).measure(np.float32(0.5))
    {'value': array(0.5)}
    """

    expected: Any
    tolerance: float = 1e-3
    takes: str = "a number"

    def measure(self, answer: Any) -> Values:
        """The answer as an array."""
        return {"value": as_array(answer)}

    def wanted(self) -> Values:
        """The expected value as an array."""
        return {"value": as_array(self.expected)}


@dataclass(frozen=True)
class Code:
    """A function, or a class, that must return what `reference` returns, on every one of `cases()`: name -> arguments.

    The arguments are copied for each call, so that an answer which changes them harms nobody.

    >>> Code(lambda x: 2 * x, lambda: {"x = 3": (3,)}).measure(lambda x: x)
    {'x = 3': array(3.)}
    """

    reference: Callable[..., Any]
    cases: Callable[[], Mapping[str, tuple]]
    tolerance: float = 1e-5
    takes: str = "a function"

    def measure(self, answer: Any) -> Values:
        """What the answer returns, case by case."""
        if is_stub(answer):
            raise NotYet
        if not callable(answer):
            raise Unusable(f"This is a {type(answer).__name__}: give the function itself, its name without brackets.")
        return {name: as_array(answer(*copy.deepcopy(arguments))) for name, arguments in self.cases().items()}

    def wanted(self) -> Values:
        """What the reference returns, case by case."""
        return self.measure(self.reference)


@dataclass(frozen=True)
class Build:
    """Something with many right forms, judged by what it does: `look(answer)` gives named numbers, to be `expected`.

    `look` raises NotYet for a stub and Unusable for what it cannot look at.
    """

    look: Callable[[Any], Mapping[str, Any]]
    expected: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-3
    takes: str = "something of your own making"

    def measure(self, answer: Any) -> Values:
        """What the answer does."""
        if is_stub(answer):
            raise NotYet
        return {name: as_array(value) for name, value in self.look(answer).items()}

    def wanted(self) -> Values:
        """What it should do."""
        return {name: as_array(value) for name, value in self.expected.items()}

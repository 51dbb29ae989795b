"""What a reader can move: a slider, a choice, a switch. Each checks a value and says what it would accept."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

GROUPED = re.compile(r"[-−+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")  # 1,000: a thousand here, one there


def number_text(value: float, digits: int = 4) -> str:
    """A number as a reader writes it: no trailing zeros, a true minus sign.

    >>> number_text(-0.25), number_text(2.0)
    ('−0.25', '2')
    """
    return f"{value:.{digits}g}".replace("-", "−")


@dataclass(frozen=True)
class Slider:
    """A number between `low` and `high`; `unit` is written behind its value, `help` explains it in a sentence.

    Whole numbers in value, low, high and step make it a slider of whole numbers. With `log` the handle moves
    on a log scale, and `step` is in powers of ten (0.1: ten steps a decade).

    >>> Slider("λ", 0.5, 0, 4, 0.05).check("lam", 2)
    2.0
    >>> Slider("λ", 0.5, 0, 4, 0.05).check("lam", 7)
    Traceback (most recent call last):
    ...
    ValueError: lam = 7 is outside its range: give a number from 0 to 4
    """

    label: str
    value: float
    low: float
    high: float
    step: float = 0.1
    unit: str = ""
    help: str = ""
    log: bool = False

    def __post_init__(self) -> None:
        self.check(self.label, self.value)

    @property
    def whole(self) -> bool:
        """True for a slider of whole numbers."""
        return not self.log and all(isinstance(x, int) for x in (self.value, self.low, self.high, self.step))

    @property
    def allowed(self) -> str:
        """The accepted values in words."""
        kind = "whole number" if self.whole else "number"
        return f"a {kind} from {number_text(self.low)} to {number_text(self.high)}"

    def check(self, name: str, value: Any) -> float:
        """The value as a number in the range; ValueError names the range. Numbers in words are read too."""
        if isinstance(value, str) and GROUPED.fullmatch(value.strip()):
            plain = value.strip().replace(",", "")
            raise ValueError(f"{name} = {value!r} can be read in two ways: write {plain}, or a point for the comma")
        try:
            number = float(value.strip().replace("−", "-").replace(",", ".") if isinstance(value, str) else value)
            if isinstance(value, (bool, bytes)) or (isinstance(value, str) and "_" in value):
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{name} = {value!r} is not a number: give {self.allowed}") from None
        if self.whole and math.isfinite(number) and number != round(number):
            raise ValueError(f"{name} = {number_text(number)} is not a whole number: give {self.allowed}")
        # half a rounding error beyond the end is the end: sliders add up steps in the browser
        slack = 1e-9 * max(1.0, abs(self.low), abs(self.high))
        if not (math.isfinite(number) and self.low - slack <= number <= self.high + slack):
            raise ValueError(f"{name} = {value} is outside its range: give {self.allowed}")
        number = min(max(number, self.low), self.high)
        return int(round(number)) if self.whole else float(number)

    def near(self, value: float, other: float) -> bool:
        """Whether the handle would stand at the same place for both values: they are less than half a step apart.

        >>> Slider("rate", 0.002, 1e-5, 0.1, 0.1, log=True).near(0.001995, 0.002)
        True
        """
        distance = math.log10(value / other) if self.log else value - other
        return abs(distance) < 0.499 * self.step


@dataclass(frozen=True)
class Choice:
    """One of a few names.

    >>> Choice("hinge", "off", ("off", "R", "I")).check("hinge", "J")
    Traceback (most recent call last):
    ...
    ValueError: hinge = 'J' is not on offer: choose 'off', 'R' or 'I'
    """

    label: str
    value: str
    options: Sequence[str]
    help: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(self.options))
        self.check(self.label, self.value)

    @property
    def allowed(self) -> str:
        """The accepted values in words."""
        *most, last = map(repr, self.options)
        return ", ".join(most) + (" or " if most else "") + last

    def check(self, name: str, value: Any) -> str:
        """The value if it is one of the options; ValueError lists them."""
        if not isinstance(value, str) or value not in self.options:
            raise ValueError(f"{name} = {value!r} is not on offer: choose {self.allowed}")
        return value


@dataclass(frozen=True)
class Toggle:
    """A switch: True or False.

    >>> Toggle("show the posterior", True).check("shown", True)
    True
    """

    label: str
    value: bool = False
    help: str = ""
    allowed = "True or False"

    def check(self, name: str, value: Any) -> bool:
        """The value if it is True or False."""
        if not isinstance(value, (bool, int)) or value not in (True, False):
            raise ValueError(f"{name} = {value!r}: give True or False")
        return bool(value)


Control = Slider | Choice | Toggle

"""A knob: a number or a word that a method is set by, and all that others need to know to offer it to a reader.

Command line, grid files, sliders, tables of methods and error messages are made from these, so that whoever writes a new
objective says everything about its knobs once, where they are defined.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

Value = float | int | str | bool


@dataclass(frozen=True)
class Slide:
    """The live control of a knob: a slider from 0 up to `top` in steps of `step`.

    `wide_top` and `wide_step` take their place for factorised decoders, for which a nat of rate is worth tens of nats.
    """

    top: float
    step: float
    wide_top: float = math.nan
    wide_step: float = math.nan

    def for_decoder(self, factorised: bool) -> tuple[float, float]:
        """The largest value and the step."""
        wide = factorised and math.isfinite(self.wide_top)
        return (self.wide_top, self.wide_step) if wide else (self.top, self.step)


@dataclass(frozen=True)
class Knob:
    """What a knob is: its `kind` (float, int, str, bool), its bounds (`above`: more than `low`), the words it takes."""

    default: Value | None
    help: str
    symbol: str = ""
    unit: str = ""
    low: float = 0.0
    high: float = math.inf
    above: bool = False
    choices: tuple[str, ...] = ()
    live: Slide | None = None
    tex: str = ""
    shown: bool = True
    kind: type = float

    @property
    def allowed(self) -> str:
        """The accepted values in words.

        >>> Knob(1.0, "").allowed, Knob(0.5, "", high=1).allowed, Knob(2, "", above=True, kind=int).allowed
        ('a finite number >= 0', 'a number from 0 to 1', 'a whole number above 0')
        """
        if self.choices:
            *most, last = self.choices
            return ", ".join(most) + " or " + last
        if self.kind in (str, bool):
            return "a word" if self.kind is str else "True or False"
        number = "a whole number" if self.kind is int else "a finite number"
        if self.high < math.inf:
            high = f"{self.high}" if isinstance(self.high, int) else f"{self.high:g}"
            return f"{number.replace('finite ', '')} from {self.low:g} to {high}"
        return f"{number} {'above' if self.above else '>='} {self.low:g}"

    def check(self, name: str, value: Any, owner: str = "") -> Any:
        """The value as plain Python has it; ValueError says what would do instead.

        >>> Knob(1.0, "").check("lam", -1, "of objective mine")
        Traceback (most recent call last):
        ...
        ValueError: lam = -1 of objective mine: choose a finite number >= 0
        """
        item = getattr(value, "item", None)
        if callable(item) and getattr(value, "ndim", 0) == 0:  # a number of NumPy or PyTorch
            with suppress(RuntimeError, ValueError):  # one without a value, such as on the device meta
                value = item()
        if self.kind in (str, bool):
            good = isinstance(value, self.kind) and (not self.choices or value in self.choices)
        else:
            good = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e308
            good = good and self.low <= value <= self.high and not (self.above and value == self.low)
            good = good and (self.kind is float or value == int(value))
        if not good:
            raise ValueError(f"{name} = {value!r}{owner and ' ' + owner}: choose {self.allowed}")
        return int(value) if self.kind is int else value


def knob(
    default: Value,
    help: str,
    *,
    symbol: str = "",
    tex: str = "",
    unit: str = "",
    low: float = 0.0,
    high: float = math.inf,
    above: bool = False,
    choices: tuple[str, ...] = (),
    live: Slide | None = None,
    shown: bool = True,
) -> Any:
    """A field of an objective: its default, what it does in a few words, and what `Knob` lists. `shown`: in its repr.

    >>> @dataclass
    ... class Example:
    ...     lam: float = knob(1.0, "penalty weight", symbol="λ")
    >>> Example(), knobs_of(Example)["lam"].symbol
    (Example(lam=1.0), 'λ')
    """
    what = Knob(default, help, symbol, unit, low, high, above, choices, live, tex, shown)
    return field(default=default, repr=shown, metadata={"knob": what})


def memory(default: float = 0.0) -> Any:
    """A field of an objective that is no knob: a number that training moves and a checkpoint keeps, such as an average.

    >>> @dataclass
    ... class Example:
    ...     lam: float = knob(1.0, "penalty weight", symbol="λ")
    ...     average: float = memory()
    >>> Example(), list(knobs_of(Example)), memory_of(Example)
    (Example(lam=1.0), ['lam'], ('average',))
    """
    return field(default=default, init=False, repr=False, metadata={"memory": True})


KINDS: dict[str, type] = {"float": float, "int": int, "str": str, "bool": bool}


def knobs_of(cls: type) -> dict[str, Knob]:
    """The knobs of an objective's class, or the settings of a run, by name and in order: what each field is.

    A field without `knob(...)` counts, without words. A class that is not a dataclass yet has none.
    """
    if "__dataclass_fields__" not in vars(cls):  # not yet; or a subclass that adds none of its own
        return knobs_of(cls.__mro__[1]) if is_dataclass(cls) else {}
    if cls not in _KNOWN:
        _KNOWN[cls] = {f.name: knob_of(f) for f in fields(cls) if "memory" not in f.metadata}
    return dict(_KNOWN[cls])


def memory_of(cls: type) -> tuple[str, ...]:
    """The names of what `memory` made of an objective's class."""
    return tuple(f.name for f in fields(cls) if "memory" in f.metadata) if is_dataclass(cls) else ()


_KNOWN: WeakKeyDictionary[type, dict[str, Knob]] = WeakKeyDictionary()


def knob_of(f: Field) -> Knob:
    """What a field of a dataclass is, with the kind that it is annotated with."""
    what = f.metadata.get("knob") or Knob(None if f.default is MISSING else f.default, "")
    annotated = f.type if isinstance(f.type, str) else getattr(f.type, "__name__", "")
    return replace(what, kind=KINDS.get(annotated.removesuffix(" | None"), float))


SHARED = ("lam", "c", "beta")
"""Knobs that mean the same to every objective that has them."""

LAM = Slide(5.0, 0.1, 60.0, 1.0)
C = Slide(12.0, 0.5, 40.0, 0.5)
BETA = Slide(5.0, 0.1, 60.0, 1.0)


def lam(default: float, help: str = "weight λ of the penalty") -> Any:
    """The knob lam, a penalty's weight; `help` says of which."""
    return knob(default, help, symbol="λ", tex=r"\lambda", live=LAM)


def c(default: float, help: str = "target of the rate R") -> Any:
    """The knob c, a target in nats; `help` says of what."""
    return knob(default, help, symbol="c", tex="c", unit="nats", live=C)


def beta(default: float = 1.0, help: str = "weight β of the rate R") -> Any:
    """The knob beta, the weight of the KL; `help` says what else it may weigh."""
    return knob(default, help, symbol="β", tex=r"\beta", live=BETA)

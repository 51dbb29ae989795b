"""What exact models may be asked: each check names the argument, its value and what would do.

An exact answer to a question that makes no sense looks like any other, so none is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def numbers(name: str, value: ArrayLike) -> Array:
    """The value as an array of floats. ValueError for words and ragged lists."""
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":  # neither words, which NumPy would read, nor None, of which it makes nan
            raise ValueError
        return np.asarray(array, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, got {value!r}") from None


def _require(name: str, value: ArrayLike, what: str, good: Any) -> None:
    if not np.all(good):
        raise ValueError(f"{name} must be {what}, got {np.asarray(value)}")


def positive(**values: ArrayLike) -> None:
    """Raise ValueError, naming the argument, unless every value is finite and > 0.

    >>> positive(sigma2=-1.0)
    Traceback (most recent call last):
    ...
    ValueError: sigma2 must be finite and > 0, got -1.0
    """
    for name, value in values.items():
        array = numbers(name, value)
        _require(name, value, "finite and > 0", np.isfinite(array) & (array > 0))


def non_negative(**values: ArrayLike) -> None:
    """Raise ValueError, naming the argument, unless every value is finite and >= 0.

    >>> non_negative(lam=float("nan"))
    Traceback (most recent call last):
    ...
    ValueError: lam must be finite and >= 0, got nan
    """
    for name, value in values.items():
        array = numbers(name, value)
        _require(name, value, "finite and >= 0", np.isfinite(array) & (array >= 0))


def finite(**values: ArrayLike) -> None:
    """Raise ValueError, naming the argument, unless every value is a finite number."""
    for name, value in values.items():
        _require(name, value, "finite", np.isfinite(numbers(name, value)))


def known(**values: ArrayLike) -> None:
    """Raise ValueError, naming the argument, if a value is nan; infinities may pass."""
    for name, value in values.items():
        _require(name, value, "numbers, not nan", ~np.isnan(numbers(name, value)))


def whole(low: int = 1, **values: Any) -> None:
    """Raise ValueError, naming the argument, unless every value is a whole number from `low`.

    >>> whole(d=1.5)
    Traceback (most recent call last):
    ...
    ValueError: d must be a whole number >= 1, got 1.5
    """
    for name, value in values.items():
        good = not isinstance(value, (bool, str)) and np.ndim(value) == 0
        array = numbers(name, value) if good else np.nan
        _require(name, value, f"a whole number >= {low}", good and np.isfinite(array) and array == np.floor(array) >= low)


def one_of(options: Sequence[str], **values: Any) -> None:
    """Raise ValueError, naming the argument and what there is, for a word that is not on offer.

    >>> one_of(("own", "best"), free="foo")
    Traceback (most recent call last):
    ...
    ValueError: free = 'foo': choose 'own' or 'best'
    """
    for name, value in values.items():
        if not isinstance(value, str) or value not in options:
            raise ValueError(f"{name} = {value!r}: choose {' or '.join(map(repr, options))}")


def distribution(name: str, value: ArrayLike, axes: int | None = -1) -> Array:
    """The value as probabilities that sum to one over the last axis, or over all of them for `axes=None`. ValueError.

    >>> distribution("p", [.5, .6])
    Traceback (most recent call last):
    ...
    ValueError: p must hold probabilities that sum to 1, got [0.5 0.6]; normalise it
    """
    table = numbers(name, value)
    total = table.sum(axes) if table.ndim else np.asarray(np.nan)
    if table.size == 0 or not (table >= 0).all() or not np.allclose(total, 1, atol=1e-6):
        raise ValueError(f"{name} must hold probabilities that sum to 1, got {np.asarray(value)}; normalise it")
    return table

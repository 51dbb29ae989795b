"""Reading answers: a float, an array, a tensor, a list or a function that returns one of these are all the same."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np


class NotYet(Exception):
    """The stub is still there."""


class Unusable(Exception):
    """The answer is of no kind that can be judged; the message is a sentence for the reader."""


def is_stub(answer: Any) -> bool:
    """Whether nothing has been filled in: `answer = ...`, or None, which is what an empty function returns."""
    return answer is ... or answer is None


def as_array(answer: Any) -> np.ndarray:
    """An answer as an array of floats, without dimensions of length one. Raises NotYet, Unusable.

    >>> as_array([1, 2.5]), as_array(lambda: 3)
    (array([1. , 2.5]), array(3.))
    >>> as_array("much")
    Traceback (most recent call last):
    ...
    klcourse.exercises.answers.Unusable: 'much' is text: give a number.
    """
    if is_stub(answer):
        raise NotYet
    if isinstance(answer, str):
        raise Unusable(f"{answer!r} is text: give a number.")
    if isinstance(answer, (bool, numbers.Real)):
        return np.array(float(answer))
    if hasattr(answer, "detach"):  # a tensor
        answer = answer.detach().cpu().numpy()
    elif callable(answer) and not hasattr(answer, "__array__"):
        return as_array(answer())
    elif isinstance(answer, (list, tuple)):
        parts = [as_array(part) for part in answer]
        if len({part.shape for part in parts}) > 1:
            raise Unusable("The parts of this list have different shapes: give one array, or a list of numbers.")
        answer = np.array(parts)
    array = np.asarray(answer)
    if array.dtype == object and array.size and all(is_stub(part) for part in array.flat):
        raise NotYet
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool) or np.iscomplexobj(array):
        raise Unusable(f"This is a {type(answer).__name__}: give a number, an array or a tensor.")
    return np.squeeze(array.astype(float))


def close(one: np.ndarray, other: np.ndarray, tolerance: float) -> bool:
    """Whether two answers have the same shape and differ by no more than the tolerance, absolute or relative.

    >>> close(np.array(100.04), np.array(100.0), 1e-3), close(np.array([1, 2]), np.array(1.0), 1e-3)
    (True, False)
    """
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=tolerance, atol=tolerance))


def in_words(array: np.ndarray, most: int = 6) -> str:
    """An array as a reader writes it, shortened.

    >>> in_words(np.array(0.48387)), in_words(np.arange(9))
    ('0.4839', '[0, 1, 2, 3, 4, 5, ...]')
    """
    if array.size > most and array.ndim > 1:
        return f"array {array.shape}, sum {array.sum():.4g}"
    parts = [f"{value:.4g}" for value in array.ravel()[:most]]
    if array.ndim == 0:
        return parts[0]
    return "[" + ", ".join(parts + (["..."] if array.size > most else [])) + "]"
